"""The best few of many scores, without sorting them all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["top_slots"]

_BLOCK = 64
_SORTED = 1024  # fewer scores than this are sorted outright


def top_slots(scores: NDArray[np.floating[Any]], k: int) -> NDArray[np.int64]:
    """Indices of the k highest scores, best first; equal scores by lower index.

    Rows of 64 are reduced to their maxima first: the k best scores lie in the k best rows.
    Entries of −inf are never returned.
    """
    n = len(scores)
    if n <= _SORTED:
        ordered = np.argsort(-scores, kind="stable")[:k]
        return ordered[scores[ordered] > -np.inf]
    pool = np.arange(n)
    if n > 16 * _BLOCK and k < n // _BLOCK // 2:
        whole = n // _BLOCK
        highest = scores[: whole * _BLOCK].reshape(whole, _BLOCK).max(axis=1)
        rows = np.flatnonzero(highest >= np.partition(highest, whole - k)[whole - k])
        pool = np.concatenate(((rows[:, None] * _BLOCK + np.arange(_BLOCK)).ravel(), np.arange(whole * _BLOCK, n)))
    values = scores[pool]
    if len(pool) > 4 * k:
        chosen = np.flatnonzero(values >= np.partition(values, len(pool) - k)[len(pool) - k])
        pool, values = pool[chosen], values[chosen]
    order = np.lexsort((pool, -values))[:k]
    best = pool[order]
    found: NDArray[np.int64] = best[scores[best] > -np.inf]
    return found
