"""Activation from use: what was recalled lately is a little easier to recall.

    a' = a · 2^(−Δt / half life) + 1   when used, and at no other time
    prior = weight · a / (1 + a)        in [0, weight): added to a score, never multiplied with it

Using one memory changes no other: nothing starves. An unused memory keeps the score that it had, and no prior can make
up for more than `weight` of it. A study on LoCoMo found that weights up to .05 change recall@10 by less than a point.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ConfigError, ValidationError

__all__ = ["Activation", "faded", "level", "prior", "use"]

DAY = 86_400.0


class Activation(NamedTuple):
    """By memory number, shape (n,): the activation at its last use, and when that was, in seconds."""

    levels: NDArray[np.float32]
    used: NDArray[np.float64]

    @classmethod
    def resting(cls, n: int) -> Activation:
        """A state of n memories that were never used."""
        return cls(np.zeros(n, np.float32), np.zeros(n))

    def grown(self, n: int) -> Activation:
        """The same with room for n memories, the new ones at rest."""
        more = max(0, n - len(self.levels))
        return Activation(np.append(self.levels, np.zeros(more, np.float32)), np.append(self.used, np.zeros(more)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything this state holds; `Activation(**arrays)` takes it back."""
        return self._asdict()


def use(activation: Activation, numbers: ArrayLike, *, now: float, half_life: float = 7 * DAY) -> Activation:
    """The activation after some memories were used, each once; `activation` stays as it is.

    Raises ValidationError for numbers that are not there, ConfigError for a half life of 0 or less.
    """
    used = np.unique(np.asarray(numbers, np.int64))
    if len(used) and not (used[0] >= 0 and used[-1] < len(activation.levels)):
        raise ValidationError(f"memory numbers must be in [0, {len(activation.levels)}); got {used[0]} to {used[-1]}")
    levels, times = activation.levels.copy(), activation.used.copy()
    levels[used] = level(activation, now=now, half_life=half_life)[used] + 1.0
    times[used] = np.maximum(now, times[used])
    return Activation(levels, times)


def level(activation: Activation, *, now: float, half_life: float = 7 * DAY) -> NDArray[np.float32]:
    """Each memory's activation now, shape (n,); a use that lies in the future has not faded."""
    if not half_life > 0.0:
        raise ConfigError(f"half_life must be a number of seconds above 0; got {half_life!r}")
    idle = np.maximum(0.0, now - activation.used) / half_life
    return (activation.levels * np.exp2(-idle)).astype(np.float32)


def faded(level: float, idle: float, *, half_life: float = 7 * DAY) -> float:
    """What is left of one memory's activation after `idle` seconds without use."""
    return float(level * 2.0 ** (-idle / half_life))


def prior(
    activation: Activation, *, now: float, weight: float = 0.05, half_life: float = 7 * DAY
) -> NDArray[np.float32]:
    """What use adds to each memory's score, shape (n,), in [0, weight)."""
    if not 0.0 <= weight <= 1.0:
        raise ConfigError(f"weight must be in [0, 1]; got {weight!r}")
    used = np.flatnonzero(activation.levels)  # most memories of a large store never were
    few = Activation(activation.levels[used], activation.used[used])
    active = level(few, now=now, half_life=half_life)
    added = np.zeros(len(activation.levels), np.float32)
    added[used] = np.float32(weight) * (active / (1.0 + active))
    return added
