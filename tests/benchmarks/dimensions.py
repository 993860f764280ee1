"""What a shorter vector keeps: recall of the exact ten best, by how the dimensions are chosen.

    python tests/benchmarks/dimensions.py --vectors FILE.npy [--queries FILE.npy] [--n N] [--widths 32,64] [--json]

The dimensions are chosen from the stored rows; rows and queries are shortened and made unit again. `recall@10` is the
share of the exact ten best among the ten best by the short vectors, `within_100` among the hundred best. Random is the
mean of five draws. With faiss, the last row is the 4-bit digits code of the index: as many bytes as d/32 floats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vectors import Rows, exact_top, read_rows, stretched

from mnemoloom.hgns import METHODS, rotation, select_dimensions
from mnemoloom.hgns.scanning import CellScan, way_to_scan

K, WIDE, HELD_OUT, DRAWS = 10, 100, 300, 5
Ids = NDArray[np.int64]


def recalls(nearest: Callable[[int], Ids], exact: Ids) -> dict[str, float]:
    """The share of the exact best among the nearest 10 and 100; `nearest(k)` has shape (q, k)."""
    found = {}
    for name, k in (("recall@10", K), ("within_100", WIDE)):
        pairs = zip(nearest(k), exact, strict=True)
        found[name] = sum(len(np.intersect1d(got, best)) for got, best in pairs) / exact.size
    return found


def run(stored: Rows, queries: Rows, widths: list[int]) -> dict[str, Any]:
    """The table: a row a method, a column a width."""
    exact = exact_top(stored, queries, K)
    table: dict[str, dict[str, Any]] = {}
    for method in METHODS:
        table[method] = {}
        for width in widths:
            draws = []
            for seed in range(DRAWS if method == "random" else 1):
                chosen = select_dimensions(method, stored, width, rng=np.random.default_rng(seed))
                rows, asked = chosen.apply(stored), chosen.apply(queries)
                draws.append(recalls(lambda k, rows=rows, asked=asked: exact_top(rows, asked, k), exact))
            table[method][str(width)] = {name: round(float(np.mean([d[name] for d in draws])), 4) for name in draws[0]}
    report: dict[str, Any] = {"n": len(stored), "queries": len(queries), "table": table}
    if way_to_scan() == "cells":
        turning = rotation(stored.shape[1])
        scan = CellScan(turning.width)
        scan.add(turning.apply(stored))
        digits = recalls(lambda k: np.array([scan.nearest(row, k)[0] for row in turning.apply(queries)]), exact)
        report["digits"] = {name: round(value, 4) for name, value in digits.items()}
    return report


def show(report: dict[str, Any]) -> str:
    """The table for people: recall@10, and among the hundred best in brackets."""
    widths = list(next(iter(report["table"].values())))
    lines = [f"{report['n']} rows, {report['queries']} queries", f"{'':10}" + "".join(f"{w:>15}" for w in widths)]
    for method, row in report["table"].items():
        cells = [f"{row[w]['recall@10']:.3f} ({row[w]['within_100']:.3f})" for w in widths]
        lines.append(f"{method:10}" + "".join(f"{cell:>15}" for cell in cells))
    if "digits" in report:
        lines.append(f"digits    {report['digits']['recall@10']:.3f} ({report['digits']['within_100']:.3f})")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--n", type=int)
    parser.add_argument("--widths", default="32,64,128,256")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = read_rows(options.vectors)
    if options.queries is None:
        order = np.random.default_rng(0).permutation(len(rows))
        rows, queries = rows[np.sort(order[HELD_OUT:])], rows[order[:HELD_OUT]]
    else:
        queries = read_rows(options.queries)
    widths = [int(width) for width in options.widths.split(",")]
    report = run(stretched(rows, options.n or len(rows)), queries, widths)
    print(json.dumps(report, indent=2) if options.json else show(report))


if __name__ == "__main__":
    main()
