"""Which topics the memories of a namespace are in, kept in step with the shelf.

Memories are sorted when somebody asks for topics, those that have come since; remembering costs nothing. Where each of
them went is written down, and is all that is kept: sums and prototypes follow from it. So a topic's number outlives
restarts, encoding anew and sleep, and what is forgotten is gone from its topic.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art import (
    NONE,
    CentredConfig,
    CentredState,
    insert,
    recentre,
    remove,
    resume,
    state_of,
)
from mnemoloom.recall.shelf import Shelf
from mnemoloom.storage import topics
from mnemoloom.storage.facts import read_facts

__all__ = ["Sorted", "read_sorted", "recentre_topics"]

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Sorted:
    """The topics of a shelf.

    cells: the best and the second best topic of each slot, shape (slots, 2), −1 for none. version: of what is stored.
    """

    def __init__(self, shelf: Shelf, found: topics.Places, standing: topics.Standing, config: CentredConfig) -> None:
        self.shelf, self.version, self._config = shelf, standing.version, config
        self.cells = np.full((len(shelf.ids), 2), NONE)
        slots = np.searchsorted(shelf.ids.values, found.memories)
        there = slots < len(shelf.ids)
        there[there] = shelf.ids.values[slots[there]] == found.memories[there]
        self.cells[slots[there]] = found.cells[there]
        self.cells[~shelf.alive.values] = NONE
        self._counted = (self.cells[:, 0] != NONE) & shelf.has_vector.values
        members = np.flatnonzero(self._counted)
        next_id = max(standing.next_id, int(self.cells[:, 0].max(initial=0)) + 1)
        self.state = state_of(shelf.vectors.take(members), self.cells[members, 0], next_id=next_id, config=config)
        self._mend()

    @property
    def waiting(self) -> Ids:
        """Slots of memories that have a vector and no topic yet, ascending."""
        known = np.zeros(len(self.shelf.ids), np.bool_)
        known[: len(self.cells)] = self.cells[:, 0] != NONE
        return np.flatnonzero(self.shelf.alive.values & self.shelf.has_vector.values & ~known)

    def fits(self, shelf: Shelf, version: int) -> bool:
        """Whether this is still what is stored, of this shelf."""
        if self.shelf is not shelf or self.version != version:
            return False
        held = (self.cells[:, 0] != NONE) & (shelf.alive.values & shelf.has_vector.values)[: len(self.cells)]
        return not (held & ~self._counted).any()  # a memory that lost its vector and has one again

    def take_in(self) -> topics.Places:
        """Sort what waits, in the order in which it was remembered; where it went.

        Mean and prototypes are taken anew before and after, so that a store that was opened again sorts alike.
        """
        slots, vectors = self.waiting, self.shelf.vectors
        if self.state.width != (vectors.width or 0):
            empty = CentredState(vectors.width or 0)  # the first vector has come
            empty.next_id = self.state.next_id
            self.state = empty
        placed = insert(self.state, vectors.take(slots), self._config)
        resume(self.state, self._config)
        room = len(self.shelf.ids)
        self.cells = np.concatenate((self.cells, np.full((room - len(self.cells), 2), NONE)))
        self._counted = np.concatenate((self._counted, np.zeros(room - len(self._counted), np.bool_)))
        self.cells[slots], self._counted[slots] = placed.cells, True
        return topics.Places(self.shelf.ids.values[slots], placed.cells)

    def members(self) -> Ids:
        """Slots of the living memories that are in a topic by their own vector, ascending."""
        alive = self.shelf.alive.values[: len(self.cells)]
        return np.flatnonzero(self._counted & alive)

    def of_slots(self) -> Ids:
        """The topic of every slot, −1 for none, shape (slots,); a reply without a vector goes with what it answers."""
        shelf = self.shelf
        found = np.full(len(shelf.ids), NONE)
        found[: len(self.cells)] = np.where(shelf.alive.values[: len(self.cells)], self.cells[:, 0], NONE)
        silent = shelf.replies() & shelf.alive.values & (found == NONE)
        if silent.any():
            found[silent] = found[shelf.answered()[silent]]
        return found

    def mask(self, wanted: Collection[int]) -> Mask:
        """The slots of some topics, shape (slots,)."""
        return np.isin(self.of_slots(), list(wanted))

    def let_go(self) -> None:
        """Take what is no longer there out of its topic."""
        kept = (self.shelf.alive.values & self.shelf.has_vector.values)[: len(self.cells)]
        gone = np.flatnonzero(self._counted & ~kept)
        if len(gone):
            remove(self.state, self.shelf.vectors.take(gone), self.cells[gone, 0])
            self._counted[gone] = False
            resume(self.state, self._config)
            self._mend()
        self.cells[~self.shelf.alive.values[: len(self.cells)]] = NONE

    def _mend(self) -> None:
        """Take out second best topics that are gone."""
        self.cells[~np.isin(self.cells[:, 1], self.state.ids), 1] = NONE


def read_sorted(
    connection: sqlite3.Connection, shelf: Shelf, number: int, config: CentredConfig, known: Sorted | None
) -> Sorted:
    """The topics of a namespace as they are stored: `known`, if it is still that, or read anew."""
    standing = topics.standing(connection, number)
    if known is not None and known.fits(shelf, standing.version):
        known.let_go()
        return known
    return Sorted(shelf, topics.places(connection, number), standing, config)


def recentre_topics(connection: sqlite3.Connection, shelf: Shelf, number: int, config: CentredConfig) -> int:
    """Sort every memory of a namespace again and write down where it went; how many are now in another topic.

    That is the part of sleep that topics have. Where nobody has asked for topics, or nothing has changed since the last
    such time, there is nothing to do. What stood before, for taking it back, is `topics.places(connection, number)`,
    to be given to `topics.place`.
    """
    before, encoder = topics.places(connection, number), read_facts(connection).encoder
    known = Sorted(shelf, before, topics.standing(connection, number), config)
    settled = topics.is_settled(connection, number, encoder=encoder)
    if not len(before.memories) or (settled and not len(known.waiting)):
        return 0
    slots = np.flatnonzero(shelf.alive.values & shelf.has_vector.values)
    found = recentre(shelf.vectors.take(slots), known.cells[slots, 0], next_id=known.state.next_id, config=config)
    changed = (found.cells != known.cells[slots]).any(axis=1)
    if changed.any():
        placed = topics.Places(shelf.ids.values[slots[changed]], found.cells[changed])
        topics.place(connection, number, placed, next_id=found.next_id)
    topics.settle(connection, number, encoder=encoder)
    return found.moved
