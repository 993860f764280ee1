"""An ingest queue: drafts are put in as they come, stored in batches behind, and `flush` waits until they are on disk.

Its promises:
- What `put` has returned for is in the queue and stays there until it is stored. `put` waits while the queue is full.
- Drafts are stored in the order in which they were put. What `flush` has returned for is durable.
- A draft that breaks a rule is refused by `put`. Whatever else fails is raised by the next `put`, `flush` or `aclose`
  as an IngestError that holds every draft that is not stored; they remain in the queue, and the call after that tries
  again. A draft that can never be stored is taken out with `discard`.
- Cancelling a call stops its waiting alone.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from mnemoloom.errors import (
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    IngestError,
    LoomError,
    StoreClosedError,
    StoreError,
    ValidationError,
)
from mnemoloom.records import Draft

__all__ = ["IngestQueue"]

_BLAMELESS = (StoreError, EmbedderUnavailableError, EmbedderTimeoutError)  # whichever draft is tried


class IngestQueue:
    """Use it in an `async with` block, which drains it; `Memory.queue` makes one. For one event loop.

    Parameters
    ----------
    check: what a draft is as it will be stored; raises ValidationError.
    store: begins to store drafts, all or none.
    size: how many drafts may wait. batch: how many are stored in one transaction, at most.
    """

    def __init__(
        self,
        check: Callable[[Draft | Mapping[str, Any] | str], Draft],
        store: Callable[[Sequence[Draft]], asyncio.Future[list[int]]],
        *,
        size: int,
        batch: int,
    ) -> None:
        self._check, self._store = check, store
        self.size, self.batch = size, batch
        self._waiting: deque[Draft] = deque()
        self._put = self._settled = 0  # drafts so far
        self._alone = 0  # how many of the next drafts are tried one by one
        self._worker: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._failures = self._told = 0  # how often storing has failed, and up to which time somebody was told
        self._closed = False
        self._moved = asyncio.Event()

    @property
    def waiting(self) -> tuple[Draft, ...]:
        """The drafts that are not known to be stored, in order."""
        return tuple(self._waiting)

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return len(self._waiting)

    def __bool__(self) -> bool:
        return True  # an empty queue is a queue

    async def put(self, draft: Draft | Mapping[str, Any] | str) -> None:
        """Take in a draft, as `remember_many` does; a draft without a time was said now. Waits while there is no room.

        Raises
        ------
        ValidationError: it breaks a rule. IngestError: earlier drafts could not be stored. StoreClosedError. It was
        not taken in.
        """
        checked, known = self._check(draft), self._told
        while True:
            if self._closed:
                raise StoreClosedError("the queue has been closed")
            self._raise_new(known)
            if len(self._waiting) < self.size:
                break
            self._start()
            await self._moved.wait()
        self._waiting.append(checked)
        self._put += 1
        self._start()

    async def flush(self) -> None:
        """Wait until everything that was put before is on disk. Raises IngestError."""
        goal, known = self._put, self._told
        while self._settled < goal:
            self._raise_new(known)
            self._start()
            await self._moved.wait()

    def discard(self) -> Draft:
        """Take out the first draft that waits, after storing it has failed. Raises ValidationError if none has."""
        if self._failure is None or self._is_working():
            raise ValidationError("discard takes out a draft that could not be stored; there is none")
        self._failure = None
        self._settled += 1
        self._move()
        return self._waiting.popleft()

    async def aclose(self) -> None:
        """Take in nothing more, and flush; after an IngestError it may be called again."""
        self._closed = True
        self._move()
        await self.flush()

    async def __aenter__(self) -> IngestQueue:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if self._waiting:
            message = f"{len(self._waiting)} drafts in an ingest queue were not stored"
            warnings.warn(message, ResourceWarning, stacklevel=1, source=self)

    def _start(self) -> None:
        if self._waiting and not self._is_working():
            self._worker = asyncio.get_running_loop().create_task(self._work())
            self._worker.add_done_callback(self._ended)

    def _is_working(self) -> bool:
        return self._worker is not None and not self._worker.done()

    async def _work(self) -> None:
        """Store what waits, batch after batch."""
        while self._waiting:
            drafts = list(islice(self._waiting, 1 if self._alone else self.batch))
            try:
                await self._stored(drafts)
            except LoomError as error:
                if len(drafts) == 1 or isinstance(error, _BLAMELESS):
                    raise
                self._alone = len(drafts)  # so that the error falls on the draft that it is about

    async def _stored(self, drafts: Sequence[Draft]) -> None:
        """Store some drafts and let go of them."""
        done = self._store(drafts)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            await done  # a write that has begun is finished or undone as a whole: find out which
            self._settle(len(drafts))
            raise
        self._settle(len(drafts))

    def _settle(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()
        self._settled += count
        self._alone = max(0, self._alone - count)
        self._failure = None
        self._move()

    def _ended(self, worker: asyncio.Task[None]) -> None:
        error = None if worker.cancelled() else worker.exception()
        if error is not None:
            self._failure, self._failures = error, self._failures + 1
        self._move()

    def _raise_new(self, known: int) -> None:
        """Raise what has failed, if that is more than a caller knew."""
        if self._failure is not None and self._failures > known:
            self._told = self._failures
            raise IngestError(self.waiting, reason=self._failure) from self._failure

    def _move(self) -> None:
        """Wake everybody who waits, once."""
        self._moved.set()
        self._moved.clear()
