"""What belongs together with a memory, by the strongest paths along associative links.

Links are made when they are asked for, around the memories that a path reaches: similar ones from the vectors, those of
one episode from the times, superseding ones from what recall has noted. So they cost nothing to write, and are always
those of the memories that are there. They show what belongs together; they take no part in a score.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnemoloom.fabric import (
    KINDS,
    Links,
    best_paths,
    episode_links_from,
    episodes_of,
    joined,
    similar_links_from,
    superseding_links,
)
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.looking import SUPERSEDES, View
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Record
from mnemoloom.storage import memories

__all__ = ["Related", "related_memories"]

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A memory that belongs together with another one.

    strength: the product of the links along the best path to it, in (0, 1].
    path: ids of memories from the one that was asked about to this one; kinds: of the links between them, "similar",
    "episode" or "supersedes".
    """

    record: Record
    strength: float
    path: tuple[int, ...]
    kinds: tuple[str, ...]

    @property
    def id(self) -> int:
        return self.record.id

    @property
    def text(self) -> str:
        return self.record.text


def related_memories(
    live: LiveShelf, memory: int, *, k: int, kinds: Collection[str] = KINDS, hops: int = 2, cold: bool = False
) -> list[Related] | None:
    """The `k` memories that the strongest paths lead to, strongest first; None if there is no such memory."""
    with live.reading() as (connection, shelf, number):
        if not shelf.slot_of(memory):
            return None
        view = View(live, connection, shelf, number)
        among = shelf.eligible(cold=cold) | (np.arange(len(shelf.ids)) == shelf.slot_of(memory))
        found = best_paths(lambda ids: _links_from(view, ids, among, kinds), memory, hops=hops, k=k)
        slots = {path.id: shelf.slot_of(path.id) for path in found}
        records = view.records(slots.values())
        return [
            Related(record=records[slots[path.id]], strength=round(path.strength, 6), path=path.ids, kinds=path.kinds)
            for path in found
            if slots[path.id] in records
        ]


def _links_from(view: View, ids: Sequence[int], among: NDArray[np.bool_], kinds: Collection[str]) -> Links:
    """The links of some kinds that begin at memories."""
    shelf, starts = view.shelf, view.shelf.slots_of(np.asarray(ids, np.int64))
    found = []
    if "similar" in kinds:
        encoded = starts[shelf.has_vector.values[starts]]
        similar = among & shelf.has_vector.values
        times = shelf.times.values / 1000
        found.append(similar_links_from(encoded, shelf.ids.values, shelf.vectors.values, times, among=similar))
    if "episode" in kinds:
        labels, order = _episodes(shelf, among)
        found.append(episode_links_from(starts, shelf.ids.values, labels, order))
    if "supersedes" in kinds:
        found.append(_superseding(view, ids, among))
    return joined(*found)


def _episodes(shelf: Shelf, among: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """The episode of each slot, −1 for none, and the slots of all episodes by episode, time and id."""
    slots, times = np.flatnonzero(among), shelf.times.values
    labels = np.full(len(times), -1)
    labels[slots] = episodes_of(times[slots] / 1000).labels
    return labels, slots[np.lexsort((slots, times[slots], labels[slots]))]


def _superseding(view: View, ids: Sequence[int], among: NDArray[np.bool_]) -> Links:
    """Links from the newer statement to the older one and back, those that begin at some ids."""
    noted = [pair for pair in view.live.superseded() if set(pair) & set(ids)]
    pairs = {*memories.linked(view.connection, SUPERSEDES, ids), *noted}
    slot_of = view.shelf.slot_of
    there = sorted(pair for pair in pairs if all((slot := slot_of(each)) and among[slot] for each in pair))
    links = superseding_links(there)
    return links.at(np.isin(links.sources, np.asarray(ids, np.int64)))
