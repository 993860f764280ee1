"""Which memories say the same, as sleep found: groups, in which any one can stand for the others in a result."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

__all__ = ["count_merged", "groups_of", "has_merged", "merge", "merged_ids", "pass_on"]


def has_merged(connection: sqlite3.Connection, namespace: int) -> bool:
    """Whether there is any group in the namespace."""
    found = connection.execute("SELECT EXISTS (SELECT 1 FROM merged WHERE namespace = ?)", (namespace,))
    return bool(found.fetchone()[0])


def count_merged(connection: sqlite3.Connection, namespace: int) -> int:
    """For how many memories of the namespace another one stands, those in quarantine left out."""
    found = connection.execute(
        "SELECT count(*) FROM merged g JOIN memories m ON m.id = g.memory WHERE g.namespace = ? "
        "AND (m.expires IS NULL OR m.expires > now_ms()) AND m.id NOT IN (SELECT memory FROM quarantine)",
        (namespace,),
    )
    return int(found.fetchone()[0])


def merged_ids(connection: sqlite3.Connection, namespace: int) -> set[int]:
    """The memories for which another one stands."""
    return {row[0] for row in connection.execute("SELECT memory FROM merged WHERE namespace = ?", (namespace,))}


def groups_of(connection: sqlite3.Connection, namespace: int, ids: Iterable[int]) -> list[frozenset[int]]:
    """The whole groups to which some memories belong; those in none are left out."""
    groups: dict[int, set[int]] = {}
    new = set(ids)
    known: set[int] = set()
    while new:
        known |= new
        asked = json.dumps(sorted(new))
        pairs = connection.execute(
            "SELECT memory, stand_in FROM merged WHERE namespace = ? AND memory IN (SELECT value FROM json_each(?)) "
            "UNION SELECT memory, stand_in FROM merged "
            "WHERE namespace = ? AND stand_in IN (SELECT value FROM json_each(?))",
            (namespace, asked, namespace, asked),
        ).fetchall()
        for pair in pairs:
            united = groups.get(pair[0], {pair[0]}) | groups.get(pair[1], {pair[1]})
            groups.update(dict.fromkeys(united, united))
        new = {each for pair in pairs for each in pair} - known
    return list({min(group): frozenset(group) for group in groups.values()}.values())


def merge(connection: sqlite3.Connection, namespace: int, memory: int, stand_in: int, *, sleep: int) -> bool:
    """Let one memory stand for another; False where that was so, or either of them has gone."""
    done = connection.execute(
        "INSERT OR IGNORE INTO merged SELECT ?, ?, ?, ? "
        "WHERE (SELECT count(*) FROM memories WHERE id IN (?, ?) AND namespace = ?) = 2",
        (memory, stand_in, namespace, sleep, memory, stand_in, namespace),
    )
    return done.rowcount > 0


def pass_on(connection: sqlite3.Connection, stand_in: int) -> None:
    """Let another of its group take the place of a memory that is about to go."""
    row = connection.execute("SELECT min(memory) FROM merged WHERE stand_in = ?", (stand_in,)).fetchone()
    if row[0] is not None:
        connection.execute("DELETE FROM merged WHERE memory = ?", (row[0],))
        connection.execute("UPDATE merged SET stand_in = ? WHERE stand_in = ?", (row[0], stand_in))
