"""The journal of sleep: which sleeps there were, and what each changed; ids, tiers and numbers, never a text."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mnemoloom.clock import from_millis
from mnemoloom.errors import CorruptionError
from mnemoloom.records import Tier
from mnemoloom.storage.topics import NONE, Places, place, places, standing

__all__ = [
    "Move",
    "Slept",
    "begin",
    "end",
    "give_up",
    "hand_on",
    "has_topics",
    "mark_undone",
    "moves",
    "note_move",
    "note_pruned",
    "note_topics",
    "pruned",
    "restore_topics",
    "sleeps",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slept:
    """A sleep that was applied, and when; `undone` is when it was taken back. counts: what it changed, by kind."""

    id: int
    time: datetime
    undone: datetime | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """That a sleep moved a memory. last: no later sleep has moved it again."""

    memory: int
    before: Tier
    after: Tier
    last: bool


def begin(connection: sqlite3.Connection, namespace: int, *, now: int) -> int:
    """Open the entry of a sleep; its id."""
    done = connection.execute(
        "INSERT INTO sleeps (namespace, time, counts) VALUES (?, ?, '{}') RETURNING id", (namespace, now)
    )
    return int(done.fetchone()[0])


def end(connection: sqlite3.Connection, sleep: int, counts: Mapping[str, int]) -> None:
    """Write down what a sleep changed."""
    connection.execute("UPDATE sleeps SET counts = ? WHERE id = ?", (json.dumps(dict(counts)), sleep))


def give_up(connection: sqlite3.Connection, sleep: int) -> None:
    """Take back the entry of a sleep that changed nothing after all."""
    connection.execute("DELETE FROM sleeps WHERE id = ?", (sleep,))


def note_move(connection: sqlite3.Connection, sleep: int, memory: int, *, before: Tier, after: Tier) -> None:
    """Write down that a sleep moves a memory."""
    connection.execute("INSERT INTO sleep_moves VALUES (?, ?, ?, ?)", (sleep, memory, before.value, after.value))


def moves(connection: sqlite3.Connection, sleep: int) -> list[Move]:
    """What a sleep moved, of the memories that still exist."""
    found = connection.execute(
        "SELECT m.memory, m.before, m.after, NOT EXISTS (SELECT 1 FROM sleep_moves l JOIN sleeps s ON s.id = l.sleep "
        "WHERE l.memory = m.memory AND l.sleep > m.sleep AND s.undone IS NULL) FROM sleep_moves m WHERE m.sleep = ?",
        (sleep,),
    )
    try:
        return [Move(row[0], Tier(row[1]), Tier(row[2]), bool(row[3])) for row in found]
    except ValueError as error:
        raise CorruptionError(f"the journal of sleep {sleep} is damaged: {error}") from error


def mark_undone(connection: sqlite3.Connection, sleep: int, *, now: int) -> None:
    """Mark a sleep as undone."""
    connection.execute("UPDATE sleeps SET undone = ? WHERE id = ?", (now, sleep))


def sleeps(connection: sqlite3.Connection, namespace: int) -> list[Slept]:
    """The sleeps of a namespace, oldest first."""
    rows = connection.execute(
        "SELECT id, time, undone, counts FROM sleeps WHERE namespace = ? ORDER BY id", (namespace,)
    ).fetchall()
    try:
        return [
            Slept(
                id=row[0],
                time=from_millis(row[1]),
                undone=None if row[2] is None else from_millis(row[2]),
                counts={str(kind): int(count) for kind, count in json.loads(row[3]).items()},
            )
            for row in rows
        ]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CorruptionError(f"table sleeps of the store is damaged: {error}") from error


def note_pruned(connection: sqlite3.Connection, memory: int, *, heir: int) -> None:
    """Keep the surprise of a memory that is about to go, beside a living one of the same speaker."""
    connection.execute(
        "INSERT INTO pruned (memory, surprise) SELECT ?, surprise FROM memories WHERE id = ?", (heir, memory)
    )


def pruned(connection: sqlite3.Connection, namespace: int) -> list[tuple[int, float]]:
    """Such surprises, each with the living memory that says whose they are."""
    return connection.execute(
        "SELECT p.memory, p.surprise FROM pruned p JOIN memories m ON m.id = p.memory WHERE m.namespace = ?",
        (namespace,),
    ).fetchall()


def hand_on(connection: sqlite3.Connection, memory: int, heir: int) -> None:
    """Keep beside another memory what is kept beside one that is about to go."""
    connection.execute("UPDATE pruned SET memory = ? WHERE memory = ?", (heir, memory))


def note_topics(connection: sqlite3.Connection, namespace: int, sleep: int, before: Places) -> None:
    """Write down where memories were, `before`, that a sleep has just put elsewhere."""
    was = dict(zip(before.memories.tolist(), before.cells.tolist(), strict=True))
    now = places(connection, namespace)
    nowhere = [NONE, NONE]
    moved = [
        (sleep, memory, *was.get(memory, nowhere))
        for memory, cells in zip(now.memories.tolist(), now.cells.tolist(), strict=True)
        if was.get(memory, nowhere) != cells
    ]
    connection.executemany("INSERT INTO sleep_topics VALUES (?, ?, ?, ?)", moved)


def has_topics(connection: sqlite3.Connection, sleep: int) -> bool:
    """Whether a sleep has put any memory into another topic."""
    found = connection.execute("SELECT EXISTS (SELECT 1 FROM sleep_topics WHERE sleep = ?)", (sleep,))
    return bool(found.fetchone()[0])


def restore_topics(connection: sqlite3.Connection, namespace: int, sleep: int) -> int:
    """Put memories into the topics of before a sleep, unless a later one has sorted them; how many that were."""
    (later,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM sleep_topics t JOIN sleeps s ON s.id = t.sleep "
        "WHERE s.namespace = ? AND s.id > ? AND s.undone IS NULL)",
        (namespace, sleep),
    ).fetchone()
    rows = connection.execute("SELECT memory, topic, second FROM sleep_topics WHERE sleep = ?", (sleep,)).fetchall()
    if later or not rows:
        return 0
    connection.executemany("DELETE FROM topics WHERE memory = ?", [(row[0],) for row in rows if row[1] == NONE])
    table = np.array([row for row in rows if row[1] != NONE], np.int64).reshape(-1, 3)
    place(connection, namespace, Places(table[:, 0], table[:, 1:]), next_id=standing(connection, namespace).next_id)
    return len(rows)
