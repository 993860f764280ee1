"""Arrays that grow at the end; row 0 is reserved to mean "none"."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Table"]

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

    def __setitem__(self, slot: int | NDArray[np.integer[Any]], value: Any) -> None:  # noqa: ANN401 - as numpy
        if not self._data.flags.writeable:
            self._own(max(64, self._size))
        self._data[slot] = value

    def _own(self, capacity: int) -> None:
        grown = np.zeros((capacity, *self._data.shape[1:]), self._data.dtype)
        grown[: self._size] = self._data[: self._size]
        self._data = grown


class Table(Generic[S]):
    """Wide rows of shape (n + 1, width): those of a file, which stay where they are, and those added since.

    A file that is mapped read-only is neither copied nor written to when rows are added; only changing one of its
    rows takes it into memory.
    """

    def __init__(self, dtype: type[S], width: int, *, base: NDArray[Any] | None = None) -> None:
        self.width = width
        self._base: NDArray[S] = np.zeros((0, width), dtype) if base is None else base
        # behind a file's rows the reserved one is the first of the file
        self._tail: Column[S] = Column(dtype, data=np.zeros((0 if len(self._base) else 1, width), dtype))

    def __len__(self) -> int:
        """Rows, the reserved one included."""
        return len(self._base) + len(self._tail)

    def append(self, row: Any) -> None:  # noqa: ANN401 - whatever numpy can store
        self._tail.append(row)

    def extend(self, rows: NDArray[S]) -> None:
        """Append several rows."""
        self._tail.extend(rows)

    def __setitem__(self, number: int, row: Any) -> None:  # noqa: ANN401 - whatever numpy can store
        if number >= len(self._base):
            self._tail[number - len(self._base)] = row
            return
        if not self._base.flags.writeable:
            self._base = self._base.copy()
        self._base[number] = row

    def __getitem__(self, number: int) -> NDArray[S]:
        """One row, as a view."""
        beyond = number - len(self._base)
        found: NDArray[S] = self._base[number] if beyond < 0 else self._tail.values[beyond]
        return found

    def take(self, numbers: NDArray[np.integer[Any]]) -> NDArray[S]:
        """A copy of some rows, shape (len(numbers), width)."""
        if len(self.blocks) == 1:
            return self.blocks[0].take(numbers, axis=0)
        found = np.empty((len(numbers), self.width), self._base.dtype)
        old = numbers < len(self._base)
        found[old] = self._base.take(numbers[old], axis=0)
        found[~old] = self._tail.values.take(numbers[~old] - len(self._base), axis=0)
        return found

    @property
    def blocks(self) -> tuple[NDArray[S], ...]:
        """All rows in order, as one or two views."""
        both = (self._base, self._tail.values)
        return tuple(block for block in both if len(block))

    @property
    def values(self) -> NDArray[S]:
        """All rows in one array. If rows were added behind those of a file, this takes the file's into memory."""
        if len(self.blocks) > 1:
            self._tail = Column(self._base.dtype.type, data=np.concatenate(self.blocks))
            self._base = self._base[:0]
        return self.blocks[0]

    @property
    def resident_bytes(self) -> int:
        """What the rows take in this process's own memory; those of a mapped file take none."""
        return self._tail.values.nbytes + (self._base.nbytes if self._base.flags.writeable else 0)
