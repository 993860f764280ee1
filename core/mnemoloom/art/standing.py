"""Categories from their members alone: what is kept of them is which memory is where.

A state that goes on from its members takes its mean and prototypes anew from them, so that it does not matter whether
it was kept in memory or read again. In between, `insert` moves it as rows arrive.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art.centred import NONE, CentredConfig, CentredState, insert, reassign, steps_to_refresh

__all__ = ["Recentred", "recentre", "resume", "state_of"]

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]


class Recentred(NamedTuple):
    """Where rows are after sleep.

    cells: shape (n, 2), each row's two best categories. next_id: of the next category to come.
    moved: rows that were in another category before. before, after: how many categories there were and are.
    """

    cells: Ids
    next_id: int
    moved: int
    before: int
    after: int


def state_of(rows: Floats, cells: Ids, *, next_id: int, config: CentredConfig | None = None) -> CentredState:
    """The state whose categories have these members: rows of shape (n, d), and their best categories, shape (n,)."""
    state = CentredState(rows.shape[1])
    ids, at = np.unique(np.asarray(cells, np.int64), return_inverse=True)
    state.found(np.zeros((len(ids), rows.shape[1]), np.float32))
    state.ids[:] = ids
    state.counts[:] = np.bincount(at, minlength=len(ids))
    order = np.argsort(at, kind="stable")
    bounds = np.append(0, np.cumsum(state.counts))
    for number in range(len(ids)):
        members = order[bounds[number] : bounds[number + 1]]
        state.sums[number] = rows[members].sum(axis=0, dtype=np.float64)
    state.total = state.sums.sum(axis=0)
    state.rows = len(rows)
    state.next_id = max(next_id, int(ids.max(initial=0)) + 1)
    resume(state, config)
    return state


def resume(state: CentredState, config: CentredConfig | None = None) -> None:
    """Take mean and prototypes anew, let emptied categories go, and count on from the rows that are there."""
    state.refresh(config or CentredConfig())
    state.drop_empty()
    state.shown = state.rows
    state.refresh_at = state.shown + steps_to_refresh(state.shown)


def recentre(
    rows: Floats, cells: Ids, *, next_id: int, config: CentredConfig | None = None, passes: int = 2
) -> Recentred:
    """Sort all members again, as sleep does: into the best of the categories, close ones made one, empty ones gone.

    A category that stays keeps its id; where two become one it is the id of the larger. Ids are never used again.

    Parameters
    ----------
    rows: shape (n, d), all that is to be sorted, in the order in which it was remembered.
    cells: shape (n,), each one's best category so far, −1 for one that has none yet.

    Raises
    ------
    DimensionMismatchError, ValidationError
    """
    config = config or CentredConfig()
    best = np.array(cells, np.int64)
    known, new = best != NONE, np.flatnonzero(best == NONE)
    state = state_of(rows[known], best[known], next_id=next_id, config=config)
    before = state.size
    best[new] = insert(state, rows[new], config).cells[:, 0]
    slept = reassign(state, rows, best, config, passes=passes)
    moved = int(np.count_nonzero(slept.cells[known, 0] != best[known]))
    return Recentred(slept.cells, slept.state.next_id, moved, before, slept.state.size)
