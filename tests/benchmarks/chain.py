"""What the chain costs: verify in entries per second, and the share of digests, chain and signatures in writing.

    python tests/benchmarks/chain.py [--n 40000] [--key] [--embedder none|hashing:384] [--json]

The share is measured by doing every digest, entry and signature of the ingest once more, with the same arguments, right
after it: wrapping each call in a timer would count the timer.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.storage import memories

BATCH = 1000
STEPS = ("_item", "_entry")  # of mnemoloom.storage.memories


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=40_000)
    parser.add_argument("--key", action="store_true")
    parser.add_argument("--width", type=int, default=0, help="of hashed vectors; 0: no encoder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = [measure(options.n, key=b"0123456789abcdef" if options.key else None, width=options.width)
              for _ in range(options.rounds)]  # fmt: skip
    found = {name: [round(each[name], 4) for each in rounds] for name in rounds[0]}
    settings = {"n": options.n, "key": options.key, "width": options.width}
    if options.json:
        print(json.dumps(settings | found))
        return
    for name, values in found.items():
        print(f"{name:<28} {median(values):>12,.3f}   ({', '.join(f'{value:,.3f}' for value in values)})")


def measure(n: int, *, key: bytes | None, width: int) -> dict[str, float]:
    """One store of n memories, written and verified. Seconds are of the processor, rates of the wall clock, too."""
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
    embedder = HashingEmbedder(width) if width else None
    with tempfile.TemporaryDirectory() as place:
        with Memory.open(Path(place) / "store", key=key, embedder=embedder) as memory:
            memory.remember("The first one warms up.")
            writing = ingest(memory, n)
        with Recording(calls), Memory.open(Path(place) / "other", key=key, embedder=embedder) as memory:
            ingest(memory, n)
            signer = memory._opened.signer
        with Memory.open(Path(place) / "store", key=key, read_only=True) as memory:
            started, used = time.perf_counter(), time.process_time()
            report = memory.verify()
            took, used = time.perf_counter() - started, time.process_time() - used
            assert report.ok
        entries = [bytes(32)] * (n if key else 0)
        started = time.process_time()
        for function, arguments in calls:
            function(*arguments)
        for entry in entries:
            signer.tag(entry)
        chain = time.process_time() - started
    return {
        "ingest, memories/s": n / writing,
        "chain, share of ingest (%)": 100 * chain / writing,
        "verify, entries/s": report.entries / took,
        "verify, entries/s of processor": report.entries / used,
        "plain loop of 1e6 (s)": plain_loop(),
    }


class Recording:
    """Keeps what the steps of the chain are called with."""

    def __init__(self, calls: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
        self.calls, self.real = calls, {name: getattr(memories, name) for name in STEPS}

    def __enter__(self) -> None:
        for name, function in self.real.items():
            setattr(memories, name, self.wrapped(function))

    def __exit__(self, *_: object) -> None:
        for name, function in self.real.items():
            setattr(memories, name, function)

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append((function, arguments))
            return function(*arguments)

        return call


def ingest(memory: Memory, n: int) -> float:
    """Seconds of the processor that it takes to remember n texts, in batches."""
    started = time.process_time()
    for first in range(0, n, BATCH):
        memory.remember_many(
            f"Note {i} is about boat number {i * 7} in the harbour of Bergen." for i in range(first, first + BATCH)
        )
    return time.process_time() - started


def plain_loop() -> float:
    """How fast this machine is at the moment."""
    started, total = time.process_time(), 0
    for i in range(1_000_000):
        total += i
    return time.process_time() - started


if __name__ == "__main__":
    main()
