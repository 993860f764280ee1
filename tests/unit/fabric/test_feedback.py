"""Feedback memory: the identity until used."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError
from mnemoloom.fabric import Feedback, asked, useful


def units(n: int, *, seed: int = 0, width: int = 12) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_until_something_was_useful_a_question_is_asked_exactly_as_it_is() -> None:
    for query in units(5):
        np.testing.assert_array_equal(asked(Feedback.none(12), query), query)


def test_learning_is_the_formula_and_so_is_asking() -> None:
    query, rows = units(1)[0], units(3, seed=1)
    first = useful(Feedback.none(12), query, rows, theta=0.3)
    v = rows.sum(axis=0) / np.linalg.norm(rows.sum(axis=0))
    weights = 0.6 * np.outer(v - query, query)
    np.testing.assert_allclose(first.weights, weights, atol=1e-6)
    second = useful(first, query, rows, theta=0.3)
    np.testing.assert_allclose(second.weights, weights + 0.6 * np.outer(v - query - weights @ query, query), atol=1e-6)
    mixed = query + 0.5 * second.weights @ query
    np.testing.assert_allclose(asked(second, query), mixed / np.linalg.norm(mixed), atol=1e-6)


def test_a_question_moves_towards_what_was_useful_for_it_more_each_time() -> None:
    query, target = units(2)
    feedback, nearness = Feedback.none(12), [float(query @ target)]
    for _ in range(5):
        feedback = useful(feedback, query, target[None])
        nearness.append(float(asked(feedback, query) @ target))
    assert nearness == sorted(nearness)
    assert nearness[-1] > nearness[0] + 0.1


def test_a_question_that_has_nothing_in_common_stays_as_it_is() -> None:
    feedback = useful(Feedback.none(3), [1.0, 0.0, 0.0], [[0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(asked(feedback, [0.0, 0.0, 1.0]), [0.0, 0.0, 1.0])


def test_contradicting_feedback_stays_within_the_bound() -> None:
    queries, rows = units(400, seed=2), units(400, seed=3)
    queries = (queries[0] + 0.01 * queries).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    feedback = Feedback.none(12)
    for step in range(3_000):
        feedback = useful(feedback, queries[step % 400], rows[(7 * step) % 400][None], theta=0.5, bound=3.0)
        assert np.linalg.norm(feedback.weights) <= 3.0 + 1e-4
    assert np.linalg.norm(asked(feedback, queries[0])) == pytest.approx(1.0, abs=1e-5)


def test_learning_leaves_the_state_that_came_in_as_it_was() -> None:
    feedback = useful(Feedback.none(12), units(1)[0], units(2, seed=1))
    before = feedback.weights.copy()
    useful(feedback, units(1)[0], units(2, seed=5))
    np.testing.assert_array_equal(feedback.weights, before)


def test_feedback_that_was_saved_goes_on_as_if_it_had_not_been() -> None:
    feedback = useful(Feedback.none(12), units(1)[0], units(2, seed=1))
    loaded = Feedback.from_arrays(feedback.arrays())
    np.testing.assert_array_equal(asked(loaded, units(1)[0]), asked(feedback, units(1)[0]))
    assert loaded.uses == 1


def test_what_does_not_fit_is_refused() -> None:
    none, query = Feedback.none(12), units(1)[0]
    with pytest.raises(DimensionMismatchError, match="width 12; got 11"):
        asked(none, query[:11])
    with pytest.raises(DimensionMismatchError):
        useful(none, query, query)
    with pytest.raises(ValidationError, match="cancel out"):
        useful(none, query, np.stack((query, -query)))
    with pytest.raises(ValidationError, match="cancel out"):
        useful(none, query, np.zeros((0, 12)))
    with pytest.raises(ValidationError, match="finite"):
        asked(none, np.full(12, np.nan))
    with pytest.raises(ConfigError, match="theta must be"):
        useful(none, query, query[None], theta=0.6)
