"""What of each memory decides about its sleep: tier, pin, age, stress, and who put it where it is."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from mnemoloom.errors import CorruptionError
from mnemoloom.records import Tier

__all__ = ["Standing", "dropped_by_gates", "placed_by_users", "standings", "stresses"]

STRESS = "stress"  # the key of metadata that says how pressing things were, from 0 to 1


class Standing(NamedTuple):
    """One memory. created: milliseconds since 1970."""

    id: int
    cold: bool
    pinned: bool
    created: int


def standings(connection: sqlite3.Connection, namespace: int) -> list[Standing]:
    """The memories of a namespace, by rising id."""
    rows = connection.execute(
        "SELECT id, tier = ?, pinned, created FROM memories WHERE namespace = ? ORDER BY id",
        (Tier.COLD.value, namespace),
    )
    return [Standing(row[0], bool(row[1]), bool(row[2]), _created(*row)) for row in rows]


def _created(memory: int, _cold: object, _pinned: object, moment: object) -> int:
    if not isinstance(moment, int):  # a damaged page may read as anything
        raise CorruptionError(f"memory {memory} is damaged: it was made at {moment!r}")
    return moment


def placed_by_users(connection: sqlite3.Connection, namespace: int) -> dict[int, bool]:
    """Of memories that were moved or pinned, whether a user did so last, and not sleep or its undoing."""
    rows = connection.execute(
        "SELECT memory, op, max(seq) FROM log WHERE namespace = ? AND op IN ('place', 'sleep', 'wake') GROUP BY memory",
        (namespace,),
    )
    return {memory: op == "place" for memory, op, _ in rows}


def dropped_by_gates(connection: sqlite3.Connection, namespace: int) -> set[int]:
    """The memories that the write gate put into the cold tier, whatever happened to them since."""
    rows = connection.execute(
        "SELECT g.memory FROM gated g JOIN memories m ON m.id = g.memory WHERE m.namespace = ? AND NOT g.written",
        (namespace,),
    )
    return {row[0] for row in rows}


def stresses(connection: sqlite3.Connection, namespace: int) -> dict[int, float]:
    """How pressing things were, of the memories whose metadata tells: a number under "stress", held to [0, 1].

    Anything else that is there, such as "high", tells nothing.
    """
    rows = connection.execute(
        "SELECT id, metadata FROM memories WHERE namespace = ? AND instr(metadata, ?)", (namespace, f'"{STRESS}"')
    )
    found = {}
    for memory, metadata in rows:
        try:
            told = json.loads(metadata).get(STRESS)
        except (ValueError, TypeError, AttributeError) as error:
            raise CorruptionError(f"memory {memory} holds values that cannot be read: {error}") from error
        if isinstance(told, (int, float)) and not isinstance(told, bool):
            found[memory] = min(1.0, max(0.0, float(told)))
    return found
