"""Several rows for each slot, one block after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.columns import Column

__all__ = ["RaggedRows"]

Codes = NDArray[np.int8]


class RaggedRows:
    """int8 rows by slot; a slot may have none, and slot 0 never has any.

    The width is that of the first rows; rows of another width are left out. Replaced rows stay behind until the
    whole is built anew.
    """

    def __init__(self) -> None:
        self._starts, self._counts = Column(np.int64), Column(np.int32)
        self._rows: Column[np.int8] | None = None

    def append(self, rows: Codes | None) -> None:
        """Give the next slot its rows, or none."""
        self._starts.append(0)
        self._counts.append(0)
        self.replace(len(self._starts) - 1, rows)

    def replace(self, slot: int, rows: Codes | None) -> None:
        """Give a slot other rows, or none."""
        self._counts[slot] = 0
        if rows is None or not len(rows):
            return
        if self._rows is None:
            self._rows = Column(np.int8, width=rows.shape[1])
        if rows.shape[1] == self._rows.values.shape[1]:
            self._starts[slot], self._counts[slot] = len(self._rows), len(rows)
            self._rows.extend(rows)

    def of(self, slots: NDArray[np.int64]) -> tuple[Codes, NDArray[np.int32]]:
        """The rows of some slots, one after the other, and how many each has."""
        counts = self._counts.values[slots]
        if self._rows is None:
            return np.zeros((0, 1), np.int8), counts
        ends = np.cumsum(counts)
        shifts = np.repeat(self._starts.values[slots] - (ends - counts), counts)
        return self._rows.values.take(shifts + np.arange(len(shifts)), axis=0), counts

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything this holds, as arrays that `from_arrays` takes back."""
        rows = np.zeros((0, 1), np.int8) if self._rows is None else self._rows.values
        return {"starts": self._starts.values, "counts": self._counts.values, "rows": rows}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RaggedRows:
        ragged = cls()
        ragged._starts = Column(np.int64, data=arrays["starts"])
        ragged._counts = Column(np.int32, data=arrays["counts"])
        ragged._rows = Column(np.int8, data=arrays["rows"]) if len(arrays["rows"]) else None
        return ragged
