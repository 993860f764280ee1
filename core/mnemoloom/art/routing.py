"""Which memories to look at: those of the categories nearest to the query.

Every memory stands in the lists of its two best categories (or one, if it has no second); the lists are opened
from the nearest category on until a given share of all memories has been seen. Looking at all categories costs
c products; it pays when the memories are many more than that, above about half a million.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art.centred import CentredState, match_rows
from mnemoloom.errors import ValidationError

__all__ = ["Lists", "lists_of", "route"]

Ids = NDArray[np.int64]


class Lists(NamedTuple):
    """Members by category: those of category number j are members[starts[j] : starts[j + 1]].

    size: memories in all, each of which may stand in two lists.
    """

    starts: Ids
    members: Ids
    size: int


def lists_of(cells: Ids, ids: Ids) -> Lists:
    """The lists of memories numbered 0 … n − 1.

    Parameters
    ----------
    cells: shape (n, 2) or (n,), the category ids of each memory, −1 for none.
    ids: shape (c,), the ids of all categories, ascending. Raises ValidationError for a cell that is not among them.
    """
    pairs = cells if cells.ndim == 2 else cells[:, None]
    member, column = np.nonzero(pairs >= 0)
    cell = pairs[member, column]
    at = np.searchsorted(ids, cell)
    strange = np.flatnonzero(np.append(ids, -1)[np.minimum(at, len(ids))] != cell)
    if len(strange):
        raise ValidationError(f"there is no category {cell[strange[0]]}")
    starts = np.append(0, np.cumsum(np.bincount(at, minlength=len(ids))))
    return Lists(starts, member[np.argsort(at, kind="stable")], len(pairs))


def route(state: CentredState, lists: Lists, query: NDArray[np.floating], *, share: float) -> Ids:
    """Numbers of the memories to look at, nearest category first: at most `share` of all, at least one.

    Parameters
    ----------
    query: shape (d,). share: in (0, 1]; 1 is every memory that has a category.
    """
    if not 0.0 < share <= 1.0:
        raise ValidationError(f"share must be in (0, 1]; got {share!r}")
    if not lists.size or not state.size:
        return np.zeros(0, np.int64)
    budget = max(1, int(share * lists.size))
    order = np.argsort(-match_rows(state, query[None])[0], kind="stable")
    sizes = np.diff(lists.starts)[order]
    # A memory stands in at most two lists: twice the budget of entries holds the budget of memories.
    opened = int(np.searchsorted(np.cumsum(sizes), 2 * budget)) + 1
    found = np.concatenate([lists.members[lists.starts[j] : lists.starts[j + 1]] for j in order[:opened].tolist()])
    _, first = np.unique(found, return_index=True)
    return found[np.sort(first)[:budget]]
