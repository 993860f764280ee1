"""The conformal threshold: what it promises, and what it costs to promise it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.recall.calibration import conformal_threshold, fewest_questions

SHARES = st.floats(1e-9, 1 - 1e-9)
CONFIDENCES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@pytest.mark.parametrize("keep", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("n", [19, 40, 100])
def test_new_questions_pass_as_often_as_promised(keep: float, n: int) -> None:
    """Over many draws; for distinct confidences a new one passes with a probability from keep to keep + 1/(n + 1)."""
    rng = np.random.default_rng(n)
    passed = []
    for _ in range(4000):
        *calibration, new = rng.beta(2, 3, n + 1).tolist()
        passed.append(new >= conformal_threshold(calibration, keep=keep).threshold)
    noise = 4 * math.sqrt(keep * (1 - keep) / len(passed))
    assert keep - noise <= np.mean(passed) <= keep + 1 / (n + 1) + noise


@given(CONFIDENCES, SHARES)
def test_the_questions_themselves_pass_at_least_as_often(confidences: list[float], keep: float) -> None:
    found = conformal_threshold(confidences, keep=keep)
    assert found.kept >= keep - 1 / len(confidences)
    assert found.kept == sum(each >= found.threshold for each in confidences) / len(confidences)
    assert (found.questions, found.keep) == (len(confidences), keep)


@given(CONFIDENCES, SHARES, SHARES)
def test_to_keep_more_takes_a_lower_threshold(confidences: list[float], one: float, other: float) -> None:
    less, more = sorted((one, other))
    low, high = conformal_threshold(confidences, keep=more), conformal_threshold(confidences, keep=less)
    assert low.threshold <= high.threshold


@given(CONFIDENCES, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_the_questions_does_not_matter(confidences: list[float], keep: float, random: object) -> None:
    mixed = list(confidences)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert conformal_threshold(mixed, keep=keep) == conformal_threshold(confidences, keep=keep)


@pytest.mark.parametrize(("n", "enough"), [(1, False), (8, False), (9, True), (10, True)])
def test_nine_questions_are_the_fewest_that_can_promise_nine_of_ten(n: int, enough: bool) -> None:
    found = conformal_threshold([0.5] * n, keep=0.9)
    assert (found.threshold > 0) is enough
    assert found.kept == 1.0


@given(st.floats(1e-6, 1 - 1e-4))
def test_the_fewest_questions_are_the_first_to_give_a_threshold(keep: float) -> None:
    fewest = fewest_questions(keep)
    assert conformal_threshold([0.5] * fewest, keep=keep).threshold > 0
    assert fewest == 1 or conformal_threshold([0.5] * (fewest - 1), keep=keep).threshold == 0


def test_the_threshold_is_the_kth_lowest() -> None:
    confidences = [i / 100 for i in range(1, 100)]  # 99 of them: (1 − .9) · 100 is the tenth
    assert conformal_threshold(confidences, keep=0.9).threshold == 0.10
    assert conformal_threshold(confidences, keep=0.5).threshold == 0.50
    assert conformal_threshold(confidences, keep=0.999).threshold == 0.0


def test_equal_confidences_all_pass() -> None:
    found = conformal_threshold([0.4] * 50, keep=0.9)
    assert (found.threshold, found.kept) == (0.4, 1.0)


@pytest.mark.parametrize("keep", [1e-15, 1e-10, 1 - 1e-15])
def test_the_ends_of_the_range_give_a_threshold_too(keep: float) -> None:
    assert conformal_threshold([0.2, 0.6], keep=keep).threshold in (0.0, 0.2, 0.6)
