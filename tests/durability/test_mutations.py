"""Any change made behind the library's back is found and located, and no lawful one is ever taken for damage."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durability.tiers import tier
from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.storage.verify import VerifyReport, verify_store

KEY = b"0123456789abcdef"
_COLUMNS = {
    "log": ("op", "namespace", "memory", "time", "item", "entry"),
    "tags": ("tag",),
    "memories": (
        *("external_id", "speaker", "session", "time", "metadata", "tier", "pinned", "created"),
        *("source", "trust", "surprise", "salt", "payload"),
    ),
    "payloads": ("text", "vector", "tokens", "encoder", "pointer", "variant"),
}


class Mutation(NamedTuple):
    """What was done, and where it must be found: the first of these log entries that breaks, or these memories."""

    what: str
    entries: frozenset[int]
    memories: frozenset[int]

    def located(self, report: VerifyReport) -> bool:
        if report.ok:
            return False
        if report.broken_at is not None and report.broken_at in self.entries:
            return True
        return bool(self.memories) and self.memories <= set(report.damaged)


def mutate(connection: sqlite3.Connection, chance: random.Random) -> Mutation | None:
    """One change of the log or of what it covers, made directly in SQLite; None if a rule of a table forbids it."""
    table = chance.choices(list(_COLUMNS), (4, 1, 4, 3))[0]
    rowids = [row[0] for row in connection.execute(f"SELECT rowid FROM {table}")]
    if not rowids:  # no signatures without a key
        return None
    rowid = chance.choice(rowids)
    entries = frozenset({rowid}) if table in ("log", "tags") else frozenset()
    touched = {
        "memories": "SELECT id FROM memories WHERE id = ?",
        "payloads": "SELECT id FROM memories WHERE payload = ?",
    }.get(table)
    memories = frozenset(row[0] for row in connection.execute(touched, (rowid,))) if touched else frozenset()
    act = chance.choices(("change", "delete", "swap", "forge"), (12, 3, 2, 1))[0]
    if act == "delete":
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
        return Mutation(f"{table} {rowid} deleted", entries, memories)
    if act == "swap" and table == "log":
        other = chance.choice([each for each in rowids if each != rowid])
        for before, after in ((rowid, 1 << 40), (other, rowid), (1 << 40, other)):
            connection.execute("UPDATE log SET seq = ? WHERE seq = ?", (after, before))
        return Mutation(f"log {rowid} and {other} swapped", frozenset({rowid, other}), frozenset())
    if act == "forge" and table == "log":
        last = max(rowids)
        row = connection.execute("SELECT op, namespace, memory, time, item, entry FROM log WHERE seq = ?", (rowid,))
        connection.execute("INSERT INTO log VALUES (?,?,?,?,?,?,?)", (last + 1, *row.fetchone()))
        return Mutation(f"log {rowid} again at the end", frozenset({last + 1}), frozenset())
    return _changed(connection, chance, table, rowid, entries, memories)


def _changed(
    connection: sqlite3.Connection,
    chance: random.Random,
    table: str,
    rowid: int,
    entries: frozenset[int],
    memories: frozenset[int],
) -> Mutation | None:
    column = chance.choice(_COLUMNS[table])
    (old,) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
    new = _other(old, chance, blob=column in ("vector", "tokens"))
    try:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, rowid))
    except sqlite3.IntegrityError:
        return None
    return Mutation(f"{table} {rowid} {column}: {old!r} -> {new!r}", entries, memories)


def _other(old: Any, chance: random.Random, *, blob: bool) -> Any:
    """Another value of the same type."""
    if isinstance(old, bytes):
        at = chance.randrange(max(1, len(old)))
        return old[:at] + bytes([old[at] ^ (1 << chance.randrange(8))]) + old[at + 1 :] if old else b"\x01"
    if old is None:
        return b"\x01" if blob else "x"
    if isinstance(old, str):
        return chance.choice([old + "x", old[1:] if old[1:] else "y", "z" + old])
    return old + chance.choice([-1, 1, 5])


@pytest.fixture(params=[None, KEY], ids=["no key", "a key"])
def key(request: pytest.FixtureRequest) -> bytes | None:
    found: bytes | None = request.param
    return found


@tier(quick=150, torture=5000)
def test_every_change_made_in_sqlite_is_found_and_located(quick_disk: Path, key: bytes | None, size: int) -> None:
    folder, chance = quick_disk / "store", random.Random(size)
    with Memory.open(folder, key=key, embedder=HashingEmbedder(8)) as memory:
        memory.remember_many(f"Note {number} is about the boat." for number in range(1, 9))
        memory.forget(4)
        memory.pin(5)
        seal = memory.seal()
        store = memory._opened.store_id
    unseen = []
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
        while size:
            connection.execute("BEGIN")
            mutation = mutate(connection, chance)
            if mutation is not None:
                size -= 1
                report = verify_store(connection, store=store, keys=(key,) if key else (), seal=seal)
                if not mutation.located(report):
                    unseen.append((mutation, report.problem, report.broken_at, report.damaged))
            connection.execute("ROLLBACK")
    assert unseen == []


def lawful_acts(memory: Memory, chance: random.Random) -> list[Callable[[], object]]:
    """What a caller may do, each about as likely."""
    living = [record.id for record in memory.records()]
    some = chance.choice(living) if living else 0
    number = chance.randrange(40)
    acts: list[Callable[[], object]] = [
        lambda: memory.remember(f"Text {number}", speaker=chance.choice(("Ann", None)), metadata={"n": number}),
        lambda: memory.remember_many([f"Text {number}", f"Text {number + 1}"], idem_key=f"call {number}"),
        lambda: memory.remember(f"Version {chance.random()}", external_id=f"doc {number % 3}"),
        lambda: memory.at("elsewhere").remember(f"Text {number}"),
        lambda: memory.recall(f"Text {number}"),
        lambda: memory.erase({"metadata.n": number}),
        lambda: memory.reembed(),
    ]
    if living:
        acts += [
            lambda: memory.forget(some),
            lambda: memory.pin(some),
            lambda: memory.unpin(some),
            lambda: memory.move(some, chance.choice((Tier.COLD, Tier.LONG_TERM))),
        ]
    return acts


@tier(quick=200, torture=5000)
def test_no_lawful_act_is_taken_for_damage(quick_disk: Path, key: bytes | None, size: int) -> None:
    chance, keys = random.Random(size), [key] if key else []
    memory = Memory.open(quick_disk / "store", key=key, embedder=HashingEmbedder(8), durability="normal")
    try:
        seal = memory.seal()
        for number in range(size):
            chance.choice(lawful_acts(memory, chance))()
            if keys and number % 97 == 96:
                keys.append(b"sixteen bytes: %06d" % number)
                memory.rekey(keys[-1])
            report = memory.verify(seal=seal, past_keys=keys)
            assert (report.ok, report.problem, report.damaged) == (True, None, ())
            if number % 50 == 49:
                seal = memory.seal()
                memory.close()
                memory = Memory.open(
                    quick_disk / "store", key=keys[-1] if keys else None, embedder=HashingEmbedder(8),
                    durability="normal",
                )  # fmt: skip
                for record in list(memory.records())[30:]:
                    memory.forget(record.id)
    finally:
        memory.close()
