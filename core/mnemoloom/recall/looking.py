"""One search of a namespace, and a second one where the first was not sure enough."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import AssistantProfile, ConcertProfile, UpdateRule
from mnemoloom.fabric import prior
from mnemoloom.filters import Filter
from mnemoloom.lexical import wording
from mnemoloom.recall.confidence import Support, confidence
from mnemoloom.recall.folding import Folds, fold
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.narrowing import narrow
from mnemoloom.recall.ranking import Ranking, rank
from mnemoloom.recall.request import Prepared, Request
from mnemoloom.recall.revising import UPDATE_POOL, revise
from mnemoloom.recall.shares import within_share
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Record
from mnemoloom.storage import memories, repeats
from mnemoloom.storage.filter_sql import compile_filter

__all__ = ["SUPERSEDES", "Look", "View", "matching_ids"]

SUPERSEDES = "supersedes"  # the kind of link from a newer statement to the one it takes the place of

_WIDER = 4
_MATCHING = """
SELECT id FROM memories WHERE namespace = ? AND id > ?
AND coalesce((id IN (SELECT memory FROM quarantine)) = ?, TRUE) AND (expires IS NULL OR expires > now_ms())
"""

_SPARE = 16  # places for repetitions that will be folded


@dataclass(frozen=True, slots=True)
class Look:
    """What one search found: the ranking, the memories in it by slot, contradicting pairs of slots, the confidence.

    crowded: slots that the ranking leaves out because better ones of their source fill its share.
    folds: which repetitions were folded in the ranking.
    """

    ranking: Ranking
    records: Mapping[int, Record]
    pairs: tuple[tuple[int, int], ...]
    confidence: float
    crowded: frozenset[int] = frozenset()
    folds: Folds = field(default_factory=Folds)


@dataclass(frozen=True, slots=True)
class View:
    """A namespace as one reading sees it: the database, the shelf in step with it, the namespace's number."""

    live: LiveShelf
    connection: sqlite3.Connection
    shelf: Shelf
    number: int

    def looks(self, request: Request, prepared: Prepared, rule: UpdateRule | None) -> tuple[Look, Look]:
        """What a first search found, and what counts: the same, or a wider search where it was not sure enough."""
        first = self.look(request, prepared, rule)
        if request.least is None or first.confidence >= request.least:
            return first, first
        return first, self._second_look(request, prepared, rule, first)

    def look(self, request: Request, prepared: Prepared, rule: UpdateRule | None) -> Look:
        """Rank, fetch, let newer statements take the place of those that they contradict, bound each source's share."""
        if request.per_source is None:
            return self._distinct(request, prepared, rule)
        wanted = request.k
        while True:  # what crowds a source out makes room for more
            look = self._distinct(replace(request, k=wanted), prepared, rule)
            kept = within_share(self._sources(look.ranking.slots), request.per_source)
            if len(look.ranking.slots) < wanted or np.count_nonzero(kept) >= request.k:
                crowded = frozenset(look.ranking.slots[~kept].tolist())
                return replace(look, ranking=look.ranking.only(kept), crowded=crowded)
            wanted *= _WIDER

    def _sources(self, slots: NDArray[np.int64]) -> list[str | None]:
        ids = self.shelf.ids.values[slots].tolist()
        found = memories.sources(self.connection, ids)
        return [found.get(memory) for memory in ids]

    def _distinct(self, request: Request, prepared: Prepared, rule: UpdateRule | None) -> Look:
        """Rank and fetch; newer statements take the place of those that they contradict, repetitions make room."""
        limit = max(request.k, UPDATE_POOL) if prepared.asked else request.k
        allowed = self.allowed(request)
        if not self.live.has_merged(self.connection):
            return self._ranked(request, prepared, rule, allowed, limit)
        wanted = limit + _SPARE
        while True:
            found = self._ranked(request, prepared, rule, allowed, wanted)
            folded = self._folded(found, allowed)
            if len(folded.ranking.slots) >= limit or len(found.ranking.slots) < wanted:
                return replace(folded, ranking=folded.ranking.first(limit))
            wanted *= 4

    def _folded(self, look: Look, allowed: NDArray[np.bool_]) -> Look:
        """The same, with each thing that was said several times in it once."""
        ids = self.shelf.ids.values[look.ranking.slots].tolist()
        groups = []
        for group in repeats.groups_of(self.connection, self.number, ids):
            slots = [slot for slot in map(self.shelf.slot_of, sorted(group)) if slot and allowed[slot]]
            groups.append(slots)
        # the same words are the same value, whatever the update rule makes of their times
        pairs = tuple(pair for pair in look.pairs if not self._same_words(*(look.records[slot].text for slot in pair)))
        ranking, folds = fold(look.ranking, groups, apart=pairs)
        return replace(look, ranking=ranking, folds=folds, pairs=pairs)

    def _same_words(self, one: str, other: str) -> bool:
        return wording(self.shelf.analyzer, one) == wording(self.shelf.analyzer, other)

    def _ranked(
        self, request: Request, prepared: Prepared, rule: UpdateRule | None, allowed: NDArray[np.bool_], limit: int
    ) -> Look:
        asked = prepared.asked
        ranking = rank(
            self.shelf,
            prepared.query,
            prepared.profile,
            prepared.evidence,
            allowed=allowed,
            limit=limit,
            cold=request.cold,
            exact=request.exact,
            active=self._active(request, prepared),
        )
        sure = confidence(ranking.support)
        if asked is None or rule is None:
            return Look(ranking, {}, (), sure)
        records = self.records(ranking.slots[:UPDATE_POOL].tolist())
        texts = {slot: record.text for slot, record in records.items()}
        revised = revise(ranking, texts, self.shelf, prepared.query, asked, rule, prepared.evidence.vector)
        return Look(revised.ranking, records, revised.pairs, sure)

    def _second_look(self, request: Request, prepared: Prepared, rule: UpdateRule | None, first: Look) -> Look:
        """Before giving up: search cold memories too, and an assistant's replies by their own words."""
        profile = prepared.profile
        if isinstance(profile, AssistantProfile):
            profile = replace(profile, answered=profile.answered_asked, chunk=profile.answered_asked)
        look = self.look(replace(request, cold=True), replace(prepared, profile=profile), rule)
        replied = confidence(Support(matched=look.ranking.support.replied)) if look.ranking.support.replied else 0.0
        return replace(look, confidence=max(first.confidence, look.confidence, replied))

    def _active(self, request: Request, prepared: Prepared) -> NDArray[np.float32] | None:
        """What use adds to each slot; nothing to an answer as of an earlier time."""
        weight = 0.0 if isinstance(prepared.profile, ConcertProfile) else prepared.profile.activation
        if not weight or request.as_of is not None:
            return None
        return prior(self.live.activation(self.connection), now=prepared.evidence.now / 1000, weight=weight)

    def allowed(self, request: Request) -> NDArray[np.bool_]:
        """The slots that tier, time, filter and topics let through; shape (slots,)."""
        allowed = self.shelf.eligible(cold=request.cold)
        if len(request.window):
            allowed = allowed.copy()
            allowed[self.shelf.slots_of(np.sort(request.window))] = True
        if request.as_of is not None:
            allowed = allowed & (self.shelf.times.values <= request.as_of)
        if request.condition is not None:
            narrowed, left = narrow(self.shelf, request.condition)
            if narrowed is not None:
                allowed = allowed & narrowed
            if left is not None and allowed.any():
                mask = np.zeros(len(allowed), np.bool_)
                mask[self.shelf.slots_of(matching_ids(self.connection, self.number, left))] = True
                allowed = allowed & mask
        if request.topics is not None:
            with self.live.sorted(self.connection) as known:
                allowed = allowed & known.mask(request.topics)
        return allowed

    def topic_of(self, slot: int) -> int | None:
        """The topic of a slot, None if it is in none."""
        with self.live.sorted(self.connection) as known:
            found = int(known.of_slots()[slot])
        return found if found >= 0 else None

    def trust_of(self, slot: int) -> str | None:
        """How far the memory in a slot is trusted; None for slot 0."""
        found = self.records([slot]) if slot else {}
        return found[slot].trust if slot in found else None

    def records(self, slots: Iterable[int]) -> dict[int, Record]:
        """The memories in some slots, by slot; one that another handle has just forgotten is left out."""
        ids = {int(self.shelf.ids.values[slot]): slot for slot in slots}
        found = memories.records(self.connection, self.number, list(ids), accessed=self.live.accessed(ids))
        return {ids[memory]: record for memory, record in found.items()}


def matching_ids(
    connection: sqlite3.Connection,
    number: int,
    condition: Filter | None,
    *,
    after: int = 0,
    limit: int = -1,
    isolated: bool | None = False,
) -> NDArray[np.int64]:
    """Ids of the namespace's memories that a filter lets through, ascending: those after one, at most so many.

    isolated: those in quarantine (True), all others (False), or both (None).
    """
    test, values = compile_filter(condition) if condition is not None else ("TRUE", [])
    statement = "".join((_MATCHING, " AND (", test, ") ORDER BY id LIMIT ?"))
    wanted = None if isolated is None else int(isolated)
    found = connection.execute(statement, (number, after, wanted, *values, limit))
    return np.fromiter((row[0] for row in found), np.int64)
