"""The adaptive resonance cycle: choice → match → vigilance → reset → learn.

An input is offered to the categories in the order of the choice function T. The first category whose match
with the input reaches the vigilance rho resonates and learns; those tried before it were reset. When every
category is reset the input founds one of its own (Carpenter & Grossberg 1987; Grossberg 2013).

A kind of ART is a `Rule`: three formulas and what a new category looks like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import ValidationError

__all__ = ["Resonance", "Rule", "present", "resonate"]

Floats = NDArray[np.floating[Any]]
NONE = -1


class Rule(NamedTuple):
    """One kind of ART. Weights have shape (c, w), one row a category; an input has shape (d,).

    choice(weights, x): T, shape (c,). match(weights, x): shape (c,), compared with the vigilance.
    learn(row, x): the new weights of the category that resonates, shape (w,). commit(x): those of a new one.
    """

    choice: Callable[[Floats, Floats], Floats]
    match: Callable[[Floats, Floats], Floats]
    learn: Callable[[Floats, Floats], Floats]
    commit: Callable[[Floats], Floats]


class Resonance(NamedTuple):
    """Which category resonates (−1: none), how well it matches, and which were reset, in the order of trying."""

    category: int
    match: float
    resets: tuple[int, ...]


def resonate(choice: Floats, match: Floats, *, vigilance: float) -> Resonance:
    """Search the categories, best choice first (equal ones by number), for one that passes the vigilance.

    Parameters
    ----------
    choice, match: shape (c,), c may be 0. Without resonance `match` is the best one that failed, −inf for c = 0.
    """
    if choice.shape != match.shape or choice.ndim != 1:
        raise ValidationError(f"choice and match must have one shape (c,); got {choice.shape} and {match.shape}")
    order = np.argsort(-choice, kind="stable")
    passing = np.flatnonzero(match[order] >= vigilance)
    if not len(passing):
        return Resonance(NONE, float(match.max(initial=-np.inf)), tuple(order.tolist()))
    first = int(passing[0])
    winner = int(order[first])
    return Resonance(winner, float(match[winner]), tuple(order[:first].tolist()))


def present(weights: Floats, x: Floats, rule: Rule, *, vigilance: float) -> tuple[Floats, Resonance]:
    """Show one input: the weights after it, and the resonance; a new category has the highest number.

    The weights that came in are left as they were.
    """
    found = resonate(rule.choice(weights, x), rule.match(weights, x), vigilance=vigilance)
    if found.category == NONE:
        return np.concatenate((weights, rule.commit(x)[None])), found._replace(category=len(weights))
    moved = weights.copy()
    moved[found.category] = rule.learn(weights[found.category], x)
    return moved, found
