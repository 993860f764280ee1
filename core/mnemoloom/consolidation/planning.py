"""The sleep cycle, planned: what would be merged, moved and forgotten, as a value to show, to store and to apply.

A plan over what an applied plan leaves behind is empty: sleeping twice is sleeping once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation.duplicates import Group, near_duplicates
from mnemoloom.consolidation.pruning import PrunePolicy, prune
from mnemoloom.consolidation.quadrants import WEEK, Quadrant, count_quadrants, quadrants_of, ranks_among, states_of
from mnemoloom.consolidation.sleepers import Sleepers, check
from mnemoloom.consolidation.tiering import moves_of
from mnemoloom.errors import ConfigError, ValidationError

__all__ = ["Alike", "SleepConfig", "SleepPlan", "plan_sleep"]

Alike = Literal["words", "specifics", "cosine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepConfig:
    """What sleep may do.

    duplicates: cosine from which two memories of one speaker may be the same said again; above 1, none are.
    alike: what else they must have in common. "words": all of them, in the same order, but for interjections that
        open them. "specifics": numbers, dates, names, negations; then "clockwise" and "counterclockwise" are one
        thing. "cosine": nothing else; then "4 chickens" and "26 chickens" are, too.
    cold_share: of each named speaker's memories, how many of the dullest go to the cold tier unless they are used.
    wake: activation from which a memory counts as used. half_life: of recency, in seconds.
    pruning: what may be forgotten; nothing by default.
    compact: give back the room that forgetting left in the files. relearn: where a token projection was learned from
        the store, fit it anew and encode every text again, which takes as long as `reembed(learn=True)`.
    """

    duplicates: float = 0.92
    alike: Alike = "words"
    cold_share: float = 0.0
    wake: float = 0.5
    half_life: float = WEEK
    pruning: PrunePolicy = field(default_factory=PrunePolicy)
    compact: bool = True
    relearn: bool = False

    def __post_init__(self) -> None:
        if not self.duplicates > 0.0:
            raise ConfigError(f"SleepConfig.duplicates must be above 0; got {self.duplicates!r}")
        if self.alike not in get_args(Alike):
            raise ConfigError(f"SleepConfig.alike must be one of {', '.join(get_args(Alike))}; got {self.alike!r}")
        if not 0.0 <= self.cold_share < 1.0:
            raise ConfigError(f"SleepConfig.cold_share must be in [0, 1); got {self.cold_share!r}")
        for name in ("wake", "half_life"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"SleepConfig.{name} must be above 0; got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepPlan:
    """What to do; what is forgotten is neither moved nor merged, and what goes cold is not merged.

    merge: near-duplicates, one of which stands for all of them in a result; each of them stays where it is.
    to_cold, to_long_term: moves between the tiers. forget: what the policy lets go.
    spared: memories that the policy names and its floor keeps. quadrants: how many memories lie in each, before.
    """

    merge: tuple[Group, ...]
    to_cold: tuple[int, ...]
    to_long_term: tuple[int, ...]
    forget: tuple[int, ...]
    spared: int
    quadrants: dict[Quadrant, int]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.merge or self.to_cold or self.to_long_term or self.forget)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        return {
            "merge": [[group.keep, list(group.others)] for group in self.merge],
            "to_cold": list(self.to_cold),
            "to_long_term": list(self.to_long_term),
            "forget": list(self.forget),
            "spared": self.spared,
            "quadrants": dict(self.quadrants),
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> SleepPlan:
        """The plan that `to_json` told of."""
        return cls(
            merge=tuple(Group(keep, tuple(others)) for keep, others in raw["merge"]),
            to_cold=tuple(raw["to_cold"]),
            to_long_term=tuple(raw["to_long_term"]),
            forget=tuple(raw["forget"]),
            spared=raw["spared"],
            quadrants=dict(raw["quadrants"]),
        )


def plan_sleep(
    sleepers: Sleepers,
    config: SleepConfig | None = None,
    *,
    topics: NDArray[np.int64] | None = None,
    ever: dict[int, NDArray[np.floating]] | None = None,
) -> SleepPlan:
    """Plan one sleep cycle; nothing is changed.

    Parameters
    ----------
    topics: compare memories of the same number only, shape (n,). ever: by speaker number, all surprises ever written,
        ascending: what ranks are taken among, so that forgetting some does not make others the next to go. Needed by
        a policy that names quadrants.

    Raises
    ------
    ValidationError
    """
    config = config or SleepConfig()
    check(sleepers)
    if config.pruning.quadrants and ever is None:
        raise ValidationError(
            "a policy that prunes by value needs `ever`, all surprises ever written, to come to an end"
        )
    ranks = ranks_among(sleepers, ever)
    states = states_of(sleepers, ranks, half_life=config.half_life)
    quadrants = quadrants_of(states)
    forget = prune(sleepers, states, quadrants, config.pruning)
    moves = moves_of(sleepers, ranks, share=config.cold_share, wake=config.wake)
    # duplicates are looked for among what will be in the index, so that the next sleep finds no more of them
    cold = np.isin(sleepers.ids, (*forget.ids, *moves.to_cold))
    cold |= sleepers.cold & ~np.isin(sleepers.ids, moves.to_long_term)
    moved = sleepers._replace(cold=cold)
    groups = near_duplicates(moved, threshold=config.duplicates, topics=topics) if config.duplicates <= 1.0 else []
    gone = set(forget.ids)
    return SleepPlan(
        merge=tuple(groups),
        to_cold=tuple(each for each in moves.to_cold if each not in gone),
        to_long_term=tuple(each for each in moves.to_long_term if each not in gone),
        forget=forget.ids,
        spared=forget.spared,
        quadrants=count_quadrants(quadrants),
    )
