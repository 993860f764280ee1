"""Which topics memories are in: the statements that write and read it, inside the caller's transaction.

Of a topic nothing is kept but its number and its members, so forgetting a memory leaves no trace of it here. Numbers
rise and are never given out again.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import CorruptionError

__all__ = ["NONE", "Places", "Standing", "is_settled", "place", "places", "settle", "standing"]

NONE = -1  # no second topic
Ids = NDArray[np.int64]


class Standing(NamedTuple):
    """The number of a namespace's next topic, and how often its topics were written."""

    next_id: int
    version: int


class Places(NamedTuple):
    """Ids of memories, ascending, shape (n,), and the numbers of their best and second best topics, shape (n, 2)."""

    memories: Ids
    cells: Ids


def standing(connection: sqlite3.Connection, namespace: int) -> Standing:
    """How far a namespace's topics have got; the beginning if nothing was sorted yet."""
    row = connection.execute("SELECT next, version FROM sortings WHERE namespace = ?", (namespace,)).fetchone()
    return Standing(*row) if row else Standing(1, 0)


def places(connection: sqlite3.Connection, namespace: int) -> Places:
    """Where every sorted memory of a namespace is. Raises CorruptionError for numbers that no topic can have."""
    found = connection.execute(
        "SELECT t.memory, t.topic, t.second FROM topics t JOIN memories m ON m.id = t.memory WHERE m.namespace = ? "
        "ORDER BY t.memory",
        (namespace,),
    )
    table = np.array(found.fetchall(), np.int64).reshape(-1, 3)
    if (table[:, 1] < 0).any() or (table[:, 2] < NONE).any():
        raise CorruptionError("table topics of the store is damaged: a topic has a number below 0")
    return Places(table[:, 0], table[:, 1:])


def place(connection: sqlite3.Connection, namespace: int, found: Places, *, next_id: int) -> int:
    """Put memories where they belong, those that still exist; the new version. `next_id` never falls."""
    rows: list[list[Any]] = np.column_stack((found.memories, found.cells)).tolist()
    connection.executemany(
        "INSERT INTO topics SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM memories WHERE id = ? AND namespace = ?) "
        "ON CONFLICT (memory) DO UPDATE SET topic = excluded.topic, second = excluded.second",
        ((memory, best, second, memory, namespace) for memory, best, second in rows),
    )
    (version,) = connection.execute(
        "INSERT INTO sortings (namespace, next, version) VALUES (?, ?, 1) ON CONFLICT (namespace) DO UPDATE "
        "SET next = max(next, excluded.next), version = version + 1 RETURNING version",
        (namespace, next_id),
    ).fetchone()
    return int(version)


def is_settled(connection: sqlite3.Connection, namespace: int, *, encoder: str | None) -> bool:
    """Whether nothing was sorted, forgotten or encoded anew since `settle`."""
    row = connection.execute("SELECT settled FROM sortings WHERE namespace = ?", (namespace,)).fetchone()
    return row is not None and row[0] == _digest(places(connection, namespace), encoder)


def settle(connection: sqlite3.Connection, namespace: int, *, encoder: str | None) -> None:
    """Note that the topics, as they are now, need no sorting again."""
    digest = _digest(places(connection, namespace), encoder)
    connection.execute("UPDATE sortings SET settled = ? WHERE namespace = ?", (digest, namespace))


def _digest(found: Places, encoder: str | None) -> bytes:
    digest = blake2b(repr(encoder).encode(), digest_size=16)
    digest.update(found.memories.astype("<i8").tobytes())
    digest.update(found.cells.astype("<i8").tobytes())
    return digest.digest()
