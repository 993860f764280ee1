"""Which memories were used, how often and when: noted as questions are asked, written down with the next write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from mnemoloom.fabric import Activation, faded
from mnemoloom.recall.shelf import Shelf
from mnemoloom.storage import memories

__all__ = ["Used", "Uses", "with_before"]


class Used(NamedTuple):
    """When a memory was last used (ms), and its activation then."""

    time: int
    active: float


class Uses:
    """Uses that are not written down yet, and the stored ones of one shelf; the caller holds a lock."""

    def __init__(self) -> None:
        self._noted: dict[int, Used] = {}
        self._stored: tuple[Shelf, object, Activation] | None = None

    def note(self, ids: Iterable[int], now: int) -> None:
        """Memories were used, each once."""
        for memory in ids:
            before = self._noted.get(memory)
            self._noted[memory] = _together(before, Used(now, 1.0)) if before else Used(now, 1.0)

    def times(self, ids: Iterable[int] | None = None) -> dict[int, int]:
        """When memories were last used: some of them, or all that are noted here."""
        asked = self._noted if ids is None else [memory for memory in ids if memory in self._noted]
        return {memory: self._noted[memory].time for memory in asked}

    def take(self) -> dict[int, Used]:
        """What is noted, handed over to be written down."""
        taken, self._noted, self._stored = self._noted, {}, None
        return taken

    def give_back(self, taken: Mapping[int, Used]) -> None:
        """What was handed over, and could not be written down, is noted again."""
        for memory, used in taken.items():
            later = self._noted.get(memory)
            self._noted[memory] = _together(used, later) if later else used
        self._stored = None

    def activation(
        self, connection: sqlite3.Connection, shelf: Shelf, number: int, *, version: object = None
    ) -> Activation:
        """By slot, with what is noted. version: of a database that others write; None where only we do."""
        seen = (shelf.position, version)
        if self._stored is None or self._stored[0] is not shelf or self._stored[1] != seen:
            self._stored = (shelf, seen, _stored(connection, shelf, number))
        stored = self._stored[2]
        if not self._noted:
            return stored
        levels, used = stored.levels.copy(), stored.used.copy()
        for memory, noted in self._noted.items():
            if slot := shelf.slot_of(memory):
                both = _together(Used(round(used[slot] * 1000), float(levels[slot])), noted)
                levels[slot], used[slot] = both.active, both.time / 1000
        return Activation(levels, used)


def with_before(noted: Mapping[int, Used], before: Mapping[int, tuple[int, float]]) -> dict[int, Used]:
    """What is noted, together with what was written down before."""
    return {
        memory: _together(Used(*before[memory]), used) if memory in before else used for memory, used in noted.items()
    }


def _together(earlier: Used, later: Used) -> Used:
    """One use after another: the earlier activation has faded since, unless the clock was set back."""
    idle = max(0, later.time - earlier.time) / 1000
    return Used(later.time, faded(earlier.active, idle) + later.active)


def _stored(connection: sqlite3.Connection, shelf: Shelf, number: int) -> Activation:
    found = memories.uses(connection, number)
    ids = np.fromiter(found, np.int64, len(found))
    activation = Activation.resting(len(shelf.ids))
    for slot in shelf.slots_of(np.sort(ids)).tolist():
        time, active = found[int(shelf.ids.values[slot])]
        activation.levels[slot], activation.used[slot] = active, time / 1000
    return activation
