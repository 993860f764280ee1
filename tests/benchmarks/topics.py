"""Are topics worth routing by? Centred ART: inserts a second, and the share of exact search that is kept.

    python tests/benchmarks/topics.py [--n N] [--vectors FILE.npy] [--queries FILE.npy] [--vigilance .35] [--json]

FILE.npy holds embeddings, shape (m, d); beyond m rows are stretched (vectors.py). Without --queries, 300 rows are
held out as queries; without --vectors, everything is synthetic. One thread; the time is the best of three.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from vectors import Rows, exact_top, grouped_rows, read_rows, stretched

from mnemoloom.art import CentredConfig, CentredState, insert, lists_of, reassign, route, statistics

HELD_OUT = 300
SHARES = (0.05, 0.1, 0.2)
K = 10


def run(stored: Rows, queries: Rows, config: CentredConfig, *, rounds: int = 3) -> dict[str, Any]:
    """The figures of one set of rows."""
    batched, singly = [], []
    few = stored[: min(len(stored), 10_000)]
    for _ in range(rounds):
        state = CentredState(stored.shape[1])
        start = time.perf_counter()
        placed = insert(state, stored, config)
        batched.append(len(stored) / (time.perf_counter() - start))
        alone = CentredState(stored.shape[1])
        start = time.perf_counter()
        for row in few:
            insert(alone, row[None], config)
        singly.append(len(few) / (time.perf_counter() - start))
    start = time.perf_counter()
    slept = reassign(state, stored, placed.cells[:, 0], config)
    seconds = time.perf_counter() - start
    exact = exact_top(stored, queries, K)
    figures = statistics(slept.state)
    return {
        "n": len(stored),
        "queries": len(queries),
        "vigilance": config.vigilance,
        "categories": figures.categories,
        "largest_share": round(figures.largest_share, 4),
        "inserts_per_s": round(max(batched)),
        "inserts_per_s_one_by_one": round(max(singly)),
        "sleep_s": round(seconds, 3),
        "moved_by_sleep": round(slept.moved / len(stored), 4),
        "kept_streaming": kept(state, placed.cells, stored, queries, exact),
        "kept": kept(slept.state, slept.cells, stored, queries, exact),
        "kept_single_list": kept(slept.state, slept.cells[:, :1], stored, queries, exact),
    }


def kept(state: CentredState, cells: Any, stored: Rows, queries: Rows, exact: Any) -> dict[str, float]:
    """By share of memories looked at: the share of the exact ten best that is among them."""
    lists = lists_of(cells, state.ids)
    found: dict[str, float] = {}
    for share in SHARES:
        hits = sum(
            len(np.intersect1d(route(state, lists, query, share=share), best))
            for query, best in zip(queries, exact, strict=True)
        )
        found[f"{share:.0%}"] = round(hits / exact.size, 4)
    return found


def rows_and_queries(options: argparse.Namespace) -> tuple[Rows, Rows]:
    """What to store and what to ask, by the arguments."""
    if options.vectors is None:
        n = options.n or 10_000
        rows = grouped_rows(n + HELD_OUT)
        return rows[:n], rows[n:]
    rows = read_rows(options.vectors)
    if options.queries is not None:
        asked = read_rows(options.queries)
        return stretched(rows, options.n or len(rows)), asked
    order = np.random.default_rng(0).permutation(len(rows))
    rest = rows[np.sort(order[HELD_OUT:])]
    return stretched(rest, options.n or len(rest)), rows[order[:HELD_OUT]]


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--vigilance", type=float, default=CentredConfig().vigilance)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = run(*rows_and_queries(options), CentredConfig(vigilance=options.vigilance))
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(f"{name:26}{value}" for name, value in report.items()))


if __name__ == "__main__":
    main()
