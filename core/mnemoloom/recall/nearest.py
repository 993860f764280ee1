"""Memories by their cosine with a vector alone: exact cosines, comparable between namespaces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.recall.shelf import Shelf

__all__ = ["Nearest", "by_cosine"]


class Nearest(NamedTuple):
    """Memories and the cosines of their vectors with the query's, best first.

    ids: shape (n,). cosines: shape (n,), in [-1, 1], to seven digits.
    """

    ids: NDArray[np.int64]
    cosines: NDArray[np.float64]


def by_cosine(
    shelf: Shelf, vector: NDArray[np.float32] | None, *, allowed: NDArray[np.bool_], k: int | None, exact: bool = True
) -> Nearest:
    """The `k` nearest of the allowed slots that have a vector, or all of them; equal ones by age.

    Parameters
    ----------
    vector: a unit row (d,), or None where the store has no vectors.
    exact: look at every vector; else an index picks the candidates for the `k`, if there is one.
    """
    if vector is None:
        return Nearest(np.empty(0, np.int64), np.empty(0, np.float64))
    among = allowed & shelf.has_vector.values
    near = (
        None
        if exact or k is None
        else shelf.index.near(vector, max(shelf.index.settings.candidates, 4 * k), allowed=among)
    )
    slots = np.flatnonzero(among) if near is None else np.sort(near.numbers)
    # Equal texts must come out equal, wherever their rows stand: the eighth digit of a float32 sum is noise.
    found = shelf.vectors.scores(vector)[slots] if near is None else shelf.vectors.scores_of(slots, vector)
    raw: NDArray[np.float64] = found.astype(np.float64)
    cosines: NDArray[np.float64] = np.clip(np.round(raw, 7), -1.0, 1.0)
    order = np.lexsort((slots, -cosines))[:k]
    return Nearest(shelf.ids.values[slots[order]].astype(np.int64), cosines[order])
