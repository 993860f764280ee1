"""Which memory was derived from which: links of their own kind, each also an entry of the log.

The entry names both ends in its item, as two numbers of sixteen bytes, so that `verify` finds a link that was taken
away or put in by hand. A link goes when one of its ends goes; a memory is linked to the origins of its origins, too,
so that forgetting what stands between loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from mnemoloom.chain import Signer
from mnemoloom.errors import UnknownMemoryError
from mnemoloom.storage.memories import find, first_end, link, log_change
from mnemoloom.storage.quarantine import isolated

__all__ = [
    "DERIVE",
    "DERIVED",
    "Inherited",
    "derive",
    "descendants",
    "ends_of",
    "inherited",
    "item_of_ends",
    "lineage",
    "origins_of",
    "without_hidden_origins",
]

DERIVE = "derive"
DERIVED = "derived"  # the kind of link from a memory to one that it was derived from

_BELOW = """
WITH RECURSIVE below (memory) AS (
    SELECT value FROM json_each(?)
    UNION SELECT l.source FROM links l JOIN below b ON l.target = b.memory WHERE l.kind = 'derived'
) SELECT memory FROM below ORDER BY memory
"""
_ABOVE = "SELECT target FROM links WHERE kind = 'derived' AND source IN (SELECT value FROM json_each(?))"
_HIDDEN = """
SELECT l.source, l.target FROM links l JOIN quarantine q ON q.memory = l.target
WHERE l.kind = 'derived' AND l.source IN (SELECT value FROM json_each(?))
"""
_TRUSTS = "SELECT id, trust FROM memories WHERE namespace = ? AND id IN (SELECT value FROM json_each(?))"


def origins_of(
    connection: sqlite3.Connection, namespace: int, keys: Iterable[int | str]
) -> tuple[list[int], list[str]]:
    """The memories that some keys name and what these were derived from, and how far the named ones are trusted.

    Raises UnknownMemoryError for a key that names none in this namespace, or one in quarantine.
    """
    named = [(key, find(connection, namespace, key) if isinstance(key, str) else key) for key in keys]
    if not named:
        return [], []
    ids = json.dumps([each for _, each in named if each is not None and each.bit_length() < 64])
    trusts = dict(connection.execute(_TRUSTS, (namespace, ids)))
    hidden = isolated(connection, trusts)
    for key, memory in named:
        if memory not in trusts or memory in hidden:
            raise UnknownMemoryError(key)
    above = [row[0] for row in connection.execute(_ABOVE, (json.dumps(list(trusts)),))]
    return sorted({*trusts, *above}), list(trusts.values())


class Inherited(NamedTuple):
    """What a memory has from its origins: these and theirs, their trust, first end (ms), and quarantine."""

    origins: list[int]
    trusts: list[str]
    end: int | None
    isolated: bool


def inherited(connection: sqlite3.Connection, namespace: int, origins: Iterable[int]) -> Inherited:
    """What a memory has from origins that exist in its namespace, hidden ones too."""
    given = json.dumps(sorted(origins))
    trusts = dict(connection.execute(_TRUSTS, (namespace, given)))
    every = sorted({*trusts, *(row[0] for row in connection.execute(_ABOVE, (given,)))})
    return Inherited(every, list(trusts.values()), first_end(connection, every), bool(isolated(connection, every)))


def derive(
    connection: sqlite3.Connection, namespace: int, memory: int, origins: Iterable[int], *, now: int, signer: Signer
) -> None:
    """Note that a memory was derived from others."""
    for origin in origins:
        link(connection, DERIVED, [(memory, origin)])
        log_change(connection, DERIVE, namespace, 0, item_of_ends(memory, origin), now=now, signer=signer)


def item_of_ends(memory: int, other: int) -> bytes:
    """The item of a log entry about two memories."""
    return memory.to_bytes(16, "big") + other.to_bytes(16, "big")


def ends_of(item: bytes) -> tuple[int, int]:
    """The two memories that the item of a log entry is about, such as one and its origin."""
    return int.from_bytes(item[:16], "big"), int.from_bytes(item[16:], "big")


def descendants(connection: sqlite3.Connection, ids: Iterable[int]) -> list[int]:
    """Some memories and all that was derived from them, at any remove; ascending."""
    return [row[0] for row in connection.execute(_BELOW, (json.dumps(list(ids)),))]


def without_hidden_origins(connection: sqlite3.Connection, ids: Iterable[int], *, named: Iterable[int]) -> list[int]:
    """Of memories that may come out of quarantine together those of which no origin stays there, and the named ones."""
    free, asked = set(ids), set(named)
    pairs = connection.execute(_HIDDEN, (json.dumps(sorted(free)),)).fetchall()
    while held := {memory for memory, origin in pairs if memory in free - asked and origin not in free}:
        free -= held
    return sorted(free)


def lineage(connection: sqlite3.Connection) -> set[tuple[int, int]]:
    """Every pair of a memory and one that it was derived from."""
    return set(connection.execute("SELECT source, target FROM links WHERE kind = 'derived'"))
