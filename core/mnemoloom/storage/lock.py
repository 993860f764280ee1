"""One writer a folder: an operating-system lock held for as long as the writer is open."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from mnemoloom.errors import StorageFailure, StoreLockedError

__all__ = ["WriterLock"]


class WriterLock:
    """Holds `folder`/LOCK. The operating system releases it when the process dies.

    Raises
    ------
    StoreLockedError: somebody else holds it and did not let go within `timeout` seconds.
    """

    def __init__(self, folder: Path, *, timeout: float) -> None:
        self._lock = FileLock(folder / "LOCK", timeout=timeout, thread_local=False, mode=0o600)
        try:
            self._lock.acquire(poll_interval=0.02)
        except Timeout as error:
            raise StoreLockedError(
                f"{folder} is being written by another handle or process; close it, or open with read_only=True"
            ) from error
        except OSError as error:
            raise StorageFailure(f"{folder}/LOCK cannot be locked: {error}") from error

    def release(self) -> None:
        self._lock.release()
