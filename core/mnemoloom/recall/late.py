"""Late interaction: every word of the query finds its best token in a memory (ColBERT's MaxSim).

    MaxSim(q, i) = Σ_w idf_w · max_t cos(w, t) / Σ_w idf_w

Token vectors are centred, projected to a few dimensions and kept as int8 (about 2 KiB a turn). The
projection belongs to the store and never changes once memories carry tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.ports import TokenVectors

__all__ = ["Projection", "TokenMatches", "principal_projection", "seeded_projection", "token_matches"]

Codes = NDArray[np.int8]  # (tokens, w)


class Projection(NamedTuple):
    """x → normalise((x − mean) · basis); mean: (D,), basis: (D, w)."""

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]

    def stacked(self) -> NDArray[np.float32]:
        """Mean and directions in one array (1 + w, D), as a store keeps them."""
        return np.vstack((self.mean, self.basis.T)).astype("<f4")

    @classmethod
    def from_stacked(cls, stacked: NDArray[np.float32]) -> Projection:
        """The projection that `stacked` wrote."""
        return cls(stacked[0], np.ascontiguousarray(stacked[1:].T))

    def apply(self, vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Unit rows of shape (tokens, w)."""
        projected = (np.asarray(vectors, np.float32) - self.mean) @ self.basis
        norms = np.linalg.norm(projected, axis=1, keepdims=True)
        unit: NDArray[np.float32] = projected / np.maximum(norms, 1e-12)
        return unit

    def codes(self, vectors: NDArray[np.floating[Any]]) -> Codes:
        """The same in int8: 127 stands for 1."""
        return np.round(self.apply(vectors) * 127.0).astype(np.int8)


def seeded_projection(dimension: int, width: int, *, seed: int = 0) -> Projection:
    """Random orthonormal directions: needs no data."""
    gaussian = np.random.default_rng(seed).standard_normal((dimension, dimension))
    basis, _ = np.linalg.qr(gaussian)
    return Projection(np.zeros(dimension, np.float32), basis[:, : min(width, dimension)].astype(np.float32))


def principal_projection(tokens: NDArray[np.floating[Any]], width: int) -> Projection:
    """The directions in which `tokens`, shape (n, D), vary most (PCA)."""
    mean = tokens.mean(axis=0)
    centred = np.asarray(tokens - mean, np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    basis = directions[:, ::-1][:, : min(width, tokens.shape[1])]
    return Projection(mean.astype(np.float32), basis.astype(np.float32))


class TokenMatches(NamedTuple):
    """How well each word piece of a query is matched in each of some memories.

    words: the pieces that carry weight. weights: shape (words,), their rarity, summing to 1.
    best: shape (n, words), the highest cosine with any token of the memory. present: shape (n,), which memories
    have tokens; the rows of the others are 0.
    """

    words: tuple[str, ...]
    weights: NDArray[np.float64]
    best: NDArray[np.float32]
    present: NDArray[np.bool_]

    def first(self, count: int) -> TokenMatches:
        """Those of the first memories only."""
        return self._replace(best=self.best[:count], present=self.present[:count])

    def scores(self) -> NDArray[np.float64]:
        """The MaxSim of each memory, shape (n,); one without tokens gets the lowest of the others."""
        found = self.best @ self.weights
        if not self.present.all():
            found[~self.present] = found[self.present].min(initial=1.0) if self.present.any() else 0.0
        return found


def token_matches(
    query: TokenVectors,
    codes: Codes,
    counts: NDArray[np.integer[Any]],
    projection: Projection,
    weight: Callable[[str], float],
) -> TokenMatches:
    """Compare the pieces of a query with the tokens of memories.

    Parameters
    ----------
    codes: the token codes of the memories, one memory after the other; shape (tokens, w).
    counts: how many each memory has; shape (n,).
    weight: a query word's rarity; when no word has any, all count alike.
    """
    rarity = np.array([weight(word) for word in query.words], np.float64)
    if not rarity.any():
        rarity = np.ones(len(query.words))
    kept = np.flatnonzero(rarity)
    present = counts > 0
    best = np.zeros((len(counts), len(kept)), np.float32)
    if len(kept) and len(codes):
        similar = codes.astype(np.float32) @ projection.apply(query.vectors[kept]).T
        starts = (np.cumsum(counts) - counts)[present]
        best[present] = np.maximum.reduceat(similar, starts, axis=0) / np.float32(127.0)
    return TokenMatches(tuple(query.words[i] for i in kept), rarity[kept] / rarity.sum(), best, present)
