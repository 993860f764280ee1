"""How the number of candidates follows from what sampled queries missed."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.hgns.probe import OCTAVES, fresh_probe, is_due, learn, octaves_needed, recall_of, settled


def test_a_place_needs_as_many_candidates_as_reach_it() -> None:
    places = np.array([0, 99, 100, 199, 200, 100 * 32 - 1, 100 * 32, -1])
    assert octaves_needed(places, 100).tolist() == [0, 0, 1, 1, 2, 5, OCTAVES, OCTAVES]


def test_before_the_first_sample_there_is_no_recall() -> None:
    assert recall_of(fresh_probe()) is None


def test_neighbours_within_reach_leave_the_number_of_candidates_alone() -> None:
    probe = fresh_probe()
    for _ in range(50):
        probe = learn(probe, np.zeros(10, np.int64), recall=0.99)
    assert (probe.octave, probe.sampled, recall_of(probe)) == (0, 50, 1.0)


def test_a_miss_among_few_calls_for_more_candidates_and_among_many_does_not() -> None:
    needed = np.zeros(10, np.int64)
    needed[0] = 2
    probe = learn(fresh_probe(), needed, recall=0.99)
    assert probe.octave == 2
    for _ in range(9):
        probe = learn(probe, np.zeros(10, np.int64), recall=0.99)
    assert probe.octave == 0
    assert recall_of(probe) == pytest.approx(0.99)


def test_the_octave_is_the_smallest_that_holds_the_wanted_share() -> None:
    counts = np.array([900.0, 60.0, 30.0, 8.0, 2.0, 0.0, 0.0])
    assert settled(counts, recall=0.99) == 2
    assert settled(counts, recall=0.95) == 1
    assert settled(counts, recall=0.9) == 0


def test_where_no_number_of_candidates_will_do_every_row_is_compared() -> None:
    probe = learn(fresh_probe(), np.full(10, OCTAVES), recall=0.99)
    assert probe.octave == OCTAVES
    assert recall_of(probe) == 1.0


def test_old_samples_fade() -> None:
    probe = fresh_probe()
    for _ in range(1_000):
        probe = learn(probe, np.zeros(10, np.int64), recall=0.99)
    assert probe.counts.sum() <= 2_010
    assert probe.sampled == 1_000


def test_the_first_queries_are_sampled_more_often_than_later_ones() -> None:
    due = [asked for asked in range(500) if is_due(fresh_probe()._replace(asked=asked), 100)]
    assert due == [*range(9), 16, 32, 64, 100, 200, 300, 400]
