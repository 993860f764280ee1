"""Windowed BM25 against the formula written out for one document at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom.lexical import Postings, Window, bm25_scores, idf

K1, B = 1.2, 0.5


@dataclass
class Case:
    """Documents in slots from 1; slot 0 is reserved. `before` and `after` hold slots."""

    texts: list[Counter[int]]
    eligible: NDArray[np.bool_]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    def saturation(self) -> NDArray[np.float32]:
        lengths = np.array([0.0] + [sum(text.values()) for text in self.texts])
        mean = lengths[self.eligible].mean() if self.eligible.any() else 1.0
        return (K1 * (1 - B + B * lengths / max(mean, 1e-9)) + 1e-3).astype(np.float32)

    def scores(self, terms: Sequence[int], gammas: tuple[float, ...] | None) -> NDArray[np.float32]:
        index = Postings()
        for slot, text in enumerate(self.texts, start=1):
            index.add(slot, text)
        window = None if gammas is None else Window(gammas, self.before, self.after)
        return bm25_scores(
            index,
            terms,
            eligible=self.eligible,
            n=int(self.eligible.sum()),
            saturation=self.saturation(),
            window=window,
        )

    def slowly(self, terms: Sequence[int], gammas: tuple[float, ...]) -> list[float]:
        n = int(self.eligible.sum())
        saturation = self.saturation()
        found = [0.0]
        for slot in range(1, len(self.texts) + 1):
            score = 0.0
            for term in terms:
                df = sum(1 for s in range(1, len(self.texts) + 1) if self.eligible[s] and self.texts[s - 1][term])
                tf = self._weight(slot, term, gammas)
                if df and tf:
                    score += math.log(1 + (n - df + 0.5) / (df + 0.5)) * tf / (tf + float(saturation[slot]))
            found.append(score if self.eligible[slot] else 0.0)
        return found

    def _weight(self, slot: int, term: int, gammas: tuple[float, ...]) -> float:
        weight = self._tf(slot, term)
        before = after = slot
        for gamma in gammas:
            before, after = int(self.before[before]), int(self.after[after])
            weight += gamma * (self._tf(before, term) + self._tf(after, term))
        return weight

    def _tf(self, slot: int, term: int) -> float:
        return float(min(self.texts[slot - 1][term], 255)) if slot and self.eligible[slot] else 0.0


@st.composite
def cases(draw: st.DrawFn, *, gaps: bool) -> Case:
    """Documents of a few sessions; with `gaps`, some are forgotten and unlinked, and some are not eligible."""
    texts = [Counter(text) for text in draw(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=12))]
    n = len(texts)
    sessions = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    flags = st.lists(st.booleans() if gaps else st.just(True), min_size=n, max_size=n)
    alive = draw(flags)
    before, after = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    last: dict[int, int] = {}
    for slot in range(1, n + 1):
        if alive[slot - 1]:
            previous = last.get(sessions[slot - 1], 0)
            before[slot] = previous
            if previous:
                after[previous] = slot
            last[sessions[slot - 1]] = slot
    return Case(texts, np.array([False, *alive]), before, after)


TERMS = st.lists(st.integers(0, 7), max_size=4, unique=True)
GAMMAS = st.sampled_from([(), (0.5,), (0.5, 0.25), (1.0, 0.0, 0.75)])


@settings(deadline=None, max_examples=150)
@given(cases(gaps=True), TERMS, GAMMAS)
def test_scores_equal_the_formula_with_windows_and_tombstones(
    case: Case, terms: list[int], gammas: tuple[float, ...]
) -> None:
    np.testing.assert_allclose(case.scores(terms, gammas)[1:], case.slowly(terms, gammas)[1:], rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(cases(gaps=True), TERMS)
def test_no_window_is_the_classical_formula(case: Case, terms: list[int]) -> None:
    scores = case.scores(terms, None)
    np.testing.assert_allclose(scores[1:], case.slowly(terms, ())[1:], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(case.scores(terms, ())[1:], scores[1:])


@settings(deadline=None, max_examples=150)
@given(cases(gaps=False), TERMS, GAMMAS, st.data())
def test_documents_that_are_not_eligible_neither_score_nor_count(
    case: Case, terms: list[int], gammas: tuple[float, ...], data: st.DataObject
) -> None:
    n = len(case.texts)
    case.eligible[1:] = data.draw(st.lists(st.booleans(), min_size=n, max_size=n), label="eligible")
    np.testing.assert_allclose(case.scores(terms, gammas)[1:], case.slowly(terms, gammas)[1:], rtol=1e-5, atol=1e-6)


def test_rarity_comes_from_eligible_documents_alone() -> None:
    texts = [Counter([0]), Counter([0]), Counter([1]), Counter([1])]
    case = Case(texts, np.array([False, True, False, True, True]), np.zeros(5, np.int64), np.zeros(5, np.int64))
    assert case.scores([0], None)[1] == pytest.approx(idf(3, 1) / (1 + float(case.saturation()[1])), rel=1e-6)


def test_rarity_is_positive_and_falls_with_frequency() -> None:
    values = [idf(100, df) for df in range(101)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0
    assert idf(100, 3) == pytest.approx(math.log(1 + 97.5 / 3.5))


def test_scratch_values_of_one_term_do_not_leak_into_the_next() -> None:
    texts = [Counter({0: 3}), Counter({1: 1}), Counter({2: 2})]
    links = np.array([0, 0, 1, 2]), np.array([0, 2, 3, 0])
    case = Case(texts, np.array([False, True, True, True]), *links)
    separate = sum(case.scores([term], (0.5, 0.25)) for term in (0, 1, 2))
    np.testing.assert_allclose(case.scores([0, 1, 2], (0.5, 0.25))[1:], np.asarray(separate)[1:], rtol=1e-6)


def test_the_order_is_that_of_rank_bm25_where_the_formulas_coincide() -> None:
    """Every document of one length, and a query of one term: both are monotone in its frequency."""
    okapi = pytest.importorskip("rank_bm25").BM25Okapi
    rng = np.random.default_rng(3)
    documents = [rng.choice(30, size=12).tolist() for _ in range(60)]
    case = Case([Counter(text) for text in documents], np.array([False] + [True] * 60), *np.zeros((2, 61), np.int64))
    theirs = okapi([[str(term) for term in text] for text in documents])
    for term in range(30):
        ours = case.scores([term], None)[1:]
        other = theirs.get_scores([str(term)])
        assert np.argsort(-ours, kind="stable").tolist() == np.argsort(-other, kind="stable").tolist()
