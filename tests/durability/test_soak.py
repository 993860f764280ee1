"""Hours of ordinary work: memory, files, threads and the write-ahead log stay as they were."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import psutil

from durability.tiers import tier
from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder

LIVING = 400
_LOG_LIMIT = 64 << 20


class Sample:
    """What the process uses at a moment."""

    def __init__(self, folder: Path) -> None:
        process = psutil.Process()
        self.bytes = process.memory_info().rss
        self.files = len(process.open_files())
        self.threads = threading.active_count()
        self.log = (folder / "store.db-wal").stat().st_size
        self.names = sorted(path.name.split(".")[0] for path in folder.rglob("*"))


def work(memory: Memory, chance: random.Random, ids: list[int]) -> None:
    """A round of everything; as many memories afterwards as before."""
    ids += memory.remember_many(f"Note {chance.random()} is about the boat." for _ in range(8))
    memory.at("somebody", str(chance.randrange(6))).recall("Where is the boat?")
    memory.recall(f"Note {chance.random()}", k=10, expand=1)
    memory.move(chance.choice(ids), chance.choice((Tier.COLD, Tier.LONG_TERM)))
    memory.get(chance.choice(ids))
    while len(ids) > LIVING:
        gone = ids.pop(chance.randrange(len(ids) // 2))
        memory.erase({"id": gone}) if chance.random() < 0.02 else memory.forget(gone)


@tier(quick=4, torture=600)
def test_what_a_process_uses_does_not_grow(quick_disk: Path, size: int) -> None:
    chance, ids = random.Random(1), []
    folder = quick_disk / "store"
    with Memory.open(folder, embedder=HashingEmbedder(32)) as memory:
        ids += memory.remember_many(f"Note {chance.random()} is about the boat." for _ in range(LIVING))
        warm = time.monotonic() + size * 0.3
        while time.monotonic() < warm:
            work(memory, chance, ids)
        before, rounds, largest = Sample(folder), 0, 0
        end = time.monotonic() + size * 0.7
        while time.monotonic() < end:
            work(memory, chance, ids)
            rounds += 1
            largest = max(largest, (folder / "store.db-wal").stat().st_size)
        after = Sample(folder)
        assert memory.verify().ok
        assert len(memory) == len(ids)
    assert rounds > 1
    assert (after.files, after.threads) <= (before.files + 1, before.threads)
    assert after.names == before.names
    assert largest <= _LOG_LIMIT
    assert after.bytes < before.bytes * (1.05 if size > 60 else 1.25)
    print(f"{size} s, {rounds} rounds: {before.bytes >> 20} MiB, then {after.bytes >> 20} MiB; log {largest >> 20} MiB")
