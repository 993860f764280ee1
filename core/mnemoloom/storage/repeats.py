"""Which memories say the same, as sleep found: groups, in which any one can stand for the others in a result.

Each such pair is also an entry of the log, which its row names. A row that was put in by hand names none, and hides
nothing; `verify` finds it, and one that was taken away.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from mnemoloom.chain import Signer
from mnemoloom.storage.lineage import item_of_ends
from mnemoloom.storage.memories import log_change

__all__ = [
    *("MERGE", "SEPARATE", "count_merged", "groups_of", "has_merged", "merge", "merged_ids", "merged_pairs"),
    *("pass_on", "separate"),
]

MERGE, SEPARATE = "merge", "separate"

_PAIRS = """
WITH asked (id) AS (SELECT value FROM json_each(?)), pairs AS (
    SELECT memory, stand_in, entry FROM merged WHERE namespace = ? AND memory IN asked
    UNION SELECT memory, stand_in, entry FROM merged WHERE namespace = ? AND stand_in IN asked
) SELECT p.memory, p.stand_in, l.item FROM pairs p JOIN log l ON l.seq = p.entry AND l.op = 'merge'
"""


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
        found = connection.execute(_PAIRS, (asked, namespace, namespace)).fetchall()
        pairs = [(memory, stand_in) for memory, stand_in, item in found if item == item_of_ends(memory, stand_in)]
        for pair in pairs:
            united = groups.get(pair[0], {pair[0]}) | groups.get(pair[1], {pair[1]})
            groups.update(dict.fromkeys(united, united))
        new = {each for pair in pairs for each in pair} - known
    return list({min(group): frozenset(group) for group in groups.values()}.values())


def merged_pairs(connection: sqlite3.Connection) -> set[tuple[int, int]]:
    """Every memory with the one that stands for it, in all namespaces."""
    return set(connection.execute("SELECT memory, stand_in FROM merged"))


def merge(
    connection: sqlite3.Connection, namespace: int, memory: int, stand_in: int, *, sleep: int, now: int, signer: Signer
) -> bool:
    """Let one memory stand for another; False where that was so, or either of them has gone."""
    (able,) = connection.execute(
        "SELECT (SELECT count(*) FROM memories WHERE id IN (?, ?) AND namespace = ?) = 2 "
        "AND NOT EXISTS (SELECT 1 FROM merged WHERE memory = ?)",
        (memory, stand_in, namespace, memory),
    ).fetchone()
    if able:
        entry = _log(connection, MERGE, namespace, memory, stand_in, now=now, signer=signer)
        connection.execute("INSERT INTO merged VALUES (?, ?, ?, ?, ?)", (memory, stand_in, namespace, sleep, entry))
    return bool(able)


def separate(connection: sqlite3.Connection, namespace: int, sleep: int, *, now: int, signer: Signer) -> int:
    """Let what a sleep merged stand for itself again; how many memories that is."""
    pairs = connection.execute("SELECT memory, stand_in FROM merged WHERE sleep = ?", (sleep,)).fetchall()
    for memory, stand_in in pairs:
        _log(connection, SEPARATE, namespace, memory, stand_in, now=now, signer=signer)
    connection.execute("DELETE FROM merged WHERE sleep = ?", (sleep,))
    return len(pairs)


def pass_on(connection: sqlite3.Connection, namespace: int, stand_in: int, *, now: int, signer: Signer) -> None:
    """Let another of its group take the place of a memory that is about to go."""
    rows = connection.execute("SELECT memory FROM merged WHERE stand_in = ? ORDER BY memory", (stand_in,)).fetchall()
    if not rows:
        return
    (heir,), *others = rows
    connection.execute("DELETE FROM merged WHERE memory = ?", (heir,))
    for (memory,) in others:
        entry = _log(connection, MERGE, namespace, memory, heir, now=now, signer=signer)
        connection.execute("UPDATE merged SET stand_in = ?, entry = ? WHERE memory = ?", (heir, entry, memory))


def _log(
    connection: sqlite3.Connection, op: str, namespace: int, memory: int, stand_in: int, *, now: int, signer: Signer
) -> int:
    item = item_of_ends(memory, stand_in)
    return log_change(connection, op, namespace, 0, item, now=now, signer=signer)
