"""From what a search found to hits: the memories, their neighbours, what they supersede."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.recall.looking import Look, View
from mnemoloom.recall.ranking import Ranking
from mnemoloom.recall.request import Request
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Hit, Record

__all__ = ["hits_of"]


_NOBODY: tuple[list[int], list[int]] = ([], [])


def hits_of(view: View, look: Look, request: Request, *, known: frozenset[int] | None) -> list[Hit]:
    """The best k with their neighbours; `known` are the slots that a first look had found, if this is a second."""
    slots = look.ranking.slots[: request.k].tolist()
    around: dict[int, tuple[list[int], list[int]]] = {}
    if request.expand:
        around = {slot: _around(view.shelf, slot, request.expand, until=request.as_of) for slot in slots}
    beside = {each for pair in around.values() for side in pair for each in side}
    again = look.folds.repeats
    beside.update(each for slot in slots for each in again.get(slot, ()))
    lacking = beside.union(slots) - look.records.keys()
    records = {**look.records, **view.records(lacking)} if lacking else look.records
    ids = view.shelf.ids.values
    older_of: dict[int, list[int]] = {}
    newer_of: dict[int, list[int]] = {}
    for newer, older in look.pairs:
        older_of.setdefault(newer, []).append(int(ids[older]))
        newer_of.setdefault(older, []).append(int(ids[newer]))
    levels = _levels(view.shelf, look.ranking, slots)
    hits = []
    for slot, parts in zip(slots, look.ranking.all_parts(), strict=False):
        if slot not in records:
            continue
        before, after = around.get(slot, _NOBODY)
        level = levels.get(slot, _UNSEEN)
        hits.append(
            Hit(
                record=records[slot],
                score=sum(parts.values()),
                parts=parts,
                before=_shown(before, records, request) if before else (),
                after=_shown(after, records, request) if after else (),
                supersedes=tuple(older_of.get(slot, ())),
                superseded_by=tuple(newer_of.get(slot, ())),
                repeats=_repeats(again[slot], records) if slot in again else (),
                second_look=known is not None and slot not in known,
                score_l0=level.exact,
                score_l1=level.fine,
                score_l2=level.coarse,
            )
        )
    return hits


def _shown(slots: list[int], records: Mapping[int, Record], request: Request) -> tuple[Record, ...]:
    """The neighbours that are trusted as far as was asked for."""
    found = [records[slot] for slot in slots if slot in records]
    return tuple(record for record in found if request.trusted is None or record.trust in request.trusted)


def _repeats(slots: Iterable[int], records: Mapping[int, Record]) -> tuple[Record, ...]:
    return tuple(sorted((records[slot] for slot in slots if slot in records), key=_told))


class _Levels(NamedTuple):
    exact: float | None = None
    fine: float | None = None
    coarse: float | None = None


def _levels(shelf: Shelf, ranking: Ranking, slots: list[int]) -> dict[int, _Levels]:
    """How near each slot is to the query, by the levels of the index that looked at it."""
    if ranking.vector is None or shelf.vectors.width is None:
        return {}
    encoded = np.array(slots, np.int64)
    encoded = encoded[shelf.has_vector.values[encoded]]
    exact = shelf.vectors.scores_of(encoded, ranking.vector)
    fine = coarse = np.full(len(encoded), np.nan)
    if ranking.near is not None and len(encoded):
        seen = ranking.near.numbers[:, None] == encoded
        coarse = np.where(seen.any(axis=0), ranking.near.level2[seen.argmax(axis=0)], np.nan)
        fine = np.where(np.isnan(coarse), np.nan, shelf.index.fine_scores(encoded, ranking.near.turned))
    named = zip(encoded.tolist(), exact.tolist(), fine.tolist(), coarse.tolist(), strict=True)
    return {slot: _Levels(*(None if score != score else score for score in scores)) for slot, *scores in named}


_UNSEEN = _Levels()


def _told(record: Record) -> tuple[datetime, int]:
    return record.time, record.id


def _around(shelf: Shelf, slot: int, steps: int, *, until: int | None) -> tuple[list[int], list[int]]:
    """The slots up to `steps` places before and after in the session, in reading order, less what was said later."""
    before, after = _walk(shelf.before.values, slot, steps), _walk(shelf.after.values, slot, steps)
    if until is not None:
        times = shelf.times.values
        before, after = ([each for each in side if times[each] <= until] for side in (before, after))
    return before[::-1], after


def _walk(links: NDArray[np.integer[Any]], slot: int, steps: int) -> list[int]:
    found: list[int] = []
    for _ in range(steps):
        slot = int(links[slot])
        if not slot:
            break
        found.append(slot)
    return found
