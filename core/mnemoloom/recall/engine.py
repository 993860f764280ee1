"""Recall, end to end: read the query, choose the formula, encode, look, fetch, explain."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mnemoloom.clock import Clock
from mnemoloom.config import Config, Profile, profile_named
from mnemoloom.errors import EmbedderError
from mnemoloom.fabric import asked
from mnemoloom.index.exact import unit_row
from mnemoloom.recall.arranging import Arranged, arranged, asked_by
from mnemoloom.recall.confidence import about_someone_else
from mnemoloom.recall.encoding import Encoding, is_down
from mnemoloom.recall.explain import Findings, explain
from mnemoloom.recall.hits import hits_of
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.looking import SUPERSEDES, Look, View
from mnemoloom.recall.nearest import Nearest, by_cosine
from mnemoloom.recall.parts import Evidence
from mnemoloom.recall.query import read_query
from mnemoloom.recall.request import Prepared, Request, evidence_of
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.updates import asked_value
from mnemoloom.records import Explanation, Hit, RecallResult, Record
from mnemoloom.storage import gates, memories
from mnemoloom.storage.quarantine import isolated

__all__ = ["Recaller"]


_LOG = logging.getLogger(__name__)


class Recaller:
    """Answers requests about one namespace."""

    def __init__(self, live: LiveShelf, encoding: Encoding | None, config: Config, clock: Clock) -> None:
        self._live, self._encoding, self._config, self._clock = live, encoding, config, clock
        self._told = False

    def recall(self, request: Request) -> RecallResult:
        """The best memories for a request. Raises EmbedderError, FilterError, CorruptionError."""
        prepared = self._prepare(request)
        with self._view() as view:
            if _outdated(prepared.evidence, view.shelf):
                return self.recall(request)
            if request.variant != "memory":
                return self._by_variant(view, request, prepared)
            first, look = view.looks(request, prepared, self._config.update_rule)
            known = None if look is first else frozenset(first.ranking.slots[: request.k].tolist())
            unanswered = request.least is not None and look.confidence < request.least
            hits = [] if unanswered else hits_of(view, look, request, known=known)
        return self._result(request, prepared, look, hits)

    def _by_variant(self, view: View, request: Request, prepared: Prepared) -> RecallResult:
        """As the variant asks, and what it shows: everything is ranked, for turns of the window may stand anywhere."""
        prepared = replace(prepared, evidence=asked_by(request, prepared.evidence, view.shelf))
        whole = replace(request, k=len(view.shelf.ids), exact=True)
        first, look = view.looks(whole, prepared, self._config.update_rule)
        hits: list[Hit] = []
        if request.least is None or look.confidence >= request.least:
            wider = look is not first
            shown = arranged(view, look, replace(request, cold=request.cold or wider))
            windowed = {slot for slot, source in shown.sources.items() if source == "short_term"}
            anyway = {slot for slot, source in shown.sources.items() if source != "long_term"}
            known = frozenset(first.ranking.slots[: request.k].tolist()) | anyway if wider else None
            hits = hits_of(view, shown.look, request, known=known)
            hits = [replace(hit, short_term=view.shelf.slot_of(hit.id) in windowed) for hit in hits]
        return self._result(request, prepared, look, hits)

    @staticmethod
    def _shown(view: View, look: Look, request: Request) -> Arranged:
        """What a variant shows, and which memory each of its slots is from; the look itself without a variant."""
        return Arranged(look, {}) if request.variant == "memory" else arranged(view, look, request)

    @staticmethod
    def _result(request: Request, prepared: Prepared, look: Look, hits: list[Hit]) -> RecallResult:
        return RecallResult(
            query=request.query,
            profile=prepared.profile.name,
            encoded=prepared.evidence.vector is not None,
            hits=tuple(hits),
            confidence=look.confidence,
            about_someone_else=about_someone_else(look.ranking.support),
            degraded=prepared.degraded,
        )

    def why(self, request: Request, memory: int) -> Explanation:
        """Which stage a memory passed or failed for a request."""
        prepared = self._prepare(request)
        with self._view() as view:
            shelf = view.shelf
            if _outdated(prepared.evidence, shelf):
                return self.why(request, memory)
            prepared = replace(prepared, evidence=asked_by(request, prepared.evidence, shelf))
            whole = replace(request, k=len(shelf.ids), exact=True)
            first, look = view.looks(whole, prepared, self._config.update_rule)
            second_look = look is not first
            shown = self._shown(view, look, replace(request, cold=request.cold or second_look))
            findings = Findings(
                shelf=shelf,
                query=prepared.query,
                profile=prepared.profile,
                encoded=prepared.evidence.vector is not None,
                slot=shelf.slot_of(memory),
                cold_asked=request.cold,
                second_look=second_look,
                allowed=view.allowed(replace(request, cold=request.cold or second_look)),
                as_of=request.as_of,
                topics=request.topics,
                topic=view.topic_of(shelf.slot_of(memory)) if request.topics else None,
                ranking=look.ranking,
                k=request.k,
                pairs=look.pairs,
                kinds=prepared.asked.kinds if prepared.asked else frozenset(),
                texts={slot: record.text for slot, record in look.records.items()},
                confidence=look.confidence,
                least=request.least,
                ended=memories.end_of(view.connection, view.number, memory) if memory.bit_length() < 64 else None,
                gated=gates.decision_of(view.connection, memory) if shelf.slot_of(memory) else None,
                trusted=request.trusted,
                trust=view.trust_of(shelf.slot_of(memory)),
                crowded=look.crowded,
                isolated=bool(isolated(view.connection, [memory])),
                variant=request.variant,
                shown=shown.sources,
                arranged=shown.look.ranking,
                windowed=memory in request.window,
                under=look.folds.under,
            )
            return explain(findings, memory)

    def history(self, memory: int) -> list[Record]:
        """The memories that state other values for the same thing, and this one, in the order of their times.

        Of a memory that does not exist there is none.
        """
        with self._view() as view:
            shelf = view.shelf
            if not shelf.slot_of(memory):
                return []
            noted, family, new = self._live.superseded(), {memory}, {memory}
            while new:
                pairs = [*memories.linked(view.connection, SUPERSEDES, new), *noted]
                touched = {each for pair in pairs if new & set(pair) for each in pair if shelf.slot_of(each)}
                new = touched - family
                family |= new
            slots = sorted(map(shelf.slot_of, family), key=lambda slot: (int(shelf.times.values[slot]), slot))
            found = view.records(slots)
            return [found[slot] for slot in slots if slot in found]

    def question(self, request: Request) -> NDArray[np.float32] | None:
        """The unit row that a question is compared with, shape (d,); None without an encoder, or vectors to compare.

        Raises EmbedderError, also where recall would answer by words alone.
        """
        prepared = self._prepare(replace(request, profile="auto"))
        if prepared.degraded is not None:
            raise EmbedderError(prepared.degraded)
        return prepared.evidence.vector

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
        with self._view() as view:
            if vector is not None and view.shelf.vectors.width not in (None, len(vector)):
                return self.nearest(request, text=text, k=k)  # encoded anew, to another width, in the meantime
            return by_cosine(view.shelf, vector, allowed=view.allowed(request), k=k, exact=request.exact)

    @contextmanager
    def _view(self) -> Iterator[View]:
        with self._live.reading() as (connection, shelf, number):
            yield View(self._live, connection, shelf, number)

    def _prepare(self, request: Request) -> Prepared:
        with self._live.reading() as (connection, shelf, _):
            # what was useful may have been said later than what is asked for
            known = self._config.feedback and request.as_of is None
            learned = self._live.learned(connection) if known else None
            profile = self._profile(request, shelf)
            query = read_query(
                request.query,
                labels=shelf.labels(),
                names=shelf.names(),
                analyzer=shelf.analyzer,
                cues=shelf.cues,
                asker=request.asker,
            )
            value = asked_value(request.query, shelf.cues) if self._config.update_rule else None
            width = shelf.vectors.width
            self._tell_of_unencoded(shelf)
            if self._encoding is not None and self._live.follows is not None:
                self._encoding.follow(self._live.follows)
        now = round(self._clock.now() * 1000)
        degraded = None
        try:
            evidence = evidence_of(request, profile, query, encoding=self._encoding, width=width, now=now)
        except EmbedderError as error:
            if not (self._config.recall_unencoded and is_down(error)):
                raise
            degraded = f"the question could not be encoded: {error}"
            _LOG.warning("a question is answered by words alone: %s", type(error).__name__)
            evidence = evidence_of(request, profile, query, encoding=None, width=width, now=now)
        if learned is not None and evidence.vector is not None and len(evidence.vector) == len(learned.weights):
            evidence = replace(evidence, learned=asked(learned, evidence.vector, gain=self._config.feedback))
        return Prepared(profile, query, evidence, value, degraded)

    def _tell_of_unencoded(self, shelf: Shelf) -> None:
        """Say once that texts wait for the encoder; the shelf knows, so that opening need not read the store."""
        if self._encoding is None or self._told:
            return
        self._told = True
        wanted = shelf.alive.values if self._config.encode_replies else shelf.alive.values & ~shelf.replies()
        waiting = int(np.count_nonzero(wanted & ~shelf.has_vector.values))
        if waiting:
            name = self._encoding.identity
            _LOG.warning(
                "%d memories are not encoded by %s; Memory.reembed or `mnemoloom reembed` encodes them", waiting, name
            )

    def _profile(self, request: Request, shelf: Shelf) -> Profile:
        asked = request.profile or self._config.profile
        return profile_named(shelf.profile_name() if asked == "auto" else asked)


def _outdated(evidence: Evidence, shelf: Shelf) -> bool:
    """Whether the store was encoded anew, to another width, while the query was being encoded."""
    return evidence.vector is not None and shelf.vectors.width not in (None, len(evidence.vector))
