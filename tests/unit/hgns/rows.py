"""Rows to search in."""

from __future__ import annotations

import numpy as np


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def gaussian_rows(count: int, width: int, *, seed: int) -> np.ndarray:
    """No structure at all: the hardest rows to index."""
    return unit(np.random.default_rng(seed).standard_normal((count, width)))


def encoded_rows(count: int, width: int, *, seed: int) -> np.ndarray:
    """Shaped like those of real encoders: about 20 dimensions deep, around topics, with a common mean."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    basis, topics = fixed.standard_normal((20, width)), fixed.standard_normal((60, 20))
    depth = topics[rng.integers(0, len(topics), count)] + 0.8 * rng.standard_normal((count, 20))
    return unit(depth @ basis + 0.5 * rng.standard_normal((count, width)) + 0.5)
