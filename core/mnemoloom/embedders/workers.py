"""Threads that work for somebody who does not wait for ever.

Python cannot end a thread. Work that hangs keeps its thread until it returns or the process ends; the threads are
daemons, so that the process can end.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Generic, TypeVar

__all__ = ["Overdue", "bounded"]

T = TypeVar("T")
_IDLE = 10.0  # seconds after which a thread without work ends


class Overdue(Exception):  # noqa: N818 - caught by whoever set the time, and told in other words
    """The work was not done in time; its thread goes on until it is."""


class _Outcome(Generic[T]):
    """What becomes of a call: a context that hands its error to the thread that waits."""

    def __init__(self) -> None:
        self.done = Event()
        self.answers: list[T] = []
        self.error: BaseException | None = None

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        self.error = error
        self.done.set()
        return True

    def told(self) -> T:
        error, self.error = self.error, None  # else the error would hold itself, by its traceback
        if error is not None:
            raise error
        return self.answers[0]


class _Worker:
    """A thread that waits for work, and ends when none comes for a while."""

    def __init__(self, pool: _Pool) -> None:
        self.tasks: SimpleQueue[tuple[Callable[[], Any], _Outcome[Any], Callable[[], None]]] = SimpleQueue()
        self._pool = pool
        Thread(target=self._run, name="mnemoloom-encoder", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                call, outcome, after = self.tasks.get(timeout=_IDLE)
            except Empty:
                if self._pool.retire(self):
                    return
                continue
            with outcome, ExitStack() as stack:
                stack.callback(after)
                outcome.answers.append(call())
            del call, outcome, after, stack  # the arrays of an answer must not live as long as the thread
            self._pool.give_back(self)


class _Pool:
    """Idle workers, the one used last on top: what an encoder keeps for each thread stays warm."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._lock = Lock()
        self._idle: list[_Worker] = []

    def take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Worker(self)

    def give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def retire(self, worker: _Worker) -> bool:
        """Whether a worker may end: it was not taken in the meantime."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True


_pools = [_Pool()]


def bounded(call: Callable[[], T], *, seconds: float, after: Callable[[], None]) -> T:
    """What `call` returns or raises, in the caller's context and another thread; `after` is called when it has ended.

    Raises Overdue after so many seconds.
    """
    if _pools[0].process != os.getpid():  # threads do not survive fork()
        _pools[0] = _Pool()
    outcome: _Outcome[T] = _Outcome()
    context = contextvars.copy_context()
    _pools[0].take().tasks.put((lambda: context.run(call), outcome, after))
    if not outcome.done.wait(seconds):
        raise Overdue
    return outcome.told()
