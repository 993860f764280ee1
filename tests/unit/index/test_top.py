"""The best few against a full sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom.index import top_set, top_slots


def sorted_whole(scores: NDArray[np.floating], k: int) -> list[int]:
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    return [i for i in order if scores[i] > -np.inf][:k]


VALUES = st.sampled_from([-np.inf, -1.0, 0.0, 0.25, 0.5, 1.0]) | st.floats(-5, 5, width=32)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=200), st.integers(1, 250), st.sampled_from([np.float32, np.float64]))
def test_the_best_few_are_those_of_a_full_sort(values: list[float], k: int, dtype: type[np.floating]) -> None:
    scores = np.array(values, dtype)
    assert top_slots(scores, k).tolist() == sorted_whole(scores, k)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1000, 6000),
    k=st.integers(1, 40),
    levels=st.sampled_from([1, 2, 5, 100, 10**6]),
    missing=st.sampled_from([0.0, 0.5, 0.999, 1.0]),
)
def test_large_arrays_with_many_equal_scores_and_gaps_agree_too(
    seed: int, n: int, k: int, levels: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, n) / levels).astype(np.float32)
    scores[rng.random(n) < missing] = -np.inf
    assert top_slots(scores, k).tolist() == sorted_whole(scores, k)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1024, 1025, 1088, 4097])
@pytest.mark.parametrize("k", [1, 3, 5000])
def test_sizes_around_the_blocks_agree(n: int, k: int) -> None:
    scores = (np.arange(n) * 7919 % 101).astype(np.float32)
    assert top_slots(scores, k).tolist() == sorted_whole(scores, k)


def test_asking_for_more_than_there_is_gives_all() -> None:
    assert top_slots(np.array([0.5, 2.0, 1.0]), 10).tolist() == [1, 2, 0]


def test_scores_of_minus_infinity_are_never_returned() -> None:
    assert top_slots(np.full(5, -np.inf), 3).tolist() == []


@settings(deadline=None)
@given(st.lists(VALUES, max_size=400), st.integers(1, 60))
def test_the_top_set_holds_the_top_slots_ascending_and_at_most_as_many_others(values: list[float], k: int) -> None:
    scores = np.array(values, np.float32)
    chosen = top_set(scores, k)
    assert set(top_slots(scores, k)) <= set(chosen)
    assert len(chosen) <= 2 * k
    assert (np.diff(chosen) > 0).all()
    assert (scores[chosen] > -np.inf).all()
