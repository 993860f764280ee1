"""Fuzzy ART; tests/equivalence compares it with AdaptiveResonanceLib."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnemoloom.art import FuzzyConfig, FuzzyState, categorise, complement_code, fit, fuzzy_rule, present
from mnemoloom.errors import ConfigError, DimensionMismatchError

ROWS = arrays(np.float64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(0, 1))


@given(ROWS, st.sampled_from([0.0, 0.5, 0.8, 1.0]), st.sampled_from([0.3, 1.0]))
def test_rows_shown_one_by_one_and_together_lead_to_the_same_state(rows: np.ndarray, rho: float, beta: float) -> None:
    config = FuzzyConfig(rho=rho, beta=beta)
    whole, labels = fit(FuzzyState.empty(3), rows, config)
    state, one_by_one = FuzzyState.empty(3), []
    for row in rows:
        state, label = fit(state, row[None], config)
        one_by_one.append(int(label[0]))
    assert one_by_one == labels.tolist()
    np.testing.assert_array_equal(state.weights, whole.weights)
    np.testing.assert_array_equal(state.counts, whole.counts)


@given(ROWS, st.sampled_from([0.5, 0.9]))
def test_fitting_is_presenting_each_row_to_the_general_cycle(rows: np.ndarray, rho: float) -> None:
    config = FuzzyConfig(rho=rho, beta=0.7)
    state, labels = fit(FuzzyState.empty(3), rows, config)
    weights, found = np.zeros((0, 6)), []
    for x in complement_code(rows):
        weights, resonance = present(weights, x, fuzzy_rule(config), vigilance=rho)
        found.append(resonance.category)
    assert found == labels.tolist()
    np.testing.assert_array_equal(weights, state.weights)


@given(ROWS, st.floats(0, 1))
def test_with_fast_learning_each_category_is_the_box_of_its_members(rows: np.ndarray, rho: float) -> None:
    state, labels = fit(FuzzyState.empty(3), rows, FuzzyConfig(rho=rho))
    for category, weights in enumerate(state.weights):
        members = rows[labels == category]
        assert len(members) == state.counts[category]
        np.testing.assert_allclose(weights[:3], members.min(axis=0), atol=1e-12)
        np.testing.assert_allclose(1 - weights[3:], members.max(axis=0), atol=1e-12)


@given(ROWS, st.floats(0, 0.999))
def test_no_box_is_wider_than_the_vigilance_allows(rows: np.ndarray, rho: float) -> None:
    state, _ = fit(FuzzyState.empty(3), rows, FuzzyConfig(rho=rho))
    widths = (1 - state.weights[:, 3:] - state.weights[:, :3]).sum(axis=1)
    assert (widths <= 3 * (1 - rho) + 1e-9).all()


def test_a_higher_vigilance_makes_more_categories() -> None:
    rows = np.random.default_rng(1).random((200, 4))
    counts = [len(fit(FuzzyState.empty(4), rows, FuzzyConfig(rho=rho))[0].counts) for rho in (0.0, 0.5, 0.8, 0.95)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1] > 50) == (1, True)


@pytest.mark.parametrize("categories", [0, 1, 2, 3])
def test_categorising_works_with_few_categories_and_learns_nothing(categories: int) -> None:
    state, _ = fit(FuzzyState.empty(3), np.eye(3)[:categories], FuzzyConfig(rho=0.9))
    before = state.weights.copy()
    labels = categorise(state, np.eye(3), FuzzyConfig(rho=0.9))
    assert labels.tolist() == [*range(categories), *[-1] * (3 - categories)]
    np.testing.assert_array_equal(state.weights, before)


def test_fitting_leaves_the_state_that_came_in_as_it_was() -> None:
    state, _ = fit(FuzzyState.empty(2), np.array([[0.2, 0.3]]), FuzzyConfig(rho=0.0))
    before = state.weights.copy()
    fit(state, np.array([[0.9, 0.9]]), FuzzyConfig(rho=0.0))
    np.testing.assert_array_equal(state.weights, before)
    assert state.counts.tolist() == [1]


def test_a_saved_state_goes_on_as_if_it_had_not_been_saved() -> None:
    rows = np.random.default_rng(3).random((60, 4))
    half, _ = fit(FuzzyState.empty(4), rows[:30])
    whole, labels = fit(half, rows[30:])
    again, same = fit(FuzzyState(**half.arrays()), rows[30:])
    np.testing.assert_array_equal(again.weights, whole.weights)
    np.testing.assert_array_equal(same, labels)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(DimensionMismatchError, match="width 3; got 2"):
        fit(FuzzyState.empty(3), np.zeros((1, 2)))


@pytest.mark.parametrize("setting", [{"rho": 1.1}, {"rho": -0.1}, {"alpha": 0.0}, {"beta": 0.0}, {"beta": 1.5}])
def test_settings_outside_their_bounds_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"FuzzyConfig.{next(iter(setting))} must be"):
        FuzzyConfig(**setting)
