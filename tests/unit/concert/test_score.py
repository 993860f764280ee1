"""PMLL's concert score."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mnemoloom.concert import concert_parts, recency


def test_recency_is_one_now_and_falls_by_e_each_tau() -> None:
    np.testing.assert_allclose(recency(np.array([0.0, 50.0, 100.0]), tau=50.0), [1, math.exp(-1), math.exp(-2)])


def test_what_lies_in_the_future_counts_as_now() -> None:
    assert recency(np.array([-1e12]), tau=1.0).tolist() == [1.0]


def test_a_great_age_is_zero_without_a_warning() -> None:
    assert recency(np.array([1e15]), tau=1e-3).tolist() == [0.0]


def test_the_parts_are_the_published_terms() -> None:
    similarity, age, novelty = [0.9, -0.2], [3600.0, 0.0], [0.25, 1.5]
    parts = concert_parts(
        np.array(similarity), np.array(age), np.array(novelty), alpha=0.35, beta=0.5, gamma=0.08, tau=6 * 3600.0
    )
    assert list(parts) == ["recency", "similarity", "novelty"]
    for place in range(2):
        assert parts["recency"][place] == pytest.approx(0.35 * math.exp(-age[place] / 21_600))
        assert parts["similarity"][place] == pytest.approx(0.5 * similarity[place])
        assert parts["novelty"][place] == pytest.approx(0.08 * novelty[place])


def test_novelty_stays_within_what_a_cosine_allows() -> None:
    parts = concert_parts(
        np.zeros(2), np.zeros(2), np.array([-1e-7, 2.0000001]), alpha=0.0, beta=0.0, gamma=1.0, tau=1.0
    )
    assert parts["novelty"].tolist() == [0.0, 2.0]
