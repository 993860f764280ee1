"""Near-duplicates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.consolidation import Group, Sleepers, near_duplicates
from mnemoloom.errors import ConfigError
from unit.consolidation.sleeping import random_sleepers, sleepers_of


def at_angles(*degrees: float, **columns: object) -> Sleepers:
    """Memories on a circle, so that cosines are those of the differences of their angles."""
    radians = np.radians(degrees)
    return sleepers_of(len(degrees), rows=np.stack((np.cos(radians), np.sin(radians)), 1).astype(np.float32), **columns)


def test_the_same_said_again_by_the_same_speaker_is_one_group_around_the_more_surprising() -> None:
    assert near_duplicates(at_angles(0, 10, 90, surprise=[1.0, 2.0, 3.0])) == [Group(11, (10,))]


def test_of_equal_surprise_the_older_is_kept_and_a_pinned_one_before_all() -> None:
    same = {"surprise": [1.0, 1.0, 9.0]}
    assert near_duplicates(at_angles(0, 1, 90, **same)) == [Group(10, (11,))]
    assert near_duplicates(at_angles(0, 1, 90, pinned=[False, True, False], **same)) == [Group(11, (10,))]
    assert near_duplicates(at_angles(0, 1, 90, pinned=[True, True, False], **same)) == []


def test_another_speaker_saying_the_same_is_no_duplicate() -> None:
    assert near_duplicates(at_angles(0, 0, speakers=[1, 2])) == []


def test_each_of_the_others_matches_what_is_kept_and_not_merely_a_chain() -> None:
    # neighbours are 20 degrees apart (.94), the ends 40 (.77)
    assert near_duplicates(at_angles(0, 20, 40, surprise=[3.0, 2.0, 1.0])) == [Group(10, (11,))]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 20), st.sampled_from([0.8, 0.92, 1.0]))
def test_what_is_kept_matches_nothing_else_that_is_kept_and_every_member_once(
    n: int, seed: int, threshold: float
) -> None:
    sleepers = random_sleepers(n, seed)
    groups = near_duplicates(sleepers, threshold=threshold)
    place = {int(each): i for i, each in enumerate(sleepers.ids)}
    gone = [place[other] for group in groups for other in group.others]
    assert len(gone) == len(set(gone))
    for group in groups:
        keep = place[group.keep]
        assert keep not in gone
        for other in group.others:
            assert sleepers.rows[keep] @ sleepers.rows[place[other]] >= threshold - 1e-6
            assert sleepers.speakers[keep] == sleepers.speakers[place[other]]
            assert not sleepers.pinned[place[other]]
    left = [i for i in range(n) if i not in gone and not sleepers.cold[i] and not sleepers.merged[i]]
    for i in left:
        for j in left:
            if (
                i < j
                and sleepers.speakers[i] == sleepers.speakers[j]
                and not (sleepers.pinned[i] and sleepers.pinned[j])
            ):
                assert sleepers.rows[i] @ sleepers.rows[j] < threshold + 1e-6


def test_only_memories_of_one_topic_are_compared_when_topics_are_given() -> None:
    sleepers = at_angles(0, 1, 2, 3)
    assert near_duplicates(sleepers, topics=np.array([5, 5, 7, 7])) == [Group(11, (10,)), Group(13, (12,))]


def test_cold_merged_and_unencoded_memories_are_no_duplicates() -> None:
    assert near_duplicates(at_angles(0, 1, cold=[True, False])) == []
    assert near_duplicates(at_angles(0, 1, merged=[True, False])) == []
    assert near_duplicates(sleepers_of(3, rows=np.zeros((3, 2), np.float32))) == []


@pytest.mark.parametrize("threshold", [0.0, 1.1])
def test_a_threshold_outside_its_bounds_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match="threshold must be"):
        near_duplicates(sleepers_of(2), threshold=threshold)
