"""Exact cosine over all vectors: the oracle that every other index is measured against."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.columns import Table
from mnemoloom.errors import DimensionMismatchError, VectorError
from mnemoloom.index.scan import inner_products, inner_products_of

__all__ = ["VectorRows", "unit_row"]

Row = NDArray[np.float32]


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

    The width is that of the first vector. `mapped` rows, read-only and of shape (slots, d), stay where they are.
    """

    def __init__(self, mapped: Row | None = None, *, slots: int = 1) -> None:
        self._table: Table[np.float32] | None = None
        self._slots = slots
        if mapped is not None:
            self._table, self._slots = Table(np.float32, mapped.shape[1], base=mapped), len(mapped)

    def __len__(self) -> int:
        """Slots, the reserved one included."""
        return self._slots

    @property
    def width(self) -> int | None:
        return None if self._table is None else self._table.width

    def append(self, row: Row | None) -> None:
        """Add the next slot's unit row, or none."""
        if row is not None or self._table is not None:
            self._of_width(row).append(0.0 if row is None else row)
        self._slots += 1

    def replace(self, slot: int, row: Row) -> None:
        """Give a slot another vector of the same width."""
        self._of_width(row)[slot] = row

    def extend(self, rows: Row) -> None:
        """Add the unit rows of the next slots; shape (n, d)."""
        if not len(rows):
            return
        self._of_width(rows[0]).extend(rows)
        self._slots += len(rows)

    def _of_width(self, row: Row | None) -> Table[np.float32]:
        if self._table is None:
            self._table = Table(np.float32, 0 if row is None else len(row))
            self._table.extend(np.zeros((self._slots - 1, self._table.width), np.float32))
        return self._table

    @property
    def values(self) -> NDArray[np.float32]:
        """Shape (slots, d); (slots, 0) before the first vector. Takes mapped rows into memory, if others were added."""
        return np.zeros((self._slots, 0), np.float32) if self._table is None else self._table.values

    @property
    def resident_bytes(self) -> int:
        """What the rows take in this process's own memory; mapped ones take none."""
        return 0 if self._table is None else self._table.resident_bytes

    def row(self, slot: int) -> Row:
        """One slot's row, as a view; shape (d,)."""
        return np.zeros(0, np.float32) if self._table is None else self._table[slot]

    def take(self, slots: NDArray[np.integer[Any]]) -> Row:
        """A copy of some slots' rows; shape (len(slots), d)."""
        return np.zeros((len(slots), 0), np.float32) if self._table is None else self._table.take(slots)

    def scores_of(self, slots: NDArray[np.int64], query: Row) -> NDArray[np.float32]:
        """Cosine of the unit row `query` with some slots; shape (len(slots),)."""
        blocks = self._blocks()
        if len(blocks) == 1:
            return inner_products_of(blocks[0], slots, query)
        found, old = np.empty(len(slots), np.float32), slots < len(blocks[0])
        found[old] = inner_products_of(blocks[0], slots[old], query)
        found[~old] = inner_products_of(blocks[1], slots[~old] - len(blocks[0]), query)
        return found

    def scores(self, query: Row) -> NDArray[np.float32]:
        """Cosine of the unit row `query` with every slot; shape (slots,)."""
        found = [inner_products(block, query) for block in self._blocks()]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _blocks(self) -> tuple[Row, ...]:
        return (np.zeros((self._slots, 0), np.float32),) if self._table is None else self._table.blocks
