"""Reader processes beside a writer: whole memories only, never fewer than before, and nothing that was damaged."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

if TYPE_CHECKING:
    from conftest import StartPython

_READER = """
import sys
import numpy as np
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

embedder = HashingEmbedder(16)
memory = Memory.open(sys.argv[1], read_only=True, embedder=embedder)
print("open", flush=True)
reads, most = 0, 0
import threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
while not stop.is_set():
    count = len(memory)
    assert count >= most, f"{count} memories after {most}"
    most = count
    hits = memory.recall(f"Where is note {reads} now?", k=8)
    ids = [hit.id for hit in hits]
    if ids:
        rows = memory.vectors(ids)
        wanted = embedder.embed([hit.text for hit in hits])
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
        assert np.allclose(rows, wanted, atol=1e-5), "a vector that is not its text's"
    if reads % 50 == 0:
        report = memory.verify()
        assert report.ok, report.problem
    reads += 1
print(reads, most, flush=True)
memory.close()
"""


@tier(quick=3, torture=60)
def test_readers_see_whole_memories_and_never_fewer(folder: Path, start_python: StartPython, size: int) -> None:
    with Memory.open(folder, embedder=HashingEmbedder(16)) as memory:
        memory.remember("The first note.")
        readers = [start_python("-c", _READER, folder) for _ in range(2 if size < 10 else 4)]
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "open\n"
        written, end = 1, time.monotonic() + size
        while time.monotonic() < end:
            memory.remember_many(f"Note {written + i} is in the harbour." for i in range(5))
            written += 5
            if written % 200 < 5:
                memory._opened.store.checkpoint()
        reads = 0
        for reader in readers:
            said, _ = reader.communicate("stop\n", timeout=60)
            assert reader.returncode == 0
            done, most = map(int, said.split())
            assert most <= written
            reads += done
    assert reads > size
    print(f"{size} s: {reads} reads by {len(readers)} processes beside {written} writes, 0 anomalies")
