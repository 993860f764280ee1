"""A sleep that goes on beside its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, wait
from threading import Event, Thread, current_thread

from mnemoloom.reembedding import Progress
from mnemoloom.sleeping.reports import SleepReport

__all__ = ["SleepTask"]


class SleepTask:
    """A sleep in the background, which may be awaited, too. Closing the memory cancels it and waits for its end."""

    def __init__(self, sleep: Callable[[Progress], SleepReport], *, progress: Progress | None = None) -> None:
        self._sleep, self._told = sleep, progress
        self._stop = Event()
        self._future: Future[SleepReport] = Future()
        self._progress = (0, 0)
        self._thread = Thread(target=self._work, name="mnemoloom-sleep", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended: slept through, failed or cancelled."""
        return self._future.done()

    @property
    def cancelled(self) -> bool:
        """Whether it ended because it was told to."""
        return self._future.cancelled()

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps are done, and of how many; (0, 0) before that is known."""
        return self._progress

    def cancel(self) -> None:
        """Tell it to stop. Until its changes are written, which is one transaction, none of them is kept.

        Who waits for it then gets a CancelledError: concurrent.futures' from `result`, asyncio's from `await`.
        """
        self._stop.set()

    def result(self, timeout: float | None = None) -> SleepReport:
        """Wait for the end; what `sleep` returns or raises.

        Raises
        ------
        concurrent.futures.CancelledError, which is no LoomError: it was cancelled.
        TimeoutError: it has not ended within `timeout` seconds.
        """
        if not wait([self._future], timeout).done:
            raise TimeoutError(f"the sleep has not ended within {timeout} seconds")
        return self._future.result()

    def when_done(self, act: Callable[[], None]) -> None:
        """Call something at the end, however it comes; at once if it has come."""
        self._future.add_done_callback(lambda _: act())

    def __await__(self) -> Generator[None, None, SleepReport]:
        # shielded: a task that stops waiting does not end the sleep
        return asyncio.shield(asyncio.wrap_future(self._future)).__await__()

    def close(self) -> None:
        """Cancel, and wait for the end."""
        self.cancel()
        if current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        try:
            report = self._sleep(self._tell)
        except CancelledError:
            self._future.cancel()
            self._future.set_running_or_notify_cancel()  # wakes whoever waits
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            self._future.set_exception(error)
        else:
            self._future.set_result(report)

    def _tell(self, done: int, total: int) -> None:
        if self._stop.is_set() and done < total:  # in the end, all of it has been kept
            raise CancelledError("the sleep was cancelled")
        self._progress = (done, total)
        if self._told:
            self._told(done, total)
