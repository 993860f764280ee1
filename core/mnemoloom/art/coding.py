"""Inputs of adaptive resonance: features in [0, 1], complement coding, unit rows.

Complement coding writes x as (x, 1 − x): every input then has the same city-block norm d, so that a
category cannot swallow the others merely by shrinking (Carpenter, Grossberg & Rosen 1991, eqs. 12–14).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import ValidationError

__all__ = ["Bounds", "bounds_of", "complement_code", "scale", "unit_rows", "widen"]

Floats = NDArray[np.floating[Any]]


class Bounds(NamedTuple):
    """The least and the greatest value of each feature, shape (d,) each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def bounds_of(rows: Floats) -> Bounds:
    """The bounds of at least one row, shape (n, d). Raises ValidationError without rows."""
    if rows.ndim != 2 or not len(rows):
        raise ValidationError(f"bounds need rows of shape (n, d) with n ≥ 1; got shape {rows.shape}")
    return Bounds(rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64))


def widen(bounds: Bounds, rows: Floats) -> Bounds:
    """Bounds that also hold `rows`, shape (n, d)."""
    if not len(rows):
        return bounds
    new = bounds_of(rows)
    return Bounds(np.minimum(bounds.low, new.low), np.maximum(bounds.high, new.high))


def scale(rows: Floats, bounds: Bounds) -> NDArray[np.float64]:
    """Map rows, shape (n, d), to [0, 1] by feature; what lies outside is clipped, a constant feature is 0."""
    span = bounds.high - bounds.low
    scaled: NDArray[np.float64] = np.clip((rows - bounds.low) / np.where(span > 0.0, span, 1.0), 0.0, 1.0)
    return scaled


def complement_code(rows: Floats) -> NDArray[np.float64]:
    """(x, 1 − x) for rows in [0, 1], shape (n, d) to (n, 2d). Raises ValidationError for other values."""
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2:
        raise ValidationError(f"complement coding needs rows of shape (n, d); got shape {rows.shape}")
    if not np.all((rows >= 0.0) & (rows <= 1.0)):
        raise ValidationError("complement coding needs values in [0, 1]; scale the rows first")
    return np.concatenate((rows, 1.0 - rows), axis=1)


def unit_rows(rows: Floats) -> NDArray[np.float32]:
    """Rows of length 1, shape (n, d); a row of zeros stays one."""
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return (rows / np.where(length > 0.0, length, 1.0)[:, None]).astype(np.float32)
