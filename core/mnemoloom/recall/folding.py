"""What was said several times in the same words, as sleep found it, comes up once in a result.

The telling that ranks best stands for the others, and hits carry them all. A filter that hides one telling leaves the
others; two that contradict each other about what is asked both stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mnemoloom.recall.ranking import Ranking

__all__ = ["Folds", "fold"]


@dataclass(frozen=True, slots=True)
class Folds:
    """By slot: `under`, the better telling that took its place; `repeats`, those that a telling stands for."""

    under: Mapping[int, int] = field(default_factory=dict)
    repeats: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def fold(
    ranking: Ranking, groups: Sequence[Collection[int]], *, apart: Iterable[tuple[int, int]] = ()
) -> tuple[Ranking, Folds]:
    """The ranking with one slot of each group, the best.

    Parameters
    ----------
    groups: slots that say the same, those in the ranking and those that the ranking is not long enough for.
    apart: pairs of slots that contradict each other; they are never folded, nor is the one a repeat of the other.
    """
    group_of = {slot: number for number, group in enumerate(groups) for slot in group}
    contradicting = set(map(frozenset, apart))
    best: dict[int, int] = {}
    under: dict[int, int] = {}
    stays = np.ones(len(ranking.slots), np.bool_)
    for place, slot in enumerate(ranking.slots.tolist()):
        if slot in group_of:
            first = best.setdefault(group_of[slot], slot)
            if first != slot and {first, slot} not in contradicting:
                stays[place], under[slot] = False, first
    repeats = {
        slot: tuple(each for each in groups[number] if each != slot and {each, slot} not in contradicting)
        for number, slot in best.items()
    }
    if not under:
        return ranking, Folds(repeats=repeats)
    return ranking.only(stays), Folds(under, repeats)
