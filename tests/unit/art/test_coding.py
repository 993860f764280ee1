"""Inputs of adaptive resonance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnemoloom.art import bounds_of, complement_code, scale, unit_rows, widen
from mnemoloom.errors import ValidationError

ROWS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(-1e6, 1e6))


@given(ROWS)
def test_complement_coded_rows_all_have_the_same_city_block_norm(rows: np.ndarray) -> None:
    coded = complement_code(scale(rows, bounds_of(rows)))
    assert coded.shape == (len(rows), 2 * rows.shape[1])
    np.testing.assert_allclose(coded.sum(axis=1), rows.shape[1])


@given(ROWS)
def test_scaled_features_run_from_zero_to_one_unless_they_are_constant(rows: np.ndarray) -> None:
    bounds = bounds_of(rows)
    scaled = scale(rows, bounds)
    varied = bounds.high > bounds.low
    assert (scaled[:, varied].min(axis=0, initial=0.0) == 0.0).all()
    assert (scaled[:, varied].max(axis=0) == 1.0).all()
    assert (scaled[:, ~varied] == 0.0).all()


def test_bounds_widen_to_later_rows_and_never_narrow() -> None:
    bounds = widen(bounds_of(np.array([[0.0, 5.0]])), np.array([[-1.0, 4.0], [2.0, 4.5]]))
    assert (bounds.low.tolist(), bounds.high.tolist()) == ([-1.0, 4.0], [2.0, 5.0])
    assert widen(bounds, np.zeros((0, 2))) is bounds


def test_what_lies_outside_the_bounds_is_clipped() -> None:
    bounds = bounds_of(np.array([[0.0], [2.0]]))
    assert scale(np.array([[-3.0], [1.0], [9.0]]), bounds).ravel().tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan, np.inf])
def test_values_outside_zero_to_one_are_refused(value: float) -> None:
    with pytest.raises(ValidationError, match=r"\[0, 1\]"):
        complement_code(np.array([[0.5, value]]))


def test_rows_must_be_a_table_and_bounds_need_one_row() -> None:
    with pytest.raises(ValidationError, match=r"\(n, d\)"):
        complement_code(np.zeros(3))
    with pytest.raises(ValidationError, match="n ≥ 1"):
        bounds_of(np.zeros((0, 3)))


def test_unit_rows_have_length_one_and_zeros_stay_zeros() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
