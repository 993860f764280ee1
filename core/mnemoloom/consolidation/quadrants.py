"""The state of a memory, [stress, value, recency], each from 0 to 1, and the quadrant that it lies in.

    stress ≥ .5, value ≥ .5    crisis_learning    what mattered when things were pressing
    stress < .5, value ≥ .5    skill_building     what matters
    stress ≥ .5, value < .5    exploration        not known yet what for
    stress < .5, value < .5    routine_forget     what a policy may let go; exploration while it is still new

Recency only protects: no memory comes to routine_forget by age, only by saying little and serving nobody.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation.sleepers import Sleepers
from mnemoloom.errors import ConfigError

__all__ = ["QUADRANTS", "Quadrant", "States", "count_quadrants", "quadrants_of", "ranks_among", "states_of"]

Quadrant = Literal["crisis_learning", "skill_building", "exploration", "routine_forget"]
QUADRANTS: tuple[Quadrant, ...] = ("crisis_learning", "skill_building", "exploration", "routine_forget")
_CRISIS, _SKILL, _EXPLORATION, _ROUTINE = range(4)
_MIDDLE, _NEW = 0.5, 0.5
WEEK = 7 * 86_400.0


class States(NamedTuple):
    """Shape (n,) each, from 0 to 1."""

    stress: NDArray[np.float64]
    value: NDArray[np.float64]
    recency: NDArray[np.float64]


def states_of(sleepers: Sleepers, ranks: NDArray[np.floating], *, half_life: float = WEEK) -> States:
    """The states of memories: value is the higher of what one says and how much it is used, a / (1 + a).

    Parameters
    ----------
    ranks: shape (n,), where the surprise of each stands among those of its speaker, 0 to 1 (`ranks_among`).
    half_life: seconds in which recency, 1 for a new memory, falls to a half; below that it is not new any more.
    """
    if not half_life > 0.0:
        raise ConfigError(f"half_life must be a number of seconds above 0; got {half_life!r}")
    used = sleepers.active / (1.0 + sleepers.active)
    recency = np.exp2(-np.maximum(0.0, sleepers.age) / half_life)
    return States(np.asarray(sleepers.stress, np.float64), np.maximum(ranks, used).astype(np.float64), recency)


def ranks_among(sleepers: Sleepers, ever: dict[int, NDArray[np.floating]] | None = None) -> NDArray[np.float64]:
    """Where each surprise stands among those of its speaker: 0 the lowest, 1 the highest, ties in the middle.

    Parameters
    ----------
    ever: by speaker number, all surprises ever written, ascending. Without it the ranks are among the memories here;
        then letting the lowest go makes others the lowest, so a policy that prunes needs `ever` to come to an end.
    """
    ranks = np.full(len(sleepers.ids), 0.5)
    for speaker in np.unique(sleepers.speakers).tolist():
        mine = sleepers.speakers == speaker
        values = sleepers.surprise[mine]
        sample = np.sort(values) if ever is None or speaker not in ever else ever[speaker]
        if len(sample) > 1:
            both = np.searchsorted(sample, values, "left") + np.searchsorted(sample, values, "right") - 1
            ranks[mine] = np.clip(both / (2.0 * (len(sample) - 1)), 0.0, 1.0)
    return ranks


def quadrants_of(states: States) -> NDArray[np.int64]:
    """Numbers into QUADRANTS, shape (n,)."""
    pressing, worth = states.stress >= _MIDDLE, states.value >= _MIDDLE
    low = np.where(pressing | (states.recency > _NEW), _EXPLORATION, _ROUTINE)
    return np.where(worth, np.where(pressing, _CRISIS, _SKILL), low)


def count_quadrants(quadrants: NDArray[np.int64]) -> dict[Quadrant, int]:
    """How many memories lie in each quadrant."""
    counts = np.bincount(quadrants, minlength=len(QUADRANTS))
    return {name: int(count) for name, count in zip(QUADRANTS, counts, strict=True)}
