"""Rows to measure with: a file of real embeddings, stretched to any number; or seeded groups without a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
_AT_ONCE = 1024


def read_rows(path: Path) -> Rows:
    """The unit rows of an .npy file, shape (m, d)."""
    return unit(np.load(path, allow_pickle=False).astype(np.float32))


def grouped_rows(n: int, *, width: int = 384, groups: int = 300, seed: int = 0) -> Rows:
    """Seeded unit rows around `groups` centres that share a direction: no text behind them."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((groups, width))) + 0.5 * unit(rng.standard_normal((1, width)))
    noise = rng.standard_normal((n, width)) / np.sqrt(width)
    return unit(centres[rng.integers(0, groups, n)] + 0.9 * noise)


def stretched(rows: Rows, n: int, *, seed: int = 0) -> Rows:
    """The first n of `rows`; beyond them, new rows x_i + a (x_nn(i) − x_i) + b (x_k − x_nn(k)), made unit.

    nn is the nearest other row, i and k are drawn at random, a from [.1, .6] and b from [.3, .9]: the new rows lie
    in the gaps between real ones and keep their distances and intrinsic dimension.
    """
    return rows[:n] if n <= len(rows) else np.concatenate([rows, *rows_between(rows, n - len(rows), seed=seed)])


def rows_between(rows: Rows, count: int, *, seed: int = 0) -> Iterator[Rows]:
    """The new rows that `stretched` makes, ten thousand at a time."""
    rng = np.random.default_rng(seed)
    nearest = nearest_other(rows)
    for start in range(0, count, 10_000):
        some = min(10_000, count - start)
        i, k = rng.integers(0, len(rows), some), rng.integers(0, len(rows), some)
        a, b = rng.uniform(0.1, 0.6, (some, 1)), rng.uniform(0.3, 0.9, (some, 1))
        yield unit(rows[i] + a * (rows[nearest[i]] - rows[i]) + b * (rows[k] - rows[nearest[k]]))


def nearest_other(rows: Rows) -> NDArray[np.int64]:
    """For each row the number of the nearest other one."""
    found = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), _AT_ONCE):
        products = rows[start : start + _AT_ONCE] @ rows.T
        products[np.arange(len(products)), np.arange(start, start + len(products))] = -np.inf
        found[start : start + _AT_ONCE] = products.argmax(axis=1)
    return found


def exact_top(rows: Rows, queries: Rows, k: int) -> NDArray[np.int64]:
    """Numbers of the k rows with the highest inner product, for each query; shape (q, k)."""
    found = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _AT_ONCE):
        products = queries[start : start + _AT_ONCE] @ rows.T
        found[start : start + _AT_ONCE] = np.argpartition(-products, k - 1, axis=1)[:, :k]
    return found


def unit(rows: NDArray[np.floating]) -> Rows:
    """Rows of length 1."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
