"""Exact cosine over all vectors: the oracle that every other index is measured against."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import DimensionMismatchError, VectorError
from mnemoloom.index.columns import Column
from mnemoloom.index.digits import DigitIndex
from mnemoloom.index.scan import inner_products, inner_products_of

__all__ = ["DIGITS_FROM", "VectorRows", "unit_row"]

Row = NDArray[np.float32]

DIGITS_FROM = 8_000  # below, a scan of the exact rows is no slower


def unit_row(vector: Any, *, width: int | None = None) -> Row:  # noqa: ANN401 - an untrusted argument
    """`vector` as a float32 row of length 1; shape (d,).

    Raises
    ------
    VectorError: not one row of numbers, NaN, infinite or all zeros.
    DimensionMismatchError: not `width` numbers.
    """
    try:
        given = np.asarray(vector)
    except ValueError as error:
        raise VectorError(f"a vector must be one row of numbers; got {type(vector).__name__}") from error
    if given.dtype.kind not in "iuf" or given.ndim != 1 or not given.size:
        raise VectorError(f"a vector must be one row of numbers; got {given.dtype} of shape {given.shape}")
    row = given.astype(np.float64)
    if width is not None and len(row) != width:
        raise DimensionMismatchError(expected=width, got=len(row))
    norm = math.sqrt(row @ row) if given.dtype == np.float32 else _norm(row)  # float32 cannot overflow a float64
    if not math.isfinite(norm):
        raise VectorError("a vector must be finite; got NaN or infinity")
    if norm < 1e-30:
        raise VectorError("a vector must not be all zeros")
    return (row / norm).astype(np.float32)


def _norm(row: NDArray[np.float64]) -> float:
    with np.errstate(over="ignore"):
        return math.sqrt(row @ row)


class VectorRows:
    """Unit rows by slot; slots without a vector hold zeros.

    The width is that of the first vector.
    """

    def __init__(self, rows: Column[np.float32] | None = None, *, slots: int = 1) -> None:
        self._rows = rows
        self._slots = len(rows) if rows else slots
        self._digits: DigitIndex | None = None

    @property
    def width(self) -> int | None:
        return None if self._rows is None else self._rows.values.shape[1]

    def append(self, row: Row | None) -> None:
        """Add the next slot's unit row, or none."""
        if row is not None and self._rows is None:
            self._rows = Column(np.float32, data=np.zeros((self._slots, len(row)), np.float32))
        if self._rows is not None:
            self._rows.append(0.0 if row is None else row)
        self._slots += 1

    def replace(self, slot: int, row: Row) -> None:
        """Give a slot another vector of the same width."""
        if self._rows is None:
            self._rows = Column(np.float32, data=np.zeros((self._slots, len(row)), np.float32))
        self._rows[slot] = row
        self._digits = None

    @property
    def values(self) -> NDArray[np.float32]:
        """Shape (slots, d); (slots, 0) before the first vector."""
        return np.zeros((self._slots, 0), np.float32) if self._rows is None else self._rows.values

    def near(self, query: Row, count: int) -> NDArray[np.int64] | None:
        """About the `count` slots nearest to a unit row, or None where scanning all rows is the better way."""
        if self._rows is None or self._slots < DIGITS_FROM or not DigitIndex.available():
            return None
        if self._digits is None:
            self._digits = DigitIndex(self._rows.values.shape[1])
        self._digits.add(self._rows.values[len(self._digits) :])
        return self._digits.nearest(query, count)

    def scores_of(self, slots: NDArray[np.int64], query: Row) -> NDArray[np.float32]:
        """Cosine of the unit row `query` with some slots; shape (len(slots),)."""
        return inner_products_of(self.values, slots, query)

    def scores(self, query: Row) -> NDArray[np.float32]:
        """Cosine of the unit row `query` with every slot; shape (slots,)."""
        return inner_products(self.values, query)
