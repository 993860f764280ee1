"""Reading the whole truth once: the pages of the database, the chain of the log, the digest of every memory."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mnemoloom.chain import GENESIS, Entry, anchor_of, entry_digest
from mnemoloom.errors import CorruptionError
from mnemoloom.storage.memories import item_of

__all__ = ["VerifyReport", "verify_store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What verify() found.

    ok: nothing is damaged. problem: the first damage, named by place, else None.
    level: how strong the evidence is; without a key, a chain shows accidents only.
    anchor: PMLL's 16 hex digits of the newest entry.
    """

    ok: bool
    problem: str | None
    entries: int
    memories: int
    anchor: str
    level: str = "accident-only"


def verify_store(connection: sqlite3.Connection, *, store: str) -> VerifyReport:
    """Check database pages, the chain of the log, and the digest of every memory."""
    items: dict[int, bytes] = {}
    head, problem = GENESIS, _pages(connection)
    seq = 0
    for row in connection.execute("SELECT seq, op, namespace, memory, time, item, entry FROM log ORDER BY seq"):
        entry, item, stored = Entry(*row[:5]), row[5], row[6]
        head = entry_digest(head, entry, item)
        if problem is None and entry.seq != seq + 1:
            problem = f"log entry {seq + 1} is missing"
        if problem is None and head != stored:
            problem = f"log entry {entry.seq} does not follow from the one before it"
        seq, head = entry.seq, stored
        if entry.op == "forget":
            items.pop(entry.memory, None)
        else:
            items[entry.memory] = item
    problem = problem or _memories(connection, items, store)
    return VerifyReport(ok=problem is None, problem=problem, entries=seq, memories=len(items), anchor=anchor_of(head))


def _pages(connection: sqlite3.Connection) -> str | None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    return None if found == ["ok"] else f"database pages: {found[0]}"


def _memories(connection: sqlite3.Connection, items: dict[int, bytes], store: str) -> str | None:
    living = {row[0] for row in connection.execute("SELECT id FROM memories")}
    if living != items.keys():
        strange = min(living ^ items.keys())
        return f"memory {strange} is {'not in the log' if strange in living else 'in the log, but gone'}"
    try:
        changed = (memory for memory, item in items.items() if item_of(connection, memory, store=store) != item)
        memory = next(changed, None)
    except CorruptionError as error:
        return str(error)
    return None if memory is None else f"memory {memory} is not what was logged"
