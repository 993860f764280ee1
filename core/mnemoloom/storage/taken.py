"""Which turns have been taken out of short-term memory; they remain memories, and are gone from here with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["take", "taken_of"]


def taken_of(connection: sqlite3.Connection, namespace: int, session: str | None) -> NDArray[np.int64]:
    """The ids of a session's turns that have been taken out."""
    found = connection.execute(
        "SELECT t.memory FROM taken t JOIN memories m ON m.id = t.memory WHERE m.namespace = ? AND m.session IS ?",
        (namespace, session),
    )
    return np.fromiter((row[0] for row in found), np.int64)


def take(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Take turns out, those that still exist."""
    connection.executemany(
        "INSERT OR IGNORE INTO taken SELECT ? WHERE EXISTS (SELECT 1 FROM memories WHERE id = ?)",
        ((memory, memory) for memory in ids),
    )
