"""A disk that remembers what SQLite asked of it, in order, so that any moment when the power fails can be rebuilt.

It stands below SQLite as a VFS of apsw; `recording` makes a store talk to SQLite through it. What has not been synced
when the power fails may be there or not, in any order, or half: `wrecks` builds such folders. Making and removing a
file counts as durable at once.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

__all__ = ["MODES", "Disk", "Step", "recording", "wrecks"]

MODES = ("dropped", "random", "torn")
_SECTOR = 512


class Step(NamedTuple):
    """One thing that was asked of the disk. kind: make, write, truncate, sync, failed sync, remove or told.

    "told" is no request: `data` is what had been promised to the caller up to here.
    """

    kind: str
    file: str = ""
    offset: int = 0
    data: Any = b""


class Disk:
    """What was asked, in order. `refuse`, called with kind and file before each request, may raise."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.refuse: Callable[[str, str], None] = lambda kind, file: None
        self.writers: set[int] = set()  # handles that wrote to store.db
        self.readers: set[int] = set()  # handles of store.db that were opened read-only

    def take(self, kind: str, file: str, offset: int = 0, data: Any = b"") -> None:
        try:
            self.refuse(kind, file)
        except BaseException:
            if kind == "sync":
                self.steps.append(Step("failed sync", file))
            raise
        self.steps.append(Step(kind, file, offset, data))

    def tell(self, promised: object) -> None:
        """Note what has been promised to the caller."""
        self.steps.append(Step("told", data=promised))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary")
        self._disk, self._name = disk, path.name
        if not path.exists():
            disk.take("make", self._name)
        super().__init__("", name, flags)
        if self._name == "store.db" and not flags[0] & apsw.SQLITE_OPEN_READWRITE:
            disk.readers.add(id(self))

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.take("write", self._name, offset, bytes(data))
        if self._name == "store.db":
            self._disk.writers.add(id(self))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.take("truncate", self._name, newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.take("sync", self._name)
        super().xSync(flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.refuse("read", self._name)
        return super().xRead(amount, offset)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self._disk.take("remove", Path(filename).name)


class _Connection:
    """As much of sqlite3.Connection as the library uses, on apsw."""

    def __init__(self, target: str, vfs: str) -> None:
        flags = apsw.SQLITE_OPEN_URI | (
            apsw.SQLITE_OPEN_READONLY if "mode=ro" in target else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        )
        with _as_sqlite3():
            self._real = apsw.Connection(target, flags=flags, vfs=vfs)

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def execute(self, statement: str, values: Any = ()) -> _Cursor:
        with _as_sqlite3():
            return _Cursor(self._real.execute(statement, values))

    def executemany(self, statement: str, rows: Iterable[Any]) -> _Cursor:
        with _as_sqlite3():
            return _Cursor(self._real.executemany(statement, rows))

    def create_function(self, name: str, narg: int, func: Callable[..., Any], *, deterministic: bool = False) -> None:
        with _as_sqlite3():
            self._real.create_scalar_function(name, func, narg, deterministic=deterministic)

    def close(self) -> None:
        with suppress(apsw.Error):  # sqlite3 says nothing of what fails while a connection closes
            self._real.close()


class _Cursor:
    def __init__(self, real: apsw.Cursor) -> None:
        self._real = real

    def fetchone(self) -> Any:
        with _as_sqlite3():
            return self._real.fetchone()

    def fetchall(self) -> Any:
        with _as_sqlite3():
            return self._real.fetchall()

    def __iter__(self) -> Iterator[Any]:
        with _as_sqlite3():
            yield from self._real


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.ConstraintError as error:
        raise sqlite3.IntegrityError(str(error)) from error
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error


class _Sqlite3:
    """The module as the store sees it, its connections on a recorded disk."""

    def __init__(self, vfs: str) -> None:
        self._vfs = vfs

    def connect(self, target: str, **_: Any) -> _Connection:
        return _Connection(target, self._vfs)

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)


_MADE = iter(range(1 << 62))


@contextmanager
def recording(patch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Inside, the stores that are opened live on the recorded disk that this gives."""
    disk, name = Disk(), f"recorded-{next(_MADE)}"
    vfs = _Vfs(name, disk)
    with patch.context() as inner:
        inner.setattr("mnemoloom.storage.store.sqlite3", _Sqlite3(name))
        yield disk
    vfs.unregister()


class _Platter:
    """One file: what is on the disk for good, and what has been asked since the last sync."""

    def __init__(self) -> None:
        self.durable = bytearray()
        self.pending: list[Step] = []

    def sync(self) -> None:
        for step in self.pending:
            _apply(self.durable, step)
        self.pending.clear()

    def after(self, mode: str, chance: random.Random) -> bytes:
        """The file after the power failed."""
        data = bytearray(self.durable)
        last = len(self.pending) - 1
        for number, step in enumerate(self.pending):
            if mode == "torn":
                _apply(data, _half(step, chance) if number == last else step)
            elif mode == "random":
                for part in _sectors(step):
                    if chance.random() < 0.5:
                        _apply(data, part)
        return bytes(data)


def _apply(data: bytearray, step: Step) -> None:
    if step.kind == "truncate":
        del data[step.offset :]
        data.extend(bytes(step.offset - len(data)))
        return
    end = step.offset + len(step.data)
    data.extend(bytes(max(0, end - len(data))))
    data[step.offset : end] = step.data


def _half(step: Step, chance: random.Random) -> Step:
    return step._replace(data=step.data[: chance.randrange(len(step.data))]) if step.kind == "write" else step


def _sectors(step: Step) -> list[Step]:
    if step.kind != "write":
        return [step]
    return [
        Step("write", step.file, step.offset + at, step.data[at : at + _SECTOR])
        for at in range(0, len(step.data), _SECTOR)
    ]


def wrecks(
    steps: Sequence[Step], *, every: int = 1, modes: Sequence[str] = MODES, seed: int = 0
) -> Iterator[tuple[int, str, dict[str, bytes], Any]]:
    """The files after the power failed before each step (or every so many-th), in each mode, and what was promised."""
    chance = random.Random(seed)
    files: dict[str, _Platter] = {}
    promised: Any = None
    for number, step in enumerate(steps):
        if number % every == 0:
            for mode in modes:
                yield number, mode, {name: each.after(mode, chance) for name, each in files.items()}, promised
        if step.kind == "told":
            promised = step.data
        elif step.kind == "remove":
            files.pop(step.file, None)
        elif step.kind == "sync":
            files[step.file].sync()
        elif step.kind == "failed sync":
            files[step.file].pending.clear()  # the kernel takes the pages for clean, and forgets them
        else:
            platter = files.setdefault(step.file, _Platter())
            if step.kind != "make":
                platter.pending.append(step)
