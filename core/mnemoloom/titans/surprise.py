"""Surprise: how much a turn says, times how little of it was expected.

Symbols follow Behrouz et al. 2024 (Titans, eqs. 8–10 and 13): M memory, S past surprise, eta keeps S,
theta lets the new gradient in, alpha forgets M. The turn is a vector x of its terms' rarities, hashed
into buckets and *not* normalised; M learns to reproduce its direction k = x / |x|:

    surprise = |x| · |(M − I) k|            information times novelty, at least 0
    S' = eta · S − theta · (M k − k) kᵀ
    M' = (1 − alpha) · M + S'

x is not a unit embedding: normalising would throw away how much a turn says, which is most of the signal.

k touches few buckets, and a column of M that k does not touch only decays. So a step moves just the
columns of k, first catching up on the decay they slept through; the result is the dense update's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SurpriseState", "rank_within", "surprise_step"]

Floats = NDArray[np.float32]


_IDLE = 4096  # steps of rest whose effect is kept in a table


class SurpriseState:
    """The memory M, the past surprise S and the document frequencies behind the rarities.

    A column's numbers are those of step `seen[column]`; `steps` counts the turns so far.
    """

    def __init__(self, buckets: int = 256) -> None:
        self.memory = np.zeros((buckets, buckets), np.float32)  # row j is column j of M
        self.past = np.zeros((buckets, buckets), np.float32)
        self.seen = np.zeros(buckets, np.int64)
        self.frequency = np.zeros(1024, np.int64)  # by term number
        self.bucket_of = _buckets_of(len(self.frequency), buckets)
        self.steps = 0

    def count(self, terms: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many turns held each term before this one; from now on, this one too."""
        highest = int(terms.max())
        if highest >= len(self.frequency):
            size = max(highest + 1, 2 * len(self.frequency))
            self.frequency = np.pad(self.frequency, (0, size - len(self.frequency)))
            self.bucket_of = _buckets_of(size, len(self.seen))
        before = self.frequency[terms]
        self.frequency[terms] = before + 1
        return before

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything this state holds, as arrays that `from_arrays` takes back."""
        names = ("memory", "past", "seen", "frequency")
        return {name: getattr(self, name) for name in names} | {"steps": np.array([self.steps])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SurpriseState:
        state = cls(len(arrays["seen"]))
        for name in ("memory", "past", "seen", "frequency"):
            setattr(state, name, np.array(arrays[name]))
        state.bucket_of = _buckets_of(len(state.frequency), len(state.seen))
        state.steps = int(arrays["steps"][0])
        return state


def surprise_step(
    state: SurpriseState, terms: NDArray[np.int64], *, theta: float = 0.1, eta: float = 0.5, alpha: float = 0.001
) -> float:
    """Read one turn: return its surprise and move `state` one step, in place.

    Parameters
    ----------
    terms: shape (t,), the distinct term numbers of the turn.
    """
    state.steps += 1
    if not len(terms):
        return 0.0
    buckets, x = _hashed(state, terms)
    size = float(np.sqrt(x @ x))
    k = x / size
    memory, past = state.memory.take(buckets, axis=0), state.past.take(buckets, axis=0)
    keep, carried, fade = _idle(state.steps - 1 - state.seen.take(buckets), eta, alpha)
    residual = (keep * k) @ memory + (carried * k) @ past
    residual[buckets] -= k
    # The columns catch up and move on at once: M' = (1−alpha)·(keep·M + carried·S) + S', S' = eta·fade·S − theta·…
    memory *= ((1.0 - alpha) * keep)[:, None]
    memory += ((1.0 - alpha) * carried)[:, None] * past
    past *= (eta * fade)[:, None]
    past -= np.multiply.outer(theta * k, residual)
    memory += past
    state.memory[buckets], state.past[buckets] = memory, past
    state.seen[buckets] = state.steps
    return size * float(np.sqrt(residual @ residual))


def _hashed(state: SurpriseState, terms: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """The buckets that the turn touches and its weight in each; counts the terms afterwards."""
    before = state.count(terms)
    rarity = np.log1p((state.steps - before + 0.5) / (before + 0.5))
    weights = np.bincount(state.bucket_of.take(terms), rarity, len(state.seen))
    buckets = np.flatnonzero(weights)
    return buckets, weights[buckets].astype(np.float32)


def _buckets_of(terms: int, buckets: int) -> NDArray[np.int64]:
    """The bucket of each of the first `terms` term numbers."""
    # Fibonacci hashing: term numbers are dense and ordered, buckets must not be
    mixed = (np.arange(terms, dtype=np.uint64) * np.uint64(11400714819323198485)) >> np.uint64(32)
    return mixed.astype(np.int64) % buckets


def _idle(steps: NDArray[np.int64], eta: float, alpha: float) -> Floats:
    """What d idle steps do: S_d = eta^d S_0 and M_d = (1−alpha)^d M_0 + Σ_{i=1..d} (1−alpha)^(d−i) eta^i S_0.

    Returns (1−alpha)^d, the sum's value and eta^d; shape (3, columns).
    """
    if steps.max() < _IDLE:
        return _idle_table(eta, alpha).take(steps, axis=1)
    return _idle_of(steps, eta, alpha)


@lru_cache(maxsize=4)
def _idle_table(eta: float, alpha: float) -> Floats:
    return _idle_of(np.arange(_IDLE), eta, alpha)


def _idle_of(steps: NDArray[np.int64], eta: float, alpha: float) -> Floats:
    keep, fade = (1.0 - alpha) ** steps, eta**steps
    same = abs(1.0 - alpha - eta) < 1e-9
    carried = steps * fade if same else eta * (keep - fade) / (1.0 - alpha - eta)
    return np.stack((keep, carried, fade)).astype(np.float32)


def rank_within(values: NDArray[np.floating[Any]], ordered: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Where `values` stand in a sorted sample: 0 the lowest, 1 the highest, ties in the middle."""
    if len(ordered) < 2:
        return np.full(len(values), 0.5)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") - 1
    ranks: NDArray[np.float64] = below / (2.0 * (len(ordered) - 1))
    return ranks
