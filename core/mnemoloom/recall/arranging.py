"""Titans' variants at work: the question as the neural memory puts it, and hits of three memories in one order.

The long-term hits are the k best, as ever; the persistent ones all that is pinned; the short-term ones a window of
turns that the caller names. A filter and `as_of` hold for all of them. Scores of all three come from one ranking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.filters import conjoin, where
from mnemoloom.recall.looking import Look, View, matching_ids
from mnemoloom.recall.parts import Evidence
from mnemoloom.recall.ranking import Ranking
from mnemoloom.recall.request import Request
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Record, Tier
from mnemoloom.titans import Found, Shown, arrange, query_of

__all__ = ["Arranged", "arranged", "asked_by"]


@dataclass(frozen=True, slots=True)
class Arranged:
    """What to show, in order, as a look; and which memory each of its slots is from."""

    look: Look
    sources: dict[int, str]


def asked_by(request: Request, evidence: Evidence, shelf: Shelf) -> Evidence:
    """The evidence with the question as the variant asks it.

    Without a vector it stays as it is, and so it does with `as_of`: the neural memory has read what was said later.
    """
    vector, width = evidence.vector, shelf.vectors.width
    if request.variant == "memory" or vector is None or width != len(vector) or request.as_of is not None:
        return evidence
    readable = shelf.eligible() & shelf.has_vector.values

    def put(question: NDArray[np.float32]) -> NDArray[np.float32]:
        answer = shelf.neural.answer(question, shelf.vectors.values, readable)
        return query_of(request.variant, question, answer).astype(np.float32)

    learned = evidence.learned
    return replace(evidence, vector=put(vector), learned=None if learned is None else put(learned))


def arranged(view: View, look: Look, request: Request) -> Arranged:
    """From a look that ranked everything, what the variant shows of the three memories."""
    shelf, slots = view.shelf, look.ranking.slots
    allowed = view.allowed(request)
    ordinary = allowed & shelf.eligible(cold=request.cold)
    window = [slot for slot in shelf.slots_of(np.sort(request.window)).tolist() if allowed[slot]]
    pinned = _pinned(view, request, allowed)
    best = slots[ordinary[slots]][: request.k].tolist()
    totals = dict(zip(slots.tolist(), look.ranking.totals().tolist(), strict=True))
    records = view.records({*window, *pinned, *best})
    found = {slot: Found(slot, totals.get(slot, 0.0), _content(record)) for slot, record in records.items()}

    def those(chosen: Iterable[int]) -> list[Found]:
        return [found[slot] for slot in chosen if slot in found]

    shown = arrange(
        request.variant, persistent=those(pinned), long_term=those(best), short_term=those(window), k=request.k
    )
    ranking = replace(
        look.ranking,
        slots=np.array([each.id for each in shown], np.int64),
        parts=_parts(look.ranking, shown) if request.variant == "mac" else _branches(shown),
    )
    sources = {each.id: each.source for each in shown}
    return Arranged(replace(look, ranking=ranking, records=records), dict(sources))


def _pinned(view: View, request: Request, allowed: NDArray[np.bool_]) -> list[int]:
    """The slots of the persistent tier that may be shown, oldest first."""
    condition = conjoin(request.condition, where("tier").eq(Tier.PERSISTENT.value))
    slots = view.shelf.slots_of(matching_ids(view.connection, view.number, condition))
    return [slot for slot in slots.tolist() if allowed[slot]]


def _content(record: Record) -> str:
    return f"{record.speaker}\0{record.pointer}"


def _parts(ranking: Ranking, shown: list[Shown]) -> dict[str, NDArray[np.floating[Any]]]:
    """The named parts of the ranking, 0 for what is no candidate of it."""
    place = {slot: at for at, slot in enumerate(ranking.slots.tolist())}
    at = np.array([place.get(each.id, -1) for each in shown], np.int64)
    return {
        name: np.where(at >= 0, values[at], 0.0) if len(values) else np.zeros(len(at))
        for name, values in ranking.parts.items()
    }


def _branches(shown: list[Shown]) -> dict[str, NDArray[np.floating[Any]]]:
    """What each of the memories adds to the scores."""
    lifted = np.array([each.from_window for each in shown])
    score = np.array([each.score for each in shown])
    pinned = np.array([each.source == "persistent" for each in shown], np.bool_)
    rest = score - lifted
    return {
        "persistent": np.where(pinned, rest, 0.0),
        "long_term": np.where(pinned, 0.0, rest),
        "short_term": lifted,
    }
