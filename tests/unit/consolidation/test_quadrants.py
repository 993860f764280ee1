"""States and quadrants."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.consolidation import QUADRANTS, States, count_quadrants, quadrants_of, ranks_among, states_of
from mnemoloom.errors import ConfigError
from unit.consolidation.sleeping import DAY, sleepers_of


@pytest.mark.parametrize(
    ("stress", "value", "recency", "quadrant"),
    [
        (1, 1, 0, "crisis_learning"),
        (1, 1, 1, "crisis_learning"),
        (0, 1, 0, "skill_building"),
        (0, 1, 1, "skill_building"),
        (1, 0, 0, "exploration"),
        (1, 0, 1, "exploration"),
        (0, 0, 1, "exploration"),
        (0, 0, 0, "routine_forget"),
        (0.5, 0.5, 0.5, "crisis_learning"),
        (0.49, 0.49, 0.5, "routine_forget"),
    ],
)
def test_each_corner_lies_in_its_quadrant(stress: float, value: float, recency: float, quadrant: str) -> None:
    states = States(np.array([stress]), np.array([value]), np.array([recency]))
    assert QUADRANTS[quadrants_of(states)[0]] == quadrant


def test_every_memory_is_counted_once() -> None:
    counts = count_quadrants(np.array([0, 0, 3]))
    assert counts == {"crisis_learning": 2, "skill_building": 0, "exploration": 0, "routine_forget": 1}


def test_value_is_the_higher_of_rank_and_use_and_recency_halves_in_its_half_life() -> None:
    sleepers = sleepers_of(3, active=[0.0, 3.0, 1.0], age=[0.0, 7 * DAY, 14 * DAY], stress=[0.1, 0.2, 0.3])
    states = states_of(sleepers, np.array([0.2, 0.2, 0.9]))
    np.testing.assert_allclose(states.value, [0.2, 0.75, 0.9])
    np.testing.assert_allclose(states.recency, [1.0, 0.5, 0.25])
    np.testing.assert_allclose(states.stress, [0.1, 0.2, 0.3])


def test_ranks_are_within_a_speaker_with_ties_in_the_middle() -> None:
    sleepers = sleepers_of(6, surprise=[5.0, 1.0, 3.0, 100.0, 200.0, 100.0], speakers=[0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(ranks_among(sleepers), [1.0, 0.0, 0.5, 0.25, 1.0, 0.25])


def test_ranks_among_all_that_was_ever_written_do_not_change_when_some_go() -> None:
    whole = sleepers_of(5, surprise=[1.0, 2.0, 3.0, 4.0, 5.0])
    ever = {0: whole.surprise}
    rest = sleepers_of(2, surprise=[4.0, 5.0])
    np.testing.assert_allclose(ranks_among(rest, ever), ranks_among(whole, ever)[3:])
    assert ranks_among(rest).tolist() == [0.0, 1.0]


def test_a_speakers_only_memory_is_in_the_middle() -> None:
    assert ranks_among(sleepers_of(1)).tolist() == [0.5]


def test_a_half_life_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="half_life must be"):
        states_of(sleepers_of(1), np.zeros(1), half_life=0.0)
