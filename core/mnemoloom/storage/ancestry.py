"""The sources of all that a memory was made of, at any remove, kept with it.

Links to origins go when these are forgotten, replaced or at an end; what was made of a source is still known by this.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable

from mnemoloom.errors import CorruptionError
from mnemoloom.storage.lineage import descendants
from mnemoloom.storage.vault import locks_of

__all__ = ["ancestry", "keep_sources", "with_derived"]

_COLUMNS = ("memory", "namespace", "sources")
_GIVEN = """
SELECT source FROM memories WHERE id IN (SELECT value FROM json_each(?)) AND source IS NOT NULL
"""
_INHERITED = "SELECT memory, sources FROM ancestry WHERE memory IN (SELECT value FROM json_each(?))"


def keep_sources(
    connection: sqlite3.Connection,
    namespace: int,
    memory: int,
    origins: Iterable[int],
    *,
    more: Iterable[str] = (),
) -> None:
    """Note the sources of a new memory's origins, those that they have noted themselves, and `more`."""
    named, sources = list(origins), set(more)
    if named:
        asked = json.dumps(named)
        sources.update(row[0] for row in connection.execute(_GIVEN, (asked,)))
        for origin, kept in connection.execute(_INHERITED, (asked,)):
            sources.update(_parsed(origin, kept))
    if sources:
        row = (memory, namespace, json.dumps(sorted(sources), ensure_ascii=False))
        locked = locks_of(connection).row("ancestry", _COLUMNS, row)
        connection.execute("INSERT INTO main.ancestry VALUES (?, ?, ?)", locked)


def ancestry(connection: sqlite3.Connection, namespace: int) -> dict[int, list[str]]:
    """The sources that each memory of a namespace was made of, by the alphabet; only of those that have some."""
    found = connection.execute("SELECT memory, sources FROM ancestry WHERE namespace = ?", (namespace,))
    return {memory: sorted(_parsed(memory, kept)) for memory, kept in found}


def with_derived(
    connection: sqlite3.Connection, namespace: int, ids: Iterable[int], *, sources: Collection[str] = ()
) -> list[int]:
    """Some memories, all that was derived from them, and all that was made of some sources; ascending."""
    wanted = set(sources)
    made = ancestry(connection, namespace) if wanted else {}
    return descendants(connection, {*ids, *(memory for memory, known in made.items() if wanted.intersection(known))})


def _parsed(memory: int, kept: object) -> list[str]:
    try:
        found = json.loads(kept) if isinstance(kept, str) else None
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise CorruptionError(f"memory {memory} is damaged: the sources that it was made of cannot be read")
    return found
