"""The best few of many scores, without sorting them all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["top_set", "top_slots"]

_BLOCK = 16

Scores = NDArray[np.floating[Any]]
Slots = NDArray[np.int64]


def top_slots(scores: Scores, k: int) -> Slots:
    """Indices of the k highest scores, best first; equal scores by lower index.

    Entries of −inf are never returned.
    """
    pool = _at_least(scores, k)
    values = scores[pool]
    if len(pool) > 4 * k > 0:
        chosen = np.flatnonzero(values >= np.partition(values, len(pool) - k)[len(pool) - k])
        pool, values = pool[chosen], values[chosen]
    return pool[np.lexsort((pool, -values))[:k]]


def top_set(scores: Scores, k: int) -> Slots:
    """Indices, ascending, that hold the k highest scores and at most as many others; entries of −inf never.

    Cheaper than `top_slots`, for those who look closer at all of them anyway.
    """
    pool = _at_least(scores, k)
    return pool if len(pool) <= 2 * k else np.sort(top_slots(scores, k))


def _at_least(scores: Scores, k: int) -> Slots:
    """Indices, ascending, of every score that could be among the k highest.

    Slots a stride apart form a column. The k best columns hold k scores that are no lower than the lowest of
    their maxima, so nothing below it is among the k highest; few others are above it.
    """
    columns = len(scores) // _BLOCK
    if k >= columns:
        return np.flatnonzero(scores > -np.inf)
    highest = scores[: columns * _BLOCK].reshape(_BLOCK, columns).max(axis=0)
    least = np.partition(highest, columns - k)[columns - k] if k else np.inf
    return np.flatnonzero(scores >= least) if least > -np.inf else np.flatnonzero(scores > -np.inf)
