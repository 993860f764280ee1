"""Level 2 for many rows: codes that are scanned exhaustively, far faster than the rows themselves.

Two ways with one interface. With faiss, four bits for each four coordinates (FastScan). Without it, and with a numpy
that counts bits, the signs of the coordinates about their mean: as many bytes, a worse estimate, so more candidates.
Entries are numbered from 0 in the order of adding; `keep` closes the gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mnemoloom.hgns.digits import CELL, CELLS

__all__ = ["Arrays", "CellScan", "CoarseScan", "SignScan", "coarse_scan", "way_to_scan"]

Rows = NDArray[np.float32]
Entries = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]
Way = Literal["cells", "signs"]


class CoarseScan(Protocol):
    """Codes of rotated rows."""

    way: Way

    def __len__(self) -> int: ...

    @property
    def bytes(self) -> int:
        """What the codes take."""
        ...

    def add(self, rotated: Rows) -> None:
        """Add rows; shape (n, width)."""
        ...

    def nearest(self, query: Rows, count: int) -> tuple[Entries, Rows]:
        """About the `count` entries nearest to a rotated query of shape (width,), best first, and their cosines."""
        ...

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Let go of the other entries, and of their space; shape (entries,)."""
        ...

    def arrays(self) -> Arrays:
        """What `restore` takes back."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]], entries: int) -> None:
        """Hold what another one held. Raises ValueError if the arrays do not fit."""
        ...


@cache
def way_to_scan() -> Way | None:
    """How codes can be scanned with what is installed; None if a scan of the exact rows is as fast."""
    if find_spec("faiss") is not None:
        return "cells"
    return "signs" if hasattr(np, "bitwise_count") else None


def coarse_scan(way: Way, width: int, *, mean: Rows) -> CoarseScan:
    """An empty scan of rows of a rotated width. `mean`, shape (width,), is what signs are taken about."""
    return CellScan(width) if way == "cells" else SignScan(mean)


class CellScan:
    """Level-2 codes in faiss's FastScan layout, with the universal codebook."""

    way: Way = "cells"

    def __init__(self, width: int) -> None:
        self._faiss: Any = import_module("faiss")
        cells = width // CELL
        self._index: Any = self._faiss.IndexPQFastScan(width, cells, 4, self._faiss.METRIC_INNER_PRODUCT)
        codebook = np.tile(CELLS / np.float32(np.sqrt(width)), (cells, 1, 1))
        self._faiss.copy_array_to_vector(codebook.ravel(), self._index.pq.centroids)
        self._index.is_trained = True

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def bytes(self) -> int:
        return int(self._index.codes.size())

    def add(self, rotated: Rows) -> None:
        if len(rotated):  # faiss does not survive nothing
            self._index.add(rotated)

    def nearest(self, query: Rows, count: int) -> tuple[Entries, Rows]:
        scores, found = self._index.search(query[None], min(count, len(self)))
        entries, products = found[0], scores[0]
        if len(entries) and entries[-1] < 0:  # fewer than asked for
            entries, products = entries[entries >= 0], products[entries >= 0]
        return entries, products

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self._index.remove_ids(self._faiss.IDSelectorBatch(np.flatnonzero(~kept)))
        occupied = len(self) % self._index.bbs
        if occupied:
            self._clear_behind(occupied)

    def _clear_behind(self, occupied: int) -> None:
        """Zero the last block behind the last entry: faiss leaves old codes there, and adds new ones to their bits."""
        scratch = CellScan(self._index.d)
        scratch.add(np.zeros((occupied, self._index.d), np.float32))  # the last cell is nearest: all four bits are set
        mask, codes = scratch.arrays()["cells"], self.arrays()["cells"]
        codes[-len(mask) :] &= mask
        self._faiss.copy_array_to_AlignedTable(codes, self._index.codes)

    def arrays(self) -> Arrays:
        return {"cells": self._faiss.AlignedTable_to_array(self._index.codes)}

    def restore(self, arrays: Mapping[str, NDArray[Any]], entries: int) -> None:
        codes, rounded = arrays["cells"], -(-entries // self._index.bbs) * self._index.bbs
        size = rounded * self._index.M2 // 2
        if codes.dtype != np.uint8 or codes.shape != (size,):
            raise ValueError(f"{entries} entries take {size} bytes of codes, not {codes.shape}")
        self._faiss.copy_array_to_AlignedTable(np.ascontiguousarray(codes), self._index.codes)
        self._index.ntotal, self._index.ntotal2 = entries, rounded


class SignScan:
    """One bit for each coordinate: whether it is above the mean. Distances are counts of unequal bits."""

    way: Way = "signs"

    def __init__(self, mean: Rows) -> None:
        self._mean = mean
        words = -(-len(mean) // 64)
        self._bits = np.zeros((words, 0), np.uint64)  # by word, so that a scan reads each word's entries in a row
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def bytes(self) -> int:
        return 8 * len(self._bits) * self._size

    def add(self, rotated: Rows) -> None:
        end = self._size + len(rotated)
        if end > self._bits.shape[1]:
            grown = np.zeros((len(self._bits), max(64, end, 2 * self._size)), np.uint64)
            grown[:, : self._size] = self._bits[:, : self._size]
            self._bits = grown
        self._bits[:, self._size : end] = self._signs(rotated).T
        self._size = end

    def nearest(self, query: Rows, count: int) -> tuple[Entries, Rows]:
        signs, width = self._signs(query[None])[0], len(self._mean)
        unequal = np.zeros(self._size, np.uint16)
        for word, stored in zip(signs, self._bits[:, : self._size], strict=True):
            unequal += np.bitwise_count(stored ^ word)
        within = np.cumsum(np.bincount(unequal, minlength=width + 1))
        limit = int(np.searchsorted(within, min(count, self._size)))
        found = np.flatnonzero(unequal <= limit)
        found = found[np.argsort(unequal[found], kind="stable")][:count]
        # the angle between two vectors is the share of random hyperplanes that part them
        return found, np.cos(np.pi * unequal[found] / width).astype(np.float32)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self._bits = np.ascontiguousarray(self._bits[:, : self._size][:, kept])
        self._size = self._bits.shape[1]

    def arrays(self) -> Arrays:
        return {"signs": self._bits[:, : self._size], "mean": self._mean}

    def restore(self, arrays: Mapping[str, NDArray[Any]], entries: int) -> None:
        bits, mean = arrays["signs"], arrays["mean"]
        if bits.dtype != np.uint64 or bits.shape != (len(self._bits), entries) or mean.shape != self._mean.shape:
            raise ValueError(f"{entries} entries take signs of shape {(len(self._bits), entries)}, not {bits.shape}")
        self._bits, self._mean, self._size = bits, mean, entries

    def _signs(self, rotated: Rows) -> NDArray[np.uint64]:
        packed = np.packbits(rotated > self._mean, axis=1)
        missing = -packed.shape[1] % 8
        return np.pad(packed, ((0, 0), (0, missing))).view(np.uint64)
