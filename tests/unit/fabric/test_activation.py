"""Activation from use starves nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.fabric import Activation, level, prior, use

DAY = 86_400.0
STEPS = st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=4), st.floats(0, 30)), max_size=12)


@settings(deadline=None)
@given(STEPS, st.floats(0.0, 1.0))
def test_the_prior_is_bounded_by_its_weight_and_never_negative(
    steps: list[tuple[list[int], float]], weight: float
) -> None:
    activation, now = Activation.resting(5), 0.0
    for numbers, days in steps:
        now += days * DAY
        activation = use(activation, numbers, now=now)
    added = prior(activation, now=now, weight=weight)
    assert (added >= 0).all()
    assert (added <= weight).all()


@settings(deadline=None)
@given(STEPS)
def test_using_some_memories_changes_no_other(steps: list[tuple[list[int], float]]) -> None:
    activation, now = use(Activation.resting(5), [0, 1, 2, 3, 4], now=0.0), 0.0
    for numbers, days in steps:
        now += days * DAY
        before = level(activation, now=now)
        activation = use(activation, numbers, now=now)
        untouched = np.setdiff1d(np.arange(5), numbers)
        np.testing.assert_array_equal(level(activation, now=now)[untouched], before[untouched])


def test_activation_halves_in_a_half_life_and_a_use_adds_one() -> None:
    activation = use(Activation.resting(2), [1, 1], now=100.0, half_life=50.0)
    assert level(activation, now=100.0, half_life=50.0).tolist() == [0.0, 1.0]
    assert level(activation, now=150.0, half_life=50.0).tolist() == [0.0, 0.5]
    again = use(activation, [1], now=150.0, half_life=50.0)
    assert level(again, now=150.0, half_life=50.0).tolist() == [0.0, 1.5]
    assert prior(again, now=150.0, weight=0.05, half_life=50.0)[1] == pytest.approx(0.05 * 1.5 / 2.5)


def test_reading_activation_changes_nothing_and_neither_does_using_none() -> None:
    activation = use(Activation.resting(3), [1], now=0.0)
    before = {name: array.copy() for name, array in activation.arrays().items()}
    level(activation, now=9e9)
    prior(activation, now=9e9)
    use(activation, [0, 2], now=5.0)
    same = use(activation, [], now=5.0)
    for name, array in activation.arrays().items():
        np.testing.assert_array_equal(array, before[name])
        np.testing.assert_array_equal(same.arrays()[name], before[name])


def test_after_a_thousand_questions_on_one_topic_every_other_memory_is_still_first_for_its_own_vector() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    activation = Activation.resting(400)
    for number in range(1_000):
        scores = rows @ rows[number % 5] + prior(activation, now=60.0 * number)
        activation = use(activation, np.argsort(-scores)[:5], now=60.0 * number)
    added = prior(activation, now=60_000.0)
    assert added.max() > 0.04
    for number, row in enumerate(rows):
        assert (rows @ row + added).argmax() == number


def test_new_memories_are_at_rest() -> None:
    grown = use(Activation.resting(1), [0], now=1.0).grown(3)
    assert (len(grown.levels), grown.levels.tolist()) == (3, [1.0, 0.0, 0.0])


def test_a_clock_that_goes_back_makes_nothing_more_active() -> None:
    activation = use(Activation.resting(1), [0], now=1000.0)
    assert level(activation, now=0.0)[0] == 1.0
    assert use(activation, [0], now=0.0).used[0] == 1000.0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"must be in \[0, 2\); got 2 to 2"):
        use(Activation.resting(2), [2], now=0.0)
    with pytest.raises(ValidationError, match="got -1"):
        use(Activation.resting(2), [-1], now=0.0)
    with pytest.raises(ConfigError, match="half_life must be"):
        level(Activation.resting(2), now=0.0, half_life=0.0)
    with pytest.raises(ConfigError, match="weight must be"):
        prior(Activation.resting(2), now=0.0, weight=1.5)
