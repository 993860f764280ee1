"""The HGNS hierarchy against exact search and against graphs: recall, time, memory, building; one thread, one run.

    python tests/benchmarks/index.py --n N [--vectors FILE.npy] [--queries FILE.npy] [--rivals flat,hnswflat,hnswlib]
        [--rounds R] [--json]

The vectors are those of the file, stretched as vectors.py says if they are fewer than N, or seeded groups without a
file. Without a file of queries 300 rows are held out. They are searched where they lie on disk, mapped; the codes are
written to a cache file and read back, as a store does, so that level 1 is mapped, too. The indexes take turns,
25 queries each, so that a slow minute slows all of them and none finds the caches as another left them; times are the
thread's own.
The graphs get the smallest ef that reaches a recall of .997 (HNSWFlat) and .999 (hnswlib), found on the same queries.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray
from vectors import Rows, exact_top, grouped_rows, read_rows, rows_between, unit

from mnemoloom.config import IndexSettings
from mnemoloom.hgns import Hierarchy
from mnemoloom.index import VectorRows
from mnemoloom.storage import read_cache, write_cache

K, HELD_OUT, ONE_BY_ONE, TURN = 10, 300, 500, 25
RIVALS = ("flat", "hnswflat", "hnswlib")
Ids = NDArray[np.int64]
Search = Callable[[Rows], Ids]


def recall(search: Search, queries: Rows, exact: Ids) -> float:
    """The share of the exact ten best that a search finds."""
    found = [len(np.intersect1d(search(query), best)) for query, best in zip(queries, exact, strict=True)]
    return float(np.mean(found)) / exact.shape[1]


def medians(searches: dict[str, Search], queries: Rows, *, rounds: int) -> dict[str, float]:
    """Milliseconds of this thread's own time by the median, the searches taking turns, after one round unmeasured."""
    took: dict[str, list[float]] = {name: [] for name in searches}
    for search in searches.values():
        for query in queries:
            search(query)  # a mapped page that is touched for the first time costs more
    for _ in range(rounds):
        for some in np.array_split(queries, max(1, len(queries) // TURN)):
            for name, search in searches.items():
                for query in some:
                    start = time.thread_time()
                    search(query)
                    took[name].append((time.thread_time() - start) * 1000)
    return {name: float(np.median(times)) for name, times in took.items()}


def cpu(act: Callable[[], Any]) -> float:
    """Seconds of this process's own time."""
    start = time.process_time()
    act()
    return time.process_time() - start


def coded(rows: Rows, settings: IndexSettings) -> Hierarchy:
    """A hierarchy over rows that stay where they are, with its codes made."""
    index = over(rows, settings)
    index.search(rows[1], 1)
    return index


def over(rows: Rows, settings: IndexSettings) -> Hierarchy:
    """The same before the codes are made; row 0 of the rows is reserved."""
    index = Hierarchy(VectorRows(rows), settings)
    index.restore(np.arange(len(rows)) > 0, {}, {})
    return index


def reopened(index: Hierarchy, rows: Rows, folder: Path) -> Hierarchy:
    """The same index as a store opens it: codes from a cache file."""
    write_cache(folder, "codes", *index.arrays())
    found = read_cache(folder, "codes")
    assert found is not None
    again = Hierarchy(VectorRows(rows), index.settings)
    again.restore(np.arange(len(rows)) > 0, *found)
    return again


class Ours:
    """The hierarchy as a search; counts the exact rows that it reads."""

    def __init__(self, index: Hierarchy) -> None:
        self.index = index
        self.read: list[int] = []

    def __call__(self, query: Rows) -> Ids:
        found = self.index.search(query, K)
        self.read.append(found.read)
        return found.numbers - 1


def flat_search(rows: Rows) -> Search:
    """IndexFlatIP over rows[1:]."""
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows[1:])
    return lambda query: index.search(query[None], K)[1][0]


def graph(rows: Rows) -> tuple[Any, float, float]:
    """HNSWFlat M32, as faiss builds it by default; seconds for building, and for one more row."""
    index = faiss.IndexHNSWFlat(rows.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    last = len(rows) - ONE_BY_ONE
    build = cpu(lambda: index.add(rows[1:last]))
    one = cpu(lambda: [index.add(row[None]) for row in rows[last:]]) / ONE_BY_ONE
    return index, build * (len(rows) - 1) / (last - 1), one


def hnswlib_index(rows: Rows) -> Any:
    """Hnswlib M16 efC200."""
    import hnswlib

    index = hnswlib.Index("ip", rows.shape[1])
    index.init_index(len(rows), ef_construction=200, M=16)
    index.set_num_threads(1)
    index.add_items(rows[1:])
    return index


def tuned(search: Callable[[int], Search], queries: Rows, exact: Ids, *, wanted: float) -> tuple[Search, int, float]:
    """The search with the smallest ef that reaches a recall, that ef, and its recall."""
    for ef in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048):
        chosen = search(ef)
        reached = recall(chosen, queries, exact)
        if reached >= wanted:
            break
    return chosen, ef, reached


def run(rows: Rows, queries: Rows, rivals: tuple[str, ...], folder: Path, *, rounds: int) -> dict[str, Any]:
    """All figures; row 0 of the rows is reserved."""
    n, settings = len(rows) - 1, IndexSettings()
    exact = exact_of(rows, queries)
    before = private_bytes()
    built: list[Hierarchy] = []
    figures: dict[str, Any] = {"n": n, "build_s": cpu(lambda: built.append(coded(rows, settings)))}
    index = reopened(built.pop(), rows, folder)
    ours = Ours(index)
    figures["recall@10"] = recall(ours, queries, exact)
    # of ordinary queries: a sampled one is also answered exactly
    figures["level0_rows"] = float(np.median(ours.read))
    report = index.report()
    figures |= {"bytes_per_vector": report.bytes / n, "candidates": report.candidates, "probed": report.recall}
    figures["process_mb"], figures["index_mb"] = private_bytes() / 1e6, (private_bytes() - before) / 1e6
    figures["level1_bytes"] = rows.shape[1]
    searches: dict[str, Search] = {"ours": ours}
    if "flat" in rivals:
        searches["flat"] = flat_search(rows)
    # rows come one at a time; their codes are made by the next search
    insert = cpu(lambda: [*map(index.add, rows[-ONE_BY_ONE:]), index._catch_up()]) / ONE_BY_ONE
    figures["insert_us"] = insert * 1e6
    index = reopened(coded(rows, settings), rows, folder)  # without what was added
    ours.index = index
    if "hnswflat" in rivals:
        made, build, one = graph(rows)
        figures |= {"build_ratio": build / figures["build_s"], "insert_ratio": one / insert}
        figures["hnswflat_build_s"] = build

        def hnswflat(ef: int) -> Search:
            parameters = faiss.SearchParametersHNSW(efSearch=ef)
            return lambda query: made.search(query[None], K, params=parameters)[1][0]

        searches["hnswflat"], figures["hnswflat_ef"], figures["hnswflat_recall"] = tuned(
            hnswflat, queries, exact, wanted=0.997
        )
    if "hnswlib" in rivals and find_spec("hnswlib"):
        library = hnswlib_index(rows)

        def hnswlib(ef: int) -> Search:
            def search(query: Rows) -> Ids:
                library.set_ef(ef)
                return library.knn_query(query[None], k=K)[0][0].astype(np.int64)

            return search

        searches["hnswlib"], figures["hnswlib_ef"], figures["hnswlib_recall"] = tuned(
            hnswlib, queries, exact, wanted=0.999
        )
    took = medians(searches, queries, rounds=rounds)
    figures["ours_ms"] = took["ours"]
    for rival in RIVALS:
        figures[f"{rival}_over_ours"] = took[rival] / took["ours"] if rival in took else None
    return figures | with_deaths(index, reopened(index, rows, folder), rows, queries, rounds=rounds)


def with_deaths(index: Hierarchy, gone: Hierarchy, rows: Rows, queries: Rows, *, rounds: int) -> dict[str, float]:
    """Recall and time of an index of which a fifth is gone, but not yet its codes, beside the whole one."""
    n = len(rows) - 1
    dead = np.random.default_rng(1).permutation(n)[: n // 5] + 1
    removal = cpu(lambda: [gone.remove(number) for number in dead.tolist()]) / len(dead)
    exact = exact_of(rows, queries, among=np.setdiff1d(np.arange(1, n + 1), dead))
    found = recall(Ours(gone), queries, exact)
    took = medians({"whole": Ours(index), "left": Ours(gone)}, queries, rounds=rounds)
    return {
        "deleted_recall@10": found,
        "deleted_over_whole_ms": took["left"] / took["whole"],
        "remove_us": removal * 1e6,
        "compact_ms": cpu(gone.compact) * 1e3,
    }


def exact_of(rows: Rows, queries: Rows, *, among: Ids | None = None) -> Ids:
    """Numbers, from 0, of the ten nearest of rows[1:], or of some of the rows."""
    best: list[tuple[NDArray[np.float32], Ids]] = []
    numbers = np.arange(1, len(rows)) if among is None else among
    for some in np.array_split(numbers, max(1, len(numbers) // 50_000)):
        block = rows[some]
        found = exact_top(block, queries, K)
        best.append((np.take_along_axis(queries @ block.T, found, axis=1), some[found] - 1))
    scores, found = (np.concatenate(parts, axis=1) for parts in zip(*best, strict=True))
    return np.take_along_axis(found, np.argsort(-scores, axis=1, kind="stable")[:, :K], axis=1)


def private_bytes() -> int:
    """Memory of this process that no file stands behind."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def prepared(options: argparse.Namespace, folder: Path) -> tuple[Rows, Rows]:
    """Rows on disk, mapped, behind a reserved row 0; and the queries."""
    n = options.n
    rows = read_rows(options.vectors) if options.vectors else grouped_rows(n + HELD_OUT)
    if options.queries:
        queries = read_rows(options.queries)
    else:
        queries, rows = rows[-HELD_OUT:], rows[:-HELD_OUT]
    path = folder / "rows.npy"
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (n + 1, rows.shape[1]))
    if n <= len(rows):
        mapped[1:] = rows[:n]
    else:
        mapped[1 : len(rows) + 1] = rows
        end = len(rows) + 1
        for some in rows_between(rows, n - len(rows)):  # so that a million rows need not be in memory
            mapped[end : end + len(some)] = some
            end += len(some)
    mapped.flush()
    del mapped
    return np.load(path, mmap_mode="r"), unit(queries)


SHOWN = (
    "n",
    "recall@10",
    "ours_ms",
    "flat_over_ours",
    "hnswflat_over_ours",
    "hnswlib_over_ours",
    "bytes_per_vector",
    "build_ratio",
    "insert_ratio",
    "level0_rows",
)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--vectors", type=Path, help="an .npy file of shape (m, d)")
    parser.add_argument("--queries", type=Path, help="an .npy file of shape (q, d)")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="what to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="how often every query is asked, for the times")
    parser.add_argument("--json", action="store_true", help="the ten main figures alone")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="index-") as folder:
        rows, queries = prepared(options, Path(folder))
        figures = run(rows, queries, tuple(options.rivals.split(",")), Path(folder) / "cache", rounds=options.rounds)
    plain = {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
    if options.json:
        print(json.dumps({name: plain.get(name) for name in SHOWN}))
        return
    for name in (*SHOWN, *sorted(plain.keys() - set(SHOWN))):
        print(f"{name:24}{plain.get(name)}")


if __name__ == "__main__":
    main()
