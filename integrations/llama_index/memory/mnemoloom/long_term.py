"""What one user's chats leave behind: remembering and recalling that never break a chat turn.

When the encoder or the disk fails, the chat goes on: what could not be remembered waits, and is tried again with the
next message; what could not be recalled is missing from one prompt. Both are told in the log.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Annotated, Any, Literal

from llama_index.core.bridge.pydantic import Field

from mnemoloom import Draft, Memory, Record
from mnemoloom.errors import LoomError, ValidationError
from mnemoloom.filters import Filter
from mnemoloom.rendering import fitting
from mnemoloom.trust import check_trust

__all__ = ["Certainty", "LongTerm"]

Certainty = Annotated[float, Field(ge=0.0, le=1.0)] | Literal["calibrated"]

_LOG = logging.getLogger(__name__)
_WAITING_AT_MOST = 1_000
# LoomError is what our own encoders and stores raise; a caller's encoder may raise anything of its kind
_FAULTS = (LoomError, OSError, RuntimeError, ValueError)


class LongTerm:
    """The long-term memory of one user.

    Parameters
    ----------
    memory: a handle on the user's namespace.
    k: how many memories a question recalls, at most.
    token_limit: how many tokens they may take up.
    min_confidence: recall nothing when memory is less sure than this to hold an answer: from 0 to 1, or "calibrated".
    min_trust: recall nothing that is trusted less: web, import, tool, model, user or system.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        k: int,
        token_limit: int,
        min_confidence: Certainty | None,
        min_trust: str | None = None,
    ) -> None:
        self.memory = memory
        self._min_trust = None if min_trust is None else check_trust(min_trust, name="min_trust")
        self._k, self._token_limit, self._min_confidence = k, token_limit, min_confidence
        self._waiting: deque[Draft] = deque(maxlen=_WAITING_AT_MOST)
        self._lock = Lock()

    @property
    def waiting(self) -> int:
        """How many messages could not be remembered yet."""
        return len(self._waiting)

    async def remember(self, drafts: Sequence[Draft]) -> None:
        """Remember drafts, and before them what is waiting."""
        with self._lock:
            wanted = [*self._waiting, *drafts]
            self._waiting.clear()
        if not wanted:
            return
        try:
            await self.memory.aremember_many(wanted, existing="skip")
        except ValidationError:
            await self._remember_each(wanted)
        except _FAULTS as error:
            self._wait(wanted, error)

    async def recall(
        self,
        question: str | None,
        *,
        where: Filter | Mapping[Any, Any] | None,
        count_tokens: Callable[[str], int] | None = None,
        known: Sequence[str] = (),
    ) -> list[Record]:
        """The memories to show for a question, without those whose texts are `known`."""
        if question is None:
            return []
        try:
            result = await self.memory.arecall(
                question,
                self._k + len(known),
                where=where,
                min_confidence=self._min_confidence,
                min_trust=self._min_trust,
                per_source=self._share_of(self._k + len(known)),
            )
        except _FAULTS:
            _LOG.warning("nothing is recalled for this turn", exc_info=True)
            return []
        hits = [hit for hit in result if hit.text not in known][: self._k]
        return fitting(hits, tokens=self._token_limit, count_tokens=count_tokens)

    def _share_of(self, asked: int) -> float | None:
        """The share of what is asked for that is as many memories of one source as may be shown."""
        share = self.memory.per_source
        return share if share is None or share == 1.0 else share * self._k / asked

    async def _remember_each(self, drafts: Sequence[Draft]) -> None:
        """One by one, so that a message which cannot be stored takes no other with it."""
        for place, draft in enumerate(drafts):
            try:
                await self.memory.aremember_many([draft], existing="skip")
            except ValidationError:  # noqa: PERF203 - the point of the loop
                _LOG.warning("a message is not remembered: it cannot be stored", exc_info=True)
            except _FAULTS as error:
                self._wait(drafts[place:], error)
                return

    def _wait(self, drafts: Sequence[Draft], error: BaseException) -> None:
        with self._lock:
            self._waiting.extend(drafts)
        _LOG.warning("%d messages wait to be remembered", len(drafts), exc_info=error)
