"""What do the update rule and the confidence cost? One store of synthetic memories, asked three ways in turn.

    python tests/benchmarks/rules.py [--n 10000] [--json]

Every question asks for a current value and every text states some, so that the rule acts each time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scale import BATCH, SPEAKERS, Synthetic  # first: it sets the thread counts
from tqdm import tqdm

from mnemoloom import Config, Draft, Memory
from mnemoloom.recall import ranking
from mnemoloom.recall.confidence import Support


def fill(memory: Memory, synthetic: Synthetic, n: int, *, quiet: bool) -> None:
    """Texts that state an amount and a time each."""
    for start in tqdm(range(0, n, BATCH), disable=True if quiet else None):
        memory.remember_many(
            Draft(
                text=f"{synthetic.text(5, 30)} costs ${i % 97 + 3} since {i % 12 + 1}:15, it was changed",
                speaker=SPEAKERS[i % 2],
                session=f"s{i // 20}",
                time=1_700_000_000.0 + 60 * i,
            )
            for i in range(start, min(start + BATCH, n))
        )


@contextmanager
def without_confidence() -> Iterator[None]:
    """Recall with nothing computed for the confidence."""
    with (
        patch.object(ranking, "_support", lambda *_, **__: Support()),
        patch.object(ranking, "_rivals", lambda *_: np.empty(0, np.int64)),
        patch.object(ranking, "mean_of_best", lambda _: None),
    ):
        yield


def measure(folder: Path, n: int, *, queries: int, quiet: bool) -> dict[str, float]:
    """Medians in milliseconds of a recall with both, without the rule, and without either."""
    synthetic = Synthetic(0, tokens=True)
    with Memory.open(folder, embedder=synthetic, durability="normal") as memory:
        fill(memory, synthetic, n, quiet=quiet)
    took: dict[str, list[float]] = {"both": [], "no_rule": [], "neither": []}
    questions = [f"how much does {SPEAKERS[i % 2]} pay for {synthetic.text(3, 7)}" for i in range(queries)]
    for rounds in range(3):
        for name, samples in took.items():
            config = Config() if name == "both" else Config(update_rule=None)
            off = without_confidence() if name == "neither" else nullcontext()
            with Memory.open(folder, embedder=synthetic, config=config) as memory, off:
                for question in questions:
                    memory.recall(question, 10)
                for question in questions if rounds else ():
                    start = time.perf_counter()
                    memory.recall(question, 10)
                    samples.append((time.perf_counter() - start) * 1000)
    medians = {name: float(np.median(samples)) for name, samples in took.items()}
    return {name: round(value, 3) for name, value in medians.items()} | {
        "rule_ms": round(medians["both"] - medians["no_rule"], 3),
        "confidence_ms": round(medians["no_rule"] - medians["neither"], 3),
        "rules_ms": round(medians["both"] - medians["neither"], 3),
    }


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rules-") as folder:
        found = measure(Path(folder) / "store", options.n, queries=options.queries, quiet=options.json)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:16}{value:8.3f} ms")


if __name__ == "__main__":
    main()
