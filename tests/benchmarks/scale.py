"""How fast is a memory of n entries? Synthetic text and vectors, embedding excluded, one thread.

    python tests/benchmarks/scale.py --n 10000,50000 [--json]

Texts draw 5–40 words from a Zipf–Mandelbrot vocabulary of 30,000 (the commonest word is in a tenth of the
texts, as in chats once stop words are out); two named speakers take turns in sessions of 20.
Questions draw 3–8 words, name a speaker half of the time, and come with a vector near a stored one.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from tqdm import tqdm

from mnemoloom import Draft, Memory, TokenVectors
from mnemoloom.storage import drop_caches

WIDTH = 384
BATCH = 64
SPEAKERS = ("Marta", "Quentin")


class Synthetic:
    """Texts, vectors and token vectors from one seed; also the embedder that knows the vector of each text."""

    identity = "synthetic"

    def __init__(self, seed: int, *, tokens: bool) -> None:
        self.rng = np.random.default_rng(seed)
        syllables = np.array([a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ai", "or")])
        self.words = ["".join(self.rng.choice(syllables, self.rng.integers(2, 5))) for _ in range(30_000)]
        weights = 1.0 / (np.arange(1, 30_001) + 30.0)
        self.cumulative = np.cumsum(weights / weights.sum())
        self.token_rows = self.rng.standard_normal((30_000, WIDTH)).astype(np.float32)
        self.number = {word: i for i, word in enumerate(self.words)}
        if tokens:
            self.embed_tokens = self._embed_tokens

    def text(self, low: int, high: int) -> str:
        picks = np.searchsorted(self.cumulative, self.rng.random(self.rng.integers(low, high)))
        return " ".join(self.words[i] for i in picks)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        rows = [self.token_rows[[self.number.get(w, 0) for w in text.split()]].mean(axis=0) for text in texts]
        return np.array(rows, np.float32)

    def _embed_tokens(
        self, texts: Sequence[str], *, query: bool = False
    ) -> tuple[NDArray[np.float32], list[TokenVectors]]:
        shown = []
        for text in texts:
            words = text.split()
            shown.append(TokenVectors(tuple(words), self.token_rows[[self.number.get(w, 0) for w in words]]))
        return self.embed(texts), shown


def drafts(synthetic: Synthetic, n: int, *, vectors: bool) -> Iterator[list[Draft]]:
    batch: list[Draft] = []
    for i in range(n):
        vector = synthetic.rng.standard_normal(WIDTH).astype(np.float32) if vectors else None
        batch.append(
            Draft(
                text=synthetic.text(5, 40),
                speaker=SPEAKERS[i % 2],
                session=f"s{i // 20}",
                time=1_700_000_000.0 + 60 * i,
                vector=vector,
            )
        )
        if len(batch) == BATCH or i == n - 1:
            yield batch
            batch = []


def ingest(folder: Path, n: int, *, durability: str, quiet: bool) -> float:
    """Memories per second through remember_many with vectors at hand, batches of 64."""
    synthetic, seconds = Synthetic(0, tokens=False), 0.0
    with Memory.open(folder, durability=durability) as memory:  # type: ignore[arg-type]
        for batch in tqdm(drafts(synthetic, n, vectors=True), total=n // BATCH, disable=True if quiet else None):
            start = time.perf_counter()
            memory.remember_many(batch)
            seconds += time.perf_counter() - start
    return n / seconds


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    value = act()
    return (time.perf_counter() - start) * 1000, value


def measure(n: int, *, queries: int, quiet: bool) -> dict[str, Any]:
    """All figures for one size."""
    root = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        figures: dict[str, Any] = {}
        for durability in ("normal", "full"):
            figures[f"ingest_per_s_{durability}"] = round(
                ingest(root / durability, min(n, 20_000), durability=durability, quiet=quiet), 1
            )
        figures["ingest_per_s"] = figures["ingest_per_s_normal"]
        return figures | queried(root / "queried", n, queries=queries, quiet=quiet)
    finally:
        shutil.rmtree(root)


def queried(folder: Path, n: int, *, queries: int, quiet: bool) -> dict[str, Any]:
    """Query and opening times of a store whose encoder shows token vectors (so that recall reranks)."""
    synthetic = Synthetic(0, tokens=True)
    with Memory.open(folder, embedder=synthetic, durability="normal") as memory:
        for batch in tqdm(drafts(synthetic, n, vectors=False), total=n // BATCH, disable=True if quiet else None):
            memory.remember_many(batch)
    open_warm, _ = timed(lambda: opened(folder, synthetic))
    drop_caches(folder / "cache")
    open_cold, _ = timed(lambda: opened(folder, synthetic))
    before = psutil.Process().memory_info().rss
    with Memory.open(folder, embedder=synthetic) as memory:
        asked = [_question(synthetic) for _ in range(queries)]
        for question in asked:
            memory.recall(question, k=10)
        took = [timed(lambda q=question: memory.recall(q, k=10))[0] for question in asked]
        lexical = [timed(lambda q=question: memory.recall(q, k=10, profile="lexical"))[0] for question in asked]
        rss = psutil.Process().memory_info().rss - before
        index = memory.stats().index
        with memory._live.reading() as (_, shelf, _number):
            rows = shelf.vectors.values
            query = rows[1].copy()
            exact = [timed(lambda: np.argpartition(-(rows @ query), 10)[:10])[0] for _ in range(queries)]
    return {
        "query_ms": {f"p{p}": round(float(np.percentile(took, p)), 3) for p in (50, 95)},
        "lexical_ms": round(float(np.median(lexical)), 3),
        "exact_ms": round(float(np.median(exact)), 3),
        "open_s": round(open_warm / 1000, 3),
        "open_without_caches_s": round(open_cold / 1000, 3),
        "rss_mb": round(rss / 1e6, 1),
        "index": f"{index.way}, {index.candidates} candidates, recall {index.recall} of {index.sampled} queries",
    }


def opened(folder: Path, synthetic: Synthetic) -> None:
    """Open, and look at the shelf once, so that nothing is put off; close."""
    with Memory.open(folder, embedder=synthetic) as memory:
        len(memory)


def _question(synthetic: Synthetic) -> str:
    words = synthetic.text(3, 9)
    return f"what did {SPEAKERS[0]} say about {words}" if synthetic.rng.random() < 0.5 else words


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", default="10000,50000")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [int(each) for each in options.n.split(",")]
    found = {str(n): measure(n, queries=options.queries, quiet=options.json) for n in sizes}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for n, figures in found.items():
        print(f"{n} memories")
        for name, value in figures.items():
            print(f"  {name:24}{value}")


if __name__ == "__main__":
    main()
