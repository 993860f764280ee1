"""Search through digits of precision, coarse to fine: scan four-bit codes, keep some, look closer, end with exact rows.

    level 2   all codes are scanned; the nearest are candidates
    level 1   int8 codes choose among these
    level 0   the exact rows decide: each kept candidate's score is its exact cosine

Rows are named by their number, counted from 1 in the order of adding; number 0 means "none". Codes stand in entries,
and a pointer says which row an entry codes. A removed row leaves an entry without a pointer, a replaced one gets a new
entry at the end, and when too many entries are dead the codes close their gaps: numbers never change. Codes are made
when first needed: the first search after many additions pays for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mnemoloom.columns import Column, Table
from mnemoloom.config import IndexSettings
from mnemoloom.errors import ConfigError, DimensionMismatchError
from mnemoloom.hgns.digits import fine_codes, fine_products, rotation
from mnemoloom.hgns.probe import OCTAVES, Probe, fresh_probe, is_due, learn, octaves_needed, recall_of
from mnemoloom.hgns.scanning import Arrays, CoarseScan, coarse_scan, way_to_scan

__all__ = ["LEVELS", "ExactRows", "Found", "Hierarchy", "IndexReport", "Near"]

Rows = NDArray[np.float32]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LEVELS = ((2, 1, 0), (2, 0), (2, 1), (2,), (0,))
LAYOUT = 1  # of `Hierarchy.arrays`
_PROBED = 10  # nearest of a sampled query
_ENCODED_AT_ONCE = 1024  # they stay in the processor's cache from the rotation to the codes
_MEAN_OF = 20_000  # rows that the signs' mean is taken over
_SPARE = 1.5  # times k: exact rows that are read behind level 1
_WORTH_IT = 4  # candidates are fewer than entries / 4, or a scan of the exact rows is as fast


class ExactRows(Protocol):
    """Level 0: unit rows by number; zeros for a number without one."""

    @property
    def width(self) -> int | None: ...
    def __len__(self) -> int: ...
    def append(self, row: Rows | None) -> None: ...
    def extend(self, rows: Rows) -> None: ...
    def replace(self, slot: int, row: Rows) -> None: ...
    def take(self, slots: NDArray[np.integer[Any]]) -> Rows: ...
    def scores(self, query: Rows) -> Rows: ...
    def scores_of(self, slots: Numbers, query: Rows) -> Rows: ...


class Near(NamedTuple):
    """Candidates, in no order: their numbers, and their cosines as levels 2 and 1 see them (NaN where one does not).

    turned: the query in the rotated basis of the codes, shape (width,).
    """

    numbers: Numbers
    level2: Rows
    level1: Rows
    turned: Rows

    @classmethod
    def unseen(cls, numbers: Numbers, turned: Rows) -> Near:
        """Candidates that no coarser level looked at."""
        return cls(numbers, _nothing(len(numbers)), _nothing(len(numbers)), turned)

    def joined(self, other: Near) -> Near:
        """These, and those of the others that are not among them."""
        new = ~np.isin(other.numbers, self.numbers)
        return Near(
            np.concatenate((self.numbers, other.numbers[new])),
            np.concatenate((self.level2, other.level2[new])),
            np.concatenate((self.level1, other.level1[new])),
            self.turned,
        )


class Found(NamedTuple):
    """Rows nearest to a query, best first; each of shape (m,).

    scores: cosines by the finest level asked for. level2, level1, level0: by each level, NaN where it took no part.
    read: how many exact rows were looked at.
    """

    numbers: Numbers
    scores: Rows
    level2: Rows
    level1: Rows
    level0: Rows
    read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """How vectors are searched.

    way: "exact", "cells" (four-bit codes, with faiss) or "signs" (without). entries, dead: codes, and those of removed
    rows among them. bytes: what the codes take in memory; mapped files take none. candidates: handed on by the coarse
    level now. sampled: queries that were answered exactly as well; recall: the share of their true ten nearest that
    so many candidates hold, None before the first.
    """

    way: str
    entries: int
    dead: int
    bytes: int
    candidates: int
    sampled: int
    recall: float | None


class Hierarchy:
    """An index over `rows`, which it shares with the caller; rows are added, replaced and removed through it alone.

    Not safe for concurrent use: the caller holds a lock.
    """

    def __init__(self, rows: ExactRows, settings: IndexSettings | None = None) -> None:
        self.rows = rows
        self.settings = settings or IndexSettings()
        self._live = Column(np.bool_, data=np.zeros(len(rows), np.bool_))
        self._probe = fresh_probe()
        self._clear()

    def _clear(self) -> None:
        self._scan: CoarseScan | None = None
        self._fine: Table[np.int8] | None = None
        self._pointers: Column[np.int32] = Column(np.int32, data=np.zeros(0, np.int32))  # entry to number, 0 if dead
        self._entries: Column[np.int32] = Column(np.int32)  # number to entry + 1, 0 for none
        self._again: list[int] = []
        self._dead = 0

    def __len__(self) -> int:
        """Rows that can be found."""
        return int(np.count_nonzero(self._live.values))

    # -- changing -----------------------------------------------------------------------------------

    def add(self, row: Rows | None) -> int:
        """Add the next unit row, shape (d,), or a number without one; its number."""
        self.rows.append(row)
        self._live.append(row is not None)
        return len(self._live) - 1

    def extend(self, rows: Rows) -> None:
        """Add several unit rows, shape (n, d)."""
        self.rows.extend(rows)
        self._live.extend(np.ones(len(rows), np.bool_))

    def replace(self, number: int, row: Rows) -> None:
        """Give a number another row, or its first one. Raises IndexError for one that was never given."""
        self._check(number)
        self.rows.replace(number, row)
        self._live[number] = True
        if number < len(self._entries):
            self._bury(number)
            self._again.append(number)

    def remove(self, number: int) -> None:
        """Let a row never be found again; its number stays taken. Raises IndexError for one that was never given."""
        self._check(number)
        self._live[number] = False
        if number < len(self._entries):
            self._bury(number)

    def _check(self, number: int) -> None:
        if not 0 < number < len(self._live):
            raise IndexError(f"row {number} was never added; there are {len(self._live) - 1}")

    def _bury(self, number: int) -> None:
        entry = int(self._entries.values[number])
        if entry:
            self._pointers[entry - 1] = 0
            self._entries[number] = 0
            self._dead += 1

    def compact(self) -> int:
        """Let go of the codes of removed and replaced rows; how many."""
        if self._scan is None or not self._dead:
            return 0
        kept = self._pointers.values > 0
        gone, self._dead = self._dead, 0
        self._scan.keep(kept)
        if self._fine is not None:
            self._fine = Table(np.int8, self._fine.width, base=self._fine.take(np.flatnonzero(np.append(True, kept))))
        pointers = self._pointers.values[kept]
        self._pointers = Column(np.int32, data=pointers)
        entries = np.zeros(len(self._entries), np.int32)
        entries[pointers] = np.arange(1, len(pointers) + 1)
        self._entries = Column(np.int32, data=entries)
        return gone

    # -- asking -------------------------------------------------------------------------------------

    def search(
        self,
        query: Rows,
        k: int,
        *,
        levels: tuple[int, ...] | None = None,
        allowed: Mask | None = None,
        exact: bool = False,
    ) -> Found:
        """The k nearest rows to a unit query of shape (d,).

        Parameters
        ----------
        levels: coarse to fine, one of LEVELS; those of the settings by default. Without level 0 scores are estimates.
        allowed: which numbers count, shape (numbers,). exact: compare every row.

        Raises
        ------
        ConfigError, DimensionMismatchError
        """
        levels = self.settings.levels if levels is None else tuple(levels)
        if levels not in LEVELS:
            raise ConfigError(f"levels must be one of {', '.join(map(str, LEVELS))}; got {levels!r}")
        spare = max(k + 6, int(_SPARE * k)) if levels == (2, 1, 0) else k
        near = None if exact else self.near(query, spare, levels=levels, allowed=allowed)
        if near is None:
            return self._scanned(query, k, allowed)
        if 0 in levels:
            scores = self.rows.scores_of(near.numbers, query)
        else:
            scores = near.level1 if 1 in levels else near.level2
        best = _best(scores, near.numbers, k)
        level0, read = (scores[best], len(scores)) if 0 in levels else (_nothing(len(best)), 0)
        return Found(near.numbers[best], scores[best], near.level2[best], near.level1[best], level0, read)

    def near(
        self, query: Rows, count: int, *, levels: tuple[int, ...] | None = None, allowed: Mask | None = None
    ) -> Near | None:
        """About `count` candidates or more, for the caller to rank; None where every row is to be compared.

        Parameters
        ----------
        query: a unit row (d,). levels, allowed: as in `search`; level 0 is the caller's.
        """
        levels = self.settings.levels if levels is None else levels
        if levels == (0,) or not self._ready():
            return None
        if len(query) != self.rows.width:
            raise DimensionMismatchError(expected=self.rows.width or 0, got=len(query))
        # where level 1 leaves out few, reading the exact rows of all is as fast
        refined = 1 in levels and (0 not in levels or 2 * count <= self.candidates)
        taken = max(self.candidates, 2 * count if refined else count)
        turned = rotation(len(query)).apply(query[None])[0]
        nearest = None
        if 0 in levels and is_due(self._probe, self.settings.probe_every):
            nearest = self._sample(query, turned, taken, allowed)
        self._probe = probe = self._probe._replace(asked=self._probe.asked + 1)
        entries = None if probe.octave == OCTAVES else self._coarse(turned, taken << probe.octave, allowed)
        if entries is None:
            return None
        unrefined = Near(*entries[1:], _nothing(len(entries[0])), turned)
        near = self._refined(unrefined, entries[0], count) if refined else unrefined
        return near if nearest is None else near.joined(Near.unseen(nearest, turned))

    def fine_scores(self, numbers: Numbers, turned: Rows) -> Rows:
        """Cosines of some rows with a rotated query as level 1 sees them; NaN for a row without such a code."""
        found = _nothing(len(numbers))
        if self._fine is not None and len(self._entries):
            entries = self._entries.values[np.minimum(numbers, len(self._entries) - 1)]
            coded = np.flatnonzero((entries > 0) & (numbers < len(self._entries)))
            found[coded] = fine_products(self._fine.take(entries[coded]), turned)
        return found

    def _coarse(self, turned: Rows, count: int, allowed: Mask | None) -> tuple[Numbers, Numbers, Rows] | None:
        """Entries, numbers and estimates of the `count` nearest living, allowed rows; None if not worth it."""
        if self._scan is None:
            return None
        entries = len(self._scan)
        fetched = int(count * entries / max(entries - self._dead, 1)) + 8 * bool(self._dead)
        while fetched * _WORTH_IT <= entries:
            found, estimates = self._scan.nearest(turned, fetched)
            numbers = self._pointers.values[found].astype(np.int64)
            kept = numbers > 0 if allowed is None else (numbers > 0) & allowed[numbers]
            if np.count_nonzero(kept) >= count:
                return found[kept], numbers[kept], estimates[kept]
            fetched *= 2
        return None

    def _refined(self, near: Near, entries: Numbers, count: int) -> Near:
        """The `count` best by level 1."""
        if self._fine is None:
            return near
        products = fine_products(self._fine.take(entries + 1), near.turned)
        if count < len(products):
            kept = np.argpartition(products, len(products) - count)[len(products) - count :]
            return Near(near.numbers[kept], near.level2[kept], products[kept], near.turned)
        return near._replace(level1=products)

    def _scanned(self, query: Rows, k: int, allowed: Mask | None) -> Found:
        scores, numbers = self._exact(query, k, allowed)
        return Found(numbers, scores, _nothing(len(scores)), _nothing(len(scores)), scores, len(self._live) - 1)

    def _exact(self, query: Rows, k: int, allowed: Mask | None) -> tuple[Rows, Numbers]:
        if self.rows.width is None:
            return _nothing(0), np.zeros(0, np.int64)
        counted = np.flatnonzero(self._live.values if allowed is None else self._live.values & allowed)
        scores = self.rows.scores(query)[counted]
        best = _best(scores, counted, k)
        return scores[best], counted[best]

    def _sample(self, query: Rows, turned: Rows, count: int, allowed: Mask | None) -> Numbers:
        """Answer exactly, and learn how many candidates would have held the answer; the true nearest."""
        true, nearest = self._exact(query, _PROBED, allowed)
        if self._scan is None or not len(nearest):
            return nearest
        found, _ = self._scan.nearest(turned, count << (OCTAVES - 1))
        numbers = self._pointers.values[found].astype(np.int64)
        numbers = numbers[numbers > 0 if allowed is None else (numbers > 0) & allowed[numbers]]
        # whatever is as near as the last of the true nearest counts as one of them: which of equals is chance
        places = np.flatnonzero(self.rows.scores_of(numbers, query) >= true[-1] - 1e-6)[: len(true)]
        missing = np.full(len(true) - len(places), -1)
        needed = octaves_needed(np.concatenate((places, missing)), count)
        self._probe = learn(self._probe, needed, recall=self.settings.recall)
        return nearest

    # -- coding -------------------------------------------------------------------------------------

    @property
    def candidates(self) -> int:
        """How many the coarse level hands on where the probe has no objection."""
        growth = max(1.0, len(self._pointers) / 100_000) ** 0.3  # measured: 200, 300, 400 for 100k, 300k, 1M
        return int(self.settings.candidates * growth)

    def _ready(self) -> bool:
        """Whether there are codes of all rows, made now if need be, and enough of them."""
        if self.rows.width is None or len(self._live) - 1 < self.settings.exact_below:
            return False
        if self._scan is None and not self._begin():
            return False
        self._catch_up()
        if self._dead > self.settings.compact_at * len(self._pointers):
            self.compact()
        return len(self._pointers) - self._dead >= self.settings.exact_below

    def _begin(self) -> bool:
        way, width = way_to_scan(), self.rows.width
        if way is None or width is None:
            return False
        turning = rotation(width)
        first = np.flatnonzero(self._live.values)[:_MEAN_OF]
        mean = np.zeros(turning.width, np.float32)
        if way == "signs" and len(first):
            mean = turning.apply(self.rows.take(first)).mean(axis=0)
        self._scan = coarse_scan(way, turning.width, mean=mean)
        self._fine = Table(np.int8, turning.width) if 1 in self.settings.levels else None
        return True

    def _catch_up(self) -> None:
        """Code what was added or replaced since."""
        start, end = len(self._entries), len(self._live)
        if start < end:
            self._entries.extend(np.zeros(end - start, np.int32))
            self._code(start + np.flatnonzero(self._live.values[start:]))
        if self._again:
            changed, self._again = np.array(sorted(set(self._again)), np.int64), []
            self._code(changed[self._live.values[changed] & (self._entries.values[changed] == 0)])

    def _code(self, numbers: Numbers) -> None:
        if self._scan is None or self.rows.width is None:
            return
        turning = rotation(self.rows.width)
        for start in range(0, len(numbers), _ENCODED_AT_ONCE):
            some = numbers[start : start + _ENCODED_AT_ONCE]
            rotated = turning.apply(self.rows.take(some))
            self._scan.add(rotated)
            if self._fine is not None:
                self._fine.extend(fine_codes(rotated))
            self._entries[some] = np.arange(len(some)) + len(self._pointers) + 1
            self._pointers.extend(some.astype(np.int32))

    # -- keeping ------------------------------------------------------------------------------------

    def report(self) -> IndexReport:
        """How rows are searched now."""
        octave, scan = self._probe.octave, self._scan
        codes = 0
        if scan is not None:
            codes = scan.bytes + self._pointers.values.nbytes + self._entries.values.nbytes
            codes += 0 if self._fine is None else self._fine.resident_bytes
        candidates = self.candidates << octave
        exact = scan is None or octave == OCTAVES or candidates * _WORTH_IT > len(self._pointers)
        return IndexReport(
            way="exact" if exact or scan is None else scan.way,
            entries=len(self._pointers),
            dead=self._dead,
            bytes=codes,
            candidates=0 if exact else candidates,
            sampled=self._probe.sampled,
            recall=recall_of(self._probe),
        )

    def arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Codes and facts that `restore` takes back, without those of removed rows; nothing before there are codes."""
        if self._scan is None:
            return {}, {}
        self._catch_up()
        self.compact()
        arrays = self._scan.arrays() | {"pointers": self._pointers.values, "entries": self._entries.values}
        if self._fine is not None:
            arrays["fine"] = self._fine.take(np.arange(len(self._fine)))  # mapped rows stay where they are
        probe = self._probe
        facts = {
            "layout": LAYOUT,
            "way": self._scan.way,
            "probe": [probe.asked, probe.sampled, probe.counts.tolist(), probe.octave],
        }
        return arrays, facts

    def restore(self, live: Mask, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Take over the rows as they are, and codes that another index of the same rows has made.

        Codes of another layout, or of another way to scan than is possible here, are made anew instead.

        Parameters
        ----------
        live: the numbers that can be found, shape (numbers,). Raises ValueError for arrays that do not fit.
        """
        self._live = Column(np.bool_, data=live)
        self._clear()
        usable = facts.get("layout") == LAYOUT and facts.get("way") == way_to_scan()
        if not usable or (1 in self.settings.levels) != ("fine" in arrays) or not self._begin() or self._scan is None:
            self._clear()
            return
        pointers, entries = arrays["pointers"], arrays["entries"]
        if len(entries) > len(live) or len(pointers) > len(live):
            raise ValueError(f"codes of {len(entries)} rows do not belong to {len(live)}")
        self._scan.restore(arrays, len(pointers))
        self._pointers, self._entries = Column(np.int32, data=pointers), Column(np.int32, data=entries)
        if self._fine is not None:
            self._fine = Table(np.int8, self._fine.width, base=arrays["fine"])
        asked, sampled, counts, octave = facts["probe"]
        self._probe = Probe(asked, sampled, np.array(counts, np.float64), octave)


def _best(scores: Rows, numbers: Numbers, k: int) -> Numbers:
    """Places of the k highest scores, best first; of equal ones, the lower number."""
    places = np.arange(len(scores))
    if len(scores) > k > 0:
        places = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    return places[np.lexsort((numbers[places], -scores[places]))[:k]]


def _nothing(count: int) -> Rows:
    return np.full(count, np.nan, np.float32)
