"""What was said to be useful for which question: the statements that write and read it.

A use holds the question's vector and none of its words. It goes with the memories that it names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from mnemoloom.storage.vault import locks_of

__all__ = ["Use", "add_use", "mark", "uses"]


class Use(NamedTuple):
    """The memories that were useful for one question, and its vector as bytes."""

    number: int
    memories: tuple[int, ...]
    question: bytes


def add_use(connection: sqlite3.Connection, ids: Sequence[int], question: bytes, *, encoder: str) -> int:
    """Note that memories, which must exist, were useful for a question; the number of this use."""
    (number,) = connection.execute("SELECT coalesce(max(use), 0) + 1 FROM feedback").fetchone()
    locks, columns = locks_of(connection), ("use", "memory", "question", "encoder")
    rows = [locks.row("feedback", columns, (number, memory, question, encoder)) for memory in ids]
    connection.executemany("INSERT INTO main.feedback VALUES (?, ?, ?, ?)", rows)
    return int(number)


def uses(connection: sqlite3.Connection, namespace: int, *, encoder: str) -> list[Use]:
    """What was useful in a namespace, in the order in which it was said, for questions of one encoder."""
    found = connection.execute(
        "SELECT f.use, f.memory, f.question FROM feedback f JOIN memories m ON m.id = f.memory "
        "WHERE m.namespace = ? AND f.encoder = ? ORDER BY f.use, f.memory",
        (namespace, encoder),
    )
    together: dict[int, Use] = {}
    for number, memory, question in found:
        known = together.get(number, Use(number, (), question))
        together[number] = known._replace(memories=(*known.memories, memory))
    return list(together.values())


def mark(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Numbers that change whenever a use comes or goes, in the whole store; all 0 without any."""
    found = connection.execute("SELECT coalesce(max(use), 0), count(*), coalesce(sum(use * memory), 0) FROM feedback")
    newest, count, check = found.fetchone()
    return int(newest), int(count), int(check)
