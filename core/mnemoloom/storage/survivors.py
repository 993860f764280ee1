"""Which memories of a damaged database are still what was logged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from mnemoloom.errors import CorruptionError
from mnemoloom.storage.failures import tells_damage
from mnemoloom.storage.keys import REKEY
from mnemoloom.storage.lineage import DERIVE
from mnemoloom.storage.memories import item_of
from mnemoloom.storage.repeats import MERGE, SEPARATE

__all__ = ["Survivors", "survivors"]

T = TypeVar("T")


class Survivors(NamedTuple):
    """Ids by rising number: those that can be read and are what was logged, and those that are lost."""

    whole: list[int]
    lost: list[int]


def survivors(connection: sqlite3.Connection, namespace: int, *, store: str) -> Survivors:
    """Look at every memory of a namespace by itself.

    Where the log cannot be read to its end, a memory counts as whole if its latest readable entry fits it.
    """
    items: dict[int, bytes | None] = {}
    for op, memory, item in _readable(
        connection, "SELECT op, memory, item FROM log WHERE namespace = ? ORDER BY seq", namespace
    ):
        if op == "forget":
            items.pop(memory, None)
        elif op not in (REKEY, DERIVE, MERGE, SEPARATE):
            items[memory] = item
    # the table may be readable where an index is not, and the other way round
    for statement in (
        "SELECT id FROM main.memories NOT INDEXED WHERE namespace = ?",
        "SELECT id FROM main.memories INDEXED BY memories_of_namespace WHERE namespace = ?",
    ):
        for (memory,) in _readable(connection, statement, namespace):
            items.setdefault(memory, None)
    found = Survivors([], [])
    for memory, item in sorted(items.items()):
        now = _item(connection, memory, store)
        (found.whole if now is not None and now == item else found.lost).append(memory)
    return found


def _item(connection: sqlite3.Connection, memory: int, store: str) -> bytes | None:
    with suppress(CorruptionError):
        return _unless_damaged(lambda: item_of(connection, memory, store=store))
    return None


def _readable(connection: sqlite3.Connection, statement: str, namespace: int) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement as far as they can be read."""
    cursor = _unless_damaged(lambda: connection.execute(statement, (namespace,)))
    while cursor is not None and (row := _unless_damaged(cursor.fetchone)) is not None:
        yield row


def _unless_damaged(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not tells_damage(error):
            raise
        return None
