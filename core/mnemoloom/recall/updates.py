"""Updates: the newer statement inherits the rank of the one that it replaces.

A question for a value finds every message that ever stated it, and the oldest is often the best match in words.
Among the ten best, a newer one that contradicts an older one takes its place:

    s'_i = max(s'_i, s_j + .001 + .02 · s_i)   for newer i and older j in conflict with s_i ≥ d · s_j

d is lower when i says that something changed. Statements without values contradict each other when they are alike
and the question asks for "now" or "first"; of several the newest, or the oldest, comes first. The rule acts only on
questions for one current value, or, with older and newer exchanged, for the original one; and it only reorders these
ten. Nothing is demoted by its age.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import UpdateRule
from mnemoloom.recall.cues import Cues
from mnemoloom.recall.values import Value

__all__ = ["Asked", "Statement", "asked_value", "comparable", "inherit"]


_SHORT = 8  # words; a longer question about the present mostly asks for more than one fact


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question wants of several versions.

    newest: the current one; else the original one. kinds: the kinds of value that it asks for, empty if for none.
    explicit: it says so itself ("now", "first"), or is a short question about the present: then statements in words
        contradict each other, too.
    """

    newest: bool
    explicit: bool
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a candidate says: its text, the values that it states, whether it tells of a change."""

    text: str
    values: frozenset[Value]
    tells_change: bool


def asked_value(query: str, cues: Cues) -> Asked | None:
    """Which version a question asks for; None where it asks for none, for several, or for the past."""
    lower = query.lower()
    newest, original = cues.newest.search(lower), cues.original.search(lower)
    if not newest and not original and cues.over_time.search(lower):
        return None
    kinds = frozenset(kind for kind, pattern in cues.asked.items() if pattern.search(lower))
    if newest or original:
        return Asked(bool(newest), True, kinds)
    if len(lower.split()) <= _SHORT and cues.present.search(lower):
        return Asked(True, True, kinds or frozenset(cues.asked))
    return Asked(True, False, kinds) if kinds else None


def _of_kinds(statement: Statement, kinds: frozenset[str]) -> frozenset[Value]:
    return frozenset(value for value in statement.values if value.kind in kinds)


def _differ(mine: frozenset[Value], theirs: frozenset[Value]) -> bool | None:
    """Whether the one states a value that the other does not; None unless both state some."""
    return not mine <= theirs if mine and theirs else None


def comparable(
    scores: Sequence[float],
    times: Sequence[int],
    asked: Asked,
    rule: UpdateRule,
    *,
    shared: NDArray[np.floating[Any]],
    nearness: NDArray[np.floating[Any]] | None = None,
) -> list[tuple[int, int]]:
    """The pairs (i, j) of which i could take the place of j, whatever they say; ordered by i, then by j.

    Parameters
    ----------
    times: when each was said (ms).
    shared: shape (n, n); [i, j] is the rarity (idf) of the query's words that both hold; [j, j] of those j holds.
    nearness: cosine of each with the question, shape (n,), or None without vectors.
    """
    later = np.subtract.outer(np.asarray(times), np.asarray(times)) * (1 if asked.newest else -1) > 0
    together = (shared > 0) & (shared >= rule.words * np.diag(shared))
    least = min(rule.changed, rule.unchanged, rule.rewording)
    reached = np.less_equal.outer(least * np.asarray(scores), np.asarray(scores)).T
    if nearness is not None:
        reached = reached | _near(nearness, rule)
    return [(int(i), int(j)) for i, j in np.argwhere(later & together & reached)]


def inherit(
    scores: Sequence[float],
    times: Sequence[int],
    statements: Mapping[int, Statement],
    pairs: Sequence[tuple[int, int]],
    asked: Asked,
    rule: UpdateRule,
    *,
    cosines: NDArray[np.floating[Any]] | None,
    nearness: NDArray[np.floating[Any]] | None = None,
) -> tuple[list[float], list[tuple[int, int]]]:
    """The scores after the rule, and those of the `comparable` pairs (i, j) in which i took the place of j.

    Parameters
    ----------
    times: when each was said (ms). statements: those that the pairs name.
    cosines: shape (n, n), or None without vectors. In answer to an explicit question, two statements that do not
        both state a value of the kinds asked for contradict each other if they are alike, but not the same text.
    nearness: as for `comparable`.
    """
    near = None if nearness is None else _near(nearness, rule)
    versions = sorted(set(times), reverse=not asked.newest)
    stated = {place: _of_kinds(each, asked.kinds) for place, each in statements.items()}
    raised, taken = list(scores), []
    for i, j in pairs:
        differ = _differ(stated[i], stated[j])
        if differ:
            share, gain = rule.changed if statements[i].tells_change else rule.unchanged, 0.02 * scores[i]
        elif differ is None and asked.explicit and _speak_alike(statements, cosines, i, j, least=rule.alike):
            share, gain = rule.rewording, 0.002 * versions.index(times[i])
        else:
            continue
        if (near is not None and near[i, j]) or scores[i] >= share * scores[j]:
            taken.append((i, j))
            raised[i] = max(raised[i], scores[j] + 0.001 + gain)
    return raised, taken


def _near(nearness: NDArray[np.floating[Any]], rule: UpdateRule) -> NDArray[np.bool_]:
    """For each pair, whether the one is about as near to the question as the other."""
    near: NDArray[np.bool_] = (nearness[:, None] >= rule.near * nearness) & (nearness > 0)
    return near


def _speak_alike(
    statements: Mapping[int, Statement], cosines: NDArray[np.floating[Any]] | None, i: int, j: int, *, least: float
) -> bool:
    """Whether two texts say nearly the same, but not the very same."""
    return cosines is not None and bool(cosines[i, j] >= least) and statements[i].text != statements[j].text
