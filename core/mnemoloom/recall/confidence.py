"""How likely it is that memory holds an answer: a logistic model of three numbers, apart from the score.

    logit = a + b · nearest + c · weakest + d · margin,   confidence = 1 / (1 + exp(−logit))

A score says which memory fits best; it says little about whether any fits. More numbers than these, or signs left
free, did worse on conversations that the model was not fitted on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.recall.late import TokenMatches

__all__ = [
    "BEST",
    "THRESHOLD",
    "Support",
    "about_someone_else",
    "confidence",
    "mean_of_best",
    "speaker_margin",
    "weakest_words",
]

Mask = NDArray[np.bool_]

BEST = 5  # memories whose nearness and words count
_WORST = 2  # words of the query that are looked for hardest
_SOMEONE_ELSE = -0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What speaks for an answer.

    nearest: mean cosine of the five nearest memories; None without vectors.
    weakest: how well the two worst matched words of the query are matched in the five best memories, a cosine;
        None without tokens.
    margin: how much better the best memory of the speaker whom the query names matches than the best of everybody
        else; by MaxSim, or as a share of the best BM25. 0 when it names nobody.
    matched: best BM25 as a share of what the query's words could give at most. replied: the same of an
        assistant's replies, by their best chunk.
    missing: the words behind `weakest`, with their cosines.
    """

    nearest: float | None = None
    weakest: float | None = None
    margin: float = 0.0
    matched: float = 0.0
    replied: float = 0.0
    missing: tuple[tuple[str, float], ...] = ()


# Fitted on LoCoMo 26, 30, 41–44: answerable questions against adversarial and foreign ones, weights held ≥ 0.
_TOKENS = (-4.18, 7.74, 1.29, 8.81)
_VECTORS = (-3.57, 8.25, 6.12)
_WORDS = (-1.72, 5.81, 5.81)
THRESHOLD = 0.32  # keeps 90 % of the answerable questions of those conversations, 88 % of BEAM-100K's


def confidence(support: Support) -> float:
    """The probability that memory holds an answer, when half of all questions have one."""
    weights: tuple[float, ...] = _WORDS
    terms: tuple[float, ...] = (support.matched, support.margin)
    if support.nearest is not None:
        weights, terms = _VECTORS, (support.nearest, support.margin)
        if support.weakest is not None:
            weights, terms = _TOKENS, (support.nearest, support.weakest, support.margin)
    return 1.0 / (1.0 + math.exp(-math.fsum((weights[0], *map(mul, weights[1:], terms)))))


def about_someone_else(support: Support) -> bool:
    """Whether another than the named speaker said what fits."""
    return support.margin < _SOMEONE_ELSE


def mean_of_best(cosines: NDArray[np.floating[Any]]) -> float | None:
    """The mean of the five highest; None of none."""
    if not len(cosines):
        return None
    count = min(BEST, len(cosines))
    return float(np.partition(cosines, len(cosines) - count)[-count:].mean())


def weakest_words(matched: TokenMatches, rows: NDArray[np.integer[Any]]) -> tuple[tuple[str, float], ...]:
    """The two worst matched words of the query, and how well they are matched in those of some memories with tokens."""
    rows = rows[matched.present[rows]]
    if not len(rows) or not matched.words:
        return ()
    found = matched.best[rows].max(axis=0)
    worst = np.argsort(found, kind="stable")[:_WORST]
    return tuple((matched.words[i], float(found[i])) for i in worst)


def speaker_margin(scores: NDArray[np.floating[Any]], named: Mask) -> float:
    """The best score of the named speaker less the best of everybody else; 0 where either has none."""
    if named.all() or not named.any():
        return 0.0
    return float(scores[named].max() - scores[~named].max())
