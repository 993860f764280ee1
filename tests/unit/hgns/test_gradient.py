"""The HGNS calculus on functions whose derivatives are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.hgns import (
    converge,
    gradient,
    multilevel_gradient,
    multilevel_of_samples,
    saliency,
    saliency_mask,
    samples_gradient,
    steps_of,
)

Floats = NDArray[np.float64]
X = np.linspace(-1, 1, 21)
KNOWN: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats], float]] = {
    # name: f, f', and the largest |f''| near [-1, 1.1], which bounds the error of a forward difference by h/2 times it
    "a line": (lambda x: 3 * x - 1, lambda x: np.full(x.shape, 3.0), 0.0),
    "a parabola": (lambda x: x**2, lambda x: 2 * x, 2.0),
    "a sine": (np.sin, np.cos, 1.0),
    "an exponential": (np.exp, np.exp, 3.1),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_gradient_of_a_level_is_the_derivative_to_first_order_in_its_step(name: str, level: int) -> None:
    f, slope, curvature = KNOWN[name]
    error = np.abs(gradient(f, X, k=10, level=level) - slope(X))
    assert error.max() <= curvature * 10.0**-level / 2 + 1e-9


def test_the_forward_difference_of_a_parabola_is_exactly_what_the_formula_says() -> None:
    np.testing.assert_allclose(gradient(np.square, X, k=4, level=2), 2 * X + 4.0**-2)


@pytest.mark.parametrize("levels", [1, 2, 4, 6])
@pytest.mark.parametrize("k", [2.0, 10.0])
def test_the_decay_of_the_multilevel_sum_does_not_cancel(k: float, levels: int) -> None:
    weights = sum(k**-level for level in range(1, levels + 1))
    np.testing.assert_allclose(multilevel_gradient(lambda x: 3 * x, X, k=k, levels=levels), 3 * weights)


def test_the_multilevel_gradient_is_the_weighed_sum_of_its_levels() -> None:
    want = sum(gradient(np.exp, X, k=5, level=level) / 5.0**level for level in (1, 2, 3))
    np.testing.assert_allclose(multilevel_gradient(np.exp, X, k=5, levels=3), want)


def test_a_constant_has_no_gradient_anywhere() -> None:
    np.testing.assert_array_equal(multilevel_gradient(np.ones_like, X), 0.0)
    np.testing.assert_array_equal(saliency(np.full(50, 7.0)), 0.0)


@pytest.mark.parametrize("step", [1, 3, 10, 60, 99])
def test_difference_quotients_of_a_sampled_line_are_its_slope_at_every_sample_the_last_ones_too(step: int) -> None:
    line = 5 * np.arange(100) / 100 + 2
    np.testing.assert_allclose(samples_gradient(line, step), 5.0)


def test_difference_quotients_of_samples_are_those_of_the_function() -> None:
    grid = np.arange(1000) / 1000
    got = samples_gradient(np.sin(grid), 10)
    np.testing.assert_allclose(got[:990], gradient(np.sin, grid, k=100)[:990], rtol=1e-9)
    np.testing.assert_allclose(got, np.cos(grid), atol=0.006)


def test_the_multilevel_gradient_of_a_sampled_line_keeps_its_decay() -> None:
    line = 5 * np.arange(2000) / 2000
    assert steps_of(2000) == [200, 20, 2, 1]
    np.testing.assert_allclose(multilevel_of_samples(line), 5 * 0.1111)


def test_levels_finer_than_the_samples_are_left_out() -> None:
    assert steps_of(384) == [38, 4, 1]
    assert steps_of(8) == [1]
    assert steps_of(1) == []
    assert multilevel_of_samples(np.array([3.0])).tolist() == [0.0]


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=st.floats(-1e3, 1e3)))
def test_rows_together_and_alone_have_the_same_gradient_and_it_scales_with_them(rows: Floats) -> None:
    together = multilevel_of_samples(rows)
    np.testing.assert_array_equal(together, [multilevel_of_samples(row) for row in rows])
    np.testing.assert_allclose(multilevel_of_samples(-2 * rows), -2 * together, atol=1e-9)


def test_saliency_is_high_where_the_samples_jump() -> None:
    samples = np.where(np.arange(100) < 60, 0.0, 1.0)
    assert saliency(samples).argmax() == 59


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 5.0]), min_size=1, max_size=30), st.floats(0.01, 1.0))
def test_the_mask_holds_the_most_salient_and_exactly_as_many_as_asked(values: list[float], fraction: float) -> None:
    mask = saliency_mask(values, top_fraction=fraction)
    assert mask.sum() == np.ceil(fraction * len(values))
    inside, outside = np.array(values)[mask], np.array(values)[~mask]
    assert inside.min() >= outside.max(initial=-np.inf)


CENTRE = np.array([0.3, -0.2, 0.1])


@pytest.mark.parametrize("eta", [0.05, 0.5, 1.9, 2.5, 30.0])
def test_the_top_of_a_concave_function_is_found_at_any_eta(eta: float) -> None:
    found = converge(np.zeros(3), lambda v: CENTRE - v, eta=eta, max_steps=2_000)
    assert found.converged
    assert found.change < 1e-6
    np.testing.assert_allclose(found.value, CENTRE, atol=1e-4)


def test_what_grows_without_end_comes_to_rest_on_the_bound() -> None:
    found = converge(np.array([0.1, 0.0]), lambda v: v, eta=0.1, bound=2.0)
    assert found.converged
    np.testing.assert_allclose(found.value, [2.0, 0.0])


def test_what_turns_in_circles_is_not_said_to_converge() -> None:
    found = converge(np.array([1.0, 0.0]), lambda v: np.array([-v[1], v[0]]), eta=0.1)
    assert not found.converged
    assert (found.steps, found.change > 1e-3) == (200, True)
    assert np.linalg.norm(found.value) <= 1.0 + 1e-9


def test_an_iteration_that_is_cut_short_is_not_said_to_converge() -> None:
    found = converge(np.zeros(3), lambda v: CENTRE - v, eta=0.01, max_steps=5)
    assert (found.converged, found.steps) == (False, 5)
    assert found.change > 1e-6


def test_a_start_at_rest_takes_no_step() -> None:
    assert converge(CENTRE, lambda v: CENTRE - v)[1:3] == (0, True)


@given(arrays(np.float64, 12, elements=st.floats(-100, 100)), st.floats(0.01, 10.0))
def test_whatever_the_slope_the_value_stays_bounded_and_rest_is_never_claimed_wrongly(
    start: Floats, eta: float
) -> None:
    def slope(v: Floats) -> Floats:
        return multilevel_of_samples(v)

    found = converge(start, slope, eta=eta, max_steps=60)
    radius = max(1.0, float(np.linalg.norm(start)))
    assert np.linalg.norm(found.value) <= radius * (1 + 1e-9)
    step = found.value + eta * slope(found.value)
    length = np.linalg.norm(step)
    step = step * min(1.0, radius / length) if length else step
    assert np.linalg.norm(step - found.value) == pytest.approx(found.change)
    assert found.converged == (found.change < 1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient(np.sin, X, k=1.0), "k must be above 1"),
        (lambda: gradient(np.sin, X, level=0), "level must be"),
        (lambda: multilevel_gradient(np.sin, X, levels=0), "levels must be"),
        (lambda: saliency_mask([1.0], top_fraction=0.0), "top_fraction must be"),
        (lambda: converge(X, np.negative, eta=0.0), "eta must be"),
        (lambda: converge(X, np.negative, eps=-1.0), "eps must be"),
        (lambda: converge(X, np.negative, bound=0.0), "bound must be"),
    ],
)
def test_settings_outside_their_bounds_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: samples_gradient(X, 0),
        lambda: samples_gradient(X, len(X)),
        lambda: saliency_mask(np.ones((2, 2))),
        lambda: converge(np.array([np.nan]), np.negative),
    ],
)
def test_arrays_that_do_not_fit_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValidationError):
        call()
