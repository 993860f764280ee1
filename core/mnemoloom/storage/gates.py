"""What the write gate keeps: each speaker's state, and for each memory what was decided about it, and why.

Both are written in the transaction that writes the memories. A decision goes with its memory; a speaker's state is
numbers alone, and erasing any of his memories lets it begin anew.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mnemoloom.errors import CorruptionError
from mnemoloom.storage.vault import locks_of

__all__ = ["StoredDecision", "count_reasons", "decision_of", "drop_gates", "gate_of", "keep_decisions", "keep_gates"]

_DROPPED = """
SELECT speaker FROM gates WHERE namespace = ? AND (
    speaker IN (SELECT coalesce(speaker, '') FROM memories WHERE id IN (SELECT value FROM json_each(?)))
    OR speaker NOT IN (SELECT coalesce(speaker, '') FROM memories WHERE namespace = ?))
"""


class StoredDecision(NamedTuple):
    """What was decided when a memory was written."""

    write: bool
    z: float
    threshold: float
    reason: str


def gate_of(connection: sqlite3.Connection, namespace: int, speaker: str | None) -> list[object] | None:
    """The numbers of a speaker's gate, None if it has seen nothing. Raises CorruptionError."""
    row = connection.execute(
        "SELECT state FROM gates WHERE namespace = ? AND speaker = ?", (namespace, speaker or "")
    ).fetchone()
    if row is None:
        return None
    try:
        numbers = json.loads(row[0])
    except (ValueError, TypeError) as error:
        raise CorruptionError(f"the write gate of speaker {speaker!r} cannot be read: {error}") from error
    if not isinstance(numbers, list):
        raise CorruptionError(f"the write gate of speaker {speaker!r} is no list of numbers")
    return numbers


def keep_gates(connection: sqlite3.Connection, namespace: int, states: Mapping[str | None, list[object]]) -> None:
    """Store the numbers of some speakers' gates."""
    locks, columns = locks_of(connection), ("namespace", "speaker", "state")
    connection.executemany(
        "INSERT INTO main.gates VALUES (?, ?, ?) ON CONFLICT (namespace, speaker) DO UPDATE SET state = excluded.state",
        [
            locks.row("gates", columns, (namespace, speaker or "", json.dumps(numbers)))
            for speaker, numbers in states.items()
        ],
    )


def drop_gates(connection: sqlite3.Connection, namespace: int, ids: Sequence[int]) -> None:
    """Forget what the gate learned from the speakers of some memories, and from speakers without any."""
    dropped = connection.execute(_DROPPED, (namespace, json.dumps(list(ids)), namespace)).fetchall()
    locks = locks_of(connection)
    connection.executemany(
        "DELETE FROM main.gates WHERE namespace = ? AND speaker = ?",
        [(namespace, locks.fixed("gates", "speaker", namespace, speaker)) for (speaker,) in dropped],
    )


def keep_decisions(connection: sqlite3.Connection, decided: Iterable[tuple[int, StoredDecision]]) -> None:
    """Note what was decided about memories, by id."""
    connection.executemany("INSERT INTO gated VALUES (?, ?, ?, ?, ?)", ((memory, *made) for memory, made in decided))


def decision_of(connection: sqlite3.Connection, memory: int) -> StoredDecision | None:
    """What was decided about a memory, None if it met no gate. Raises CorruptionError."""
    row = connection.execute("SELECT written, z, threshold, reason FROM gated WHERE memory = ?", (memory,)).fetchone()
    if row is None:
        return None
    written, z, threshold, reason = row
    finite = all(isinstance(number, float) and math.isfinite(number) for number in (z, threshold))
    if written not in (0, 1) or not finite or not isinstance(reason, str):
        raise CorruptionError(f"the decision of the write gate about memory {memory} cannot be read")
    return StoredDecision(bool(written), z, threshold, reason)


def count_reasons(connection: sqlite3.Connection, namespace: int) -> dict[str, int]:
    """How many of the namespace's memories met the gate, by the reason of the decision; those shown alone."""
    found = connection.execute(
        "SELECT g.reason, count(*) FROM gated g JOIN memories m ON m.id = g.memory WHERE m.namespace = ? "
        "AND (m.expires IS NULL OR m.expires > now_ms()) AND m.id NOT IN (SELECT memory FROM quarantine) "
        "GROUP BY g.reason ORDER BY g.reason",
        (namespace,),
    )
    return dict(found)
