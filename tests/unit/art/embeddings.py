"""Rows that behave like sentence embeddings: groups on the sphere, all leaning the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grouped_rows(
    n: int, groups: int, *, seed: int, width: int = 32, lean: float = 1.0, noise: float = 0.5
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit rows, shape (n, width), and the group of each. `lean` is the length of the direction they share."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((groups, width))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    common = np.full(width, lean / np.sqrt(width))
    labels = rng.integers(0, groups, n)
    rows = common + centres[labels] + noise * rng.standard_normal((n, width)) / np.sqrt(width)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), labels


def rand_index(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """The adjusted Rand index of two partitions: 1 the same, about 0 by chance."""
    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    joint, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = rows * columns / pairs(np.array([len(a)], float))
    return (joint - chance) / ((rows + columns) / 2 - chance)
