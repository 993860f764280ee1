"""Centred spherical ART: topics of sentence embeddings, found in one pass.

Embeddings share a direction; without removing it one prototype drifts there and swallows the store. So:

    z = (x − mean) / |x − mean|        mean = Σ x / (n + prior), shrunk while little has been seen
    choice = match = z · p_j           p_j = unit(Σ_{members} x − n_j mean): the mean of the members, centred
    match ≥ vigilance: the member joins the best category; otherwise it founds one

Each row also keeps its second best category, for routing. The prototypes and the mean are taken anew from the
members' sums when the number of rows seen reaches `refresh_at` (every 64 rows, later every 1/64 of all rows);
between those points they stand still, so rows shown together and rows shown one by one end up the same.

`reassign` is the sleep: passes like those of spherical k-means, which undo most of what the order of arrival decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art.coding import unit_rows
from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError

__all__ = [
    "NONE",
    "CentredConfig",
    "CentredState",
    "Placed",
    "Reassigned",
    "insert",
    "match_rows",
    "reassign",
    "remove",
    "steps_to_refresh",
]

Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.float32]  # (n, d)
Ids = NDArray[np.int64]
NONE = -1  # no category
_AT_ONCE = 512  # rows whose similarities are held at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class CentredConfig:
    """vigilance: the least match with a category. prior: how many rows at zero the mean starts with.

    merge: at sleep, categories whose prototypes match at least this well become one; above 1, none do.
    """

    vigilance: float = 0.35
    prior: float = 16.0
    merge: float = 0.8

    def __post_init__(self) -> None:
        if not -1.0 <= self.vigilance <= 1.0:
            raise ConfigError(f"CentredConfig.vigilance must be in [-1, 1]; got {self.vigilance!r}")
        if not self.prior > 0.0:
            raise ConfigError(f"CentredConfig.prior must be above 0; got {self.prior!r}")
        if not self.merge > 0.0:
            raise ConfigError(f"CentredConfig.merge must be above 0; got {self.merge!r}")


class CentredState:
    """The categories: ids that are never used again, sums and counts of their members, prototypes.

    `insert` and `remove` move a state in place; `copy` makes another.
    """

    def __init__(self, width: int) -> None:
        self.size = 0  # categories
        self.rows = 0  # rows that belong to them now
        self.shown = 0  # rows ever inserted
        self.refresh_at = 1
        self.next_id = 0
        self.total = np.zeros(width)
        self.mean = np.zeros(width, np.float32)
        self._ids = np.zeros(8, np.int64)
        self._counts = np.zeros(8, np.int64)
        self._sums = np.zeros((8, width))
        self._prototypes = np.zeros((8, width), np.float32)

    @property
    def width(self) -> int:
        return len(self.mean)

    @property
    def ids(self) -> Ids:
        """The categories' ids, ascending, shape (c,)."""
        return self._ids[: self.size]

    @property
    def counts(self) -> Ids:
        """Members of each category, shape (c,)."""
        return self._counts[: self.size]

    @property
    def sums(self) -> NDArray[np.float64]:
        """Sum of the members of each category, shape (c, d)."""
        return self._sums[: self.size]

    @property
    def prototypes(self) -> Rows:
        """Unit rows, shape (c, d), as of the last refresh."""
        return self._prototypes[: self.size]

    def copy(self) -> CentredState:
        return CentredState.from_arrays(self.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything this state holds, as arrays that `from_arrays` takes back."""
        numbers = np.array([self.rows, self.shown, self.refresh_at, self.next_id])
        return {
            "ids": self.ids,
            "counts": self.counts,
            "sums": self.sums,
            "prototypes": self.prototypes,
            "total": self.total,
            "mean": self.mean,
            "numbers": numbers,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> CentredState:
        state = cls(len(arrays["mean"]))
        state._ids, state._counts = np.array(arrays["ids"]), np.array(arrays["counts"])
        state._sums, state._prototypes = np.array(arrays["sums"]), np.array(arrays["prototypes"])
        state.total, state.mean, state.size = np.array(arrays["total"]), np.array(arrays["mean"]), len(arrays["ids"])
        state.rows, state.shown, state.refresh_at, state.next_id = map(int, arrays["numbers"])
        return state

    def found(self, prototypes: Rows) -> None:
        """Add empty categories with these prototypes, shape (m, d)."""
        end = self.size + len(prototypes)
        if end > len(self._ids):
            room = max(end, 2 * len(self._ids))
            self._ids, self._counts = _grown(self._ids, room), _grown(self._counts, room)
            self._sums, self._prototypes = _grown(self._sums, room), _grown(self._prototypes, room)
        self._ids[self.size : end] = np.arange(self.next_id, self.next_id + len(prototypes))
        self._counts[self.size : end], self._sums[self.size : end] = 0, 0.0
        self._prototypes[self.size : end] = prototypes
        self.next_id += len(prototypes)
        self.size = end

    def refresh(self, config: CentredConfig) -> None:
        """Take the mean and the prototypes anew from the sums; a category without members keeps its prototype."""
        mean = self.total / (self.rows + config.prior)
        self.mean = mean.astype(np.float32)
        fresh = unit_rows(self.sums - self.counts[:, None] * mean)
        live = self.counts > 0
        self.prototypes[live] = fresh[live]

    def drop_empty(self) -> None:
        """Let categories without members go; their ids are not given out again."""
        live = self.counts > 0
        if live.all():
            return
        self._ids, self._counts = self.ids[live], self.counts[live]
        self._sums, self._prototypes = self.sums[live], self.prototypes[live]
        self.size = len(self._ids)


class Placed(NamedTuple):
    """Where rows went.

    cells: shape (n, 2), ids of the best and the second best category, −1 for no second.
    match: shape (n,), cosine with the best category before the row itself counted; −1 when there was none.
    founded: shape (n,), whether the row founded its category.
    """

    cells: Ids
    match: Rows
    founded: NDArray[np.bool_]


class Reassigned(NamedTuple):
    """The state after sleep, each row's two best categories, and how many rows changed their best one."""

    state: CentredState
    cells: Ids
    moved: int


def insert(state: CentredState, rows: Floats, config: CentredConfig | None = None) -> Placed:
    """Show rows, shape (n, d), in order; `state` moves in place. Raises DimensionMismatchError, ValidationError."""
    config = config or CentredConfig()
    rows = _checked(state, rows)
    done, start = [_nothing()], 0
    while start < len(rows):
        end = start + min(_AT_ONCE, len(rows) - start, state.refresh_at - state.shown)
        done.append(_insert_between(state, rows[start:end], config.vigilance))
        start = end
        if state.shown == state.refresh_at:
            state.refresh(config)
            state.refresh_at += steps_to_refresh(state.shown)
    return Placed(*(np.concatenate(parts) for parts in zip(*done, strict=True)))


def remove(state: CentredState, rows: Floats, cells: Ids) -> None:
    """Take members out again: their rows, shape (n, d), and the ids of their best categories, shape (n,).

    Prototypes follow at the next refresh; an emptied category goes at the next sleep. Raises ValidationError.
    """
    rows = _checked(state, rows)
    at = _positions(state.ids, np.asarray(cells, np.int64))
    leaving = np.bincount(at, minlength=state.size)
    short = np.flatnonzero(leaving > state.counts)
    if len(short):
        raise ValidationError(f"category {state.ids[short[0]]} has {state.counts[short[0]]} members; more were removed")
    for cell, row in zip(at.tolist(), rows, strict=True):
        state.sums[cell] -= row
    state.total -= rows.sum(axis=0, dtype=np.float64)
    state.counts[:] -= leaving
    state.rows -= len(rows)


def steps_to_refresh(shown: int) -> int:
    """After how many more rows mean and prototypes are taken anew."""
    return min(max(1, shown), max(64, shown // 64))


def match_rows(state: CentredState, rows: Floats) -> Rows:
    """Cosine of each row with each category, both centred: shape (n, c)."""
    matched: Rows = unit_rows(_checked(state, rows) - state.mean) @ state.prototypes.T
    return matched


def reassign(
    state: CentredState, rows: Floats, cells: Ids, config: CentredConfig | None = None, *, passes: int = 2
) -> Reassigned:
    """Put every row into its best category and take the categories anew from their members; `state` stays as it is.

    Close categories become one, under the id of the larger; empty ones go. Ids are never given out again.

    Parameters
    ----------
    rows: shape (n, d), all members. cells: shape (n,), ids of their best categories so far.
    """
    config = config or CentredConfig()
    rows, after = _checked(state, rows), state.copy()
    if len(rows) != len(cells):
        raise ValidationError(f"rows and cells must be of one length; got {len(rows)} and {len(cells)}")
    before = np.asarray(cells, np.int64)
    best = _positions(after.ids, before)
    _take_members(after, rows, best, config)
    best = _merged(after, config.merge)[best]
    _take_members(after, rows, best, config)
    best = _drop_empty(after, best)
    for _ in range(passes):
        best = _two_best(after, rows)[:, 0]
        _take_members(after, rows, best, config)
    best = _drop_empty(after, best)
    ids = np.append(after.ids, NONE)[_two_best(after, rows, first=best)]
    return Reassigned(after, ids, int((ids[:, 0] != before).sum()))


def _insert_between(state: CentredState, rows: Rows, vigilance: float) -> Placed:
    """Show rows between two refreshes, with prototypes and mean standing still."""
    z = unit_rows(rows - state.mean)
    known = z @ state.prototypes.T
    match = known.max(axis=1, initial=-1.0 if state.size else -np.inf)
    founders = _founders(z, match, vigilance)
    state.found(z[founders])
    among = z @ z[founders].T  # (n, new): a row sees the categories founded before it, and its own
    later = founders[None, :] > np.arange(len(z))[:, None]
    among[later] = -np.inf
    if len(founders):
        match = np.maximum(match, np.where(founders[None, :] == np.arange(len(z))[:, None], -1.0, among).max(axis=1))
        among[founders, np.arange(len(founders))] = 2.0  # its own category is its best, whatever rounding says
    best, second = _first_two(np.concatenate((known, among), axis=1))
    for cell, row in zip(best.tolist(), rows, strict=True):
        state.sums[cell] += row
        state.total += row
    state.counts[:] += np.bincount(best, minlength=state.size)
    state.rows += len(rows)
    state.shown += len(rows)
    ids = np.append(state.ids, NONE)
    founded = np.isin(np.arange(len(z)), founders)
    return Placed(np.stack((ids[best], ids[second]), axis=1), match.astype(np.float32), founded)


def _founders(z: Rows, match: Rows, vigilance: float) -> Ids:
    """Numbers of the rows that no category before them matches, each founding one."""
    strange = np.flatnonzero(match < vigilance)
    if not len(strange):
        return strange
    among = z[strange] @ z[strange].T
    founding: list[int] = []
    for place in range(len(strange)):
        if among[place, founding].max(initial=-np.inf) < vigilance:
            founding.append(place)
    return strange[founding]


def _first_two(similarity: Rows) -> tuple[Ids, Ids]:
    """Columns of the highest and the second highest value of each row; −1 where there is no second."""
    n, c = similarity.shape
    best = similarity.argmax(axis=1)
    if c == 1:
        return best, np.full(n, NONE)
    every = np.arange(n)
    similarity[every, best] = -np.inf
    second = similarity.argmax(axis=1)
    return best, np.where(similarity[every, second] > -np.inf, second, NONE)


def _two_best(state: CentredState, rows: Rows, first: Ids | None = None) -> Ids:
    """Numbers of each row's two best categories, shape (n, 2); `first` fixes the best ones."""
    found = np.full((len(rows), 2), NONE)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        similarity = unit_rows(rows[part] - state.mean) @ state.prototypes.T
        if first is not None:
            similarity[np.arange(len(similarity)), first[part]] = 2.0
        found[part, 0], found[part, 1] = _first_two(similarity)
    return found


def _take_members(state: CentredState, rows: Rows, best: Ids, config: CentredConfig) -> None:
    """Sums, counts, mean and prototypes from these members alone."""
    order = np.argsort(best, kind="stable")
    state.counts[:] = np.bincount(best, minlength=state.size)
    state.sums[:] = 0.0
    live = np.flatnonzero(state.counts)
    starts = np.append(0, np.cumsum(state.counts[live]))
    for number, cell in enumerate(live.tolist()):
        state.sums[cell] = rows[order[starts[number] : starts[number + 1]]].sum(axis=0, dtype=np.float64)
    state.total = state.sums.sum(axis=0)
    state.rows = len(rows)
    state.refresh(config)


def _drop_empty(state: CentredState, best: Ids) -> Ids:
    """Let categories without members go; the rows' categories in the numbers of those that stay."""
    renumbered = np.cumsum(state.counts > 0) - 1
    state.drop_empty()
    return renumbered[best]


def _merged(state: CentredState, threshold: float) -> Ids:
    """For each category the number of the one that it becomes: the largest that it matches, or itself."""
    becomes = np.arange(state.size)
    if threshold > 1.0:
        return becomes
    taken = np.zeros(state.size, bool)
    for cell in np.lexsort((state.ids, -state.counts)).tolist():
        if taken[cell]:
            continue
        close = np.flatnonzero((state.prototypes @ state.prototypes[cell] >= threshold) & ~taken)
        becomes[close], becomes[cell] = cell, cell
        taken[close] = taken[cell] = True
    return becomes


def _checked(state: CentredState, rows: Floats) -> Rows:
    rows = np.asarray(rows, np.float32)
    if rows.ndim != 2 or rows.shape[1] != state.width:
        raise DimensionMismatchError(expected=state.width, got=rows.shape[-1] if rows.ndim else 0)
    if not np.isfinite(rows).all():
        raise ValidationError("rows must be finite; one holds NaN or an infinity")
    return rows


def _positions(ids: Ids, wanted: Ids) -> Ids:
    """Where ids stand among ascending `ids`. Raises ValidationError for one that is not there."""
    at = np.searchsorted(ids, wanted)
    strange = np.flatnonzero(np.append(ids, NONE)[np.minimum(at, len(ids))] != wanted)
    if len(strange):
        raise ValidationError(f"there is no category {wanted[strange[0]]}")
    return at


def _nothing() -> Placed:
    return Placed(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, bool))


def _grown(array: NDArray[Any], room: int) -> NDArray[Any]:
    grown = np.zeros((room, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
