"""What a category is about: a representative, keywords and counts, to browse and to label by.

A representative is the member nearest to the prototype. It names the topic; it does not stand for the other
members: keeping representatives alone loses far more evidence than it saves room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art.centred import CentredState, match_rows
from mnemoloom.errors import ValidationError

__all__ = ["CategoryStatistics", "Topic", "keywords", "representatives", "statistics", "topics"]

Ids = NDArray[np.int64]
_AT_ONCE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One category. `id` stays the same for the life of the store; `representative` is a member's number.

    coherence: mean cosine of the members with the prototype, both centred.
    """

    id: int
    count: int
    representative: int
    keywords: tuple[str, ...]
    coherence: float


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


def topics(
    state: CentredState, rows: NDArray[np.float32], cells: Ids, words: Iterable[Iterable[str]], *, keep: int = 5
) -> list[Topic]:
    """The topics that have members, most members first, equal ones by id.

    Parameters
    ----------
    rows: shape (n, d), the members. cells: shape (n,), the id of each one's best category.
    words: the index terms of each member, stop words left out. keep: keywords of a topic, at most.
    """
    nearest = representatives(state, rows, cells)
    named = keywords(cells, words, keep=keep)
    counts = Counter(cells.tolist())
    found = [
        Topic(id=cell, count=counts[cell], representative=member, keywords=named.get(cell, ()), coherence=mean)
        for cell, (member, mean) in nearest.items()
    ]
    return sorted(found, key=lambda topic: (-topic.count, topic.id))


def representatives(state: CentredState, rows: NDArray[np.float32], cells: Ids) -> dict[int, tuple[int, float]]:
    """By category id: the number of the member nearest to the prototype, and the mean cosine of all members."""
    if len(rows) != len(cells):
        raise ValidationError(f"rows and cells must be of one length; got {len(rows)} and {len(cells)}")
    at = np.searchsorted(state.ids, cells)
    if not np.array_equal(np.append(state.ids, -1)[at], cells):
        raise ValidationError("a member's category is not among those of the state")
    match = np.empty(len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        similarity = match_rows(state, rows[part])
        match[part] = similarity[np.arange(len(similarity)), at[part]]
    order = np.lexsort((np.arange(len(rows)), -match, at))
    present, first, sizes = np.unique(at[order], return_index=True, return_counts=True)
    means = np.bincount(at, match, state.size)[present] / sizes
    members = order[first]
    return {
        int(state.ids[cell]): (int(member), float(mean))
        for cell, member, mean in zip(present, members, means, strict=True)
    }


def keywords(cells: Ids, words: Iterable[Iterable[str]], *, keep: int = 5) -> dict[int, tuple[str, ...]]:
    """By category id: the words that tell it best from the others, best first, equal ones by the alphabet.

    A word counts once a member; its weight is (members with it) · ln(1 + (n − f + ½) / (f + ½)), where f of all n
    members have it: frequent here and rare elsewhere.
    """
    inside: dict[int, Counter[str]] = {}
    overall: Counter[str] = Counter()
    for cell, said in zip(cells.tolist(), words, strict=True):
        distinct = set(said)
        inside.setdefault(cell, Counter()).update(distinct)
        overall.update(distinct)
    n = len(cells)
    rarity = {word: float(np.log1p((n - f + 0.5) / (f + 0.5))) for word, f in overall.items()}
    return {cell: _best_words(found, rarity, keep) for cell, found in inside.items()}


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


def _best_words(found: Counter[str], rarity: dict[str, float], keep: int) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda word: (-found[word] * rarity[word], word))[:keep])
