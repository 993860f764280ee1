"""Confidence: what each number does to it, and where the numbers come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnemoloom.recall.confidence import (
    THRESHOLD,
    Support,
    about_someone_else,
    confidence,
    mean_of_best,
    speaker_margin,
    weakest_words,
)
from mnemoloom.recall.late import TokenMatches

COSINES = st.floats(-1, 1)
SUPPORTS = st.builds(
    Support,
    nearest=st.none() | COSINES,
    weakest=st.none() | COSINES,
    margin=COSINES,
    matched=st.floats(0, 1),
    replied=st.floats(0, 1),
)


@given(SUPPORTS)
def test_confidence_is_a_probability(support: Support) -> None:
    assert 0.0 < confidence(support) < 1.0


@pytest.mark.parametrize("name", ["nearest", "weakest", "margin", "matched"])
@given(support=SUPPORTS, more=st.floats(0.001, 1))
def test_no_number_lowers_confidence_by_rising(name: str, support: Support, more: float) -> None:
    value = getattr(support, name)
    assume(value is not None)
    assert confidence(replace(support, **{name: value + more})) >= confidence(support)


@pytest.mark.parametrize(
    ("support", "counts"),
    [
        (Support(nearest=0.4, weakest=0.4, margin=0.1, matched=0.4), {"nearest", "weakest", "margin"}),
        (Support(nearest=0.4, weakest=None, margin=0.1, matched=0.4), {"nearest", "margin"}),
        (Support(nearest=None, weakest=None, margin=0.1, matched=0.4), {"matched", "margin"}),
        (Support(nearest=None, weakest=0.4, margin=0.1, matched=0.4), {"matched", "margin"}),
    ],
)
def test_what_counts_depends_on_whether_there_are_vectors_and_tokens(support: Support, counts: set[str]) -> None:
    given_numbers = {name for name in ("nearest", "weakest", "margin", "matched") if getattr(support, name) is not None}
    raised = {
        name
        for name in given_numbers
        if confidence(replace(support, **{name: getattr(support, name) + 0.1})) > confidence(support)
    }
    assert raised == counts


def test_nothing_that_speaks_for_an_answer_is_no_confidence() -> None:
    assert confidence(Support()) < THRESHOLD
    assert confidence(Support(nearest=0.0)) < THRESHOLD
    assert confidence(Support(nearest=0.0, weakest=0.0)) < THRESHOLD


def test_everything_that_speaks_for_an_answer_is_confidence() -> None:
    assert confidence(Support(nearest=0.7, weakest=0.8, margin=0.1)) > 0.75
    assert confidence(Support(nearest=0.7, margin=0.1)) > 0.75
    assert confidence(Support(matched=0.8, margin=0.1)) > 0.75


def test_it_seems_to_be_about_someone_else_when_others_match_clearly_better() -> None:
    assert about_someone_else(Support(margin=-0.2))
    assert not about_someone_else(Support(margin=-0.05))
    assert not about_someone_else(Support(margin=0.2))
    assert not about_someone_else(Support())


@given(arrays(np.float32, st.integers(1, 30), elements=st.floats(-1, 1, width=32)))
def test_the_mean_of_the_best_is_that_of_the_first_five_sorted(cosines: np.ndarray) -> None:
    slowly = sorted(cosines.tolist(), reverse=True)[:5]
    assert mean_of_best(cosines) == pytest.approx(sum(slowly) / len(slowly), abs=1e-6)


def test_the_mean_of_the_best_of_nothing_is_unknown() -> None:
    assert mean_of_best(np.zeros(0, np.float32)) is None


def test_the_margin_is_the_named_speakers_best_less_the_others_best() -> None:
    scores = np.array([0.3, 0.9, 0.5, 0.6])
    assert speaker_margin(scores, np.array([True, False, True, False])) == pytest.approx(0.5 - 0.9)
    assert speaker_margin(scores, np.array([False, True, False, False])) == pytest.approx(0.9 - 0.6)


@pytest.mark.parametrize("named", [[True, True], [False, False]])
def test_there_is_no_margin_without_both_the_named_speaker_and_others(named: list[bool]) -> None:
    assert speaker_margin(np.array([0.3, 0.9]), np.array(named)) == 0.0


def test_there_is_no_margin_among_nobody() -> None:
    assert speaker_margin(np.zeros(0), np.zeros(0, np.bool_)) == 0.0


def matches(best: list[list[float]], present: list[bool] | None = None) -> TokenMatches:
    rows = np.array(best, np.float32)
    words = ("boat", "harbour", "violin")[: rows.shape[1]]
    there = np.ones(len(rows), np.bool_) if present is None else np.array(present)
    return TokenMatches(words, np.full(len(words), 1 / max(len(words), 1)), rows, there)


def test_the_weakest_words_are_those_that_no_memory_matches_well() -> None:
    found = weakest_words(matches([[0.9, 0.1, 0.2], [0.1, 0.8, 0.3], [0.0, 0.0, 1.0]]), np.array([0, 1]))
    assert [word for word, _ in found] == ["violin", "harbour"]
    assert [fit for _, fit in found] == pytest.approx([0.3, 0.8])


def test_a_question_of_one_word_has_one_weakest_word() -> None:
    assert [word for word, _ in weakest_words(matches([[0.4]]), np.array([0]))] == ["boat"]


def test_a_memory_without_tokens_says_nothing_of_the_words() -> None:
    matched = matches([[-0.4, -0.2, -0.3], [0.0, 0.0, 0.0]], [True, False])
    assert dict(weakest_words(matched, np.array([0, 1]))) == pytest.approx({"boat": -0.4, "violin": -0.3})
    assert weakest_words(matched, np.array([1])) == ()


def test_without_memories_or_words_there_are_no_weakest_words() -> None:
    assert weakest_words(matches([[0.9, 0.1, 0.2]]), np.zeros(0, np.int64)) == ()
    assert (
        weakest_words(TokenMatches((), np.zeros(0), np.zeros((2, 0), np.float32), np.ones(2, np.bool_)), np.arange(2))
        == ()
    )
