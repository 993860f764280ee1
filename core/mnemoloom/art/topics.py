"""What a category is about: a representative, keywords and counts, to browse and to label by.

A representative is the member nearest to the prototype. It names the topic; it does not stand for the other
members: keeping representatives alone loses far more evidence than it saves room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art.centred import CentredState
from mnemoloom.art.coding import unit_rows
from mnemoloom.errors import ValidationError

__all__ = ["CategoryStatistics", "keywords", "representatives", "statistics"]

Ids = NDArray[np.int64]
_AT_ONCE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryStatistics:
    """How memories spread over categories.

    largest_share: of all members, in the largest category; near 1 the categories have collapsed.
    effective: exp of the entropy of the sizes: as many equal categories would spread them as evenly.
    """

    categories: int
    members: int
    largest: int
    largest_share: float
    single: int
    mean_size: float
    effective: float


def representatives(
    state: CentredState, rows: NDArray[np.float32], cells: Ids, *, prefer: NDArray[np.bool_] | None = None
) -> dict[int, tuple[int, float]]:
    """By category id: the number of the member nearest to the prototype, and the mean cosine of all members.

    Members of the mask `prefer`, shape (n,), come before all others.
    """
    if len(rows) != len(cells):
        raise ValidationError(f"rows and cells must be of one length; got {len(rows)} and {len(cells)}")
    at = np.searchsorted(state.ids, cells)
    if not np.array_equal(np.append(state.ids, -1)[at], cells):
        raise ValidationError("a member's category is not among those of the state")
    match = np.empty(len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        match[part] = np.einsum("nd,nd->n", unit_rows(rows[part] - state.mean), state.prototypes[at[part]])
    later = np.zeros(len(rows), np.bool_) if prefer is None else ~prefer
    order = np.lexsort((np.arange(len(rows)), -match, later, at))
    present, first, sizes = np.unique(at[order], return_index=True, return_counts=True)
    means = np.bincount(at, match, state.size)[present] / sizes
    members = order[first]
    return {
        int(state.ids[cell]): (int(member), float(mean))
        for cell, member, mean in zip(present, members, means, strict=True)
    }


def keywords(cells: Ids, members: Ids, words: Ids, *, keep: int = 5) -> dict[int, tuple[int, ...]]:
    """By category id: the words that tell it best from the others, best first, equal ones by their number.

    A word counts once a member; its weight is (members with it) · ln(1 + (n − f + ½) / (f + ½)), where f of all n
    members have it: frequent here and rare elsewhere.

    Parameters
    ----------
    cells: shape (n,), the category of each member. members, words: shape (m,), pairs of a member's number and the
        number of a word that it holds, each pair once.
    """
    if not len(words):
        return {}
    ids, at = np.unique(cells, return_inverse=True)
    held = np.bincount(words)
    rarity = np.log1p((len(cells) - held + 0.5) / (held + 0.5))
    span = len(held)
    pairs, inside = np.unique(at[members] * span + words, return_counts=True)
    cell, word = pairs // span, pairs % span
    order = np.lexsort((word, -inside * rarity[word], cell))
    cell, word = cell[order], word[order]
    place = np.arange(len(cell)) - np.searchsorted(cell, cell)
    cell, word = cell[place < keep], word[place < keep]
    bounds = np.searchsorted(cell, np.arange(len(ids) + 1))
    return {int(ids[i]): tuple(word[bounds[i] : bounds[i + 1]].tolist()) for i in range(len(ids))}


def statistics(state: CentredState) -> CategoryStatistics:
    """How the members of a state spread over its categories; all 0 without members."""
    sizes = state.counts[state.counts > 0].astype(np.float64)
    members = int(sizes.sum())
    shares = sizes / max(members, 1)
    return CategoryStatistics(
        categories=len(sizes),
        members=members,
        largest=int(sizes.max(initial=0)),
        largest_share=float(shares.max(initial=0.0)),
        single=int((sizes == 1).sum()),
        mean_size=members / max(len(sizes), 1),
        effective=float(np.exp(-(shares * np.log(shares)).sum())) if members else 0.0,
    )
