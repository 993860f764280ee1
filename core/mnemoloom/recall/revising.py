"""The update rule applied to a ranking: which of the ten best speak of the same thing at different times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import UpdateRule
from mnemoloom.recall.cues import Cues
from mnemoloom.recall.query import Query
from mnemoloom.recall.ranking import Ranking
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.updates import Asked, Statement, comparable, inherit
from mnemoloom.recall.values import stated_values

__all__ = ["UPDATE_POOL", "Revised", "revise", "shared_rarity"]

UPDATE_POOL = 10  # the best so many may change places

Slots = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Revised:
    """A ranking after the rule, and the pairs of slots (newer, older) that contradict each other."""

    ranking: Ranking
    pairs: tuple[tuple[int, int], ...] = ()


def revise(
    ranking: Ranking,
    texts: Mapping[int, str],
    shelf: Shelf,
    query: Query,
    asked: Asked,
    rule: UpdateRule,
    vector: NDArray[np.float32] | None = None,
) -> Revised:
    """Let newer statements take the place of older ones among the ten best; `texts` holds those of the ten, by slot.

    vector: the unit row of the query, None where no vectors are compared.

    Replies of an assistant state no facts of the user's, and a question that repeats the query states none at all:
    they neither gain nor take a place.
    """
    replies, echo = shelf.replies(), ranking.parts.get("echo", np.zeros(UPDATE_POOL))
    pool = [
        place
        for place, slot in enumerate(ranking.slots[:UPDATE_POOL].tolist())
        if slot in texts and not replies[slot] and not echo[place]
    ]
    if len(pool) < 2:
        return Revised(ranking)
    slots = ranking.slots[pool]
    scores, times = ranking.totals()[pool].tolist(), shelf.times.values[slots].tolist()
    shared = shared_rarity(shelf, query.topic_terms, slots)
    nearness = None if vector is None else shelf.vectors.scores_of(slots, vector)
    open_pairs = comparable(scores, times, asked, rule, shared=shared, nearness=nearness)
    if not open_pairs:
        return Revised(ranking)
    told = {place: texts[int(slots[place])] for pair in open_pairs for place in pair}
    raised, pairs = inherit(
        scores,
        times,
        _statements(told, scores, shelf.cues, asked, rule),
        open_pairs,
        asked,
        rule,
        cosines=shelf.cosines_among(slots) if asked.explicit else None,
        nearness=nearness,
    )
    if not pairs:
        return Revised(ranking)
    found = [(int(slots[i]), int(slots[j])) for i, j in pairs]
    if not asked.newest:
        found = [(newer, older) for older, newer in found]
    return Revised(_reordered(ranking, pool, np.subtract(raised, scores)), tuple(found))


def _statements(
    texts: Mapping[int, str], scores: list[float], cues: Cues, asked: Asked, rule: UpdateRule
) -> dict[int, Statement]:
    """What memories say, by their places, read only as far as the rule could need it."""
    found = {}
    for place, text in texts.items():
        values = stated_values(text, cues) if asked.kinds else frozenset()
        score = scores[place]
        undecided = any(rule.changed * other <= score < rule.unchanged * other for other in scores)
        tells_change = undecided and bool(cues.update.search(text.lower()))
        found[place] = Statement(text, values, tells_change)
    return found


def shared_rarity(shelf: Shelf, terms: tuple[str, ...], slots: Slots) -> NDArray[np.float64]:
    """The rarity of the terms that two slots both hold, for each pair; shape (len(slots), len(slots))."""
    rarity = np.array([shelf.rarity_of(term) for term in terms])
    held = shelf.holders(terms, slots).astype(np.float64)
    shared: NDArray[np.float64] = (held * rarity[:, None]).T @ held
    return shared


def _reordered(ranking: Ranking, pool: list[int], gained: NDArray[Any]) -> Ranking:
    """The ranking with what the rule gave as a part of its own; the ten best stand by their new scores."""
    update = np.zeros(len(ranking.slots))
    update[pool] = gained
    raised = replace(ranking, parts=ranking.parts | {"update": update})
    first = np.argsort(-raised.totals()[:UPDATE_POOL], kind="stable")
    order = np.concatenate((first, np.arange(len(first), len(update))))
    return replace(raised, slots=raised.slots[order], parts={name: part[order] for name, part in raised.parts.items()})
