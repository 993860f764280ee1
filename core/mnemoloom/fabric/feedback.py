"""Feedback memory: questions learn where their answers lay.

    q' = unit(q + g · W q)                    W = 0 at first: the identity until something was found useful
    W' = W + 2 theta · (v − q − W q) qᵀ        v: the mean of the memories that proved useful, made unit

The Titans step for k = q and v' = v − q, without momentum. |W| is held within `bound`. With perfect feedback after each
question, in random order, dense search on LoCoMo gains 4 to 5 points of recall@10 (tests/benchmarks/queries.py); an
earlier study found .4, within chance, inside the whole pipeline. Real feedback is noisier. An option.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError

__all__ = ["Feedback", "asked", "useful"]

Row = NDArray[np.float32]


class Feedback(NamedTuple):
    """W, shape (d, d), and how often something was said to be useful."""

    weights: NDArray[np.float32]
    uses: int

    @classmethod
    def none(cls, width: int) -> Feedback:
        """Nothing was said yet, about questions of this width."""
        return cls(np.zeros((width, width), np.float32), 0)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything this state holds, as arrays that `from_arrays` takes back."""
        return {"weights": self.weights, "uses": np.array([self.uses])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Feedback:
        return cls(np.array(arrays["weights"], np.float32), int(arrays["uses"][0]))


def asked(feedback: Feedback, query: ArrayLike, *, gain: float = 0.5) -> Row:
    """The unit query to search with, for a unit query of shape (d,); itself while nothing was learned."""
    q = _checked(feedback, query, 1)
    if not feedback.uses or not gain:
        return q
    mixed = q + np.float32(gain) * (feedback.weights @ q)
    length = float(np.linalg.norm(mixed))
    return (mixed / length).astype(np.float32) if length > 0.0 else q


def useful(
    feedback: Feedback, query: ArrayLike, rows: ArrayLike, *, theta: float = 0.3, bound: float = 8.0
) -> Feedback:
    """Learn that for a unit query, shape (d,), the memories of `rows`, shape (m, d), were useful."""
    if not 0.0 < theta <= 0.5:
        raise ConfigError(f"theta must be in (0, 0.5], where 2 theta is a full step; got {theta!r}")
    q, found = _checked(feedback, query, 1), _checked(feedback, rows, 2)
    v = found.sum(axis=0)
    length = float(np.linalg.norm(v))
    if not length > 0.0:
        raise ValidationError("useful memories must have vectors that do not cancel out; theirs add up to zero")
    residual = v / length - q - feedback.weights @ q
    weights = (feedback.weights + 2.0 * theta * np.outer(residual, q)).astype(np.float32)
    size = float(np.linalg.norm(weights))
    if size > bound:
        weights *= np.float32(bound / size)
    return Feedback(weights, feedback.uses + 1)


def _checked(feedback: Feedback, values: ArrayLike, dimensions: int) -> NDArray[np.float32]:
    table = np.asarray(values, np.float32)
    width = len(feedback.weights)
    if table.ndim != dimensions or table.shape[-1] != width:
        raise DimensionMismatchError(expected=width, got=table.shape[-1] if table.ndim else 0)
    if not np.isfinite(table).all():
        raise ValidationError("vectors must be finite; one holds NaN or an infinity")
    return table
