"""What the planning of sleep looks at, read from a namespace: one column for each thing that it must know."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation import Quadrant, Sleepers, count_quadrants, quadrants_of, ranks_among, states_of
from mnemoloom.lexical import wording
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.shelf import Shelf
from mnemoloom.storage import memories, repeats
from mnemoloom.storage.journal import pruned
from mnemoloom.storage.standing import Standing, placed_by_users, standings, stresses

__all__ = ["Bedroom", "quadrant_counts", "read_bedroom"]

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Bedroom:
    """The memories of a namespace as columns.

    wordings: a number for each memory, shape (n,), the same for those that say the same in the same words; zeros if
    words do not matter. ever: by speaker number, all surprises ever written, ascending.
    """

    sleepers: Sleepers
    wordings: NDArray[np.int64]
    ever: dict[int, NDArray[np.floating]]


def read_bedroom(live: LiveShelf, *, now: int, half_life: float, same_words: bool) -> Bedroom:
    """Read what sleep must know. now: milliseconds. half_life: of a memory's use, in seconds."""
    with live.reading() as (connection, shelf, number):
        standing, slots = _aligned(connection, shelf, number)
        sleepers = _sleepers(connection, live, standing, slots, shelf=shelf, number=number, now=now, life=half_life)
        ever = _ever(connection, sleepers, number)
        wordings = np.zeros(len(slots), np.int64)
        if same_words:
            wordings = _wordings(connection, shelf, number, slots)
            # without a vector there is no cosine to ask for: the same words are the same said again
            lacking = ~shelf.has_vector.values[slots]
            rows = sleepers.rows if sleepers.rows.shape[1] else np.zeros((len(slots), 1), np.float32)
            rows[lacking, 0] = 1.0
            sleepers = sleepers._replace(rows=rows)
    return Bedroom(sleepers, wordings, ever)


def quadrant_counts(
    connection: sqlite3.Connection, live: LiveShelf, shelf: Shelf, number: int, *, now: int, half_life: float
) -> dict[Quadrant, int]:
    """How many memories lie in each quadrant."""
    standing, slots = _aligned(connection, shelf, number)
    sleepers = _sleepers(
        connection, live, standing, slots, shelf=shelf, number=number, now=now, life=half_life, vectors=False
    )
    ranks = ranks_among(sleepers, _ever(connection, sleepers, number))
    return count_quadrants(quadrants_of(states_of(sleepers, ranks, half_life=half_life)))


def _aligned(connection: sqlite3.Connection, shelf: Shelf, number: int) -> tuple[list[Standing], NDArray[np.int64]]:
    """The memories that both the database and the shelf hold, and their slots."""
    standing = standings(connection, number)
    ids = np.fromiter((each.id for each in standing), np.int64, len(standing))
    slots = shelf.slots_of(ids)
    held = np.isin(ids, shelf.ids.values[slots], assume_unique=True)
    return [each for each, known in zip(standing, held.tolist(), strict=True) if known], slots


def _sleepers(
    connection: sqlite3.Connection,
    live: LiveShelf,
    standing: Sequence[Standing],
    slots: NDArray[np.int64],
    *,
    shelf: Shelf,
    number: int,
    now: int,
    life: float,
    vectors: bool = True,
) -> Sleepers:
    n, noted = len(standing), live.accessed()
    placed, stress, merged = (
        placed_by_users(connection, number),
        stresses(connection, number),
        repeats.merged_ids(connection, number),
    )
    used = (noted.get(each.id, each.accessed) for each in standing)
    return Sleepers(
        ids=np.fromiter((each.id for each in standing), np.int64, n),
        rows=shelf.vectors.take(slots) if vectors else np.zeros((n, 0), np.float32),
        speakers=shelf.speakers.values[slots].astype(np.int64) - 1,
        named=shelf.named()[slots],
        surprise=shelf.surprise.values[slots].astype(np.float64),
        active=np.fromiter((_activation(moment, now, life) for moment in used), np.float64, n),
        age=np.fromiter((max(0, now - each.created) / 1000.0 for each in standing), np.float64, n),
        stress=np.fromiter((stress.get(each.id, 0.0) for each in standing), np.float64, n),
        cold=np.fromiter((each.cold for each in standing), np.bool_, n),
        pinned=np.fromiter((each.pinned for each in standing), np.bool_, n),
        # what was remembered as cold was put there by somebody, too
        placed=np.fromiter((placed.get(each.id, each.cold) for each in standing), np.bool_, n),
        merged=np.fromiter((each.id in merged for each in standing), np.bool_, n),
    )


def _activation(accessed: int | None, now: int, half_life: float) -> float:
    """At least this is left of the last use, which was 1 and halves with time."""
    return 0.0 if accessed is None else float(2.0 ** (-max(0, now - accessed) / (1000.0 * half_life)))


def _ever(connection: sqlite3.Connection, sleepers: Sleepers, number: int) -> dict[int, NDArray[np.floating]]:
    gone: dict[int, list[float]] = {}
    speaker_of = dict(zip(sleepers.ids.tolist(), sleepers.speakers.tolist(), strict=True))
    for memory, surprise in pruned(connection, number):
        if memory in speaker_of:
            gone.setdefault(speaker_of[memory], []).append(surprise)
    return {
        speaker: np.sort(np.append(sleepers.surprise[sleepers.speakers == speaker], gone.get(speaker, [])))
        for speaker in np.unique(sleepers.speakers).tolist()
    }


def _wordings(connection: sqlite3.Connection, shelf: Shelf, number: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers for wordings: texts are read only where another one of the speaker has the same index terms."""
    alike = np.stack((shelf.term_sums()[slots].view(np.int64), shelf.speakers.values[slots].astype(np.int64)), axis=1)
    _, inverse, counts = np.unique(alike, axis=0, return_inverse=True, return_counts=True)
    twins = np.flatnonzero(counts[inverse.reshape(-1)] > 1)
    ids = shelf.ids.values[slots[twins]].tolist()
    encoded = shelf.has_vector.values[slots[twins]].tolist()
    numbers: dict[tuple[bool, tuple[str, ...]], int] = {}
    found = np.arange(len(slots), dtype=np.int64)
    for place, text, with_vector in zip(twins.tolist(), _texts(connection, number, ids), encoded, strict=True):
        found[place] = numbers.setdefault((with_vector, wording(shelf.analyzer, text)), len(slots) + len(numbers))
    return found


def _texts(connection: sqlite3.Connection, number: int, ids: Sequence[int]) -> Iterable[str]:
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        records = memories.records(connection, number, page)
        yield from (records[memory].text for memory in page)
