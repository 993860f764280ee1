"""What LlamaIndex costs on top of recall.

    python tests/benchmarks/llama_index_overhead.py [--n 10000] [--k 10]

overhead: `MnemoloomRetriever.retrieve` against `Memory.recall` on the same questions, one after the other in
alternating order, so that both meet the same noise; the median of the differences. stall: the longest time for which
the event loop stood still while a hundred `aretrieve` ran at once; idle_stall: the same with nothing to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from functools import partial
from statistics import median

import numpy as np

from llama_index.vector_stores.mnemoloom import MnemoloomRetriever
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

VOCABULARY = 5_000
AT_ONCE = 100


def filled(n: int) -> Memory:
    rng = np.random.default_rng(0)
    picks = VOCABULARY ** rng.random((n, 12))  # a few common words, many rare ones
    memory = Memory.open(":memory:", embedder=HashingEmbedder(384))
    texts = [" ".join(f"w{int(pick)}" for pick in row) for row in picks]
    memory.remember_many([{"text": text, "speaker": "user", "session": str(i // 40)} for i, text in enumerate(texts)])
    return memory


def questions(count: int) -> list[str]:
    rng = np.random.default_rng(1)
    return [" ".join(f"w{int(pick)}" for pick in row) for row in VOCABULARY ** rng.random((count, 5))]


def overhead(memory: Memory, retriever: MnemoloomRetriever, k: int, asked: list[str]) -> dict[str, float]:
    """Milliseconds. Ids and scores are compared on the way."""
    recalls, retrieves = [], []
    for number, text in enumerate(asked):
        hits, found = memory.recall(text, k), retriever.retrieve(text)  # also keeps the encoding of the question
        assert [(each.node.node_id, each.score) for each in found] == [(str(hit.id), hit.score) for hit in hits]
        works = [(recalls, partial(memory.recall, text, k)), (retrieves, partial(retriever.retrieve, text))]
        for times, work in works if number % 2 else works[::-1]:
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    extra = [b - a for a, b in zip(recalls, retrieves, strict=True)]
    return {
        "recall_ms": 1e3 * median(recalls),
        "retrieve_ms": 1e3 * median(retrieves),
        "overhead_ms": 1e3 * median(extra),
    }


async def stall(retriever: MnemoloomRetriever, asked: list[str]) -> float:
    """Milliseconds for which the loop did not turn, at worst; with nothing asked, what the machine itself does."""
    worst, done = 0.0, False

    async def beat() -> None:
        nonlocal worst
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            worst, last = max(worst, now - last - 0.001), now

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0.01)
    await asyncio.gather(*map(retriever.aretrieve, asked))
    await asyncio.sleep(0 if asked else 0.2)
    done = True
    await heart
    return 1e3 * worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="memories")
    parser.add_argument("--k", type=int, default=10, help="hits")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5, help="of a hundred retrievals at once")
    options = parser.parse_args()
    with filled(options.n) as memory:
        retriever = MnemoloomRetriever(memory, k=options.k)
        overhead(memory, retriever, options.k, questions(20))  # what is made at the first question
        report: dict[str, object] = {"n": options.n, "k": options.k}
        report |= overhead(memory, retriever, options.k, questions(options.queries))
        stalls = [asyncio.run(stall(retriever, questions(AT_ONCE))) for _ in range(options.rounds)]
        idle = [asyncio.run(stall(retriever, [])) for _ in range(options.rounds)]
        report |= {"stall_ms": max(stalls), "stall_ms_median": median(stalls), "idle_stall_ms": max(idle)}
    print(json.dumps({name: round(value, 3) if isinstance(value, float) else value for name, value in report.items()}))


if __name__ == "__main__":
    main()
