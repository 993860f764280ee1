"""Inner products of one query with many rows, as fast as the installed libraries allow."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import DimensionMismatchError

__all__ = ["inner_products", "inner_products_of"]

Rows = NDArray[np.float32]

# Rows that fit the last-level cache: there BLAS is fastest. Beyond, its matrix–vector product reads
# memory at half the speed of einsum, measured with OpenBLAS at 50,000 × 384.
_BLAS_ROWS = 12_000


def inner_products(rows: Rows, query: Rows) -> Rows:
    """Rows · query; rows of shape (n, d), C-contiguous, query (d,), result (n,). Raises DimensionMismatchError."""
    if rows.shape[1] != len(query):
        raise DimensionMismatchError(expected=rows.shape[1], got=len(query))
    return _scanner()(rows, query)


def inner_products_of(rows: Rows, slots: NDArray[np.int64], query: Rows) -> Rows:
    """The same for some rows only, shape (len(slots),), which faiss reads where they stand instead of copying them."""
    if rows.shape[1] != len(query):
        raise DimensionMismatchError(expected=rows.shape[1], got=len(query))
    if not find_faiss() or not len(slots):
        return np.asarray(rows[slots] @ query, np.float32)
    faiss: Any = import_module("faiss")
    pointer, found = faiss.swig_ptr, np.empty(len(slots), np.float32)
    slots, query = np.ascontiguousarray(slots, np.int64), np.ascontiguousarray(query)
    faiss.fvec_inner_products_by_idx(
        pointer(found), pointer(query), pointer(rows), pointer(slots), rows.shape[1], 1, len(slots)
    )
    return found


@cache
def find_faiss() -> bool:
    """Whether faiss is installed."""
    return find_spec("faiss") is not None


@cache
def _scanner() -> Callable[[Rows, Rows], Rows]:
    return _with_faiss() if find_faiss() else _with_numpy


def _with_numpy(rows: Rows, query: Rows) -> Rows:
    if len(rows) <= _BLAS_ROWS:
        return rows @ query
    found: Rows = np.einsum("ij,j->i", rows, query)
    return found


def _with_faiss() -> Callable[[Rows, Rows], Rows]:
    faiss: Any = import_module("faiss")
    pointer: Callable[[Rows], Any] = faiss.swig_ptr

    def scan(rows: Rows, query: Rows) -> Rows:
        found = np.empty(len(rows), np.float32)
        if rows.size:
            query = np.ascontiguousarray(query)
            faiss.fvec_inner_products_ny(pointer(found), pointer(query), pointer(rows), rows.shape[1], len(rows))
        return found

    return scan
