"""Sleep: plans to merge, move and forget, made of columns and given as values."""

from mnemoloom.consolidation.duplicates import Group, near_duplicates
from mnemoloom.consolidation.planning import Alike, SleepConfig, SleepPlan, plan_sleep
from mnemoloom.consolidation.pruning import Pruned, PrunePolicy, prune
from mnemoloom.consolidation.quadrants import (
    QUADRANTS,
    Quadrant,
    States,
    count_quadrants,
    quadrants_of,
    ranks_among,
    states_of,
)
from mnemoloom.consolidation.sleepers import Sleepers
from mnemoloom.consolidation.tiering import Moves, moves_of

__all__ = [
    "QUADRANTS",
    "Alike",
    "Group",
    "Moves",
    "PrunePolicy",
    "Pruned",
    "Quadrant",
    "SleepConfig",
    "SleepPlan",
    "Sleepers",
    "States",
    "count_quadrants",
    "moves_of",
    "near_duplicates",
    "plan_sleep",
    "prune",
    "quadrants_of",
    "ranks_among",
    "states_of",
]
