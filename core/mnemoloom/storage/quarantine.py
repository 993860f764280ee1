"""Memories in quarantine: kept, and part of nothing that is recalled, listed or counted until they are released.

Each way in and out is an entry of the log, so that a row that was taken away or put in by hand is found by `verify`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from mnemoloom.chain import Signer
from mnemoloom.storage.memories import item_of, log_change

__all__ = ["ISOLATE", "RELEASE", "isolate", "isolated", "release", "released_since"]

ISOLATE, RELEASE = "quarantine", "release"

_AMONG = "SELECT memory FROM quarantine WHERE memory IN (SELECT value FROM json_each(?))"
_RELEASED = "SELECT 1 FROM log WHERE seq > ? AND namespace = ? AND op = 'release' LIMIT 1"


def isolate(connection: sqlite3.Connection, namespace: int, ids: Iterable[int], *, now: int, signer: Signer) -> None:
    """Put memories into quarantine that are not in it."""
    for memory in ids:
        connection.execute("INSERT INTO quarantine VALUES (?, ?)", (memory, now))
        item = item_of(connection, memory, store=signer.store)
        log_change(connection, ISOLATE, namespace, memory, item, now=now, signer=signer)


def release(connection: sqlite3.Connection, namespace: int, ids: Iterable[int], *, now: int, signer: Signer) -> None:
    """Take memories out of quarantine that are in it."""
    for memory in ids:
        connection.execute("DELETE FROM quarantine WHERE memory = ?", (memory,))
        item = item_of(connection, memory, store=signer.store)
        log_change(connection, RELEASE, namespace, memory, item, now=now, signer=signer)


def isolated(connection: sqlite3.Connection, ids: Iterable[int]) -> set[int]:
    """Which of some memories are in quarantine."""
    return {row[0] for row in connection.execute(_AMONG, (json.dumps(list(ids)),))}


def released_since(connection: sqlite3.Connection, namespace: int, seq: int) -> bool:
    """Whether a memory of a namespace came out of quarantine after a log entry."""
    return connection.execute(_RELEASED, (seq, namespace)).fetchone() is not None
