"""Our Fuzzy ART against AdaptiveResonanceLib, the reference implementation in Python."""

from __future__ import annotations

import numpy as np
import pytest
from artlib import FuzzyART

from mnemoloom.art import FuzzyConfig, FuzzyState, categorise, complement_code, fit


@pytest.mark.parametrize("beta", [1.0, 0.4])
@pytest.mark.parametrize("rho", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_categories_and_weights_equal_those_of_artlib(rho: float, beta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.random((60, 5)), rng.random((1, 5)) + 0.0 * rng.random((5, 5))])
    rows = rows[rng.permutation(len(rows))]
    reference = FuzzyART(rho=rho, alpha=1e-3, beta=beta)
    reference.fit(complement_code(rows))
    config = FuzzyConfig(rho=rho, alpha=1e-3, beta=beta)
    state, labels = fit(FuzzyState.empty(5), rows, config)
    assert labels.tolist() == reference.labels_.tolist()
    np.testing.assert_allclose(state.weights, np.array(reference.W), rtol=1e-12)
    np.testing.assert_array_equal(state.counts, reference.weight_sample_counter_)


def test_later_rows_go_where_artlib_puts_them() -> None:
    rng = np.random.default_rng(5)
    first, later = rng.random((80, 4)), rng.random((40, 4))
    reference = FuzzyART(rho=0.6, alpha=1e-3, beta=1.0)
    reference.fit(complement_code(first))
    reference.partial_fit(complement_code(later))
    config = FuzzyConfig(rho=0.6)
    state, _ = fit(FuzzyState.empty(4), first, config)
    state, labels = fit(state, later, config)
    assert labels.tolist() == reference.labels_[80:].tolist()
    np.testing.assert_allclose(state.weights, np.array(reference.W), rtol=1e-12)


def test_members_are_recognised_in_the_category_that_artlib_predicts() -> None:
    rows = np.random.default_rng(8).random((50, 4))
    reference = FuzzyART(rho=0.5, alpha=1e-3, beta=1.0)
    reference.fit(complement_code(rows))
    state, _ = fit(FuzzyState.empty(4), rows, FuzzyConfig(rho=0.5))
    assert categorise(state, rows, FuzzyConfig(rho=0.5)).tolist() == reference.predict(complement_code(rows)).tolist()
