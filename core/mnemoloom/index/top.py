"""The best few of many scores, without sorting them all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["top_slots"]

_BLOCK = 16
_SORTED = 1024  # fewer scores than this are sorted outright


def top_slots(scores: NDArray[np.floating[Any]], k: int) -> NDArray[np.int64]:
    """Indices of the k highest scores, best first; equal scores by lower index.

    Columns of 16 are reduced to their maxima first: the k best scores lie in the k best columns.
    Entries of −inf are never returned.
    """
    n = len(scores)
    if n <= _SORTED:
        ordered = np.argsort(-scores, kind="stable")[:k]
        return ordered[scores[ordered] > -np.inf]
    pool = np.arange(n)
    columns = n // _BLOCK
    if k < columns // 2:
        # Slots a stride apart share a column: numpy reduces whole rows at once.
        highest = scores[: columns * _BLOCK].reshape(_BLOCK, columns).max(axis=0)
        best = np.flatnonzero(highest >= np.partition(highest, columns - k)[columns - k])
        inside = (best + columns * np.arange(_BLOCK)[:, None]).ravel()
        pool = np.concatenate((inside, np.arange(columns * _BLOCK, n)))
    values = scores[pool]
    if len(pool) > 4 * k:
        chosen = np.flatnonzero(values >= np.partition(values, len(pool) - k)[len(pool) - k])
        pool, values = pool[chosen], values[chosen]
    order = np.lexsort((pool, -values))[:k]
    best = pool[order]
    found: NDArray[np.int64] = best[scores[best] > -np.inf]
    return found
