"""A million memories: written, reopened with and without caches, asked, verified. Figures are printed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.ports import Rows

BATCH = 2000
WIDTH = 384
_THINGS = ("boat", "kettle", "map", "violin", "ladder", "letter", "clock", "apron")


class RandomEmbedder(HashingEmbedder):
    """Rows that cost nothing to make: this test is not about encoding."""

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        seeds = np.random.default_rng(len(texts) + len(texts[0]))
        return seeds.standard_normal((len(texts), WIDTH), np.float32)


@contextmanager
def timed(figures: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    figures[name] = round(time.perf_counter() - started, 2)


@tier(quick=2500, torture=1_000_000)
def test_a_store_of_this_size_is_written_reopened_asked_and_verified(tmp_path: Path, size: int) -> None:
    folder, figures, embedder = tmp_path / "store", {}, RandomEmbedder(WIDTH)
    memory = Memory.open(folder, embedder=embedder)
    with timed(figures, "ingest"):
        for first in range(0, size, BATCH):
            memory.remember_many(
                {"text": f"Note {i}: the {_THINGS[i % 8]} is in place {i * 7919 % size}.", "session": f"s{i // 50}"}
                for i in range(first, min(size, first + BATCH))
            )
    with timed(figures, "close"):
        memory.close()
    with timed(figures, "open with caches"):
        memory = Memory.open(folder, embedder=embedder)
        assert len(memory) == size
    wanted = f"Note {size // 2}: the {_THINGS[size // 2 % 8]} is in place {size // 2 * 7919 % size}."
    memory.recall("warm up")
    with timed(figures, "20 questions"):
        for _ in range(20):
            assert wanted in {hit.text for hit in memory.recall(wanted, k=10, profile="lexical")}
    with timed(figures, "verify"):
        report = memory.verify()
        assert (report.ok, report.entries, report.memories) == (True, size, size)
    figures["MiB of memory"] = psutil.Process().memory_info().rss >> 20
    memory.close()
    shutil.rmtree(folder / "cache")
    with timed(figures, "open without caches"), Memory.open(folder, embedder=embedder) as memory:
        assert len(memory) == size
    figures["MiB on disk"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20
    print(f"{size:,} memories: {figures}")
