"""Shorter vectors, five ways."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError
from mnemoloom.hgns import METHODS, saliency, select_dimensions

RNG = np.random.default_rng(0)
ROWS = (RNG.standard_normal((300, 4)) @ RNG.standard_normal((4, 24)) + 0.1 * RNG.standard_normal((300, 24))).astype(
    "f4"
)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_unit_rows_of_the_width_asked_for(method: str) -> None:
    short = select_dimensions(method, ROWS, 6, rng=rng()).apply(ROWS)
    assert short.shape == (300, 6)
    np.testing.assert_allclose(np.linalg.norm(short, axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("method", ["gradient", "variance", "random", "prefix"])
def test_selected_dimensions_are_entries_of_the_rows_in_their_order(method: str) -> None:
    chosen = select_dimensions(method, ROWS, 6, rng=rng())
    assert chosen.dimensions.tolist() == sorted(set(chosen.dimensions.tolist()))
    kept = ROWS[:, chosen.dimensions]
    np.testing.assert_allclose(chosen.apply(ROWS), kept / np.linalg.norm(kept, axis=1, keepdims=True), rtol=1e-5)


def test_each_method_takes_the_dimensions_that_it_says() -> None:
    chosen = {method: set(select_dimensions(method, ROWS, 5, rng=rng()).dimensions.tolist()) for method in METHODS}
    assert chosen["variance"] == set(np.argsort(-ROWS.var(axis=0))[:5].tolist())
    assert chosen["gradient"] == set(np.argsort(-saliency(ROWS).mean(axis=0))[:5].tolist())
    assert chosen["prefix"] == {0, 1, 2, 3, 4}


def test_random_dimensions_are_those_of_the_generator() -> None:
    one, same, other = (
        select_dimensions("random", ROWS, 6, rng=np.random.default_rng(seed)).dimensions.tolist() for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_pca_keeps_more_of_the_rows_than_any_choice_of_dimensions() -> None:
    directions = select_dimensions("pca", ROWS, 4, rng=rng()).directions
    np.testing.assert_allclose(directions.T @ directions, np.eye(4), atol=1e-5)
    kept = np.square(ROWS @ directions).sum()
    assert kept > 0.98 * np.square(ROWS).sum()
    for method in ("gradient", "variance", "random", "prefix"):
        dimensions = select_dimensions(method, ROWS, 4, rng=rng()).dimensions
        assert np.square(ROWS[:, dimensions]).sum() < kept


def test_pca_preserves_the_cosines_of_rows_in_a_few_directions() -> None:
    rows = np.random.default_rng(1).standard_normal((50, 3)) @ np.random.default_rng(2).standard_normal((3, 12))
    short = select_dimensions("pca", rows, 3, rng=rng()).apply(rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(short @ short.T, unit @ unit.T, atol=1e-5)


def test_a_row_with_nothing_in_the_kept_dimensions_stays_zero() -> None:
    chosen = select_dimensions("prefix", ROWS, 2, rng=rng())
    assert chosen.apply(np.eye(1, 24, 5)).tolist() == [[0.0, 0.0]]


def test_what_cannot_be_selected_is_refused() -> None:
    with pytest.raises(ConfigError, match="method must be one of gradient, variance, random, pca, prefix; got 'best'"):
        select_dimensions("best", ROWS, 4, rng=rng())
    for width in (0, 24, 2.0):
        with pytest.raises(ConfigError, match=r"width must be a whole number in \[1, 23\]"):
            select_dimensions("pca", ROWS, width, rng=rng())
    with pytest.raises(ValidationError, match="n ≥ 1"):
        select_dimensions("pca", ROWS[:0], 4, rng=rng())
    with pytest.raises(DimensionMismatchError, match="width 24; got 23"):
        select_dimensions("pca", ROWS, 4, rng=rng()).apply(ROWS[:, :23])
