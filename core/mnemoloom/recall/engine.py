"""Recall, end to end: read the query, choose the formula, encode, rank, fetch, explain."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.clock import Clock
from mnemoloom.config import AssistantProfile, ConcertProfile, Config, Profile, WeightedProfile, profile_named
from mnemoloom.errors import EmbedderError
from mnemoloom.filters import Filter
from mnemoloom.index.exact import unit_row
from mnemoloom.recall.confidence import Support, about_someone_else, confidence
from mnemoloom.recall.encoding import Encoding
from mnemoloom.recall.explain import Findings, explain
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.nearest import Nearest, by_cosine
from mnemoloom.recall.parts import Evidence
from mnemoloom.recall.query import Query, read_query
from mnemoloom.recall.ranking import Ranking, rank
from mnemoloom.recall.revising import UPDATE_POOL, revise
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.updates import Asked, asked_value
from mnemoloom.records import Explanation, Hit, RecallResult, Record
from mnemoloom.storage import memories
from mnemoloom.storage.filter_sql import compile_filter

__all__ = ["SUPERSEDES", "Recaller", "Request"]

SUPERSEDES = "supersedes"  # the kind of link from a newer statement to the one it takes the place of

_LOG = logging.getLogger(__name__)

Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checked call of recall.

    cold: whether cold memories take part. vector: the caller's encoding of the query, instead of ours.
    exact: compare the query with every vector, however many there are. as_of: only what was said until then (ms).
    least: the confidence below which there is no answer; None answers always.
    """

    query: str
    k: int
    profile: str | Profile | None = None
    condition: Filter | None = None
    cold: bool = False
    expand: int = 0
    asker: str | None = None
    vector: NDArray[np.float32] | None = None
    exact: bool = False
    as_of: int | None = None
    least: float | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request that was read: the formula, the query, its encoding, and which version of a value it asks for."""

    profile: Profile
    query: Query
    evidence: Evidence
    asked: Asked | None


@dataclass(frozen=True, slots=True)
class _Look:
    """What one search found: the ranking, the memories in it by slot, contradicting pairs of slots, the confidence."""

    ranking: Ranking
    records: Mapping[int, Record]
    pairs: tuple[tuple[int, int], ...]
    confidence: float


class Recaller:
    """Answers requests about one namespace."""

    def __init__(self, live: LiveShelf, encoding: Encoding | None, config: Config, clock: Clock) -> None:
        self._live, self._encoding, self._config, self._clock = live, encoding, config, clock
        self._told = False

    def recall(self, request: Request) -> RecallResult:
        """The best memories for a request. Raises EmbedderError, FilterError, CorruptionError."""
        prepared = self._prepare(request)
        with self._live.reading() as (connection, shelf, number):
            if _outdated(prepared.evidence, shelf):
                return self.recall(request)
            first, look = self._looks(connection, shelf, number, request, prepared)
            known = None if look is first else frozenset(first.ranking.slots[: request.k].tolist())
            unanswered = request.least is not None and look.confidence < request.least
            hits = [] if unanswered else self._hits(connection, shelf, number, look, request, known)
        return RecallResult(
            query=request.query,
            profile=prepared.profile.name,
            encoded=prepared.evidence.vector is not None,
            hits=tuple(hits),
            confidence=look.confidence,
            about_someone_else=about_someone_else(look.ranking.support),
        )

    def why(self, request: Request, memory: int) -> Explanation:
        """Which stage a memory passed or failed for a request."""
        prepared = self._prepare(request)
        with self._live.reading() as (connection, shelf, number):
            if _outdated(prepared.evidence, shelf):
                return self.why(request, memory)
            whole = replace(request, k=len(shelf.ids), exact=True)
            first, look = self._looks(connection, shelf, number, whole, prepared)
            second_look = look is not first
            findings = Findings(
                shelf=shelf,
                query=prepared.query,
                profile=prepared.profile,
                encoded=prepared.evidence.vector is not None,
                slot=shelf.slot_of(memory),
                cold_asked=request.cold,
                second_look=second_look,
                allowed=self._allowed(connection, shelf, number, replace(request, cold=request.cold or second_look)),
                as_of=request.as_of,
                ranking=look.ranking,
                k=request.k,
                pairs=look.pairs,
                kinds=prepared.asked.kinds if prepared.asked else frozenset(),
                texts={slot: record.text for slot, record in look.records.items()},
                confidence=look.confidence,
                least=request.least,
            )
            return explain(findings, memory)

    def _looks(
        self, connection: sqlite3.Connection, shelf: Shelf, number: int, request: Request, prepared: _Prepared
    ) -> tuple[_Look, _Look]:
        """What a first search found, and what counts: the same, or a wider search where it was not sure enough."""
        first = self._look(connection, shelf, number, request, prepared)
        if request.least is None or first.confidence >= request.least:
            return first, first
        return first, self._second_look(connection, shelf, number, request, prepared, first)

    def _look(
        self, connection: sqlite3.Connection, shelf: Shelf, number: int, request: Request, prepared: _Prepared
    ) -> _Look:
        """Rank, fetch, and let newer statements take the place of those that they contradict."""
        rule, asked = self._config.update_rule, prepared.asked
        limit = max(request.k, UPDATE_POOL) if asked else request.k
        ranking = rank(
            shelf,
            prepared.query,
            prepared.profile,
            prepared.evidence,
            allowed=self._allowed(connection, shelf, number, request),
            limit=limit,
            cold=request.cold,
            exact=request.exact,
        )
        sure = confidence(ranking.support)
        if asked is None or rule is None:
            return _Look(ranking, {}, (), sure)
        records = self._records(connection, shelf, number, ranking.slots[:UPDATE_POOL].tolist())
        texts = {slot: record.text for slot, record in records.items()}
        revised = revise(ranking, texts, shelf, prepared.query, asked, rule)
        return _Look(revised.ranking, records, revised.pairs, sure)

    def _second_look(
        self,
        connection: sqlite3.Connection,
        shelf: Shelf,
        number: int,
        request: Request,
        prepared: _Prepared,
        first: _Look,
    ) -> _Look:
        """Before giving up: search cold memories too, and an assistant's replies by their own words."""
        profile = prepared.profile
        if isinstance(profile, AssistantProfile):
            profile = replace(profile, answered=profile.answered_asked, chunk=profile.answered_asked)
        wider = replace(request, cold=True)
        look = self._look(connection, shelf, number, wider, replace(prepared, profile=profile))
        replied = confidence(Support(matched=look.ranking.support.replied)) if look.ranking.support.replied else 0.0
        return replace(look, confidence=max(first.confidence, look.confidence, replied))

    def history(self, memory: int) -> list[Record]:
        """The memories that state other values for the same thing, and this one, in the order of their times.

        Of a memory that does not exist there is none.
        """
        with self._live.reading() as (connection, shelf, number):
            if not shelf.slot_of(memory):
                return []
            noted, family, new = self._live.superseded(), {memory}, {memory}
            while new:
                pairs = [*memories.linked(connection, SUPERSEDES, new), *noted]
                touched = {each for pair in pairs if new & set(pair) for each in pair if shelf.slot_of(each)}
                new = touched - family
                family |= new
            slots = sorted(map(shelf.slot_of, family), key=lambda slot: (int(shelf.times.values[slot]), slot))
            found = self._records(connection, shelf, number, slots)
            return [found[slot] for slot in slots if slot in found]

    def _prepare(self, request: Request) -> _Prepared:
        with self._live.reading() as (_, shelf, _):
            profile = self._profile(request, shelf)
            query = read_query(
                request.query,
                labels=shelf.labels(),
                names=shelf.names(),
                analyzer=shelf.analyzer,
                cues=shelf.cues,
                asker=request.asker,
            )
            asked = asked_value(request.query, shelf.cues) if self._config.update_rule else None
            width = shelf.vectors.width
            self._tell_of_unencoded(shelf)
            if self._encoding is not None and self._live.follows is not None:
                self._encoding.follow(self._live.follows)
        return _Prepared(profile, query, self._evidence(request, profile, query, width), asked)

    def nearest(self, request: Request, *, text: str | None, k: int | None) -> Nearest:
        """The memories nearest to the request's vector, or to a text. Raises EmbedderError, FilterError."""
        with self._live.reading() as (_, shelf, _number):
            width = shelf.vectors.width
            if self._encoding is not None and self._live.follows is not None:
                self._encoding.follow(self._live.follows)
        row = request.vector
        if row is None and self._encoding is None:
            raise EmbedderError("nearest needs an embedder, or a vector; open the memory with embedder=…")
        if row is None and width is not None and self._encoding is not None and text is not None:
            row = self._encoding.query(text, tokens=False).row
        vector = None if row is None or width is None else unit_row(row, width=width)
        with self._live.reading() as (connection, shelf, number):
            if vector is not None and shelf.vectors.width not in (None, len(vector)):
                return self.nearest(request, text=text, k=k)  # encoded anew, to another width, in the meantime
            return by_cosine(shelf, vector, allowed=self._allowed(connection, shelf, number, request), k=k)

    def _tell_of_unencoded(self, shelf: Shelf) -> None:
        """Say once that texts wait for the encoder; the shelf knows, so that opening need not read the store."""
        if self._encoding is None or self._told:
            return
        self._told = True
        wanted = shelf.alive.values if self._config.encode_replies else shelf.alive.values & ~shelf.replies()
        waiting = int(np.count_nonzero(wanted & ~shelf.has_vector.values))
        if waiting:
            name = self._encoding.identity
            _LOG.warning("%d memories are not encoded by %s; reembed() encodes them", waiting, name)

    def _profile(self, request: Request, shelf: Shelf) -> Profile:
        asked = request.profile or self._config.profile
        return profile_named(shelf.profile_name() if asked == "auto" else asked)

    def _evidence(self, request: Request, profile: Profile, query: Query, width: int | None) -> Evidence:
        """The query's vector and tokens, as far as the profile uses them and the store has any to compare."""
        now = round(self._clock.now() * 1000) if request.as_of is None else request.as_of
        if width is None or not _uses_vectors(profile):
            return Evidence(vector=None, now=now)
        if request.vector is not None:
            return Evidence(vector=unit_row(request.vector, width=width), now=now)
        if self._encoding is None:
            return Evidence(vector=None, now=now)
        strip = isinstance(profile, WeightedProfile) and profile.strip_names
        compared = not isinstance(profile, ConcertProfile)
        row, tokens = self._encoding.query(query.topic if strip else query.text, tokens=compared)
        projection = self._encoding.projection(tokens.vectors.shape[1]) if tokens and tokens.words else None
        return Evidence(
            vector=unit_row(row, width=width), now=now, tokens=tokens if projection else None, projection=projection
        )

    def _allowed(self, connection: sqlite3.Connection, shelf: Shelf, number: int, request: Request) -> Mask:
        """The slots that tier and filter let through."""
        allowed = shelf.eligible(cold=request.cold)
        if request.as_of is not None:
            allowed = allowed & (shelf.times.values <= request.as_of)
        if request.condition is not None:
            mask = np.zeros(len(allowed), np.bool_)
            mask[shelf.slots_of(matching_ids(connection, number, request.condition))] = True
            allowed = allowed & mask
        return allowed

    def _records(
        self, connection: sqlite3.Connection, shelf: Shelf, number: int, slots: Iterable[int]
    ) -> dict[int, Record]:
        """The memories in some slots, by slot; one that another handle has just forgotten is left out."""
        ids = {int(shelf.ids.values[slot]): slot for slot in slots}
        found = memories.records(connection, number, list(ids), accessed=self._live.accessed(ids))
        return {ids[memory]: record for memory, record in found.items()}

    def _hits(
        self,
        connection: sqlite3.Connection,
        shelf: Shelf,
        number: int,
        look: _Look,
        request: Request,
        known: frozenset[int] | None,
    ) -> list[Hit]:
        """The best k with their neighbours; `known` are the slots that a first look had found, if this is a second."""
        slots = look.ranking.slots[: request.k].tolist()
        around = {slot: _around(shelf, slot, request.expand, until=request.as_of) for slot in slots}
        beside = {each for pair in around.values() for side in pair for each in side}
        lacking = beside.union(slots) - look.records.keys()
        records = {**look.records, **self._records(connection, shelf, number, lacking)} if lacking else look.records
        ids = shelf.ids.values
        hits = []
        for slot, parts in zip(slots, look.ranking.all_parts(), strict=False):
            if slot not in records:
                continue
            before, after = around[slot]
            hits.append(
                Hit(
                    record=records[slot],
                    score=sum(parts.values()),
                    parts=parts,
                    before=tuple(records[each] for each in before if each in records),
                    after=tuple(records[each] for each in after if each in records),
                    supersedes=tuple(int(ids[older]) for newer, older in look.pairs if newer == slot),
                    superseded_by=tuple(int(ids[newer]) for newer, older in look.pairs if older == slot),
                    second_look=known is not None and slot not in known,
                )
            )
        return hits


def _outdated(evidence: Evidence, shelf: Shelf) -> bool:
    """Whether the store was encoded anew, to another width, while the query was being encoded."""
    return evidence.vector is not None and shelf.vectors.width not in (None, len(evidence.vector))


def matching_ids(
    connection: sqlite3.Connection, number: int, condition: Filter | None, *, after: int = 0, limit: int = -1
) -> NDArray[np.int64]:
    """Ids of the namespace's memories that a filter lets through, ascending: those after one, at most so many."""
    test, values = compile_filter(condition) if condition is not None else ("TRUE", [])
    statement = "".join(("SELECT id FROM memories WHERE namespace = ? AND id > ? AND (", test, ") ORDER BY id LIMIT ?"))
    found = connection.execute(statement, (number, after, *values, limit))
    return np.fromiter((row[0] for row in found), np.int64)


def _uses_vectors(profile: Profile) -> bool:
    return isinstance(profile, ConcertProfile) or (
        isinstance(profile, (WeightedProfile, AssistantProfile)) and profile.dense > 0
    )


def _around(shelf: Shelf, slot: int, steps: int, *, until: int | None) -> tuple[list[int], list[int]]:
    """The slots up to `steps` places before and after in the session, in reading order, less what was said later."""
    before, after = _walk(shelf.before.values, slot, steps), _walk(shelf.after.values, slot, steps)
    if until is not None:
        times = shelf.times.values
        before, after = ([each for each in side if times[each] <= until] for side in (before, after))
    return before[::-1], after


def _walk(links: NDArray[np.integer[Any]], slot: int, steps: int) -> list[int]:
    found: list[int] = []
    for _ in range(steps):
        slot = int(links[slot])
        if not slot:
            break
        found.append(slot)
    return found
