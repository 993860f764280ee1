"""Verbs for what comes in turn by turn: recall and remember in one call, and a queue that stores in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from mnemoloom.drafts import check_count, check_draft, settled
from mnemoloom.ingesting import IngestQueue
from mnemoloom.records import Draft, RecallResult, Tier
from mnemoloom.rendering import fenced, fitting
from mnemoloom.verbs.asking import AskingVerbs
from mnemoloom.verbs.handle import Confidence, Key, Moment, Where
from mnemoloom.verbs.writing import WritingVerbs

__all__ = ["IngestingVerbs", "Integrated"]


class Integrated(NamedTuple):
    """What `integrate` did: what memory held for a text before, and the id under which it is remembered now."""

    result: RecallResult
    id: int

    @property
    def prompt(self) -> str:
        """The text as a model may be asked it: after what memory held for it, if anything, fenced as data."""
        held = fitting(self.result)
        return f"{fenced(held)}\n\n{self.result.query}" if held else self.result.query


class IngestingVerbs(WritingVerbs, AskingVerbs):
    """Verbs for what comes in turn by turn: integrate, queue."""

    def integrate(
        self,
        text: str,
        k: int = 5,
        *,
        speaker: str | None = None,
        session: str | None = None,
        time: Moment | None = None,
        metadata: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        source: str | None = None,
        trust: str = "user",
        tier: Tier | None = None,
        pinned: bool = False,
        derived_from: Sequence[Key] = (),
        ttl: float | timedelta | None = None,
        where: Where | None = None,
        expand: int = 0,
        min_confidence: Confidence | None = None,
        min_trust: str | None = None,
    ) -> Integrated:
        """Recall what is known about a text, then remember it; the text does not find itself.

        The arguments are those of `remember`; k, where, expand, min_confidence and min_trust those of `recall`, for
        which "I" in the text stands for its speaker. A text that may not be remembered is not asked about either.

        Raises
        ------
        what `remember` and `recall` raise: nothing was stored.
        """
        draft = Draft(
            text=text,
            speaker=speaker,
            session=session,
            time=time,
            metadata={} if metadata is None else metadata,
            external_id=external_id,
            vector=vector,
            source=source,
            trust=trust,
            tier=tier,
            pinned=pinned,
            derived_from=derived_from,
            ttl=ttl,
        )
        self._opened.store.check_usable(writing=True)
        check_draft(draft, config=self._opened.config, now=self._opened.now())
        result = self.recall(
            text,
            k,
            where=where,
            expand=expand,
            asker=speaker,
            vector=vector,
            min_confidence=min_confidence,
            min_trust=min_trust,
        )
        return Integrated(result, self.remember_many([draft])[0])

    async def aintegrate(self, text: str, k: int = 5, **options: Any) -> Integrated:  # noqa: ANN401
        return await self._run(self.integrate, text, k, **options)

    def queue(self, *, size: int = 1024, batch: int = 64) -> IngestQueue:
        """A queue for coroutines that remembers in batches, in the background: `async with memory.queue() as queue`.

        Parameters
        ----------
        size: how many drafts may wait; `put` waits when they are that many. batch: drafts of one transaction, at most.

        Raises
        ------
        ValidationError
        """
        size = check_count(size, "size", low=1)
        batch = check_count(batch, "batch", low=1)
        return IngestQueue(self._checked, self._storing, size=size, batch=batch)

    def _checked(self, draft: Draft | Mapping[str, Any] | str) -> Draft:
        self._opened.store.check_usable(writing=True)
        now = self._opened.now()
        return settled(check_draft(draft, config=self._opened.config, now=now), now=now)

    def _storing(self, drafts: Sequence[Draft]) -> asyncio.Future[list[int]]:
        self._opened.store.check_usable(writing=True)
        work = partial(self.remember_many, drafts)
        return asyncio.get_running_loop().run_in_executor(self._opened.executor, work)
