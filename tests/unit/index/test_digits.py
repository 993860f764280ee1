"""Candidates by the first digit, and their exact cosines, against a scan of all rows."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.index import DigitIndex
from mnemoloom.index.scan import inner_products, inner_products_of


def unit_rows(count: int, width: int, *, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("width", [3, 8, 50, 70, 384, 1000])
def test_a_stored_row_is_its_own_nearest_candidate(width: int) -> None:
    rows = unit_rows(600, width, seed=width)
    index = DigitIndex(width)
    index.add(rows[:1])
    index.add(rows[1:])
    assert len(index) == 600
    found = [row in index.nearest(rows[row], 60) for row in range(0, 600, 20)]
    assert np.mean(found) >= (0.9 if width > 3 else 0.5)


def test_adding_one_at_a_time_equals_adding_at_once() -> None:
    rows = unit_rows(300, 96, seed=1)
    whole, grown = DigitIndex(96), DigitIndex(96)
    whole.add(rows)
    for row in rows:
        grown.add(row[None])
    for query in unit_rows(10, 96, seed=2):
        assert whole.nearest(query, 20).tolist() == grown.nearest(query, 20).tolist()


def test_inner_products_of_some_rows_are_those_of_a_scan() -> None:
    rows, query = unit_rows(500, 33, seed=3), unit_rows(1, 33, seed=4)[0]
    slots = np.array([7, 0, 499, 7, 123])
    np.testing.assert_allclose(inner_products_of(rows, slots, query), inner_products(rows, query)[slots], atol=1e-6)
    assert inner_products_of(rows, slots[:0], query).shape == (0,)
