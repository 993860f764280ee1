"""Associative links between memories, and what is related to what by the strongest path.

A link goes from one memory to another, with a strength in (0, 1] and a kind:

    similar       .7 cos + .3 (1 − min(1, Δt / 7 days)), for cos ≥ threshold    the ten strongest of each memory
    episode       1 / 2^j, for the j-th next memory of the same episode          j up to `reach`
    supersedes    1, from a statement to the one that it replaces

A link from the newer memory to the older has its full strength; back, .8 of it, at least .1. A path is as strong as the
product of its links. A study on LoCoMo found that adding the scores of linked memories costs recall@10 1 to 5 points
where neighbours are in the keys already: links are there to show what belongs together, not to score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ConfigError, ValidationError

__all__ = [
    "KINDS",
    "Links",
    "Path",
    "best_paths",
    "episode_links",
    "episode_links_from",
    "joined",
    "related_to",
    "similar_links",
    "similar_links_from",
    "superseding_links",
    "without",
]

Ids = NDArray[np.int64]
KINDS = ("similar", "episode", "supersedes")
_SIMILAR, _EPISODE, _SUPERSEDES = range(3)
_WEEK = 7 * 86_400.0
_BACK, _LEAST_BACK = 0.8, 0.1
_AT_ONCE = 512


class Links(NamedTuple):
    """m links as columns, by source, then strongest first. kinds: numbers into KINDS."""

    sources: Ids
    targets: Ids
    strengths: NDArray[np.float32]
    kinds: NDArray[np.uint8]

    @classmethod
    def none(cls) -> Links:
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.uint8))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name; `Links(**arrays)` takes them back."""
        return self._asdict()

    def at(self, places: NDArray[Any]) -> Links:
        """The links at these places, or where a mask is true."""
        return Links(self.sources[places], self.targets[places], self.strengths[places], self.kinds[places])


class Path(NamedTuple):
    """A memory that a path leads to: its strength, the ids along it, from the start to this one, and their links.

    kinds: the kind of each link, one fewer than ids.
    """

    id: int
    strength: float
    ids: tuple[int, ...]
    kinds: tuple[str, ...]


def similar_links(
    ids: Ids,
    rows: NDArray[np.floating[Any]],
    times: ArrayLike,
    *,
    since: int = 0,
    threshold: float = 0.5,
    most: int = 10,
) -> Links:
    """Links between memories whose unit rows match, the `most` strongest of each.

    Parameters
    ----------
    ids, rows, times: of shape (n,), (n, d) and (n,), in seconds. since: only pairs with a memory from this position on,
        for adding new ones at the end: `joined` with the links before, they are those of all.
    """
    at = np.asarray(times, np.float64)
    if not len(ids) == len(rows) == len(at):
        raise ValidationError(f"ids, rows and times must be of one length; got {len(ids)}, {len(rows)}, {len(at)}")
    if not -1.0 < threshold <= 1.0:
        raise ConfigError(f"threshold must be in (-1, 1]; got {threshold!r}")
    found = [Links.none()]
    for start in range(since, len(rows), _AT_ONCE):
        block = np.arange(start, min(start + _AT_ONCE, len(rows)))
        cosine = rows[block] @ rows[: block[-1] + 1].T
        cosine[
            np.arange(len(block))[:, None] + start <= np.arange(block[-1] + 1)[None, :]
        ] = -np.inf  # later, or itself
        one, other = np.nonzero(cosine >= threshold)
        matched, one = cosine[one, other], block[one]
        strength = _similarity(matched, at[one] - at[other])
        newer = at[one] >= at[other]
        source, target = np.where(newer, one, other), np.where(newer, other, one)
        found.append(_strongest(_both_ways(ids[source], ids[target], strength, _SIMILAR), most))
    return joined(*found, most=most)


def similar_links_from(
    starts: Ids,
    ids: Ids,
    rows: NDArray[np.floating[Any]],
    times: ArrayLike,
    *,
    among: NDArray[np.bool_],
    threshold: float = 0.5,
    most: int = 10,
) -> Links:
    """Of the links that `similar_links` makes, those that begin at the memories of these positions, shape (m,).

    among: shape (n,), the memories that take part; `starts` must be some of them.
    """
    at = np.asarray(times, np.float64)
    cosine = rows[starts] @ rows.T
    cosine[:, ~among] = -np.inf
    cosine[np.arange(len(starts)), starts] = -np.inf
    one, other = np.nonzero(cosine >= threshold)
    source = starts[one]
    forth = _similarity(cosine[one, other], at[source] - at[other])
    newer = (at[source] > at[other]) | ((at[source] == at[other]) & (source > other))
    strength = np.where(newer, forth, _way_back(forth)).astype(np.float32)
    links = Links(ids[source], ids[other], strength, np.full(len(source), _SIMILAR, np.uint8))
    return joined(links, most=most)


def episode_links_from(starts: Ids, ids: Ids, labels: Ids, order: Ids, *, reach: int = 2) -> Links:
    """Of the links that `episode_links` makes, those that begin at the memories of these positions, shape (m,).

    Parameters
    ----------
    labels: shape (n,), the episode of each memory; order: those that take part, by episode, then time, then id.
    """
    places = np.full(len(ids), -1)
    places[order] = np.arange(len(order))
    found = [Links.none()]
    for j in range(1, reach + 1):
        for step in (-j, j):  # back to the older one, or forth to the newer
            source = starts[(places[starts] >= 0) & (places[starts] + step >= 0) & (places[starts] + step < len(order))]
            target = order[places[source] + step]
            same = labels[source] == labels[target]
            strength = np.full(int(same.sum()), 0.5**j)
            kinds = np.full(len(strength), _EPISODE, np.uint8)
            told = (strength if step < 0 else _way_back(strength)).astype(np.float32)
            found.append(Links(ids[source[same]], ids[target[same]], told, kinds))
    return joined(*found)


def episode_links(ids: Ids, labels: Ids, times: ArrayLike, *, reach: int = 2) -> Links:
    """Links from each memory to the next ones of its episode in time, and back. Columns of shape (n,)."""
    if isinstance(reach, bool) or not isinstance(reach, int) or reach < 1:
        raise ConfigError(f"reach must be a whole number of at least 1; got {reach!r}")
    order = np.lexsort((ids, np.asarray(times, np.float64), labels))
    found = [Links.none()]
    for j in range(1, reach + 1):
        older, newer = order[:-j], order[j:]
        same = labels[older] == labels[newer]
        strength = np.full(int(same.sum()), 0.5**j)
        found.append(_both_ways(ids[newer[same]], ids[older[same]], strength, _EPISODE))
    return joined(*found)


def superseding_links(pairs: ArrayLike) -> Links:
    """Links from each new statement to the old one it replaces, and back; pairs (new id, old id) of shape (m, 2)."""
    table = np.asarray(pairs, np.int64).reshape(-1, 2)
    return joined(_both_ways(table[:, 0], table[:, 1], np.ones(len(table)), _SUPERSEDES))


def joined(*parts: Links, most: int | None = None) -> Links:
    """All links of all parts, each (source, target, kind) once, the strongest; `most` similar ones of a source."""
    sources, targets, strengths, kinds = zip(*(Links.none(), *parts), strict=True)
    columns = (np.concatenate(sources), np.concatenate(targets), np.concatenate(strengths), np.concatenate(kinds))
    every = _sorted(Links(*columns))
    keys = np.stack((every.sources, every.targets, every.kinds.astype(np.int64)), axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    once = every.at(np.sort(first))
    return once if most is None else _strongest(once, most)


def without(links: Links, ids: ArrayLike) -> Links:
    """The links that neither begin nor end at these ids: what is left when memories are forgotten."""
    gone = np.asarray(ids, np.int64)
    keep = ~(np.isin(links.sources, gone) | np.isin(links.targets, gone))
    return links.at(keep)


def related_to(links: Links, start: int, *, hops: int = 2, least: float = 0.05, k: int | None = None) -> list[Path]:
    """What the strongest paths of at most `hops` of these links lead to; `best_paths` says how."""

    def links_from(ids: Sequence[int]) -> Links:
        return links.at(np.isin(links.sources, np.asarray(ids, np.int64)))

    return best_paths(links_from, start, hops=hops, least=least, k=k)


def best_paths(
    links_from: Callable[[Sequence[int]], Links],
    start: int,
    *,
    hops: int = 2,
    least: float = 0.05,
    k: int | None = None,
) -> list[Path]:
    """What the strongest paths of at most `hops` links lead to, strongest first, equal ones by id; not `start` itself.

    Each memory comes with the best of all paths within the hops.

    Parameters
    ----------
    links_from: the links that begin at some ids, by source. least: weaker paths are not followed.
    """
    if isinstance(hops, bool) or not isinstance(hops, int) or hops < 0:
        raise ConfigError(f"hops must be a whole number of at least 0; got {hops!r}")
    best: dict[int, Path] = {start: Path(start, 1.0, (start,), ())}
    frontier: Mapping[int, Path] = best
    for _ in range(hops):
        links = links_from(sorted(frontier))
        reached: dict[int, Path] = {}
        for each in frontier.values():
            low, high = np.searchsorted(links.sources, (each.id, each.id + 1))
            columns = (links.targets[low:high], links.strengths[low:high], links.kinds[low:high])
            for target, strength, kind in zip(*(column.tolist() for column in columns), strict=True):
                total = each.strength * strength
                # equal strength by another way keeps the first: no link is stronger than 1, so no cycle is followed
                if total >= least and total > max(_known(best, target), _known(reached, target)):
                    reached[target] = Path(target, total, (*each.ids, target), (*each.kinds, KINDS[kind]))
        best = {**best, **reached}
        frontier = reached
    found = sorted((each for each in best.values() if each.id != start), key=lambda each: (-each.strength, each.id))
    return found if k is None else found[:k]


def _known(among: Mapping[int, Path], target: int) -> float:
    return among[target].strength if target in among else 0.0


def _similarity(cosine: NDArray[np.floating[Any]], apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """The strength of a link from the newer memory to the older; `apart` in seconds.

    To six digits: which of two equal memories comes first must not depend on where their rows stand.
    """
    near = 1.0 - np.minimum(1.0, np.abs(apart) / _WEEK)
    strength: NDArray[np.float64] = np.clip(0.7 * cosine + 0.3 * near, 1e-6, 1.0).astype(np.float64)
    return strength.round(6)


def _way_back(strength: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The strength of a link from the older memory to the newer."""
    back: NDArray[np.floating[Any]] = np.minimum(np.maximum(_LEAST_BACK, _BACK * strength), strength)
    return back


def _both_ways(newer: Ids, older: Ids, strength: NDArray[np.floating[Any]], kind: int) -> Links:
    return Links(
        np.concatenate((newer, older)),
        np.concatenate((older, newer)),
        np.concatenate((strength, _way_back(strength))).astype(np.float32),
        np.full(2 * len(newer), kind, np.uint8),
    )


def _strongest(links: Links, most: int) -> Links:
    """Of each source the `most` strongest similar links, and all others."""
    ordered = _sorted(links)
    similar = np.flatnonzero(ordered.kinds == _SIMILAR)
    sources = ordered.sources[similar]
    place = np.arange(len(similar)) - np.searchsorted(sources, sources)
    keep = np.ones(len(ordered.sources), bool)
    keep[similar[place >= most]] = False
    return ordered.at(keep)


def _sorted(links: Links) -> Links:
    order = np.lexsort((links.kinds, links.targets, -links.strengths, links.sources))
    return links.at(order)
