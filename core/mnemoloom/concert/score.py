"""The concert heuristic of PMLL: alpha·recency + beta·similarity + gamma·novelty.

recency = exp(−age / tau), with tau an e-folding time; novelty = 1 − best cosine with an earlier memory.
A memory less similar than the floor takes no part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["concert_parts", "recency"]

Floats = NDArray[np.floating[Any]]


def recency(age: Floats, *, tau: float) -> NDArray[np.float64]:
    """exp(−age / tau) of ages in seconds, in [0, 1]; what lies in the future counts as now."""
    fresh: NDArray[np.float64] = np.exp(-np.maximum(np.asarray(age, np.float64), 0.0) / tau)
    return fresh


def concert_parts(
    similarity: Floats, age: Floats, novelty: Floats, *, alpha: float, beta: float, gamma: float, tau: float
) -> dict[str, NDArray[np.float64]]:
    """The three weighted terms, each of shape (n,); `similarity` and `novelty` are cosines and 1 − cosines."""
    return {
        "recency": alpha * recency(age, tau=tau),
        "similarity": beta * np.asarray(similarity, np.float64),
        "novelty": gamma * np.clip(np.asarray(novelty, np.float64), 0.0, 2.0),
    }
