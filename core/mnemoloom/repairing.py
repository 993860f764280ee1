"""Mending what is derived, and saving what is still whole when truth is not: truth itself is never touched.

Derived are the caches, the indexes of the database, texts that no memory refers to any more, and notes about memories
that are gone. Whatever is done inside the database is done in one transaction, which is kept only if every memory and
every log entry is afterwards what it was before.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mnemoloom.errors import CorruptionError, NotAStoreError, StorageFailure, ValidationError
from mnemoloom.memory import Memory
from mnemoloom.storage import Store, drop_caches
from mnemoloom.storage.cache import drop_partial, intact_caches
from mnemoloom.storage.facts import read_store_id
from mnemoloom.storage.failures import translated
from mnemoloom.storage.lock import WriterLock
from mnemoloom.storage.memories import namespace_number
from mnemoloom.storage.survivors import survivors
from mnemoloom.storage.vault import is_encrypted
from mnemoloom.storage.verify import VerifyReport, verify_store
from mnemoloom.transfer import export_bundle

__all__ = ["Repaired", "Salvaged", "repair", "salvage"]

_LOCK_SECONDS = 0.5
_LEFTOVERS = (
    "DELETE FROM main.payloads WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.payload = payloads.id)",
    "DELETE FROM usage WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = usage.memory)",
    "DELETE FROM links WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = links.source) "
    "OR NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = links.target)",
    "DELETE FROM main.ancestry WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = ancestry.memory)",
    "DELETE FROM topics WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = topics.memory)",
    "DELETE FROM main.feedback WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = feedback.memory)",
    "DELETE FROM gated WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = gated.memory)",
    "DELETE FROM taken WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = taken.memory)",
    "DELETE FROM sleep_moves WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = sleep_moves.memory)",
    "DELETE FROM sleep_topics WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = sleep_topics.memory)",
    "DELETE FROM merged WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = merged.memory) "
    "OR NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = merged.stand_in)",
    "DELETE FROM pruned WHERE NOT EXISTS (SELECT 1 FROM memories WHERE memories.id = pruned.memory)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was mended, and what cannot be.

    caches: the damaged ones, which were dropped to be rebuilt. indexes: whether the database's indexes were made anew.
    leftovers: rows removed that nothing refers to. problem: the first damage of truth that remains, else None.
    damaged: the ids of the memories that are not what was logged, or cannot be read.
    """

    caches: tuple[str, ...] = ()
    indexes: bool = False
    leftovers: int = 0
    problem: str | None = None
    damaged: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What was saved: how many memories of which namespace into which folder, and the ids of those that were lost."""

    folders: dict[tuple[str, ...], tuple[Path, int]]
    lost: tuple[int, ...]


def repair(path: str | Path) -> Repaired:
    """Mend what is derived in the store in a folder; damage of truth is named and left as it is.

    No key is needed for an encrypted store: of its memories it is checked that they are there.

    Raises
    ------
    NotAStoreError, StoreLockedError, FormatError: nothing was changed.
    """
    folder = Path(path)
    if not (folder / "store.db").is_file():
        raise NotAStoreError(f"{folder} holds no store to repair")
    lock = WriterLock(folder, timeout=_LOCK_SECONDS)  # a writer might be writing a cache
    try:
        damaged = tuple(name for name, sound in intact_caches(folder / "cache").items() if not sound)
        if damaged:
            drop_caches(folder / "cache")
        drop_partial(folder / "cache")
    finally:
        lock.release()
    try:
        with closing(
            Store.open(folder, read_only=False, durability="full", lock_timeout=_LOCK_SECONDS)
        ) as store, store.settled() as connection:  # fmt: skip
            indexes, leftovers, report = _mend(connection)
    except CorruptionError as error:
        return Repaired(caches=damaged, problem=str(error))
    return Repaired(
        caches=damaged, indexes=indexes, leftovers=leftovers, problem=report.problem, damaged=report.damaged
    )


def salvage(path: str | Path, folder: str | Path, *, encryption_key: bytes | str | None = None) -> Salvaged:
    """Export every memory that can be read and is what was logged, a bundle for each namespace, to a new folder.

    `mnemoloom import` takes each bundle; namespaces.json there says which is whose. The store is only read.

    Raises
    ------
    ValidationError: the folder holds something. StorageFailure: it cannot be written.
    NotAStoreError, CorruptionError, EncryptionKeyError: the store cannot be opened at all.
    """
    target = Path(os.path.abspath(folder))
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise ValidationError(f"{target} must be a new or an empty folder to salvage to")
    folders: dict[tuple[str, ...], tuple[Path, int]] = {}
    lost: list[int] = []
    with Memory.open(path, read_only=True, encryption_key=encryption_key) as memory:
        store, store_id = memory._opened.store, memory._opened.store_id
        for labels in memory.namespaces():
            with store.reading() as connection:
                number = namespace_number(connection, labels)
                found = survivors(connection, number or 0, store=store_id)
            lost += found.lost
            if found.whole:
                report = export_bundle(memory.at(*labels), target / str(number), only=found.whole)
                folders[labels] = (report.folder, report.memories)
    _write_contents(target, folders, lost)
    return Salvaged(folders=folders, lost=tuple(sorted(lost)))


def _mend(connection: sqlite3.Connection) -> tuple[bool, int, VerifyReport]:
    """Make indexes anew if the database's pages are not in order, and remove what nothing refers to."""
    before = _verified(connection)
    connection.execute("BEGIN IMMEDIATE")
    indexes, leftovers, after = False, 0, before
    try:
        if (before.problem or "").startswith("database pages"):
            connection.execute("REINDEX")
            indexes, after = True, _verified(connection)
        if after.ok:  # else a leftover might be all that is left of a memory
            leftovers = sum(connection.execute(statement).rowcount for statement in _LEFTOVERS)
            after = _verified(connection)
        kept = _truth(after) == _truth(before)
    except sqlite3.DatabaseError:
        kept = False
    if not kept or after.problem == before.problem is not None:
        connection.execute("ROLLBACK")
        return False, 0, before
    connection.execute("COMMIT")
    return indexes, leftovers, after


def _verified(connection: sqlite3.Connection) -> VerifyReport:
    with translated("store.db"):
        return verify_store(connection, store=read_store_id(connection), closed=is_encrypted(connection))


def _truth(report: VerifyReport) -> tuple[object, ...]:
    """What no repair may change."""
    return report.entries, report.memories, report.anchor, report.broken_at, report.damaged


def _write_contents(target: Path, folders: dict[tuple[str, ...], tuple[Path, int]], lost: list[int]) -> None:
    saved = [
        {"folder": place.name, "namespace": list(labels), "memories": count}
        for labels, (place, count) in folders.items()
    ]
    try:
        target.mkdir(parents=True, exist_ok=True)
        contents = json.dumps({"saved": saved, "lost": sorted(lost)}, ensure_ascii=False, indent=1)
        (target / "namespaces.json").write_text(contents + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageFailure(f"{target} cannot be written: {error.strerror}") from error
