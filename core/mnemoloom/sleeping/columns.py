"""What the planning of sleep looks at, read from a namespace: one column for each thing that it must know."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation import Alike, Quadrant, Sleepers, count_quadrants, quadrants_of, ranks_among, states_of
from mnemoloom.fabric import level
from mnemoloom.lexical import Analyzer, specifics, wording
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.shelf import Shelf
from mnemoloom.storage import memories, repeats
from mnemoloom.storage.journal import pruned
from mnemoloom.storage.standing import Standing, dropped_by_gates, placed_by_users, standings, stresses

__all__ = ["Bedroom", "quadrant_counts", "read_bedroom"]

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Bedroom:
    """The memories of a namespace as columns.

    kinds: a number for each memory, shape (n,), the same for those that may be the same said again.
    ever: by speaker number, all surprises ever written, ascending.
    """

    sleepers: Sleepers
    kinds: NDArray[np.int64]
    ever: dict[int, NDArray[np.floating]]


def read_bedroom(live: LiveShelf, *, now: int, half_life: float, alike: Alike) -> Bedroom:
    """Read what sleep must know. now: milliseconds. half_life: of a memory's use, in seconds."""
    with live.reading() as (connection, shelf, number):
        standing, slots = _aligned(connection, shelf, number)
        sleepers = _sleepers(connection, live, standing, slots, shelf=shelf, number=number, now=now, life=half_life)
        ever = _ever(connection, sleepers, number)
        lacking = ~shelf.has_vector.values[slots]
        kinds = _kinds(connection, shelf, number, slots, lacking=lacking, alike=alike)
        # without a vector there is no cosine to ask for: the same words are the same said again
        rows = sleepers.rows if sleepers.rows.shape[1] else np.zeros((len(slots), 1), np.float32)
        rows[lacking, 0] = 1.0
    return Bedroom(sleepers._replace(rows=rows), kinds, ever)


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
    n, gated = len(standing), dropped_by_gates(connection, number)
    placed, stress, merged = (
        placed_by_users(connection, number),
        stresses(connection, number),
        repeats.merged_ids(connection, number),
    )
    return Sleepers(
        ids=np.fromiter((each.id for each in standing), np.int64, n),
        rows=shelf.vectors.take(slots) if vectors else np.zeros((n, 0), np.float32),
        speakers=shelf.speakers.values[slots].astype(np.int64) - 1,
        named=shelf.named()[slots],
        surprise=shelf.surprise.values[slots].astype(np.float64),
        active=level(live.activation(connection), now=now / 1000.0, half_life=life)[slots].astype(np.float64),
        age=np.fromiter((max(0, now - each.created) / 1000.0 for each in standing), np.float64, n),
        stress=np.fromiter((stress.get(each.id, 0.0) for each in standing), np.float64, n),
        cold=np.fromiter((each.cold for each in standing), np.bool_, n),
        pinned=np.fromiter((each.pinned for each in standing), np.bool_, n),
        # what was remembered as cold was put there by somebody, too, unless it was the write gate
        placed=np.fromiter((placed.get(each.id, each.cold and each.id not in gated) for each in standing), np.bool_, n),
        merged=np.fromiter((each.id in merged for each in standing), np.bool_, n),
    )


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


def _kinds(
    connection: sqlite3.Connection,
    shelf: Shelf,
    number: int,
    slots: NDArray[np.int64],
    *,
    lacking: NDArray[np.bool_],
    alike: Alike,
) -> NDArray[np.int64]:
    """A number for each memory; those without a vector have theirs by all their words."""
    read = {"specifics": specifics, "words": wording, "cosine": _anything}[alike]
    numbers: dict[tuple[bool, tuple[str, ...]], int] = {}
    found = np.empty(len(slots), np.int64)
    texts = _texts(connection, number, shelf.ids.values[slots].tolist())
    for place, (text, words_only) in enumerate(zip(texts, lacking.tolist(), strict=True)):
        key = (wording if words_only else read)(shelf.analyzer, text)
        found[place] = numbers.setdefault((words_only, key), len(numbers))
    return found


def _anything(analyzer: Analyzer, text: str) -> tuple[str, ...]:  # noqa: ARG001 - one of three readings of a text
    return ()


def _texts(connection: sqlite3.Connection, number: int, ids: Sequence[int]) -> Iterable[str]:
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        records = memories.records(connection, number, page)
        # one that was forgotten while we read says nothing
        yield from (records[memory].text if memory in records else "" for memory in page)
