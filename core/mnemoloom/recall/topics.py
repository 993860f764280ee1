"""The topics of a namespace, to browse and to narrow a question by; they take no part in a score."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art import CategoryStatistics, keywords, representatives, statistics
from mnemoloom.clock import from_millis
from mnemoloom.errors import EmbedderError
from mnemoloom.lexical import Analyzer
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.sorting import Sorted
from mnemoloom.records import Record
from mnemoloom.storage import Store, memories, topics

__all__ = ["Topic", "Topics", "describe_topics", "sort_waiting"]

KEYWORDS = 5  # of a topic
_READ = 5  # memories that are read to see how a term is written
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What memories are about that lie close together.

    id: stays the same for the life of the store; sleep may make two topics one, under the id of the larger.
    count: its memories; cold: how many of them are cold. representative: the memory nearest to its middle.
    keywords: words that tell it from the others, best first. first, last: the times of its memories.
    coherence: mean cosine of the memories with the middle, the direction that all memories share taken away.
    """

    id: int
    count: int
    cold: int
    representative: Record
    keywords: tuple[str, ...]
    coherence: float
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics(Sequence[Topic]):
    """The topics of a namespace, largest first; a sequence.

    statistics: how all sorted memories spread over all topics. unsorted: memories without a topic, because neither
    they nor what they answer have a vector.
    """

    topics: tuple[Topic, ...]
    statistics: CategoryStatistics
    unsorted: int

    @overload
    def __getitem__(self, index: int) -> Topic: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Topic, ...]: ...
    def __getitem__(self, index: int | slice) -> Topic | tuple[Topic, ...]:
        return self.topics[index]

    def __len__(self) -> int:
        return len(self.topics)

    def __iter__(self) -> Iterator[Topic]:
        return iter(self.topics)


def sort_waiting(store: Store, live: LiveShelf) -> None:
    """Sort the memories that have come since topics were last asked for, and write down where they went.

    A read-only handle sorts for itself: what it says of them holds until the writer has sorted them.

    Raises
    ------
    EmbedderError: there are memories, and none of them has a vector.
    """
    with store.reading() as connection, live.sorted(connection) as known:
        shelf = known.shelf
        if not (shelf.alive.values & shelf.has_vector.values).any():
            if len(shelf):
                raise EmbedderError(
                    "topics are made of vectors, and no memory of this namespace has one; "
                    "open the memory with embedder=… and call reembed (`mnemoloom reembed --embedder …`)"
                )
            return
        if not len(known.waiting):
            return
        if store.read_only:
            known.take_in()
            return

    def work(connection: sqlite3.Connection) -> None:
        with live.sorted(connection) as known:
            if len(known.waiting):  # else another thread has been faster
                number = live.number(connection) or 0
                placed = known.take_in()
                known.version = topics.place(connection, number, placed, next_id=known.state.next_id)

    store.transact(work, publish=lambda _: None, abandon=live.forget_sorted)


def describe_topics(store: Store, live: LiveShelf, *, k: int | None = None) -> Topics:
    """The topics that were sorted so far, the `k` largest; equal ones by id."""
    with store.reading() as connection, live.sorted(connection) as known:
        shelf, of_slots = known.shelf, known.of_slots()
        members = np.flatnonzero(of_slots >= 0)
        order = members[np.argsort(of_slots[members], kind="stable")]
        ids, starts, counts = np.unique(of_slots[order], return_index=True, return_counts=True)
        largest = np.lexsort((ids, -counts))[:k].tolist()
        inside = {int(ids[i]): order[starts[i] : starts[i] + counts[i]] for i in largest}
        nearest = _nearest(known)
        middles = {topic: nearest.get(topic, (int(inside[topic][0]), 0.0)) for topic in inside}
        terms = _terms(shelf, members, of_slots[members])
        holders = {topic: _holders(shelf, terms.get(topic, ()), inside[topic]) for topic in inside}
        read = {slot for found in holders.values() for slots in found.values() for slot in slots}
        records = _records(connection, live, shelf, read.union(slot for slot, _ in middles.values()))
        found = [
            Topic(
                id=topic,
                count=len(slots),
                cold=int(np.count_nonzero(shelf.cold.values[slots])),
                representative=records[middles[topic][0]],
                keywords=_spelled(shelf.analyzer, holders[topic], records),
                coherence=middles[topic][1],
                first=from_millis(int(shelf.times.values[slots].min())),
                last=from_millis(int(shelf.times.values[slots].max())),
            )
            for topic, slots in inside.items()
            if middles[topic][0] in records  # else another handle has just forgotten it
        ]
        return Topics(topics=tuple(found), statistics=statistics(known.state), unsorted=len(shelf) - len(members))


def _nearest(known: Sorted) -> dict[int, tuple[int, float]]:
    """By topic the slot of the memory nearest to its middle, a cold one only among cold ones, and the coherence."""
    shelf, slots = known.shelf, known.members()
    if not len(slots):
        return {}
    warm = ~shelf.cold.values[slots]
    found = representatives(known.state, shelf.vectors.take(slots), known.cells[slots, 0], prefer=warm)
    return {topic: (int(slots[member]), coherence) for topic, (member, coherence) in found.items()}


def _terms(shelf: Shelf, members: Ids, cells: Ids) -> dict[int, tuple[str, ...]]:
    """By topic the index terms that tell it from the others, best first, equal ones by the alphabet."""
    numbers = np.full(len(shelf.ids), -1)
    numbers[members] = np.arange(len(members))
    holders, terms = shelf.postings.pairs()
    held = numbers[holders]
    spelled = list(shelf.vocabulary)
    order = sorted(range(len(spelled)), key=spelled.__getitem__)  # their numbers depend on what was forgotten
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    told = keywords(cells, held[held >= 0], places[terms[held >= 0]], keep=KEYWORDS)
    return {topic: tuple(spelled[order[place]] for place in found) for topic, found in told.items()}


def _holders(shelf: Shelf, terms: Sequence[str], slots: Ids) -> dict[str, list[int]]:
    """By term a few of the slots that hold it."""
    return {term: slots[held][:_READ].tolist() for term, held in zip(terms, shelf.holders(terms, slots), strict=True)}


def _records(connection: sqlite3.Connection, live: LiveShelf, shelf: Shelf, slots: Iterable[int]) -> dict[int, Record]:
    ids = {int(shelf.ids.values[slot]): slot for slot in slots}
    found = memories.records(connection, live.number(connection) or 0, list(ids), accessed=live.accessed(ids))
    return {ids[memory]: record for memory, record in found.items()}


def _spelled(analyzer: Analyzer, holders: Mapping[str, list[int]], records: Mapping[int, Record]) -> tuple[str, ...]:
    """Index terms as the memories write them, the commonest way, equal ones by the alphabet."""
    found = []
    for term, slots in holders.items():
        said = Counter(
            word
            for slot in slots
            if slot in records
            for word in analyzer.words(records[slot].text)
            if analyzer.stem(word) == term
        )
        found.append(min(said, key=lambda word: (-said[word], word), default=term))
    return tuple(found)
