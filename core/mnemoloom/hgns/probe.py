"""How many candidates are enough: measured on the queries themselves.

Now and then a query is also answered exactly. Where its true nearest stand in the order of the coarse scan tells how
many candidates would have held them: as many as are taken by default, twice as many, four times, … . The state counts
that by octaves, and the number of candidates is the smallest that held the wanted share of all neighbours seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["OCTAVES", "Probe", "fresh_probe", "is_due", "learn", "octaves_needed", "recall_of", "settled"]

OCTAVES = 6  # 1, 2, 4, … 32 times the candidates; the last count is of neighbours that even these did not hold
_FIRST = 8  # queries that are all sampled
_REMEMBERED = 2_000.0  # neighbours; beyond, the older ones count half


class Probe(NamedTuple):
    """asked: queries so far. sampled: those that were answered exactly as well.

    counts: neighbours by the octave that they needed, shape (OCTAVES + 1,). octave: the one in use; OCTAVES means
    that no number of candidates will do, so every query is answered exactly.
    """

    asked: int
    sampled: int
    counts: NDArray[np.float64]
    octave: int


def fresh_probe() -> Probe:
    """Before the first query."""
    return Probe(0, 0, np.zeros(OCTAVES + 1), 0)


def is_due(probe: Probe, every: int) -> bool:
    """Whether the next query is to be sampled: the first eight, the 17th, the 33rd, … and each `every`th."""
    asked = probe.asked
    return asked < _FIRST or asked % every == 0 or (asked < every and asked & (asked - 1) == 0)


def octaves_needed(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The octave that holds each place, counted from 0, when octave 0 takes `count` candidates; −1 is no place."""
    octaves = np.ceil(np.log2(np.maximum(places + 1, 1) / count)).astype(np.int64)
    return np.where((places < 0) | (octaves >= OCTAVES), OCTAVES, np.maximum(octaves, 0))


def learn(probe: Probe, needed: NDArray[np.int64], *, recall: float) -> Probe:
    """Take in one sampled query; `needed` are the octaves of its true neighbours."""
    counts = probe.counts + np.bincount(needed, minlength=OCTAVES + 1)
    if counts.sum() > _REMEMBERED:
        counts /= 2.0
    return Probe(probe.asked, probe.sampled + 1, counts, settled(counts, recall=recall))


def settled(counts: NDArray[np.float64], *, recall: float) -> int:
    """The smallest octave whose candidates held the wanted share of the neighbours.

    While few have been seen, a single one that was missed is too many: more candidates cost little.
    """
    held = np.cumsum(counts)
    return int(np.searchsorted(held, recall * held[-1]))


def recall_of(probe: Probe) -> float | None:
    """The share of the sampled queries' true neighbours that the octave in use holds; None before the first."""
    total = float(probe.counts.sum())
    return float(probe.counts[: probe.octave + 1].sum()) / total if total else None
