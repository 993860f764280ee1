"""What each kind of evidence adds to the scores: one function a part, None where it has nothing to say.

Scores are scaled over the whole namespace; a filter only hides memories. So no part of a score depends on the
filter, but for MaxSim, which compares the best of those that may be hits. A tenant's ranking is that of a store
holding the tenant alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import AssistantProfile, WeightedProfile
from mnemoloom.ports import TokenVectors
from mnemoloom.recall.dates import date_fit
from mnemoloom.recall.late import Projection, TokenMatches, token_matches
from mnemoloom.recall.query import Query
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.speakers import is_name

__all__ = [
    "Evidence",
    "Scope",
    "activation",
    "asked_terms",
    "chunks",
    "cosines",
    "date",
    "dense",
    "echo",
    "feedback",
    "known_rarity",
    "late",
    "matches",
    "recency",
    "shared",
    "speaker",
    "surprise",
    "words",
]

Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]
Part = NDArray[np.float32]

_ROUNDING = 1e-5  # cosines closer than this are equal: what divides them is the rounding of float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the query besides its words.

    vector: its unit row (d,), or None without an encoder. now: milliseconds.
    learned: where such questions have found what was useful, a unit row (d,); None while nothing was learned.
    tokens, projection: its token vectors, and what brings them into the space of the memories' token codes.
    """

    vector: NDArray[np.float32] | None
    now: int
    tokens: TokenVectors | None = None
    projection: Projection | None = None
    learned: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A query, the shelf it is asked of, and the slots that count.

    eligible: the living slots that count in the scaling; key: names that set. allowed: those that may be hits.
    near: the slots that an index found nearest, None where every vector is compared.
    echoes: remembered questions that only repeat the query: they are no evidence; None where there are none.
    active: what use adds to each slot, shape (slots,); None where it adds nothing.
    """

    shelf: Shelf
    query: Query
    evidence: Evidence
    eligible: Mask
    key: str
    allowed: Mask
    near: Slots | None = None
    echoes: Slots | None = None
    active: Part | None = None

    @property
    def named(self) -> str | None:
        """The person whom the query names; a role is none."""
        speaker = self.query.speaker
        return speaker if is_name(speaker) else None

    def mean_cosine(self, *, replies: bool, learned: bool = False) -> float:
        """The mean cosine of the query with the eligible memories that have a vector."""
        vector = self.evidence.learned if learned else self.evidence.vector
        return 0.0 if vector is None else self.shelf.mean_cosine(vector, cold=self.key == "all", replies=replies)

    @property
    def encoded(self) -> Mask:
        """Eligible slots with a vector that can be evidence."""
        return self.without_echoes(
            self.shelf.derived(("encoded", self.key), lambda: self.eligible & self.shelf.has_vector.values)
        )

    def without_echoes(self, mask: Mask) -> Mask:
        """The same slots less the echoes."""
        if self.echoes is None:
            return mask
        left = mask.copy()
        left[self.echoes] = False
        return left

    def silenced(self, scores: Part) -> Part:
        """Scores of all slots, those of the echoes taken away; in place."""
        if self.echoes is not None:
            scores[self.echoes] = 0.0
        return scores


def cosines(scope: Scope, slots: Slots | None = None, *, context: float = 0.0, learned: bool = False) -> Part | None:
    """Cosine of the query, or of where it has learned to look, with the memories in `slots`, or with all.

    With `context`, the memory is represented by its context key normalise(e + context·(e₋₁ + e₊₁)).
    """
    shelf, vector = scope.shelf, scope.evidence.learned if learned else scope.evidence.vector
    if vector is None or shelf.vectors.width is None:
        return None
    if not context:
        return shelf.vectors.scores(vector) if slots is None else shelf.vectors.scores_of(slots, vector)
    found = shelf.vectors.scores(vector)
    beside = found[shelf.before.values] + found[shelf.after.values]
    keyed = np.asarray((found + np.float32(context) * beside) / shelf.context_norms(context), np.float32)
    return keyed if slots is None else keyed[slots]


def dense(values: Part, weight: float, among: Mask, *, mean: float) -> Part | None:
    """Weight · (cosine − mean) / (best − mean), among some of the values; the others get 0.

    `mean` is that of the whole namespace: a query that is near everything says little about anything.
    """
    taken = values[among]
    if not len(taken):
        return None
    spread = float(taken.max()) - mean
    scale = weight / spread if spread > _ROUNDING else 0.0
    return np.where(among, (values - np.float32(mean)) * np.float32(scale), np.float32(0))


def feedback(
    scope: Scope,
    found: Part | None,
    slots: Slots | None,
    weight: float,
    among: Mask,
    *,
    replies: bool,
    context: float = 0,
) -> Part | None:
    """What the dense part `found` changes by when the question is moved to where it has learned to look."""
    values = cosines(scope, slots, context=context, learned=True)
    if values is None or found is None:
        return None
    moved = dense(values, weight, among, mean=scope.mean_cosine(replies=replies, learned=True))
    return None if moved is None else moved - found


def shared(values: Part, weight: float) -> Part | None:
    """Weight · score / best score; None where nothing matches."""
    best = float(values.max(initial=0.0))
    return values * np.float32(weight / best) if best > 0 and weight else None


def words(scope: Scope, profile: WeightedProfile) -> Part:
    """BM25 over the window."""
    if not profile.lexical:
        return np.zeros(len(scope.eligible), np.float32)
    return scope.shelf.lexical(
        asked_terms(scope.query, profile),
        eligible=scope.eligible,
        gammas=profile.window,
        k1=profile.k1,
        b=profile.b,
        key=scope.key,
    )


def asked_terms(query: Query, profile: WeightedProfile) -> tuple[str, ...]:
    """The terms of the query that are looked for."""
    return query.topic_terms if profile.strip_names else query.terms


def known_rarity(scope: Scope, terms: tuple[str, ...]) -> float:
    """The summed rarity of some terms: what BM25 could come to at most."""
    return sum(map(scope.shelf.rarity_of, terms))


def chunks(scope: Scope, profile: AssistantProfile) -> Part:
    """BM25 of each reply's best chunk."""
    return scope.shelf.best_chunks(
        scope.query.terms, eligible=scope.eligible, k1=profile.k1, b=profile.b, key=scope.key
    )


def speaker(scope: Scope, weight: float) -> Part | None:
    """Added to what the speaker said whom the query names."""
    if not weight or scope.query.speaker is None:
        return None
    return np.float32(weight) * scope.shelf.spoken_by(scope.query.speaker)


def date(scope: Scope, weight: float) -> Part | None:
    """How well the time fits the date that the query states."""
    if not weight or scope.query.date is None:
        return None
    return np.asarray(weight * date_fit(scope.query.date, *scope.shelf.calendar()), np.float32)


def activation(scope: Scope, slots: Slots | None) -> Part | None:
    """What use adds: for some slots, or for all."""
    return scope.active if scope.active is None or slots is None else scope.active[slots]


def echo(scope: Scope, weight: float) -> Part | None:
    """Taken from remembered questions that only repeat the query."""
    if scope.echoes is None:
        return None
    taken = np.zeros(len(scope.eligible), np.float32)
    taken[scope.echoes] = -weight
    return taken


def recency(scope: Scope, weight: float) -> Part | None:
    """Only when the query asks for the newest (the youngest gains) or the first (the oldest gains)."""
    if not weight or not scope.query.recency:
        return None
    age = scope.shelf.age_rank()
    return np.asarray(weight * (age if scope.query.recency > 0 else 1.0 - age), np.float32)


def surprise(scope: Scope, slots: Slots | None, weight: float) -> Part | None:
    """How much a memory said, among those of its speaker; the same for every query. For some slots, or for all."""
    return scope.shelf.surprise_rank(slots) * np.float32(weight) if weight else None


def matches(scope: Scope, slots: Slots) -> TokenMatches | None:
    """How well a few slots match the query word by word; None where there are no tokens to compare."""
    evidence = scope.evidence
    if evidence.tokens is None or evidence.projection is None or not len(slots):
        return None
    codes, counts = scope.shelf.codes.of(slots)
    if not len(codes) or codes.shape[1] != evidence.projection.basis.shape[1]:
        return None  # none of these memories has codes
    return token_matches(evidence.tokens, codes, counts, evidence.projection, scope.shelf.rarity)


def late(matched: TokenMatches, weight: float) -> NDArray[np.floating[Any]]:
    """Weight · min–max of MaxSim among a few slots; shape (len(slots),)."""
    scores = matched.scores()
    low, spread = float(scores.min()), float(np.ptp(scores))
    return (scores - low) * (weight / spread if spread > _ROUNDING else 0.0)
