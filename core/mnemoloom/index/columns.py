"""Arrays that grow at the end by doubling; row 0 is reserved to mean "none"."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column"]

S = TypeVar("S", bound=np.generic)


class Column(Generic[S]):
    """A growing array of shape (n + 1, …).

    A column made from existing data keeps it as it is, possibly read-only and mapped from a file, until
    something is appended or changed.
    """

    def __init__(self, dtype: type[S], *, width: int | None = None, data: NDArray[Any] | None = None) -> None:
        shape = (1,) if width is None else (1, width)
        self._data: NDArray[S] = np.zeros(shape, dtype) if data is None else data
        self._size = len(self._data)

    def __len__(self) -> int:
        """Rows, the reserved one included."""
        return self._size

    @property
    def values(self) -> NDArray[S]:
        """All rows, as a view that later appends do not change."""
        return self._data[: self._size]

    def append(self, value: Any) -> None:  # noqa: ANN401 - whatever numpy can store
        if self._size == len(self._data) or not self._data.flags.writeable:
            self._own(max(64, 2 * self._size))
        self._data[self._size] = value
        self._size += 1

    def extend(self, rows: NDArray[S]) -> None:
        """Append several rows."""
        end = self._size + len(rows)
        if end > len(self._data) or not self._data.flags.writeable:
            self._own(max(64, end, 2 * self._size))
        self._data[self._size : end] = rows
        self._size = end

    def __setitem__(self, slot: int, value: Any) -> None:  # noqa: ANN401 - whatever numpy can store
        if not self._data.flags.writeable:
            self._own(max(64, self._size))
        self._data[slot] = value

    def _own(self, capacity: int) -> None:
        grown = np.zeros((capacity, *self._data.shape[1:]), self._data.dtype)
        grown[: self._size] = self._data[: self._size]
        self._data = grown
