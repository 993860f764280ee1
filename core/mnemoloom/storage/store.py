"""The folder and its database: opening, transactions with group commit, reading beside a writer.

Writers take turns. Each runs its work inside a savepoint of a transaction that is open to all; whoever
reaches the commit first commits for everybody that has got that far, so that concurrent writers share one
fsync. Nobody's call returns before the commit that holds its work.

SQLite 3.7.0–3.51.2 can corrupt a database when two connections checkpoint at the same instant. So
automatic checkpoints are off, and only the single writer's connection, under our lock, ever makes one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Condition, Lock, RLock
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from mnemoloom.clock import Clock, SystemClock
from mnemoloom.config import Durability
from mnemoloom.errors import (
    ConfigError,
    CorruptionError,
    ForkedStoreError,
    FormatError,
    NotAStoreError,
    ReadOnlyError,
    StorageFailure,
    StoreClosedError,
)
from mnemoloom.storage.failures import translated
from mnemoloom.storage.lock import WriterLock
from mnemoloom.storage.migrations import FORMAT, check_format, migrate
from mnemoloom.storage.vault import StoreConnection, Vault

__all__ = ["Store", "folder_bytes"]

T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -65536",
    "PRAGMA wal_autocheckpoint = 0",
)
# On macOS only these make fsync reach the platter; elsewhere they do nothing.
_FULL_FSYNC = ("PRAGMA fullfsync = 1", "PRAGMA checkpoint_fullfsync = 1")
_LOG = logging.getLogger(__name__)
_GATHER_SECONDS = 0.002
_CHECKPOINT_BYTES = 48 << 20


class _Pending(NamedTuple):
    publish: Callable[[], None]
    abandon: Callable[[], None]


class Store:
    """One open store. Use `Store.open`; every method may be called from any thread.

    Attributes
    ----------
    folder: where it lives, or None for a store in memory.
    where: how messages name it.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        read_only: bool,
        durability: Durability,
        lock: WriterLock | None,
        clock: Clock,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._vault: Vault | None = None
        self.read_only = read_only
        self.where = str(folder / "store.db") if folder else ":memory:"
        self._pid = os.getpid()
        self._lock = lock
        self._closed = False
        self._work = RLock()  # one writer at a time
        self._turn = Condition(self._work)
        self._door = Lock()  # guards _arriving, so that a caller can be counted while a commit runs
        self._arriving = 0
        self._pending: list[_Pending] = []
        self._generation = 0
        self._checkpoint_at = _CHECKPOINT_BYTES
        self._failures: dict[int, BaseException] = {}
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        with translated(self.where):
            self._connection = self._connect()
            try:
                self._check_or_prepare(durability)
            except BaseException:
                self._connection.close()  # else a transaction that failed would hold the database
                raise

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        read_only: bool,
        durability: Durability,
        lock_timeout: float,
        clock: Clock | None = None,
    ) -> Store:
        """Open the store in folder `path`, or make one; ":memory:" lives and dies with the handle.

        `clock` says when memories end; by default it is the computer's.

        Raises
        ------
        NotAStoreError: the path holds something else, or nothing and `read_only` is set.
        ConfigError: a negative lock timeout, or a read-only store in memory.
        FormatError, CorruptionError, StorageFailure: it cannot be read.
        StoreLockedError: another writer has it.
        """
        if not (isinstance(lock_timeout, (int, float)) and 0 <= lock_timeout < float("inf")):
            raise ConfigError(f"lock_timeout must be a number of seconds, at least 0; got {lock_timeout!r}")
        clock = clock or SystemClock()
        if str(path) == ":memory:":
            if read_only:
                raise ConfigError("a store in memory is new and cannot be opened with read_only=True")
            return cls(None, read_only=False, durability=durability, lock=None, clock=clock)
        folder = Path(os.path.abspath(path))  # it stays where it is when the process changes its directory
        _check_folder(folder, read_only=read_only)
        if read_only:
            return cls(folder, read_only=True, durability=durability, lock=None, clock=clock)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailure(f"the folder {folder} cannot be made: {error}") from error
        lock = WriterLock(folder, timeout=lock_timeout)
        try:
            return cls(folder, read_only=False, durability=durability, lock=lock, clock=clock)
        except BaseException:
            lock.release()
            raise

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process that opened the store."""
        return os.getpid() != self._pid

    @property
    def cache_folder(self) -> Path | None:
        """Where what is derived may be written; None for a store in memory, and for an encrypted one."""
        return self.folder / "cache" if self.folder and self._vault is None else None

    def transact(
        self, work: Callable[[sqlite3.Connection], T], *, publish: Callable[[T], None], abandon: Callable[[], None]
    ) -> T:
        """Run `work` in a transaction and return its value once it is durable.

        `publish` is called with the value after the commit, in commit order, before anybody's next work;
        `abandon` is called instead when the work or the commit failed, and nothing was stored.
        """
        self.check_usable(writing=True)
        with self._door:
            self._arriving += 1
        with self._turn:
            try:
                value = self._run(work, abandon)
                self._pending.append(_Pending(lambda: publish(value), abandon))
                generation = self._generation
            finally:
                with self._door:
                    self._arriving -= 1
                self._turn.notify_all()
        self._commit(generation)
        return value

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees every committed write; give it back by leaving the block."""
        self.check_usable()
        if self.folder is None:
            with self._work, translated(self.where):
                yield self._connection
            return
        with translated(self.where):
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._connect(read_only=True)
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._idle.put(connection)

    @contextmanager
    def settled(self) -> Iterator[sqlite3.Connection]:
        """The writer's connection with nothing pending, while nobody else writes."""
        self.check_usable(writing=True)
        with self._work, translated(self.where):
            self._commit_all()
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements all see the same moment."""
        with self.reading() as connection:
            if self.folder is None:  # the only connection, and ours alone while we read
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def rewrite(self) -> None:
        """Write the database anew without its empty pages; from then on it can shrink page by page."""
        with self.settled() as connection:
            # VACUUM reads names, and an encrypted store is used through views of the same names
            bare = connection if self.folder is None else self._connect(bare=True)
            try:
                bare.execute("PRAGMA auto_vacuum = INCREMENTAL")
                bare.execute("VACUUM")
            finally:
                if bare is not connection:
                    bare.close()

    def checkpoint(self, *, patient: bool = True) -> bool:
        """Move the write-ahead log into the database; False while a reader holds it back.

        patient: wait some seconds for that reader, and let nobody write meanwhile.
        """
        self.check_usable(writing=True)
        with self._work, translated(self.where):
            self._commit_all()
            try:
                if not patient:
                    self._connection.execute("PRAGMA busy_timeout = 0")
                busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                if not patient:
                    self._connection.execute("PRAGMA busy_timeout = 5000")
            return not busy

    def check_usable(self, *, writing: bool = False) -> None:
        """Raise unless this handle may be used, here and now."""
        if self._closed:
            raise StoreClosedError(f"{self.where} has been closed")
        if self.forked:
            raise ForkedStoreError(f"{self.where} was opened in process {self._pid}; open it again in this one")
        if writing and self.read_only:
            raise ReadOnlyError(f"{self.where} was opened with read_only=True")

    def close(self) -> None:
        """Commit what is pending and let go of the folder; closing twice is closing once."""
        if self._closed or self.forked:
            return
        with self._work:
            if not self.read_only:
                self._commit_all()
            self._closed = True
            with suppress(Empty):
                while True:
                    self._idle.get_nowait().close()
            with suppress(sqlite3.Error):  # a reader may hold the log back; it stays and is read at the next open
                if not self.read_only:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            if self._lock:
                self._lock.release()

    def _connect(self, *, read_only: bool | None = None, bare: bool = False) -> sqlite3.Connection:
        only = self.read_only if read_only is None else read_only
        target = f"file:{quote(str(self.folder / 'store.db'))}?mode={'ro' if only else 'rwc'}" if self.folder else ""
        connection = sqlite3.connect(
            target or ":memory:",
            uri=bool(target),
            isolation_level=None,
            check_same_thread=False,
            factory=StoreConnection,
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.create_function("now_ms", 0, self.now)  # so that no statement can show what has ended
        if self._vault is not None and not bare:
            self._vault.bind(connection)
        return connection

    def unlock(self, vault: Vault) -> None:
        """Read and write through the vault of an encrypted store from now on; before anybody else uses this."""
        with self._work:
            self._vault = vault
            vault.bind(self._connection)
            with suppress(Empty):
                while True:
                    self._idle.get_nowait().close()

    @property
    def commits(self) -> int:
        """A number that rises whenever this handle has stored something, or failed to."""
        return self._generation

    @property
    def vault(self) -> Vault | None:
        """The keys of an encrypted store."""
        return self._vault

    def now(self) -> int:
        """Milliseconds since 1970, by the clock that says when memories end."""
        return round(self._clock.now() * 1000)

    def _check_or_prepare(self, durability: Durability) -> None:
        if not self.read_only:
            self._prepare(durability)
            return
        taken = check_format(self._connection, where=self.where)
        if not taken:
            raise NotAStoreError(f"{self.where} is empty; opening it for writing makes a store of it")
        if taken < FORMAT:
            raise FormatError(f"{self.where} has format {taken}; opening it for writing makes it {FORMAT}")

    def _prepare(self, durability: Durability) -> None:
        if not check_format(self._connection, where=self.where):
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only a new database takes it at once
        if self.folder:
            os.chmod(self.folder / "store.db", 0o600)
            self._connection.execute("PRAGMA journal_mode = WAL")
            full = durability == "full"
            for pragma in _FULL_FSYNC if full else ():
                self._connection.execute(pragma)
            self._connection.execute("PRAGMA synchronous = FULL" if full else "PRAGMA synchronous = NORMAL")
        migrate(self._connection, where=self.where)

    def _run(self, work: Callable[[sqlite3.Connection], T], abandon: Callable[[], None]) -> T:
        self.check_usable(writing=True)
        connection, done = self._connection, False
        try:
            with translated(self.where):
                if not connection.in_transaction:
                    connection.execute("BEGIN IMMEDIATE")
                connection.execute("SAVEPOINT work")
                value = work(connection)
                connection.execute("RELEASE work")
            done = True
            return value
        finally:
            if not done:
                self._undo(abandon)

    def _undo(self, abandon: Callable[[], None]) -> None:
        """Take back the work of one call; if SQLite has ended the transaction, that of everybody waiting."""
        abandon()
        connection = self._connection
        if connection.in_transaction:
            connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
            if not self._pending:
                connection.execute("ROLLBACK")
        elif self._pending:
            self._fail(StorageFailure(f"{self.where}: the transaction was rolled back by a failing disk"))

    def _commit(self, generation: int) -> None:
        with self._turn:
            if self._generation == generation:
                deadline = time.monotonic() + _GATHER_SECONDS
                while self._arriving and self._generation == generation:
                    if not self._turn.wait(deadline - time.monotonic()):
                        break
            if self._generation == generation:
                self._commit_all()
            failure = self._failures.get(generation)
        if failure is not None:
            raise StorageFailure(f"{self.where}: nothing of this call was stored: {failure}") from failure

    def _commit_all(self) -> None:
        if not self._pending:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            self._fail(error)
            return
        pending, self._pending = self._pending, []
        self._generation += 1
        for entry in pending:
            entry.publish()
        self._checkpoint_when_large()

    def _fail(self, failure: BaseException) -> None:
        pending, self._pending = self._pending, []
        self._failures[self._generation] = failure
        self._generation += 1
        for entry in pending:
            entry.abandon()

    def _checkpoint_when_large(self) -> None:
        """Move the log into the database; where a reader holds it back, try again when as much has come again."""
        if self.folder is None or self._log_size() < self._checkpoint_at:
            return
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")  # do not wait for readers
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:  # what was committed is safe in the log, and the next attempt will come
            _LOG.warning("the log of %s could not be moved into the database", self.where, exc_info=True)
        finally:
            self._connection.execute("PRAGMA busy_timeout = 5000")
            self._checkpoint_at = self._log_size() + _CHECKPOINT_BYTES

    def _log_size(self) -> int:
        try:
            return os.stat(f"{self.where}-wal").st_size
        except FileNotFoundError:
            return 0


def folder_bytes(folder: Path | None) -> int:
    """How much room the files of a store take; 0 for one in memory."""
    total = 0
    for path in folder.rglob("*") if folder else ():
        with suppress(FileNotFoundError):  # a writer replaces its caches
            total += path.stat().st_size if path.is_file() else 0
    return total


def _check_folder(folder: Path, *, read_only: bool) -> None:
    database = folder / "store.db"
    if database.is_symlink() or (folder.is_symlink() and not folder.is_dir()):
        raise NotAStoreError(f"{database} is a symbolic link; a store must be a real file")
    if database.exists():
        _check_begun(database)
        return
    if folder.exists() and not folder.is_dir():
        raise NotAStoreError(f"{folder} is a file; a store is a folder")
    if folder.is_dir() and any(entry.name not in {"LOCK", "cache"} for entry in folder.iterdir()):
        raise NotAStoreError(f"{folder} holds other files and no store; choose an empty or new folder")
    if read_only:
        raise NotAStoreError(f"{folder} holds no store yet; the first memory makes one")


def _check_begun(database: Path) -> None:
    """Refuse an empty file where there was a store: SQLite would make a new one of it, and drop the log beside it.

    One that is left by a writer that was killed before it had made the tables has neither caches nor a log beside it.
    """
    log = Path(f"{database}-wal")
    begun = (database.parent / "cache").is_dir() or (log.is_file() and log.stat().st_size > 0)
    if begun and database.is_file() and not database.stat().st_size:
        raise CorruptionError(f"{database} is empty, but a store was there; put a backup in the place of the folder")
