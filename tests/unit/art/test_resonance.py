"""The cycle of choice, match, vigilance, reset and learning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.art import Rule, present, resonate
from mnemoloom.errors import ValidationError

VALUE = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


def searched(choice: list[float], match: list[float], vigilance: float) -> tuple[int, list[int]]:
    """The search as the papers tell it: take the best of those left, reset it if it does not match, go on."""
    left, resets = list(range(len(choice))), []
    while left:
        best = max(left, key=lambda j: (choice[j], -j))
        if match[best] >= vigilance:
            return best, resets
        resets.append(best)
        left.remove(best)
    return -1, resets


@given(st.lists(st.tuples(VALUE, VALUE), max_size=7), VALUE)
def test_the_winner_and_the_resets_are_those_of_the_search_one_by_one(
    pairs: list[tuple[float, float]], vigilance: float
) -> None:
    choice, match = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = resonate(np.array(choice), np.array(match), vigilance=vigilance)
    assert (found.category, list(found.resets)) == searched(choice, match, vigilance)


def test_without_categories_there_is_no_resonance() -> None:
    assert resonate(np.zeros(0), np.zeros(0), vigilance=0.0) == (-1, -np.inf, ())


def test_without_resonance_the_best_match_is_told() -> None:
    assert resonate(np.array([1.0, 2.0]), np.array([0.4, 0.3]), vigilance=0.5) == (-1, 0.4, (1, 0))


def test_choice_and_match_must_be_of_one_length() -> None:
    with pytest.raises(ValidationError, match=r"\(2,\) and \(3,\)"):
        resonate(np.zeros(2), np.zeros(3), vigilance=0.5)


COSINE = Rule(
    choice=lambda weights, x: weights @ x,
    match=lambda weights, x: weights @ x,
    learn=lambda row, x: (row + x) / 2,
    commit=lambda x: x,
)


def test_an_input_that_resonates_moves_its_category_and_no_other() -> None:
    weights = np.eye(2)
    moved, found = present(weights, np.array([0.8, 0.6]), COSINE, vigilance=0.7)
    assert (found.category, found.match) == (0, 0.8)
    np.testing.assert_allclose(moved, [[0.9, 0.3], [0.0, 1.0]])
    np.testing.assert_array_equal(weights, np.eye(2))


def test_an_input_that_nothing_matches_founds_a_category() -> None:
    moved, found = present(np.eye(2), np.array([0.8, 0.6]), COSINE, vigilance=0.9)
    assert (found.category, found.resets) == (2, (0, 1))
    np.testing.assert_allclose(moved[2], [0.8, 0.6])


def test_the_first_input_founds_the_first_category() -> None:
    moved, found = present(np.zeros((0, 2)), np.array([0.0, 1.0]), COSINE, vigilance=1.0)
    assert found.category == 0
    np.testing.assert_array_equal(moved, [[0.0, 1.0]])
