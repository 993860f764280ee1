"""What may be forgotten for good: only what a policy names, and never below its floor. Age alone is no reason.

The default policy names nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation.quadrants import QUADRANTS, Quadrant, States
from mnemoloom.consolidation.sleepers import Sleepers
from mnemoloom.errors import ConfigError

__all__ = ["PrunePolicy", "Pruned", "prune"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePolicy:
    """What may be forgotten.

    quadrants: those whose memories may go; () is none. below_value: only memories of less value than this.
    merged: also what an earlier sleep found to be a duplicate of another memory.
    floor: how many memories are left at least.
    """

    quadrants: tuple[Quadrant, ...] = ()
    below_value: float = 0.25
    merged: bool = False
    floor: int = 1000

    def __post_init__(self) -> None:
        unknown = [name for name in self.quadrants if name not in QUADRANTS]
        if unknown or not isinstance(self.quadrants, tuple):
            raise ConfigError(
                f"PrunePolicy.quadrants must be a tuple of {', '.join(QUADRANTS)}; got {self.quadrants!r}"
            )
        if not 0.0 <= self.below_value <= 1.0:
            raise ConfigError(f"PrunePolicy.below_value must be in [0, 1]; got {self.below_value!r}")
        if isinstance(self.floor, bool) or not isinstance(self.floor, int) or self.floor < 0:
            raise ConfigError(f"PrunePolicy.floor must be a whole number of at least 0; got {self.floor!r}")


class Pruned(NamedTuple):
    """Ids to forget, ascending, and how many more the policy names that the floor spares."""

    ids: tuple[int, ...]
    spared: int


def prune(sleepers: Sleepers, states: States, quadrants: NDArray[np.int64], policy: PrunePolicy) -> Pruned:
    """The memories that a policy lets go: those of least value first, equal ones by id, down to the floor.

    Pinned memories stay.
    """
    named = np.isin(quadrants, [QUADRANTS.index(name) for name in policy.quadrants])
    going = named & (states.value < policy.below_value)
    if policy.merged:
        going = going | sleepers.merged
    places = np.flatnonzero(going & ~sleepers.pinned)
    order = places[np.lexsort((sleepers.ids[places], states.value[places], ~sleepers.merged[places]))]
    room = max(0, len(sleepers.ids) - policy.floor)
    return Pruned(tuple(np.sort(sleepers.ids[order[:room]]).tolist()), max(0, len(order) - room))
