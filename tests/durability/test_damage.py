"""Flipped bits, torn ends and zeroed stretches in any file: detected with a typed error, harmless, or healed."""

from __future__ import annotations

import json
import random
import runpy
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from durability.tiers import tier
from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder

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
