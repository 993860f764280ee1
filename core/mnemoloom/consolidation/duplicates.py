"""Near-duplicates: the same said again by the same speaker.

Grouped around one memory, so that each of the others is a near-duplicate of it and not merely of one another. A group
says what may stand for what in a result; every event of it keeps its text, its time and its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation.sleepers import Sleepers
from mnemoloom.errors import ConfigError

__all__ = ["Group", "near_duplicates"]

_AT_ONCE = 128  # rows that are compared with the others by one matrix product


class Group(NamedTuple):
    """The id that they are grouped around, and those that are near-duplicates of it, ascending."""

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
    topics: a number for each memory, shape (n,); only memories of the same number are compared. That may be a topic
        or what they must have in common (`wording`), and is what makes hundreds of thousands comparable.
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
    if len(block) == 1:
        return []
    left, free = np.ones(len(block), bool), ~sleepers.pinned[block]
    groups = []
    for place, match in _matches(sleepers.rows[block], threshold):
        if left[place]:
            left[place] = False
            match = match[left[match] & free[match]]
            left[match] = False
            if len(match):
                others = np.sort(sleepers.ids[block[match]])
                groups.append(Group(int(sleepers.ids[block[place]]), tuple(others.tolist())))
    return groups


def _matches(rows: NDArray[np.float32], threshold: float) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each row that matches later ones, with these, in order."""
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        first, second = np.nonzero(np.triu(some @ rows[start:].T >= threshold, k=1))
        if len(first):
            opens = np.flatnonzero(np.diff(first)) + 1
            for owner, match in zip(first[[0, *opens]].tolist(), np.split(second, opens), strict=True):
                yield start + owner, start + match
