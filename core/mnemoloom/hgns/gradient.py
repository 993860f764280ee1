"""The HGNS calculus: differences at the steps 1/k, 1/k², …, their decaying sum, and what is made of them.

    gradient of level l      ∇_l f(x) = (f(x + h) − f(x)) / h,  h = 1 / k^l
    multilevel gradient      Σ_{l=1..L} ∇_l f(x) / k^l
    attribute convergence    v_{n+1} = v_n + eta · ∇(v_n)  until |v_{n+1} − v_n| < eps

∇_l is divided by the step that was really taken, so the decay 1/k^l remains: for f(x) = s·x the multilevel gradient is
s · Σ 1/k^l. (Multiplying a difference by k^l and weighing it by 1/k^l, as can be met, weighs all levels alike.)

A vector is read as samples of a function on [0, 1). Its differences mean something where neighbouring entries do, as in
a signal. The coordinates of an embedding have no order: `hgns.dimensions` has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ConfigError, ValidationError

__all__ = [
    "Converged",
    "converge",
    "gradient",
    "multilevel_gradient",
    "multilevel_of_samples",
    "saliency",
    "saliency_mask",
    "samples_gradient",
    "steps_of",
]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]


def gradient(f: Function, x: ArrayLike, *, k: float = 10.0, level: int = 1) -> Floats:
    """∇_level f at x, elementwise: f maps arrays to arrays of the same shape."""
    _check_base(k)
    if isinstance(level, bool) or not isinstance(level, int) or level < 1:
        raise ConfigError(f"level must be a whole number of at least 1; got {level!r}")
    at = np.asarray(x, np.float64)
    ahead = at + k**-level
    step = ahead - at  # the step that floating point really takes
    return np.asarray((f(ahead) - f(at)) / step)


def multilevel_gradient(f: Function, x: ArrayLike, *, k: float = 10.0, levels: int = 4) -> Floats:
    """Σ_{l=1..levels} ∇_l f(x) / k^l, elementwise."""
    _check_levels(levels)
    total = np.zeros(np.shape(x))
    for level in range(1, levels + 1):
        total += gradient(f, x, k=k, level=level) / k**level
    return total


def steps_of(n: int, *, k: float = 10.0, levels: int = 4) -> list[int]:
    """How many samples apart the differences of each level are, for n samples.

    round(n / k^l), at least 1. Levels below one sample repeat the differences of the level before and are left out.
    """
    _check_base(k)
    _check_levels(levels)
    steps: list[int] = []
    for level in range(1, levels + 1):
        step = max(1, round(n / k**level))
        if steps and steps[-1] == step:
            break
        if step < n:
            steps.append(step)
    return steps


def samples_gradient(rows: ArrayLike, step: int) -> Floats:
    """Difference quotients of samples, shape (…, n), on the grid i / n: forward ones, backward ones at the end.

    Parameters
    ----------
    step: how many samples apart, 1 to n − 1.
    """
    values = np.asarray(rows, np.float64)
    n = values.shape[-1]
    if not 1 <= step < n:
        raise ValidationError(f"step must be in [1, {n - 1}] for {n} samples; got {step!r}")
    forward = (values[..., step:] - values[..., :-step]) * (n / step)
    # the last samples have no sample ahead of them: the difference behind them over the same step
    return np.concatenate((forward, forward[..., n - 2 * step :] if n >= 2 * step else _behind(values, step)), axis=-1)


def multilevel_of_samples(rows: ArrayLike, *, k: float = 10.0, levels: int = 4) -> Floats:
    """The multilevel gradient of samples, shape (…, n); zeros for a single sample."""
    values = np.asarray(rows, np.float64)
    total = np.zeros(values.shape)
    for level, step in enumerate(steps_of(values.shape[-1], k=k, levels=levels), 1):
        total += samples_gradient(values, step) / k**level
    return total


def saliency(rows: ArrayLike, *, k: float = 10.0, levels: int = 4) -> Floats:
    """How much happens at each sample: |multilevel gradient|, shape (…, n)."""
    return np.abs(multilevel_of_samples(rows, k=k, levels=levels))


def saliency_mask(salient: ArrayLike, *, top_fraction: float = 0.5) -> NDArray[np.bool_]:
    """The ⌈top_fraction · n⌉ most salient of n entries, shape (n,); of equal ones, the first."""
    values = np.asarray(salient, np.float64)
    if values.ndim != 1:
        raise ValidationError(f"saliency must be of shape (n,); got {values.shape}")
    if not 0.0 < top_fraction <= 1.0:
        raise ConfigError(f"top_fraction must be in (0, 1]; got {top_fraction!r}")
    mask = np.zeros(len(values), bool)
    mask[np.argsort(-values, kind="stable")[: int(np.ceil(top_fraction * len(values)))]] = True
    return mask


class Converged(NamedTuple):
    """Where an iteration ended: the value, shape (d,), the steps taken, and whether it came to rest.

    change: how far the next step, at the full eta, would go; below eps if and only if `converged`.
    """

    value: Floats
    steps: int
    converged: bool
    change: float


def converge(
    start: ArrayLike,
    slope: Callable[[Floats], Floats],
    *,
    eta: float = 0.1,
    eps: float = 1e-6,
    max_steps: int = 200,
    bound: float | None = None,
) -> Converged:
    """Follow v' = v + eta · slope(v) until it moves less than eps, within the ball |v| ≤ bound.

    The published iteration grows without end on most vectors. Here a step that leaves the ball ends on it, and one that
    turns back on the step before has gone too far: it and those after it are half as long. Rest is judged at the full
    eta, so that short steps are not mistaken for it. An iteration that does not come to rest says so.

    Parameters
    ----------
    slope: shape (d,) to (d,). bound: by default the length of `start`, or 1 if it is shorter.
    """
    value = np.array(start, np.float64)
    if value.ndim != 1 or not np.isfinite(value).all():
        raise ValidationError("start must be finite and of shape (d,)")
    for name, number in (("eta", eta), ("eps", eps), ("bound", 1.0 if bound is None else bound)):
        if not 0.0 < number < np.inf:
            raise ConfigError(f"{name} must be a number above 0; got {number!r}")
    radius = max(1.0, float(np.linalg.norm(value))) if bound is None else bound
    value = _within(value, radius)
    rate, last, change = eta, np.zeros(len(value)), np.inf
    for number in range(max_steps + 1):
        direction = slope(value)
        change = _distance(_within(value + eta * direction, radius), value)
        if change < eps:
            return Converged(value, number, True, change)
        if number == max_steps:
            break
        moved = _within(value + rate * direction, radius)
        if (moved - value) @ last < 0.0:
            rate /= 2.0
            moved = _within(value + rate * direction, radius)
        last, value = moved - value, moved
    return Converged(value, max_steps, False, change)


def _behind(values: Floats, step: int) -> Floats:
    """Backward differences of the last `step` samples; with nothing so far behind, from the first one."""
    n = values.shape[-1]
    at = np.arange(n - step, n)
    before = np.maximum(at - step, 0)
    quotients: Floats = (values[..., at] - values[..., before]) * (n / (at - before))
    return quotients


def _within(value: Floats, radius: float) -> Floats:
    length = float(np.linalg.norm(value))
    return value * (radius / length) if length > radius else value


def _distance(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a - b))


def _check_base(k: float) -> None:
    if not k > 1.0:
        raise ConfigError(f"k must be above 1; got {k!r}")


def _check_levels(levels: Any) -> None:  # noqa: ANN401 - whatever the caller passed
    if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
        raise ConfigError(f"levels must be a whole number of at least 1; got {levels!r}")
