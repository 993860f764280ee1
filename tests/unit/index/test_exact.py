"""Exact cosines against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.errors import DimensionMismatchError, VectorError
from mnemoloom.index import VectorRows
from mnemoloom.index.exact import unit_row


def test_scores_are_cosines_and_slots_without_a_vector_score_zero() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(300, 48))
    rows = VectorRows()
    for number, vector in enumerate(raw):
        rows.append(None if number % 7 == 0 else unit_row(vector))
    query = rng.normal(size=48)
    expected = np.concatenate(([0.0], raw @ query / np.linalg.norm(raw, axis=1) / np.linalg.norm(query)))
    expected[1::7] = 0.0
    np.testing.assert_allclose(rows.scores(unit_row(query)), expected, atol=1e-6)


def test_before_the_first_vector_there_is_no_width() -> None:
    rows = VectorRows()
    rows.append(None)
    rows.append(None)
    assert rows.width is None
    assert rows.values.shape == (3, 0)


def test_slots_before_the_first_vector_hold_zeros() -> None:
    rows = VectorRows()
    rows.append(None)
    rows.append(np.array([0.6, 0.8], np.float32))
    assert rows.width == 2
    np.testing.assert_array_equal(rows.values, np.array([[0, 0], [0, 0], [0.6, 0.8]], np.float32))


@pytest.mark.parametrize("first", [True, False])
def test_a_vector_can_be_given_later(first: bool) -> None:
    rows = VectorRows()
    rows.append(np.array([1.0, 0.0], np.float32) if first else None)
    rows.append(None)
    rows.replace(2, np.array([0.0, 1.0], np.float32))
    assert rows.values[2].tolist() == [0.0, 1.0]
    assert rows.values[1].tolist() == [float(first), 0.0]


def test_equal_rows_have_equal_scores_wherever_they_stand() -> None:
    rng = np.random.default_rng(1)
    vector, rows = unit_row(rng.normal(size=37)), VectorRows()
    for number in range(101):
        rows.append(vector if number % 2 else unit_row(rng.normal(size=37)))
    assert len(set(rows.scores(unit_row(rng.normal(size=37)))[2::2].tolist())) == 1


def test_a_unit_row_has_length_one_and_keeps_its_direction() -> None:
    row = unit_row([3, 4])
    assert row.dtype == np.float32
    np.testing.assert_allclose(row, [0.6, 0.8], rtol=1e-7)


@pytest.mark.parametrize("value", ["abc", [1.0, "x"], [[1.0]], [], 3.0, None, [[1.0], [1.0, 2.0]], object()])
def test_what_is_not_one_row_of_numbers_is_refused(value: object) -> None:
    with pytest.raises(VectorError, match=r"one row of numbers|must be finite"):
        unit_row(value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(VectorError, match="must be finite"):
        unit_row([1.0, bad])


@pytest.mark.parametrize("bad", [[1e300, 1e300], [1.0 + 2.0j, 1.0]])
def test_numbers_that_no_cosine_can_use_are_refused_without_a_warning(bad: object) -> None:
    with pytest.raises(VectorError):
        unit_row(bad)


def test_a_vector_of_zeros_is_refused() -> None:
    with pytest.raises(VectorError, match="must not be all zeros"):
        unit_row(np.zeros(4))


def test_a_vector_of_another_width_is_refused_with_both_widths() -> None:
    with pytest.raises(DimensionMismatchError, match="width 3; got 2") as caught:
        unit_row([1.0, 2.0], width=3)
    assert (caught.value.expected, caught.value.got) == (3, 2)
