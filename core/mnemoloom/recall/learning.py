"""Where questions of a namespace have learned to look, from what was said to be useful.

What is kept is which memories were useful for which question; the feedback memory follows from it, one step a use, so
that a forgotten memory teaches nothing any more. Uses of another encoder than the store's are left alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import CorruptionError
from mnemoloom.fabric import Feedback, useful
from mnemoloom.recall.shelf import Shelf
from mnemoloom.storage import feedback
from mnemoloom.storage.facts import CALLER, read_facts

__all__ = ["Learned", "encoder_of", "read_learned", "row_of"]

Row = NDArray[np.float32]


class Learned:
    """The feedback memory of a shelf; `state` is None while nothing was learned. mark: of the uses that it knows."""

    def __init__(self, shelf: Shelf, mark: tuple[int, int, int]) -> None:
        self.shelf, self.mark = shelf, mark
        self.state: Feedback | None = None

    def take_in(self, question: Row, ids: Iterable[int]) -> None:
        """Learn that memories were useful for a question; those that have no vector any more teach nothing."""
        rows = [row for memory in sorted(ids) if (row := row_of(self.shelf, memory)) is not None]
        if rows and len(question) == self.shelf.vectors.width and np.linalg.norm(np.sum(rows, axis=0)) > 0.0:
            self.state = useful(self.state or Feedback.none(len(question)), question, np.stack(rows))


def read_learned(connection: sqlite3.Connection, shelf: Shelf, number: int, known: Learned | None) -> Learned:
    """What was learned, as it is stored: `known`, if it is still that, or read anew. Raises CorruptionError."""
    mark = feedback.mark(connection)
    if known is not None and known.shelf is shelf and known.mark == mark:
        return known
    found = Learned(shelf, mark)
    said = feedback.uses(connection, number, encoder=encoder_of(connection)) if any(mark) else []
    try:
        for use in said:
            found.take_in(np.frombuffer(use.question, "<f4"), use.memories)
    except ValueError as error:
        raise CorruptionError(f"table feedback of the store is damaged: {error}") from error
    return found


def row_of(shelf: Shelf, memory: int) -> Row | None:
    """The vector of a memory; of a reply without one, that of the message that it answers; else None."""
    slot = shelf.slot_of(memory)
    if slot and not shelf.has_vector.values[slot] and shelf.replies()[slot]:
        slot = int(shelf.answered()[slot])
    return shelf.vectors.row(slot) if slot and shelf.has_vector.values[slot] else None


def encoder_of(connection: sqlite3.Connection) -> str:
    """Whose vectors the store's questions are compared with."""
    return read_facts(connection).encoder or CALLER
