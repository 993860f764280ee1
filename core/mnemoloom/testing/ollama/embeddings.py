"""Embeddings without a model: deterministic, dense, near for texts that share words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray

from mnemoloom.embedders.hashing import HashingEmbedder

__all__ = ["dense_rows", "shortened"]

_FEATURES = 512
_hashing = HashingEmbedder(_FEATURES)

Rows = NDArray[np.float32]  # (n, d)


def dense_rows(texts: Sequence[str], width: int) -> Rows:
    """Unit rows, shape (len(texts), width). A narrower row begins a wider one, but for its length."""
    rows = _hashing.embed(texts).astype(np.float64) @ _signs(width)
    return _unit(rows)


def shortened(rows: Rows, width: int) -> Rows:
    """Unit rows of the first `width` components, as Ollama cuts them."""
    return _unit(rows[:, :width].astype(np.float64))


def _unit(rows: NDArray[np.float64]) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Rows = (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return unit


@lru_cache(maxsize=8)
def _signs(width: int) -> NDArray[np.float64]:
    """Plus and minus one, shape (features, width); sparse rows would leave nothing when they are cut."""
    columns = [np.frombuffer(shake_256(f"column {n}".encode()).digest(_FEATURES // 8), np.uint8) for n in range(width)]
    return np.unpackbits(np.stack(columns), axis=1).T.astype(np.float64) * 2 - 1
