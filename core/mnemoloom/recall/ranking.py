"""From a read query to a ranking: what each part adds to a memory's score.

Scores are scaled over the whole namespace; a filter only hides memories. So a memory's score
does not depend on the filter, and a tenant's ranking is that of a store holding the tenant alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.concert import concert_parts
from mnemoloom.config import AssistantProfile, ConcertProfile, Profile, WeightedProfile
from mnemoloom.index import top_slots
from mnemoloom.ports import TokenVectors
from mnemoloom.recall.dates import date_fit
from mnemoloom.recall.late import Codes, Projection, maxsim
from mnemoloom.recall.query import Query
from mnemoloom.recall.shelf import Shelf

__all__ = ["Evidence", "Ranking", "rank"]

Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]
Parts = dict[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the query besides its words.

    vector: its unit row (d,), or None without an encoder. tokens: its token vectors.
    codes: gives the token codes of memories, by slot. now: milliseconds.
    """

    vector: NDArray[np.float32] | None
    now: int
    tokens: TokenVectors | None = None
    projection: Projection | None = None
    codes: Callable[[Slots], Sequence[Codes | None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Slots, best first, and the parts of their scores, each of shape (len(slots),)."""

    slots: Slots
    parts: Parts

    def score(self, place: int) -> float:
        return sum(self.parts_at(place).values())

    def parts_at(self, place: int) -> dict[str, float]:
        return {name: float(values[place]) for name, values in self.parts.items()}


def rank(
    shelf: Shelf, query: Query, profile: Profile, evidence: Evidence, *, allowed: Mask, limit: int, cold: bool = False
) -> Ranking:
    """The `limit` best of the `allowed` slots.

    `cold` lets cold memories count in the scaling; whether they are allowed is the mask's affair.
    """
    key = "all" if cold else "warm"
    scope = _Scope(shelf, query, evidence, eligible=shelf.eligible(cold=cold), key=key, allowed=allowed, limit=limit)
    if isinstance(profile, AssistantProfile):
        return _assistant(scope, profile)
    if isinstance(profile, ConcertProfile):
        return _concert(scope, profile)
    return _weighted(scope, profile)


@dataclass(frozen=True, slots=True)
class _Scope:
    shelf: Shelf
    query: Query
    evidence: Evidence
    eligible: Mask
    key: str
    allowed: Mask
    limit: int

    @property
    def encoded(self) -> Mask:
        return self.eligible & self.shelf.has_vector.values

    def none(self) -> NDArray[np.float32]:
        return np.zeros(len(self.eligible), np.float32)


def _weighted(scope: _Scope, profile: WeightedProfile) -> Ranking:
    parts = {
        "dense": _dense(scope, profile.dense, profile.context),
        "lexical": _lexical(scope, profile),
        "speaker": _speaker(scope, profile.speaker),
        "date": _date(scope, profile.date),
        "recency": _recency(scope, profile.recency),
    }
    found = (parts["lexical"] > 0) | (parts["speaker"] > 0) | (parts["date"] > 0)
    if profile.dense and scope.evidence.vector is not None:
        found |= scope.encoded
    total = np.where(scope.allowed & found, sum(parts.values(), scope.none()), -np.inf)
    slots = _widened(total, max(scope.limit, profile.rerank), slack=profile.surprise)
    kept: Parts = {name: values[slots].astype(np.float64) for name, values in parts.items()}
    if profile.surprise:
        kept["surprise"] = profile.surprise * scope.shelf.surprise_rank(slots)
    slots, kept = _sorted(slots, kept)
    if profile.maxsim:
        slots, kept = _reranked(scope, profile, slots, kept)
    return _cut(slots, {name: values for name, values in kept.items() if values.any()}, scope.limit)


def _assistant(scope: _Scope, profile: AssistantProfile) -> Ranking:
    shelf, query = scope.shelf, scope.query
    replies = shelf.replies()
    messages = scope.eligible & ~replies
    encoded = messages & shelf.has_vector.values
    own = shelf.lexical(
        query.terms, eligible=messages, gammas=(), k1=profile.k1, b=profile.b, key=f"messages {scope.key}"
    )
    chunk = shelf.best_chunks(query.terms, eligible=scope.eligible, k1=profile.k1, b=profile.b, key=scope.key)
    parts: Parts = {
        "dense": _scaled_cosine(scope, profile.dense, _cosines(scope, 0.0), encoded),
        "lexical": _shared(own, profile.lexical) * messages,
        "recency": _recency(scope, profile.recency) * messages,
    }
    message_score = sum(parts.values(), scope.none())
    answered = profile.answered_asked if query.asks_reply else profile.answered
    parts["answered"] = np.where(replies, np.float32(answered) * message_score[shelf.answered()], 0).astype(np.float32)
    parts["chunk"] = _shared(chunk, profile.chunk) * replies
    found = (own > 0) | (chunk > 0)
    if profile.dense and scope.evidence.vector is not None:
        found |= encoded | (replies & encoded[shelf.answered()])
    total = np.where(scope.allowed & found, sum(parts.values(), scope.none()), -np.inf)
    slots = top_slots(total, scope.limit)
    kept: Parts = {name: values[slots].astype(np.float64) for name, values in parts.items()}
    return _cut(*_sorted(slots, {name: values for name, values in kept.items() if values.any()}), scope.limit)


def _concert(scope: _Scope, profile: ConcertProfile) -> Ranking:
    if scope.evidence.vector is None:
        return Ranking(slots=np.empty(0, np.int64), parts={})
    similarity = _cosines(scope, 0.0)
    candidates = np.flatnonzero(scope.allowed & scope.encoded & (similarity >= profile.floor))
    age = (scope.evidence.now - scope.shelf.times.values[candidates]) / 1000.0
    settings = {"alpha": profile.alpha, "beta": profile.beta, "gamma": profile.gamma, "tau": profile.tau}
    # Novelty costs a scan of the store for each memory, so only those that it could lift are measured.
    nothing = np.zeros(len(candidates))
    total = np.full(len(scope.eligible), -np.inf)
    total[candidates] = sum(concert_parts(similarity[candidates], age, nothing, **settings).values())
    slots = _widened(total, scope.limit, slack=2.0 * profile.gamma)
    age = (scope.evidence.now - scope.shelf.times.values[slots]) / 1000.0
    parts = concert_parts(similarity[slots], age, _novelty(scope.shelf, slots), **settings)
    return _cut(*_sorted(slots, dict(parts)), scope.limit)


def _dense(scope: _Scope, weight: float, context: float) -> NDArray[np.float32]:
    if not weight or scope.evidence.vector is None:
        return scope.none()
    return _scaled_cosine(scope, weight, _cosines(scope, context), scope.encoded)


def _cosines(scope: _Scope, context: float) -> NDArray[np.float32]:
    """Cosine of the query with each memory, or with its context key normalise(e + context·(e₋₁ + e₊₁))."""
    shelf, vector = scope.shelf, scope.evidence.vector
    if vector is None or shelf.vectors.width is None:
        return scope.none()
    cosines = shelf.vectors.scores(vector)
    if not context:
        return cosines
    beside = cosines[shelf.before.values] + cosines[shelf.after.values]
    keyed: NDArray[np.float32] = (cosines + np.float32(context) * beside) / shelf.context_norms(context)
    return keyed


def _scaled_cosine(scope: _Scope, weight: float, cosines: NDArray[np.float32], encoded: Mask) -> NDArray[np.float32]:
    """Weight · min–max over the encoded memories; the others get 0."""
    if not weight or scope.evidence.vector is None or not encoded.any():
        return scope.none()
    low, high = cosines.min(where=encoded, initial=np.inf), cosines.max(where=encoded, initial=-np.inf)
    scale = np.float32(weight / max(float(high - low), 1e-9))
    return np.where(encoded, scale * (cosines - low), np.float32(0))


def _lexical(scope: _Scope, profile: WeightedProfile) -> NDArray[np.float32]:
    if not profile.lexical:
        return scope.none()
    scores = scope.shelf.lexical(
        scope.query.topic_terms if profile.strip_names else scope.query.terms,
        eligible=scope.eligible,
        gammas=profile.window,
        k1=profile.k1,
        b=profile.b,
        key=scope.key,
    )
    scores[0] = 0
    return _shared(scores, profile.lexical)


def _shared(scores: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Weight · score / best score."""
    best = float(scores.max(initial=0.0))
    return scores * np.float32(weight / best) if best > 0 else scores


def _speaker(scope: _Scope, weight: float) -> NDArray[np.float32]:
    if not weight or scope.query.speaker is None:
        return scope.none()
    return np.float32(weight) * scope.shelf.spoken_by(scope.query.speaker)


def _date(scope: _Scope, weight: float) -> NDArray[np.float32]:
    if not weight or scope.query.date is None:
        return scope.none()
    return (weight * date_fit(scope.query.date, *scope.shelf.calendar())).astype(np.float32)


def _recency(scope: _Scope, weight: float) -> NDArray[np.float32]:
    """Only when the query asks for the newest (the youngest gains) or the first (the oldest gains)."""
    if not weight or not scope.query.recency:
        return scope.none()
    age = scope.shelf.age_rank()
    return (weight * (age if scope.query.recency > 0 else 1.0 - age)).astype(np.float32)


def _reranked(scope: _Scope, profile: WeightedProfile, slots: Slots, parts: Parts) -> tuple[Slots, Parts]:
    """Add the min–max scaled MaxSim to the best `rerank`; it is at least 0, so they stay ahead of the rest."""
    evidence = scope.evidence
    if evidence.tokens is None or evidence.projection is None or evidence.codes is None or not len(slots):
        return slots, parts
    best = slots[: profile.rerank]
    scores = maxsim(evidence.tokens, evidence.codes(best), evidence.projection, scope.shelf.rarity)
    spread = max(float(scores.max() - scores.min()), 1e-9)
    late = np.zeros(len(slots))
    late[: len(best)] = profile.maxsim * (scores - scores.min()) / spread
    return _sorted(slots, parts | {"maxsim": late})


def _novelty(shelf: Shelf, slots: Slots) -> NDArray[np.float64]:
    """1 − best cosine with an earlier memory; 1 for the first."""
    rows = shelf.vectors.values
    novelty = np.ones(len(slots))
    for place, slot in enumerate(slots):
        earlier = np.flatnonzero(shelf.has_vector.values[:slot] & shelf.alive.values[:slot])
        if len(earlier):
            novelty[place] = 1.0 - float((rows[earlier] @ rows[slot]).max())
    return novelty


def _widened(total: NDArray[np.floating[Any]], limit: int, *, slack: float) -> Slots:
    """Every slot that could be among the `limit` best once at most `slack` is added to each."""
    best = top_slots(total, limit)
    if not slack or len(best) < limit:
        return best
    return np.flatnonzero(total >= total[best[-1]] - slack)


def _sorted(slots: Slots, parts: Parts) -> tuple[Slots, Parts]:
    total = sum(parts.values(), np.zeros(len(slots)))
    order = np.lexsort((slots, -total))
    return slots[order], {name: values[order] for name, values in parts.items()}


def _cut(slots: Slots, parts: Parts, limit: int) -> Ranking:
    return Ranking(slots=slots[:limit], parts={name: values[:limit] for name, values in parts.items()})
