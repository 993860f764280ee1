"""Recall, end to end: read the query, choose the formula, encode, rank, fetch, explain."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.clock import Clock
from mnemoloom.config import AssistantProfile, ConcertProfile, Config, Profile, WeightedProfile, profile_named
from mnemoloom.errors import EmbedderError
from mnemoloom.filters import Filter
from mnemoloom.index.exact import unit_row
from mnemoloom.recall.encoding import Encoding
from mnemoloom.recall.explain import Findings, explain
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.nearest import Nearest, by_cosine
from mnemoloom.recall.parts import Evidence
from mnemoloom.recall.query import Query, read_query
from mnemoloom.recall.ranking import Ranking, rank
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Explanation, Hit, RecallResult, Record
from mnemoloom.storage import memories
from mnemoloom.storage.filter_sql import compile_filter

__all__ = ["Recaller", "Request"]

_LOG = logging.getLogger(__name__)

Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checked call of recall.

    cold: whether cold memories take part. vector: the caller's encoding of the query, instead of ours.
    exact: compare the query with every vector, however many there are.
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


class Recaller:
    """Answers requests about one namespace."""

    def __init__(self, live: LiveShelf, encoding: Encoding | None, config: Config, clock: Clock) -> None:
        self._live, self._encoding, self._config, self._clock = live, encoding, config, clock
        self._told = False

    def recall(self, request: Request) -> RecallResult:
        """The best memories for a request. Raises EmbedderError, FilterError, CorruptionError."""
        profile, query, evidence = self._prepare(request)
        with self._live.reading() as (connection, shelf, number):
            if _outdated(evidence, shelf):
                return self.recall(request)
            allowed = self._allowed(connection, shelf, number, request)
            ranking = rank(
                shelf,
                query,
                profile,
                evidence,
                allowed=allowed,
                limit=request.k,
                cold=request.cold,
                exact=request.exact,
            )
            hits = self._hits(connection, shelf, number, ranking, request.expand)
        return RecallResult(
            query=request.query, profile=profile.name, encoded=evidence.vector is not None, hits=tuple(hits)
        )

    def why(self, request: Request, memory: int) -> Explanation:
        """Which stage a memory passed or failed for a request."""
        profile, query, evidence = self._prepare(request)
        with self._live.reading() as (connection, shelf, number):
            if _outdated(evidence, shelf):
                return self.why(request, memory)
            allowed = self._allowed(connection, shelf, number, request)
            ranking = rank(
                shelf, query, profile, evidence, allowed=allowed, limit=len(shelf.ids), cold=request.cold, exact=True
            )
            findings = Findings(
                shelf=shelf,
                query=query,
                profile=profile,
                encoded=evidence.vector is not None,
                slot=shelf.slot_of(memory),
                cold_asked=request.cold,
                allowed=allowed,
                ranking=ranking,
                k=request.k,
            )
            return explain(findings, memory)

    def _prepare(self, request: Request) -> tuple[Profile, Query, Evidence]:
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
            width = shelf.vectors.width
            self._tell_of_unencoded(shelf)
            if self._encoding is not None and self._live.follows is not None:
                self._encoding.follow(self._live.follows)
        return profile, query, self._evidence(request, profile, query, width)

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
        now = round(self._clock.now() * 1000)
        if width is None or not _uses_vectors(profile):
            return Evidence(vector=None, now=now)
        if request.vector is not None:
            return Evidence(vector=unit_row(request.vector, width=width), now=now)
        if self._encoding is None:
            return Evidence(vector=None, now=now)
        late = isinstance(profile, WeightedProfile) and profile.maxsim > 0
        strip = isinstance(profile, WeightedProfile) and profile.strip_names
        row, tokens = self._encoding.query(query.topic if strip else query.text, tokens=late)
        projection = self._encoding.projection(tokens.vectors.shape[1]) if tokens and tokens.words else None
        return Evidence(
            vector=unit_row(row, width=width), now=now, tokens=tokens if projection else None, projection=projection
        )

    def _allowed(self, connection: sqlite3.Connection, shelf: Shelf, number: int, request: Request) -> Mask:
        """The slots that tier and filter let through."""
        eligible = shelf.eligible(cold=request.cold)
        if request.condition is None:
            return eligible
        ids = matching_ids(connection, number, request.condition)
        mask = np.zeros(len(eligible), np.bool_)
        mask[shelf.slots_of(ids)] = True
        return mask & eligible

    def _hits(
        self, connection: sqlite3.Connection, shelf: Shelf, number: int, ranking: Ranking, expand: int
    ) -> list[Hit]:
        around = [_around(shelf, int(slot), expand) for slot in ranking.slots]
        ids = shelf.ids.values
        wanted = {int(ids[slot]) for slot in ranking.slots}
        wanted |= {int(ids[slot]) for pair in around for side in pair for slot in side}
        found = memories.records(connection, number, sorted(wanted), accessed=self._live.accessed(wanted))

        def record(slot: int) -> Record | None:
            return found.get(int(ids[slot]))

        hits = []
        for slot, (before, after), parts in zip(ranking.slots, around, ranking.all_parts(), strict=True):
            kept = record(int(slot))
            if kept is None:  # forgotten by another handle since the shelf was read
                continue
            hits.append(
                Hit(
                    record=kept,
                    score=sum(parts.values()),
                    parts=parts,
                    before=tuple(filter(None, map(record, before))),
                    after=tuple(filter(None, map(record, after))),
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


def _around(shelf: Shelf, slot: int, steps: int) -> tuple[list[int], list[int]]:
    """The slots up to `steps` places before and after in the session, in reading order."""
    before, after = _walk(shelf.before.values, slot, steps), _walk(shelf.after.values, slot, steps)
    return before[::-1], after


def _walk(links: NDArray[np.integer[Any]], slot: int, steps: int) -> list[int]:
    found: list[int] = []
    for _ in range(steps):
        slot = int(links[slot])
        if not slot:
            break
        found.append(slot)
    return found
