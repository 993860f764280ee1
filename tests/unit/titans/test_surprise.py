"""The sparse surprise against the dense update of its docstring."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom.titans import SurpriseState, rank_within, surprise_step

BUCKETS = 64
# The state is float32 and the dense reference float64; the update contracts, so that errors do not add up.
TOLERANCE = 1e-5


class DenseMemory:
    """M, S and document frequencies, moved whole at every step."""

    def __init__(self, buckets: int, *, theta: float, eta: float, alpha: float) -> None:
        self.theta, self.eta, self.alpha = theta, eta, alpha
        self.memory = np.zeros((buckets, buckets))
        self.past = np.zeros((buckets, buckets))
        self.frequency: dict[int, int] = {}
        self.steps = 0

    def read(self, terms: list[int]) -> float:
        self.steps += 1
        x = np.zeros(len(self.memory))
        for term in terms:
            seen = self.frequency.get(term, 0)
            bucket = ((term * 11400714819323198485) % 2**64 >> 32) % len(x)
            x[bucket] += np.log(1 + (self.steps - seen + 0.5) / (seen + 0.5))
            self.frequency[term] = seen + 1
        size = float(np.linalg.norm(x))
        surprise, gradient = 0.0, np.zeros_like(self.memory)
        if size:
            k = x / size
            surprise = size * float(np.linalg.norm(self.memory @ k - k))
            gradient = np.outer(self.memory @ k - k, k)
        self.past = self.eta * self.past - self.theta * gradient
        self.memory = (1 - self.alpha) * self.memory + self.past
        return surprise


def random_turns(count: int, *, seed: int, terms: int = 200) -> list[NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    rarity = 1 / np.arange(1, terms + 1)
    rarity /= rarity.sum()
    return [
        np.sort(rng.choice(terms, size=rng.integers(0, 9), replace=False, p=rarity)).astype(np.int64)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("theta", "eta", "alpha"), [(0.1, 0.5, 0.001), (0.05, 0.9, 0.1), (0.2, 0.0, 0.0), (0.1, 0.6, 0.4)]
)
def test_surprise_equals_the_dense_update_over_many_turns(theta: float, eta: float, alpha: float) -> None:
    state, dense = SurpriseState(BUCKETS), DenseMemory(BUCKETS, theta=theta, eta=eta, alpha=alpha)
    turns = random_turns(300, seed=4)
    got = [surprise_step(state, turn, theta=theta, eta=eta, alpha=alpha) for turn in turns]
    want = [dense.read(turn.tolist()) for turn in turns]
    np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE)


def test_the_default_width_equals_the_dense_update_too() -> None:
    state, dense = SurpriseState(), DenseMemory(256, theta=0.1, eta=0.5, alpha=0.001)
    for turn in random_turns(120, seed=9, terms=3000):
        assert surprise_step(state, turn) == pytest.approx(dense.read(turn.tolist()), rel=TOLERANCE)


def test_rounding_does_not_add_up_over_thousands_of_turns() -> None:
    state, dense = SurpriseState(BUCKETS), DenseMemory(BUCKETS, theta=0.1, eta=0.5, alpha=0.001)
    turns = random_turns(4_000, seed=7)
    got = [surprise_step(state, turn) for turn in turns]
    np.testing.assert_allclose(got, [dense.read(turn.tolist()) for turn in turns], rtol=1e-4, atol=1e-5)


def test_a_turn_without_terms_surprises_nobody_but_time_passes() -> None:
    state = SurpriseState(BUCKETS)
    assert surprise_step(state, np.empty(0, np.int64)) == 0.0
    assert state.steps == 1


def test_a_repeated_turn_surprises_less_and_less_at_first() -> None:
    state, turn = SurpriseState(BUCKETS), np.array([1, 2, 3])
    surprises = [surprise_step(state, turn) for _ in range(8)]
    assert surprises == sorted(surprises, reverse=True)
    assert surprises[-1] < surprises[0] / 4


def test_a_turn_of_more_new_words_surprises_more() -> None:
    assert surprise_step(SurpriseState(), np.arange(12)) > surprise_step(SurpriseState(), np.arange(3))


def test_a_state_that_was_saved_goes_on_as_if_it_had_not_been() -> None:
    turns = random_turns(80, seed=1)
    state = SurpriseState(BUCKETS)
    for turn in turns[:40]:
        surprise_step(state, turn)
    saved = {name: array.copy() for name, array in state.arrays().items()}
    for array in saved.values():
        array.flags.writeable = False
    loaded = SurpriseState.from_arrays(saved)
    assert [surprise_step(loaded, turn) for turn in turns[40:]] == [surprise_step(state, turn) for turn in turns[40:]]
    for name, array in state.arrays().items():
        np.testing.assert_array_equal(array, loaded.arrays()[name])


def test_loading_a_state_does_not_tie_it_to_the_saved_arrays() -> None:
    state = SurpriseState(BUCKETS)
    surprise_step(state, np.array([1, 2]))
    saved = state.arrays()
    before = saved["memory"].copy()
    surprise_step(SurpriseState.from_arrays(saved), np.array([3, 4]))
    np.testing.assert_array_equal(saved["memory"], before)


def test_term_numbers_may_grow_without_bound() -> None:
    state = SurpriseState(BUCKETS)
    assert surprise_step(state, np.array([0, 1_023, 1_024, 100_000])) > 0
    assert state.frequency[[0, 1_023, 1_024, 100_000]].tolist() == [1, 1, 1, 1]


ALTERNATING = [np.array([1, 2, 3]), np.array([3, 4, 5])]
SEQUENCES: dict[str, Callable[[int], NDArray[np.int64]]] = {
    "the same turn": lambda _: ALTERNATING[0],
    "two turns in turn": lambda step: ALTERNATING[step % 2],
    "nested turns": lambda step: np.arange(1 + step % 5),
    "bursts": lambda step: ALTERNATING[step // 50 % 2],
    "ever new words": lambda step: np.array([step, step + 1, 7]),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_memory_stays_bounded_on_monotonous_input(name: str) -> None:
    state, largest = SurpriseState(BUCKETS), 0.0
    for step in range(5_000):
        surprise = surprise_step(state, SEQUENCES[name](step))
        assert np.isfinite(surprise)
        assert surprise >= 0
        if step % 250 == 249:
            largest = max(largest, float(np.linalg.norm(state.memory, 2)))
    assert largest < 1.5  # M learns the identity on what it sees: its norm tends to 1, with a little momentum


@given(st.lists(st.integers(0, 6), max_size=12), st.lists(st.sampled_from([-1.0, 0.0, 2.0, 3.5, 6.0, 9.0]), max_size=6))
def test_ranks_are_the_share_of_the_others_below_ties_in_the_middle(sample: list[int], values: list[float]) -> None:
    ranks = rank_within(np.array(values), np.sort(np.array(sample, float)))
    for value, rank in zip(values, ranks, strict=True):
        if len(sample) < 2:
            assert rank == 0.5
        elif value in sample:
            below, equal = sum(v < value for v in sample), sum(v == value for v in sample)
            assert rank == pytest.approx((below + (equal - 1) / 2) / (len(sample) - 1))


def test_the_lowest_ranks_zero_and_the_highest_one() -> None:
    assert rank_within(np.array([1.0, 5.0, 9.0]), np.array([1.0, 5.0, 9.0])).tolist() == [0.0, 0.5, 1.0]
