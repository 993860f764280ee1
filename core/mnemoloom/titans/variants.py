"""Titans' three ways to use a memory (Behrouz et al. 2024, section 4), at the level of retrieval and of the prompt.

                 the query, with m = M(q) / |M(q)|              what the model is shown
    memory       q                                             the long-term hits
    MAC context  q + lam · m: memory adds to the question      persistent, then long-term, then the window, each whole
    MAG gate     (1 − g) q + g m, g = σ(10 (q · m − .6))       one ranking: the window and the long-term hits, each
                                                               branch in [0, 1], weighed by a gate
    MAL layer    m: the question passes through the memory     only what long-term memory lets through, the window's
                                                               scores added to those of them that it holds

With a self-supervised M no form of the question helps. Recall@10 of dense search on LoCoMo 47–50 changes by −.3 points
(MAC, lam .1) and −2.5 (lam .3), −8.4 (MAG) and −10.1 (MAL) when M learned each turn as its own value; by −.5, −2.1, −.7
and −34.6 when it learned the turn that follows (tests/benchmarks/queries.py): M(q) is a blurred average of what exact
search already finds. Within the whole pipeline it is −.1, −1.6 and −2.0; four turns of a window in ten places cost MAC
6.4 more and MAG 1.9, when the question is about something else (tests/benchmarks/variants.py). What MAC buys for that
is that the model sees what was said last. The default everywhere is `memory`, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import ConfigError, ValidationError, told

__all__ = ["VARIANTS", "Found", "Shown", "Source", "Variant", "arrange", "check_variant", "query_of"]

Variant = Literal["memory", "mac", "mag", "mal"]
Source = Literal["persistent", "long_term", "short_term"]
VARIANTS: tuple[Variant, ...] = ("memory", "mac", "mag", "mal")
Row = NDArray[np.floating[Any]]

_STEEPNESS, _MIDDLE = 10.0, 0.6  # of MAG's gate


class Found(NamedTuple):
    """A hit of one of the memories: its id, its score there, and its content (equal contents are shown once)."""

    id: int
    score: float
    content: str


class Shown(NamedTuple):
    """A hit as arranged: its id, the score it is ranked by, and the memory that it comes from.

    from_window: what the window adds to the score, in MAG and MAL.
    """

    id: int
    score: float
    source: Source
    from_window: float = 0.0


def query_of(variant: Variant, query: Row, answer: Row, *, lam: float = 0.1) -> Row:
    """The unit query to search with, given the unit query, shape (d,), and the memory's answer M(q), shape (d,).

    A memory that answers zero changes nothing. lam: weight of the answer in MAC.
    """
    check_variant(variant)
    size = float(np.linalg.norm(answer))
    if variant == "memory" or size == 0.0:
        return query
    m = answer / size
    if variant == "mac":
        mixed = query + lam * m
    elif variant == "mag":
        gate = 1.0 / (1.0 + np.exp(-_STEEPNESS * (float(query @ m) - _MIDDLE)))
        mixed = (1.0 - gate) * query + gate * m
    else:
        mixed = m
    length = float(np.linalg.norm(mixed))
    return mixed / length if length > 0.0 else query


def arrange(
    variant: Variant,
    *,
    persistent: Sequence[Found],
    long_term: Sequence[Found],
    short_term: Sequence[Found],
    k: int,
) -> list[Shown]:
    """What to show the model, first thing first.

    Parameters
    ----------
    persistent, short_term: in the order to show them. long_term: best first, on a scale of its own.
    k: how many to show. MAC leaves out long-term hits first, then old ones of the window; persistent ones last.
    """
    check_variant(variant)
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise ValidationError(f"k must be a whole number of at least 0; got {told(k)}")
    if variant == "memory":
        return _once(_from("long_term", long_term), k)
    if variant == "mac":
        return _context(persistent, long_term, short_term, k)
    if variant == "mag":
        return _gated(persistent, long_term, short_term, k)
    return _layered(persistent, long_term, short_term, k)


def _context(
    persistent: Sequence[Found], long_term: Sequence[Found], short_term: Sequence[Found], k: int
) -> list[Shown]:
    first = _once(_from("persistent", persistent), k)
    known = {hit.content for hit in persistent}
    window = [hit for hit in short_term if hit.content not in known]
    recent = _once(_from("short_term", window[::-1]), k - len(first))[::-1]
    known |= {hit.content for hit in window}
    recalled = [hit for hit in long_term if hit.content not in known]
    return first + _once(_from("long_term", recalled), k - len(first) - len(recent)) + recent


def _gated(persistent: Sequence[Found], long_term: Sequence[Found], short_term: Sequence[Found], k: int) -> list[Shown]:
    """The gate is σ(best long-term score − best score of the window): the branch that answers better weighs more.

    The scores of both must be of one scale, such as the cosine with the query. A hit of both branches gets both
    shares. Persistent entries stand before the window, as in the paper, and are not gated: they come first.
    """
    first = _once(_from("persistent", persistent), k)
    known = {hit.content for hit in persistent}
    best = [max((hit.score for hit in each), default=-np.inf) for each in (short_term, long_term)]
    if min(best) == -np.inf:
        gate = float(best[1] > best[0])
    else:
        gate = float(1.0 / (1.0 + np.exp(-np.clip(best[1] - best[0], -50.0, 50.0))))
    branches: list[tuple[Source, Sequence[Found], float]] = [
        ("short_term", short_term, 1.0 - gate),
        ("long_term", long_term, gate),
    ]
    scored: dict[str, Shown] = {}
    for source, hits, weight in branches:
        for hit, level in zip(hits, _levels(hits), strict=True):
            if hit.content not in known:
                shown = scored.get(hit.content, Shown(hit.id, 0.0, source))
                added = weight * level
                lifted = shown.from_window + (added if source == "short_term" else 0.0)
                scored[hit.content] = shown._replace(score=shown.score + added, from_window=lifted)
    ranked = sorted(scored.values(), key=lambda shown: (-shown.score, shown.id))
    return first + ranked[: k - len(first)]


def _layered(
    persistent: Sequence[Found], long_term: Sequence[Found], short_term: Sequence[Found], k: int
) -> list[Shown]:
    """Persistent entries enter the memory with the question; they are shown if it lets them through, like all else."""
    window = {hit.content: level for hit, level in zip(short_term, _levels(short_term), strict=True)}
    pinned = {hit.content for hit in persistent}
    passed: list[tuple[str, Shown]] = []
    for hit, level in zip(long_term, _levels(long_term), strict=True):
        lifted = window.get(hit.content, 0.0)
        source: Source = "persistent" if hit.content in pinned else "long_term"
        passed.append((hit.content, Shown(hit.id, level + lifted, source, lifted)))
    return _once(sorted(passed, key=lambda each: (-each[1].score, each[1].id)), k)


def _levels(hits: Sequence[Found]) -> list[float]:
    """Scores from 0 to 1 within their branch; all 1 where there is nothing between best and worst."""
    scores = np.array([hit.score for hit in hits])
    span = np.ptp(scores) if len(scores) else 0.0
    return list(((scores - scores.min()) / span).tolist()) if span > 0.0 else [1.0] * len(scores)


def _from(source: Source, hits: Iterable[Found]) -> list[tuple[str, Shown]]:
    return [(hit.content, Shown(hit.id, hit.score, source)) for hit in hits]


def _once(hits: Iterable[tuple[str, Shown]], k: int) -> list[Shown]:
    """The first k, each content once."""
    kept: dict[str, Shown] = {}
    for content, shown in hits:
        kept.setdefault(content, shown)
    return list(kept.values())[:k]


def check_variant(variant: Variant) -> Variant:
    """The variant, if there is one of that name; raises ConfigError."""
    if variant not in VARIANTS:
        raise ConfigError(f"variant must be one of {', '.join(VARIANTS)}; got {told(variant)}")
    return variant
