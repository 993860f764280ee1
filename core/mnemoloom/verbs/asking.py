"""Verbs that ask a question: recall, why, history, nearest, calibrate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import Profile
from mnemoloom.drafts import (
    check_count,
    check_flag,
    check_many,
    check_moment,
    check_text,
    check_topics,
    is_number,
    key_of,
    raw_row,
)
from mnemoloom.errors import EmbedderUnavailableError, UnknownMemoryError, ValidationError, told
from mnemoloom.filters import Filter, asks_for, common, conjoin, parse_filter
from mnemoloom.recall.calibration import Calibration, conformal_threshold, fewest_questions, kept_threshold
from mnemoloom.recall.nearest import Nearest
from mnemoloom.recall.request import Request
from mnemoloom.recall.shares import most_per_source
from mnemoloom.recall.topics import Topic
from mnemoloom.records import Explanation, RecallResult, Record, Tier
from mnemoloom.short_term import ShortTerm
from mnemoloom.titans import Variant, check_variant
from mnemoloom.trust import trusted_at_least
from mnemoloom.verbs.handle import Confidence, Handle, Key, Labels, Moment, Where

__all__ = ["AskingVerbs"]


class AskingVerbs(Handle):
    """Verbs that ask a question: recall, why, history, nearest, calibrate."""

    def recall(
        self,
        query: str,
        k: int = 5,
        *,
        profile: str | Profile | None = None,
        where: Where | None = None,
        speaker: Labels | None = None,
        session: Labels | None = None,
        after: Moment | None = None,
        before: Moment | None = None,
        tier: Labels | None = None,
        topic: int | Topic | Collection[int | Topic] | None = None,
        expand: int = 0,
        asker: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        exact: bool = False,
        as_of: Moment | None = None,
        min_confidence: Confidence | None = None,
        variant: Variant = "memory",
        window: ShortTerm | None = None,
        min_trust: str | None = None,
        per_source: float | None = None,
        update: bool = True,
    ) -> RecallResult:
        """The memories that answer a query, best first.

        Parameters
        ----------
        k: how many, at most.
        profile: the formula: dialogue, assistant, document, dense, lexical, concert, or a profile object.
        where: a filter, such as {"metadata.city": "Oslo"} or `where("metadata.year").gte(2020)`.
        speaker, session, tier: one label or several.
        topic: one of `topics` or its id, or several; what has come since is sorted first.
        after, before: a span of time, `before` excluded; a day, month or year ("2026-05") stands for its beginning.
        expand: attach up to this many neighbours of the session to each hit, also such as the filter hides.
        asker: the speaker whom "I" and "my" stand for.
        vector: the query's encoding, if the caller has it; shape (d,).
        exact: compare the query with every vector; beyond 8,000 memories an index picks the candidates otherwise.
        as_of: answer from what had been said until then, that moment included; neighbours said later are left out, too.
            A day, month or year stands for its end (UTC): "2026-05" is all that was known when May was over.
        min_confidence: give no hits below this confidence (0 to 1, or "calibrated"); before that, cold memories and
            the replies of an assistant are searched too, and what they give is marked `second_look`. "calibrated" is
            what `calibrate` found for this namespace and embedder, and before that the library's own threshold, .32.
        variant: Titans' ways to use memory, "mac", "mag" or "mal": the question as the neural memory puts it, and of
            the k what is pinned and the turns of the `window` beside the hits, in the variant's order (see
            `mnemoloom.titans.variants`). All memories are ranked for it, and the neural memory reads each once (.14
            ms). None finds more than "memory", the default.
        window: the short-term memory that a variant shows, such as `memory.short_term("monday", size=4)`.
        min_trust: only memories that are trusted this far or further, neighbours too: web, import, tool, model, user or
            system, from the least to the most.
        per_source: the share of the `k` hits asked for, from 0 to 1 and at least one hit, that may come of one source,
            in place of that of `Config`; 1 sets no bound. Memories without a source are not bounded. Where the others
            give less, fewer than `k` come, and one source may be more of those.
        update: note the time of access on the hits, and which supersede which; False leaves no trace of the question.

        Raises
        ------
        TextError, FilterError, ValidationError, ConfigError, EmbedderError
        """
        noted = check_flag(update, "update")
        request = self._request(
            query,
            k,
            profile=profile,
            condition=common(speaker=speaker, session=session, after=after, before=before, tier=tier),
            where=where,
            topic=topic,
            expand=expand,
            asker=asker,
            vector=vector,
            exact=check_flag(exact, "exact"),
            as_of=as_of,
            min_confidence=min_confidence,
            variant=check_variant(variant),
            window=self._turns(window, variant),
            min_trust=min_trust,
            per_source=per_source,
        )
        if request.topics is not None:
            self._sort()
        result = self._recaller.recall(request)
        if noted and not self._opened.store.read_only:
            self._live.note_access((hit.id for hit in result), self._opened.now())
            self._live.note_superseded((hit.id, older) for hit in result for older in hit.supersedes)
            self._live.note_superseded((newer, hit.id) for hit in result for newer in hit.superseded_by)
        return result

    async def arecall(self, query: str, k: int = 5, **options: Any) -> RecallResult:  # noqa: ANN401
        return await self._run(self.recall, query, k, **options)

    def why(
        self,
        query: str,
        key: Key,
        k: int = 5,
        *,
        profile: str | Profile | None = None,
        where: Where | None = None,
        speaker: Labels | None = None,
        session: Labels | None = None,
        after: Moment | None = None,
        before: Moment | None = None,
        tier: Labels | None = None,
        topic: int | Topic | Collection[int | Topic] | None = None,
        asker: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        as_of: Moment | None = None,
        min_confidence: Confidence | None = None,
        variant: Variant = "memory",
        window: ShortTerm | None = None,
        min_trust: str | None = None,
        per_source: float | None = None,
    ) -> Explanation:
        """Why `recall`, asked the same, returns a memory, or which stage lets it go."""
        request = self._request(
            query,
            k,
            profile=profile,
            condition=common(speaker=speaker, session=session, after=after, before=before, tier=tier),
            where=where,
            topic=topic,
            asker=asker,
            vector=vector,
            as_of=as_of,
            min_confidence=min_confidence,
            variant=check_variant(variant),
            window=self._turns(window, variant),
            min_trust=min_trust,
            per_source=per_source,
        )
        if request.topics is not None:
            self._sort()
        named = key_of(key)
        return self._recaller.why(request, named if isinstance(named, int) else self._id(named))

    async def awhy(self, query: str, key: Key, k: int = 5, **options: Any) -> Explanation:  # noqa: ANN401
        return await self._run(self.why, query, key, k, **options)

    def history(self, key: Key) -> list[Record]:
        """The versions of what a memory states, oldest first, itself included, as far as questions brought them up.

        A pair is noted when `recall` finds that one of them takes the place of the other. Raises UnknownMemoryError.
        """
        found = self._recaller.history(self._id(key))
        if not found:
            raise UnknownMemoryError(key_of(key))
        return found

    async def ahistory(self, key: Key) -> list[Record]:
        return await self._run(self.history, key)

    def nearest(
        self,
        query: str | None = None,
        k: int | None = None,
        *,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        where: Where | None = None,
        min_trust: str | None = None,
        exact: bool = True,
    ) -> Nearest:
        """The ids of memories by the cosine of their vectors with the query's alone, best first, and those cosines.

        Nothing else takes part, no repetition is folded and no source bounded, so that results of several namespaces
        can be merged.
        Cold memories take part only when the filter asks for their tier.

        Parameters
        ----------
        query: what to encode, or `vector`: its encoding, shape (d,).
        k: how many, at most; None for all.
        min_trust: as in `recall`.
        exact: compare every vector; without it, beyond 8,000 memories an index picks the candidates for the `k`.

        Raises
        ------
        EmbedderError: no encoder, and no vector. TextError, VectorError, FilterError, ValidationError.
        """
        config = self._opened.config
        if (query is None) == (vector is None):
            raise ValidationError("nearest takes a query or a vector, one of them")
        if k is not None:
            k = check_count(k, "k", low=1)
        trusted = None if min_trust is None else trusted_at_least(min_trust)
        condition = conjoin(parse_filter(where), common(trust=trusted))
        text = None if query is None else check_text(query, config=config, name="query")
        request = Request(
            query=text or "",
            k=1,
            condition=condition,
            cold=asks_for(condition, "tier", Tier.COLD.value),
            vector=None if vector is None else raw_row(vector),
            exact=exact,
        )
        return self._recaller.nearest(request, text=text, k=k)

    async def anearest(self, query: str | None = None, k: int | None = None, **options: Any) -> Nearest:  # noqa: ANN401
        return await self._run(self.nearest, query, k, **options)

    def calibrate(self, answered: Iterable[str], *, keep: float = 0.9) -> Calibration:
        """Fit the threshold of confidence to questions that this memory does hold an answer to.

        A share `keep` of such questions will pass `recall(…, min_confidence="calibrated")` from now on. About a
        hundred questions are enough for ±6 points. Raises ValidationError, also for fewer questions than can promise
        `keep` at all: 9 for .9, 19 for .95.
        """
        asked = check_many(answered, "answered", of="questions")
        if not is_number(keep) or not 0.0 < keep < 1.0:
            raise ValidationError(f"keep must be a number between 0 and 1; got {told(keep)}")
        self._opened.store.check_usable(writing=True)
        questions, fewest = asked, fewest_questions(float(keep))
        if len(questions) < fewest:
            raise ValidationError(
                f"to keep {keep} of the questions, calibrate needs at least {fewest} that memory holds an answer to; "
                f"got {len(questions)}"
            )
        results = [self.recall(question, update=False) for question in questions]
        if lost := next((each.degraded for each in results if each.degraded), None):
            raise EmbedderUnavailableError(f"confidence is calibrated with the encoder, and {lost}")
        found = [each.confidence for each in results]
        calibration = conformal_threshold(found, keep=float(keep))
        self._writer.keep_threshold(calibration)
        return calibration

    async def acalibrate(self, answered: Iterable[str], **options: Any) -> Calibration:  # noqa: ANN401
        return await self._run(self.calibrate, answered, **options)

    def _request(
        self,
        query: str,
        k: int,
        *,
        where: Where | None,
        topic: int | Topic | Collection[int | Topic] | None,
        condition: Filter | None,
        vector: Any,  # noqa: ANN401 - anything numpy reads as a row
        as_of: Moment | None,
        min_confidence: Confidence | None,
        min_trust: str | None,
        per_source: float | None,
        expand: int = 0,
        asker: str | None = None,
        **settled: Any,  # noqa: ANN401 - what needs no checking: the fields of Request
    ) -> Request:
        config = self._opened.config
        k = check_count(k, "k", low=1, high=config.limits.k)
        expand = check_count(expand, "expand", low=0, high=config.limits.k)
        if not (asker is None or isinstance(asker, str)):
            raise ValidationError(f"asker must be a string or None; got {told(asker)}")
        trusted = None if min_trust is None else trusted_at_least(min_trust)
        condition = conjoin(parse_filter(where), condition, common(trust=trusted))
        return Request(
            query=check_text(query, config=config, name="query"),
            k=k,
            condition=condition,
            topics=None if topic is None else check_topics(_ids_of(topic)),
            cold=asks_for(condition, "tier", Tier.COLD.value),
            expand=expand,
            vector=None if vector is None else raw_row(vector),
            as_of=None if as_of is None else check_moment(as_of, "as_of", to_the_end=True),
            least=self._least(min_confidence),
            trusted=trusted,
            per_source=self._most_per_source(per_source, k),
            asker=asker,
            **settled,
        )

    def _turns(self, window: ShortTerm | None, variant: Variant) -> NDArray[np.int64]:
        """The ids of the turns that a variant shows."""
        if window is None:
            return np.empty(0, np.int64)
        if variant == "memory":
            raise ValidationError("window belongs to a variant, mac, mag or mal; the variant 'memory' shows no window")
        if not isinstance(window, ShortTerm) or not window.belongs_to(self._live):
            raise ValidationError(f"window must be a short_term of this handle; got {told(window)}")
        return np.array(window.ids(), np.int64)

    def _most_per_source(self, share: float | None, k: int) -> int | None:
        if share is None:
            share = self._opened.config.per_source
        elif not is_number(share) or not 0.0 <= share <= 1.0:
            raise ValidationError(f"per_source must be a number from 0 to 1; got {told(share)}")
        return None if share is None or share == 1.0 else most_per_source(float(share), k)

    def _least(self, min_confidence: Confidence | None) -> float | None:
        if min_confidence is None:
            return None
        if isinstance(min_confidence, str) and min_confidence == "calibrated":
            with self._opened.store.reading() as connection:
                number = self._live.number(connection) or 0
                encoding = self._opened.encoding
                return kept_threshold(connection, number, encoder=encoding.identity if encoding else None)
        known = is_number(min_confidence)
        if not known or not 0.0 <= float(min_confidence) <= 1.0:
            raise ValidationError(
                f"min_confidence must be a number in [0, 1] or 'calibrated'; got {told(min_confidence)}"
            )
        return float(min_confidence)


def _ids_of(topic: object) -> object:
    """The ids of topics; whatever else was given stays for the check."""
    if isinstance(topic, Collection) and not isinstance(topic, (str, bytes, Mapping)):
        named = check_many(topic, "topic", of="ids of topics")
        return [each.id if isinstance(each, Topic) else each for each in named]
    return topic.id if isinstance(topic, Topic) else topic
