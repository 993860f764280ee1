"""What LangChain's wrapping costs: the retriever beside Memory.recall, the store beside InMemoryStore.

    python tests/benchmarks/langchain.py [--memories 5000] [--rounds 300]

Medians of alternating calls on one thread. The retriever must add at most 0.3 ms and change nothing: ids and scores are
compared for every query.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from langgraph.store.memory import InMemoryStore

from langchain_mnemoloom import MnemoloomEmbeddings, MnemoloomRetriever, MnemoloomStore
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

PEOPLE = ("Ann", "Bo", "Cleo", "Dan")
THINGS = ("boat", "kettle", "violin", "map", "lamp", "bicycle", "garden", "piano")
PLACES = ("Oslo", "Bergen", "Rome", "Lima", "Kyoto")
LABELS = ("users", "ann")
QUERIES = [f"Where did {person} put the {thing}?" for person in PEOPLE for thing in THINGS]


def text(number: int) -> str:
    """The text of a memory."""
    person, thing = PEOPLE[number % 4], THINGS[number // 4 % 8]
    return f"{person} left the {thing} number {number} in {PLACES[number // 32 % 5]}."


def milliseconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = perf_counter()
    call()
    return (perf_counter() - started) * 1e3


def line(name: str, times: list[float]) -> str:
    """Median and 95th percentile."""
    return f"{name:34} {median(times):8.3f} ms   p95 {quantiles(times, n=20)[-1]:8.3f} ms"


def compare_retriever(memories: int, rounds: int) -> None:
    """Print what the retriever adds to recall."""
    with Memory.open(":memory:", embedder=HashingEmbedder()) as memory:
        memory.remember_many({"text": text(number), "speaker": PEOPLE[number % 4]} for number in range(memories))
        retriever = MnemoloomRetriever(memory=memory, k=5)
        plain: list[float] = []
        wrapped: list[float] = []
        different = 0
        for number in range(rounds):
            query = QUERIES[number % len(QUERIES)]
            hits = [(hit.id, hit.score) for hit in memory.recall(query, 5)]
            documents = [(each.metadata["memory_id"], each.metadata["score"]) for each in retriever.invoke(query)]
            different += hits != documents
            pair = [
                (plain, lambda query=query: memory.recall(query, 5)),
                (wrapped, lambda query=query: retriever.invoke(query)),
            ]
            for times, call in pair if number % 2 else reversed(pair):  # who comes second finds warm caches
                times.append(milliseconds(call))
        print(f"recall of {memories} memories, {rounds} queries, k = 5")
        print(line("  Memory.recall", plain))
        print(line("  MnemoloomRetriever.invoke", wrapped))
        overhead = median(after - before for before, after in zip(plain, wrapped, strict=True))
        print(f"  overhead (median of differences)   {overhead:8.3f} ms   bound    0.300 ms")
        print(f"  queries with other ids or scores   {different:8d}")


def compare_store(items: int, rounds: int) -> None:
    """Print what the common operations of a LangGraph store cost."""
    index = {"dims": 512, "embed": MnemoloomEmbeddings(HashingEmbedder()), "fields": ["text"]}
    with TemporaryDirectory() as folder:
        stores = {
            "InMemoryStore": InMemoryStore(index=index),  # type: ignore[arg-type]
            "MnemoloomStore, in memory": MnemoloomStore.open(":memory:", index=index),  # type: ignore[arg-type]
            "MnemoloomStore, in a folder": MnemoloomStore.open(folder, index=index),  # type: ignore[arg-type]
        }
        for name, store in stores.items():
            puts = [
                milliseconds(lambda n=n, s=store: s.put(LABELS, str(n), {"text": text(n), "n": n}))
                for n in range(items)
            ]
            gets = [milliseconds(lambda n=n, s=store: s.get(LABELS, str(n % items))) for n in range(rounds)]
            finds = [
                milliseconds(lambda n=n, s=store: s.search(LABELS, query=QUERIES[n % len(QUERIES)]))
                for n in range(rounds)
            ]
            print(f"{name}, {items} items")
            print(line("  put", puts), line("  get", gets), line("  search(query)", finds), sep="\n")
            getattr(store, "close", lambda: None)()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    compare_retriever(given.memories, given.rounds)
    compare_store(given.items, given.rounds)


if __name__ == "__main__":
    main()
