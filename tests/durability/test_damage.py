"""Flipped bits, torn ends and zeroed stretches in any file: detected with a typed error, harmless, or healed."""

from __future__ import annotations

import itertools
import json
import random
import re
import runpy
import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from durability.tiers import tier
from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import LoomError

if TYPE_CHECKING:
    from conftest import StartPython

SCRIPT = Path(__file__).with_name("damaged_reader.py")
READER = runpy.run_path(str(SCRIPT))


@pytest.fixture
def intact(quick_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store as a killed writer leaves it (database, log and cache), and a seal of it."""
    monkeypatch.setattr("mnemoloom.recall.live._REPLAY_AT_MOST", READER["SMALL"])
    live = quick_disk / "live"
    memory = Memory.open(live, embedder=HashingEmbedder(READER["WIDTH"]), key=READER["KEY"])
    memory.remember_many(_draft(number) for number in range(60))
    memory.close()
    memory = Memory.open(live, embedder=HashingEmbedder(READER["WIDTH"]), key=READER["KEY"])
    memory.at("somebody", "else").remember("Not for everybody.")
    memory.remember_many(_draft(number) for number in range(100, 112))
    memory.forget(9)
    memory.pin(10)
    memory.move(11, Tier.COLD)
    memory.seal(quick_disk / "seal.json")
    shutil.copytree(live, quick_disk / "store")
    memory.close()
    return quick_disk


def _draft(number: int) -> dict[str, Any]:
    return {
        "text": f"Note {number}: the {('boat', 'kettle', 'map')[number % 3]} is in the harbour.",
        "speaker": ("Ann", "Ben", None)[number % 3],
        "session": f"s{number // 20}",
        "metadata": {"number": number},
        "external_id": f"doc {number}" if number % 5 == 3 else None,
    }


def damages(store: Path, count: int, chance: random.Random) -> list[dict[str, Any]]:
    """What to break: flips for the most part, in each file as many; beginnings and ends above all."""
    files = [path for path in sorted(store.rglob("*")) if path.is_file() and path.name not in ("LOCK", "store.db-shm")]
    assert {path.name for path in files} > {"store.db", "store.db-wal"}
    asked = []
    for number in range(count):
        path = files[number % len(files)]
        size, kind = path.stat().st_size, chance.choices(("flip", "cut", "zero"), (8, 2, 1))[0]
        edge = chance.choice((0, 0, 1))
        at = chance.randrange(min(size, 200)) if edge else chance.randrange(size)
        bits = 1 << chance.randrange(8) if kind == "flip" else chance.choice((16, 64, 512, 4096))
        asked.append({"file": str(path.relative_to(store)), "kind": kind, "at": at, "bits": bits})
    return asked


@tier(quick=120, torture=3000)
def test_no_damage_of_any_file_is_silent_or_untyped_or_ends_the_process(
    intact: Path, start_python: StartPython, size: int
) -> None:
    asked = damages(intact / "store", size, random.Random(size))
    outcomes: Counter[str] = Counter()
    worse = []
    process = start_python(SCRIPT, intact, intact)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for each in asked:
        process.stdin.write(json.dumps(each) + "\n")
        process.stdin.flush()
        said = process.stdout.readline().strip()
        assert said, f"the process ended at {each}"
        outcomes[f"{each['file'].split('/')[0]} {said.split()[0]}"] += 1
        if said not in (("healed",) if each["file"].startswith("cache") else ("same", "detected")):
            worse.append((each, said))
    process.stdin.close()
    assert process.wait(30) == 0
    print(dict(outcomes))
    assert worse == []
    assert outcomes["store.db detected"] > size // 20
    assert outcomes["store.db-wal detected"] > size // 20


_TYPED = {
    "meta": ("value",),
    "namespaces": ("labels",),
    "payloads": ("namespace", "pointer", "variant", "text", "vector", "tokens", "encoder"),
    "memories": (
        *("namespace", "payload", "external_id", "speaker", "session", "time", "metadata", "tier", "pinned"),
        *("created", "source", "trust", "surprise", "salt"),
    ),
    "log": ("op", "namespace", "memory", "time", "item", "entry"),
    "tags": ("tag",),
}


def _plant(folder: Path, table: str, column: str, value: object) -> None:
    """Put a value of any type into a column, as a damaged page may read: the rules of the table are lifted for it."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        loose = re.sub(r"\b(NOT NULL|STRICT|TEXT|BLOB|REAL)\b", "", sql)  # the keys of rows stay INTEGER
        for text in (loose, sql):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (text, table))
            connection.execute("PRAGMA writable_schema = RESET")
            if text == loose:
                chosen = "(SELECT max(rowid) FROM " + table + ")"
                connection.execute(f"UPDATE {table} NOT INDEXED SET {column} = ? WHERE rowid = {chosen}", (value,))


@pytest.mark.parametrize("table", _TYPED)
def test_a_value_of_another_type_than_its_column_is_never_an_untyped_error(
    quick_disk: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr("mnemoloom.recall.live._REPLAY_AT_MOST", 1000)
    intact, folder = quick_disk / "intact", quick_disk / "store"
    with Memory.open(intact, key=READER["KEY"], embedder=HashingEmbedder(READER["WIDTH"])) as memory:
        memory.remember_many(_draft(number) for number in range(9))
        memory.move(3, Tier.COLD)
        seal = memory.seal()
        last = memory.remember(_draft(13)["text"], external_id="doc 13")
    for column, value in itertools.product(_TYPED[table], (None, 7, -1.5, "words", b"\xff\x00", "")):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(intact, folder)
        try:
            _plant(folder, table, column, value)
        except sqlite3.IntegrityError:
            continue
        reading = [
            lambda memory: memory.verify(seal=seal),
            lambda memory: list(memory.records()),
            lambda memory: memory.recall("Where is the boat?", k=20),
            lambda memory: memory.seal(),
            lambda memory: memory.prove(2, seal),
            lambda memory: memory.stats(),
        ]
        writing = [
            lambda memory: memory.pin(last),
            lambda memory: memory.remember("One more."),
            lambda memory: memory.forget(last),
        ]
        options = {"key": READER["KEY"], "embedder": HashingEmbedder(READER["WIDTH"])}
        for acts, more in ((reading, {"read_only": True}), (writing, {"durability": "normal"})):
            with suppress(LoomError), Memory.open(folder, **options, **more) as memory:
                for act in acts:
                    with suppress(LoomError):
                        act(memory)
