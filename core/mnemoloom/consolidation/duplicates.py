"""Near-duplicates: the same said again by the same speaker.

Grouped around the memory that is kept, so that each of the others is a near-duplicate of it and not merely of one
another. A group says what stands for what; every event of it keeps its text, its time and its place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation.sleepers import Sleepers
from mnemoloom.errors import ConfigError

__all__ = ["Group", "near_duplicates"]


class Group(NamedTuple):
    """The id that is kept in the index, and those that it stands for, ascending."""

    keep: int
    others: tuple[int, ...]


def near_duplicates(
    sleepers: Sleepers, *, threshold: float = 0.92, topics: NDArray[np.int64] | None = None
) -> list[Group]:
    """Groups of indexed memories of one speaker whose vectors match, by the id that is kept.

    Pinned memories are kept, then those of more surprise, then the older; a pinned memory is never among the others.
    Below .92 merging costs evidence much faster than it saves room: a study on LoCoMo found that .9 merges .4 % at no
    cost, and that .7 merges 17 % and loses 8 to 14 % of recall@10.

    Parameters
    ----------
    topics: a number for each memory, shape (n,); only memories of the same topic are compared, which is what makes
        hundreds of thousands comparable.
    """
    if not 0.0 < threshold <= 1.0:
        raise ConfigError(f"threshold must be in (0, 1]; got {threshold!r}")
    able = ~sleepers.cold & ~sleepers.merged & sleepers.rows.any(axis=1)
    places = np.flatnonzero(able)
    topic = np.zeros(len(able), np.int64) if topics is None else topics
    order = places[
        np.lexsort(
            (
                sleepers.ids[places],
                -sleepers.surprise[places],
                ~sleepers.pinned[places],
                sleepers.speakers[places],
                topic[places],
            )
        )
    ]
    kind = np.stack((topic[order], sleepers.speakers[order]), axis=1)
    opens = np.append(True, (np.diff(kind, axis=0) != 0).any(axis=1)) if len(order) else np.zeros(0, bool)
    groups = [
        group for block in np.split(order, np.flatnonzero(opens)[1:]) for group in _grouped(sleepers, block, threshold)
    ]
    return sorted(groups)


def _grouped(sleepers: Sleepers, block: NDArray[np.int64], threshold: float) -> list[Group]:
    """Groups among memories of one speaker, the ones to keep first."""
    rows, free = sleepers.rows[block], ~sleepers.pinned[block]
    left = np.ones(len(block), bool)
    groups = []
    for place in range(len(block)):
        if left[place]:
            left[place] = False
            match = np.flatnonzero(left & free)
            match = match[rows[match] @ rows[place] >= threshold]
            left[match] = False
            if len(match):
                others = np.sort(sleepers.ids[block[match]])
                groups.append(Group(int(sleepers.ids[block[place]]), tuple(others.tolist())))
    return groups
