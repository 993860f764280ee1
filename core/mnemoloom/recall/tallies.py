"""Running totals over the living memories, kept in step one memory at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.index import VectorRows

__all__ = ["Tallies"]

_ADDED_AT_ONCE = 8192  # rows, so that those of a file are not all copied

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Tallies:
    """What would otherwise be counted anew after every write.

    spoken: turns by speaker number. surprises: each speaker's surprises, ascending.
    sums, encoded: the sum and the count of vectors by (cold, reply); shapes (2, 2, d) and (2, 2).
    """

    sums: NDArray[np.float64]
    encoded: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 2), np.int64))
    spoken: dict[int, int] = field(default_factory=dict)
    surprises: dict[int, Floats] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        living: NDArray[np.int64],
        *,
        speakers: NDArray[np.integer[Any]],
        surprise: Floats,
        groups: NDArray[np.int64],
        encoded: NDArray[np.bool_],
        rows: VectorRows,
    ) -> Tallies:
        """Count the slots in `living`; the other arrays are columns of the shelf. groups: 2 · cold + reply."""
        tallies = cls(np.zeros((2, 2, rows.width or 0)))
        for group in range(4):
            chosen = living[(groups[living] == group) & encoded[living]]
            for start in range(0, len(chosen), _ADDED_AT_ONCE):
                some = rows.take(chosen[start : start + _ADDED_AT_ONCE])
                tallies.sums[group // 2, group % 2] += some.sum(axis=0, dtype=np.float64)
            tallies.encoded[group // 2, group % 2] = len(chosen)
        by_speaker = living[np.argsort(speakers[living], kind="stable")]
        for slots in np.split(by_speaker, np.flatnonzero(np.diff(speakers[by_speaker])) + 1):
            if len(slots):
                speaker = int(speakers[slots[0]])
                tallies.spoken[speaker], tallies.surprises[speaker] = len(slots), np.sort(surprise[slots])
        return tallies

    def mean(self, *, cold: bool, replies: bool) -> NDArray[np.float64] | None:
        """The mean of the vectors, shape (d,), those of cold memories and of replies included or not; None of none."""
        groups = np.ix_(range(1 + cold), range(1 + replies))
        n = int(self.encoded[groups].sum())
        return self.sums[groups].sum(axis=(0, 1)) / n if n else None

    def add(self, *, speaker: int, surprise: np.float32, group: int, row: Floats | None) -> None:
        """Count one memory more."""
        self.spoken[speaker] = self.spoken.get(speaker, 0) + 1
        ordered = self.surprises.get(speaker, np.zeros(0, np.float32))
        self.surprises[speaker] = np.insert(ordered, np.searchsorted(ordered, surprise), surprise)
        self._shift(group, row, 1)

    def remove(self, *, speaker: int, surprise: np.float32, group: int, row: Floats | None) -> None:
        """Count one memory less."""
        self.spoken[speaker] -= 1
        ordered = self.surprises[speaker]
        self.surprises[speaker] = np.delete(ordered, np.searchsorted(ordered, surprise))
        self._shift(group, row, -1)

    def _shift(self, group: int, row: Floats | None, sign: int) -> None:
        if row is not None:
            self.sums[group // 2, group % 2] += sign * row
            self.encoded[group // 2, group % 2] += sign
