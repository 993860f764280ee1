"""What do the update rule and the confidence cost? Every question is asked three ways in turn.

    python tests/benchmarks/rules.py [--n 10000] [--json]

One question in five asks for a current value, as one in five of LoCoMo's questions does, of a thing that twenty texts
state values of, so that the rule finds pairs to compare. `per_query_ms` is the mean over all questions.
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

_ROUNDS = 5


def fill(memory: Memory, synthetic: Synthetic, n: int, *, quiet: bool) -> None:
    """Texts that state an amount each, twenty about each thing."""
    things = names(n)
    for start in tqdm(range(0, n, BATCH), disable=True if quiet else None):
        memory.remember_many(
            Draft(
                text=f"{things[i % len(things)]} {synthetic.text(5, 30)} costs ${i % 97 + 3}, changed",
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


def names(n: int) -> list[str]:
    """What texts are about."""
    return [f"thing{number}" for number in range(max(1, n // 20))]


def asked(synthetic: Synthetic, n: int, queries: int) -> list[str]:
    """One question in five for a current value."""
    things = names(n)
    return [
        f"how much does {SPEAKERS[i % 2]} pay for {things[i % len(things)]}"
        if i % 5 == 0
        else f"what did {SPEAKERS[i % 2]} say about {synthetic.text(3, 7)}"
        for i in range(queries)
    ]


def measure(folder: Path, n: int, *, queries: int, quiet: bool) -> dict[str, float]:
    """Medians of a recall with both, without the rule, and without either, and means of their differences (ms)."""
    synthetic = Synthetic(0, tokens=True)
    with Memory.open(folder, embedder=synthetic, durability="normal") as memory:
        fill(memory, synthetic, n, quiet=quiet)
    questions = asked(synthetic, n, queries)
    took = np.zeros((3, _ROUNDS, queries))
    with (
        Memory.open(folder, embedder=synthetic, read_only=True) as both,
        Memory.open(folder, embedder=synthetic, read_only=True, config=Config(update_rule=None)) as no_rule,
    ):
        for memory in (both, no_rule):
            for question in questions:
                memory.recall(question, 10)
        for rounds in range(_ROUNDS):
            for place, question in enumerate(questions):
                for way, memory in enumerate((both, no_rule, no_rule)):
                    with without_confidence() if way == 2 else nullcontext():
                        start = time.perf_counter()
                        memory.recall(question, 10)
                        took[way, rounds, place] = (time.perf_counter() - start) * 1000
    best = took.min(axis=1)  # of the rounds of a question: what is slower than that, other programs caused
    rule, sure = best[0] - best[1], best[1] - best[2]
    found = {name: float(np.median(best[way])) for way, name in enumerate(("both", "no_rule", "neither"))}
    found |= {
        "rule_when_it_acts_ms": float(rule[::5].mean()),
        "rule_otherwise_ms": float(np.delete(rule, np.s_[::5]).mean()),
    }
    found |= {"confidence_ms": float(sure.mean()), "per_query_ms": float((rule + sure).mean())}
    return {name: round(value, 3) for name, value in found.items()}


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
