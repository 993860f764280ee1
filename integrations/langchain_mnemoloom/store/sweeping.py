"""A thread that calls a sweep at intervals until it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Lock, Thread

from mnemoloom.errors import LoomError, StoreClosedError

__all__ = ["Sweeper"]

_LOG = logging.getLogger(__name__)


class Sweeper:
    """Runs one sweep after another; may be started and stopped from any thread."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        self._sweep = sweep
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None
        self._ended: Future[None] = Future()

    def start(self, seconds: float) -> Future[None]:
        """Sweep every so many seconds, the first time after that; the future is done when it has stopped."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive() or self._stop.is_set():
                self._stop, self._ended = Event(), Future()
                self._ended.set_running_or_notify_cancel()  # stop() ends it, not the future's cancel()
                self._thread = Thread(
                    target=self._run,
                    args=(seconds, self._stop, self._ended),
                    name="mnemoloom-ttl-sweeper",
                    daemon=True,
                )
                self._thread.start()
            return self._ended

    def stop(self, timeout: float | None) -> bool:
        """Stop, and wait at most so many seconds for it; whether it has stopped."""
        with self._lock:
            thread = self._thread
            self._stop.set()
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def _run(self, seconds: float, stop: Event, ended: Future[None]) -> None:
        try:
            while not stop.wait(seconds) and self._sweep_once():
                pass
        except BaseException as error:
            ended.set_exception(error)
            raise
        ended.set_result(None)

    def _sweep_once(self) -> bool:
        """Whether another sweep makes sense: a disk that is full now may not be at the next turn."""
        try:
            self._sweep()
        except StoreClosedError:
            return False
        except LoomError:
            _LOG.exception("expired items could not be removed")
        return True
