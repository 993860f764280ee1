"""Episodes by pauses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.fabric import episodes_of

TIMES = st.lists(st.integers(0, 500), max_size=40)


def test_a_pause_longer_than_the_gap_begins_an_episode() -> None:
    found = episodes_of([100.0, 0.0, 50.0, 300.0, 400.0], gap=100)
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert (found.starts.tolist(), found.ends.tolist()) == ([0.0, 300.0], [100.0, 400.0])


@given(TIMES, st.integers(0, 60))
def test_two_memories_share_an_episode_just_when_no_long_pause_lies_between_them(times: list[int], gap: int) -> None:
    labels = episodes_of(times, gap=gap).labels
    for i, one in enumerate(times):
        for j, other in enumerate(times):
            between = sorted(t for t in times if min(one, other) <= t <= max(one, other))
            assert (labels[i] == labels[j]) == all(b - a <= gap for a, b in pairwise(between))


@given(TIMES, st.randoms(use_true_random=False))
def test_the_order_of_the_memories_does_not_matter(times: list[int], random: object) -> None:
    order = list(range(len(times)))
    random.shuffle(order)
    whole, shuffled = episodes_of(times, gap=20), episodes_of([times[i] for i in order], gap=20)
    assert whole.labels[order].tolist() == shuffled.labels.tolist()
    assert whole.starts.tolist() == shuffled.starts.tolist()


def test_no_memories_have_no_episodes() -> None:
    assert len(episodes_of([]).labels) == len(episodes_of([]).starts) == 0


def test_bad_times_and_gaps_are_refused() -> None:
    with pytest.raises(ValidationError, match="finite seconds"):
        episodes_of([0.0, np.nan])
    with pytest.raises(ConfigError, match="gap must be"):
        episodes_of([0.0], gap=-1.0)
