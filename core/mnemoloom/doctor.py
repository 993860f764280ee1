"""Is this store well? A list of named checks; `repairing` mends what can be mended."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mnemoloom.chain.keys import check_key
from mnemoloom.errors import EncryptionKeyError, LoomError
from mnemoloom.memory import Memory
from mnemoloom.storage import Store, memories, read_cache
from mnemoloom.storage.cache import intact_caches
from mnemoloom.storage.facts import CALLER, read_facts, read_store_id
from mnemoloom.storage.verify import verify_store

__all__ = ["Check", "Report", "examine"]

_ROOM = 64 << 20  # bytes: room for the write-ahead log of one large call and a cache
# SQLite can lose pages in these when two connections checkpoint at the same instant (its "WAL-reset bug")
_WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))
_VECTORS = """
SELECT count(*), coalesce(sum(encoder = :encoder), 0), coalesce(sum(encoder = :caller), 0), count(vector),
       coalesce(sum(encoder IN (:encoder, :caller) AND length(vector) <> 4 * :width), 0)
FROM payloads
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding: `ok` says whether all is well, `detail` what was seen."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, in order; what could not be looked at is left out."""

    path: Path
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def examine(path: str | Path, *, key: bytes | None = None, encryption_key: bytes | str | None = None) -> Report:
    """Look at the store in a folder, without changing it; damage becomes a check that is not ok.

    With the `key` of its log, signatures are checked, too. Of an encrypted store whose `encryption_key` is not given,
    the pages and the log are looked at, and what cannot be read is said. Raises ConfigError for a key that cannot be
    one.
    """
    folder = Path(path)
    key = None if key is None else check_key(key)
    return Report(path=folder, checks=tuple(_checks(folder, key, encryption_key)))


def _checks(folder: Path, key: bytes | None, secret: bytes | str | None) -> Iterator[Check]:
    yield (found := _check_folder(folder))
    if found.ok:
        yield _check_lock(folder)
        yield from _check_store(folder, key, secret)
    yield _check_library()
    if found.ok:
        free = shutil.disk_usage(folder).free
        yield Check(name="disk", ok=free >= _ROOM, detail=f"{free >> 20:,} MiB free; {_ROOM >> 20} MiB are wanted")


def _check_folder(folder: Path) -> Check:
    database = folder / "store.db"
    if not folder.exists():
        return Check(name="folder", ok=False, detail=f"{folder} does not exist")
    if database.is_symlink() or not database.is_file():
        return Check(name="folder", ok=False, detail=f"{folder} holds no store.db, or it is not a real file")
    try:
        size = database.stat().st_size
    except OSError as error:
        return Check(name="folder", ok=False, detail=f"{database} cannot be looked at: {error.strerror}")
    return Check(name="folder", ok=True, detail=f"{folder}, database of {size:,} bytes")


def _check_lock(folder: Path) -> Check:
    if not (folder / "LOCK").exists():
        return Check(name="lock", ok=True, detail="free")
    lock = FileLock(folder / "LOCK", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return Check(name="lock", ok=True, detail="held: somebody writes to this store at the moment")
    except OSError as error:
        return Check(name="lock", ok=False, detail=f"LOCK cannot be opened: {error}")
    lock.release()
    return Check(name="lock", ok=True, detail="free")


def _check_store(folder: Path, key: bytes | None, secret: bytes | str | None) -> Iterator[Check]:
    try:
        memory = Memory.open(folder, read_only=True, key=key, encryption_key=secret)
    except EncryptionKeyError as error:
        yield Check(name="database", ok=secret is None, detail=str(error))
        yield _check_closed(folder)
        return
    except LoomError as error:
        yield Check(name="database", ok=False, detail=str(error))
        return
    with memory:
        yield Check(name="database", ok=True, detail="opens for reading")
        for name, look in (("format", _format), ("truth", _truth), ("caches", _cached), ("vectors", _vectors)):
            try:
                ok, detail = look(memory, folder)
            except LoomError as error:
                ok, detail = False, str(error)
            yield Check(name=name, ok=ok, detail=detail)


def _check_closed(folder: Path) -> Check:
    """What can be told of an encrypted store without its key: its pages, and the chain of its log."""
    try:
        store = Store.open(folder, read_only=True, durability="full", lock_timeout=0.0)
        try:
            with store.snapshot() as connection:
                found = verify_store(connection, store=read_store_id(connection), closed=True)
        finally:
            store.close()
    except LoomError as error:
        return Check(name="log", ok=False, detail=str(error))
    held = f"{found.entries:,} log entries, anchor {found.anchor}; what the memories hold was not looked at"
    return Check(
        name="log", ok=found.ok, detail=f"pages and chain hold: {held}" if found.ok else f"{found.problem}; {held}"
    )


def _format(memory: Memory, _: Path) -> tuple[bool, str]:
    with memory._opened.store.reading() as connection:
        (taken,) = connection.execute("PRAGMA user_version").fetchone()
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    return journal == "wal", f"format {taken}, journal mode {journal}"


def _truth(memory: Memory, _: Path) -> tuple[bool, str]:
    found = memory.verify()
    held = f"{found.memories:,} memories, {found.entries:,} log entries, anchor {found.anchor}"
    signed = ", signatures" if found.level == "keyed" else ""
    return found.ok, f"{held}: pages, chain{signed} and digests hold" if found.ok else f"{found.problem} ({held})"


def _cached(memory: Memory, folder: Path) -> tuple[bool, str]:
    found = intact_caches(folder / "cache")
    damaged = sorted(name for name, sound in found.items() if not sound)
    if damaged:
        return False, f"damaged: {', '.join(damaged)}; nothing is lost, repair drops them to be rebuilt"
    if not found:
        return True, "none yet; they are written as a store grows"
    stale = sum(not _is_current(memory, folder, name) for name in found)
    return True, f"{len(found)} intact" + (f", {stale} of another history, to be rebuilt" if stale else "")


def _vectors(memory: Memory, _: Path) -> tuple[bool, str]:
    with memory._opened.store.reading() as connection:
        facts = read_facts(connection)
        values = {"encoder": facts.encoder, "caller": CALLER, "width": facts.width or 0}
        texts, current, own, encoded, wrong = connection.execute(_VECTORS, values).fetchone()
    if not encoded:
        return True, f"none; {texts:,} texts are recalled by their words"
    detail = f"{current:,} of {texts:,} texts encoded by {facts.encoder}, width {facts.width}"
    notes = [
        f"{own:,} brought along by callers" if own else "",
        f"{encoded - current - own:,} of another encoder: reembed goes on with them" if encoded > current + own else "",
        f"{texts - encoded:,} without a vector" if texts > encoded else "",
        f"{wrong:,} of the wrong width" if wrong else "",
    ]
    return not wrong, ", ".join([detail, *filter(None, notes)])


def _check_library() -> Check:
    version = sqlite3.sqlite_version
    low, high = _WAL_RESET_BUG
    ok = sqlite3.sqlite_version_info >= (3, 37)
    note = ""
    if low <= sqlite3.sqlite_version_info <= high:
        note = "; has SQLite's WAL-reset bug (3.7.0 to 3.51.2), which cannot strike with a single checkpointer, as here"
    return Check(name="sqlite", ok=ok, detail=version + note if ok else f"{version}; 3.37 or newer is needed")


def _is_current(memory: Memory, folder: Path, name: str) -> bool:
    """Whether a cache follows from this store's log."""
    found = read_cache(folder / "cache", name)
    if found is None:
        return False
    facts = found[1]
    with memory._opened.store.reading() as connection:
        anchor = memories.anchor_at(connection, int(facts.get("position", -1)))
    return facts.get("store") == memory._opened.store_id and facts.get("anchor") == anchor
