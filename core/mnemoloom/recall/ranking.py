"""From a read query to a ranking, by one of three formulas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.concert import concert_parts
from mnemoloom.config import AssistantProfile, ConcertProfile, Profile, WeightedProfile
from mnemoloom.hgns import Near
from mnemoloom.index import top_set
from mnemoloom.recall import parts as part
from mnemoloom.recall.confidence import BEST, Support, mean_of_best, speaker_margin, weakest_words
from mnemoloom.recall.late import TokenMatches
from mnemoloom.recall.parts import Evidence, Scope
from mnemoloom.recall.query import Query
from mnemoloom.recall.shelf import Shelf

__all__ = ["Ranking", "rank"]

Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]
Parts = dict[str, NDArray[np.floating[Any]]]

_FEW = 8  # times the candidates: of no more memories that a filter allows, all are compared
_MARGIN = 10  # memories of other speakers that are compared with those of the named one
_ROUNDING = 1e-5  # of totals in float32; the order is decided in float64
_SPARE = 1.5  # times the index's candidates: without, one hit in a hundred is another than with a scan
_MATCHING = 192  # candidates by everything else, beside them


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Slots, best first, the parts of their scores, each of shape (len(slots),), and what speaks for an answer.

    vector: the query's, shape (d,), None where none is compared. near: what the index found, if it was asked.
    """

    slots: Slots
    parts: Parts
    support: Support
    vector: NDArray[np.float32] | None = None
    near: Near | None = None

    def totals(self) -> NDArray[np.floating[Any]]:
        """The score of every memory, shape (len(slots),)."""
        return sum(self.parts.values(), np.zeros(len(self.slots)))

    def first(self, count: int) -> Ranking:
        """The best `count` of it."""
        return replace(
            self, slots=self.slots[:count], parts={name: values[:count] for name, values in self.parts.items()}
        )

    def score(self, place: int) -> float:
        """The score of the memory at a place, counted from 0."""
        return sum(self.parts_at(place).values())

    def only(self, kept: Mask) -> Ranking:
        """The same without some of its places; `kept` of shape (len(slots),)."""
        parts = {name: values[kept] for name, values in self.parts.items()}
        return replace(self, slots=self.slots[kept], parts=parts)

    def all_parts(self) -> list[dict[str, float]]:
        """The named parts of every score, in the order of the slots."""
        if not self.parts:
            return [{} for _ in self.slots]
        columns = [values.tolist() for values in self.parts.values()]
        return [dict(zip(self.parts, row, strict=True)) for row in zip(*columns, strict=True)]

    def parts_at(self, place: int) -> dict[str, float]:
        """The named parts of that score."""
        return {name: float(values[place]) for name, values in self.parts.items()}


def rank(
    shelf: Shelf,
    query: Query,
    profile: Profile,
    evidence: Evidence,
    *,
    allowed: Mask,
    limit: int,
    cold: bool = False,
    exact: bool = False,
    active: NDArray[np.float32] | None = None,
) -> Ranking:
    """The `limit` best of the `allowed` slots.

    Parameters
    ----------
    cold: lets cold memories count in the scaling; whether they are allowed is the mask's affair.
    exact: compare the query with every vector, however many there are.
    active: what use adds to each slot, shape (slots,); None where it adds nothing.
    """
    eligible = shelf.eligible(cold=cold)
    scope = Scope(
        shelf=shelf,
        query=query,
        evidence=evidence,
        eligible=eligible,
        key="all" if cold else "warm",
        allowed=allowed,
        echoes=_echoes(shelf, query, profile),
        active=active,
    )
    indexed = not (isinstance(profile, ConcertProfile) or (isinstance(profile, WeightedProfile) and profile.context))
    sought = evidence.vector if evidence.learned is None else evidence.learned
    near = _near(scope, sought, limit, profile) if indexed and not exact else None
    if near is not None and sought is not evidence.vector:
        # the scale of `dense` and the confidence are those of the question as it was asked
        own = _near(scope, evidence.vector, limit, profile)
        near = None if own is None else near.joined(Near.unseen(own.numbers, near.turned))
    scope = scope if near is None else replace(scope, near=near.numbers)
    return replace(_ranked(scope, profile, limit), vector=sought, near=near)


def _ranked(scope: Scope, profile: Profile, limit: int) -> Ranking:
    if isinstance(profile, AssistantProfile):
        return _assistant(scope, profile, limit)
    if isinstance(profile, ConcertProfile):
        return _concert(scope, profile, limit)
    return _weighted(scope, profile, limit)


def _echoes(shelf: Shelf, query: Query, profile: Profile) -> Slots | None:
    """Remembered questions that only repeat the query, if the profile takes them for no evidence."""
    if isinstance(profile, ConcertProfile) or not profile.echo:
        return None
    found = shelf.echoes(query.terms)
    return found if len(found) else None


def _near(scope: Scope, vector: NDArray[np.float32] | None, limit: int, profile: Profile) -> Near | None:
    """What the index finds near a query; None where every vector is to be compared.

    Scores are scaled by the best of all memories, so that a filter changes none: it adds candidates of its own.
    """
    index = scope.shelf.index
    if vector is None or scope.shelf.vectors.width is None or len(scope.eligible) <= index.settings.exact_below:
        return None
    useful, allowed = scope.encoded, scope.allowed
    if isinstance(profile, AssistantProfile):
        replies, answered = scope.shelf.replies(), scope.shelf.answered()
        useful, allowed = useful & ~replies, allowed.copy()
        allowed[answered[scope.allowed & replies]] = True  # a reply's score is that of the message it answers
    count = max(int(_SPARE * index.settings.candidates), 4 * limit)
    near = index.near(vector, count, allowed=useful)
    if near is None or scope.allowed is scope.eligible:
        return near
    within = useful & allowed
    few = np.count_nonzero(within) <= _FEW * count
    own = Near.unseen(np.flatnonzero(within), near.turned) if few else index.near(vector, count, allowed=within)
    return None if own is None else near.joined(own)


def _weighted(scope: Scope, profile: WeightedProfile, limit: int) -> Ranking:
    words = scope.silenced(part.words(scope, profile))
    parts = _given(
        lexical=part.shared(words, profile.lexical),
        echo=part.echo(scope, profile.echo),
        speaker=part.speaker(scope, profile.speaker),
        date=part.date(scope, profile.date),
        recency=part.recency(scope, profile.recency),
    )
    matching = _any(parts, "lexical", "speaker", "date")
    if scope.echoes is not None:
        matching = matching | (parts["echo"] < 0)
    pool = _pool(scope, parts, matching, max(limit, _MATCHING))
    parts = _at(parts, pool) | _given(
        surprise=part.surprise(scope, pool, profile.surprise), activation=part.activation(scope, pool)
    )
    encoded = _take(scope.encoded, pool)
    cosines = part.cosines(scope, pool, context=profile.context) if profile.dense else None
    if cosines is not None:
        mean = scope.mean_cosine(replies=True)
        dense = part.dense(cosines, profile.dense, encoded, mean=mean)
        learned = part.feedback(scope, dense, pool, profile.dense, encoded, replies=True, context=profile.context)
        parts = _given(dense=dense, feedback=learned) | parts
        matching = _take(matching, pool) | encoded
    else:
        matching = _take(matching, pool)
    total = _total(parts, _take(scope.allowed, pool) & matching)
    places = _widened(total, max(limit, profile.rerank), slack=_ROUNDING)
    slots, kept = _sorted(places if pool is None else pool[places], _doubled(parts, places))
    count = min(profile.rerank, len(slots))
    if scope.echoes is not None:  # they stand last, and must not set the scale of the others
        count -= int(np.isin(slots[:count], scope.echoes).sum())
    compared = np.concatenate((slots[:count], _rivals(scope, total, pool, slots[:count])))
    matched = part.matches(scope, compared) if profile.maxsim else None
    if matched is not None:
        # MaxSim adds at least 0, so the memories that get it stay ahead of the rest.
        late = np.pad(np.round(part.late(matched.first(count), profile.maxsim), 7), (0, len(slots) - count))
        slots, kept = _sorted(slots, kept | {"maxsim": late})
    terms = part.asked_terms(scope.query, profile)
    support = _support(scope, slots[:count], compared, matched, words=words, terms=terms)
    if cosines is not None:
        support = replace(support, nearest=mean_of_best(cosines[_take(scope.allowed & scope.encoded, pool)]))
    return _cut(slots, kept, limit, support)


def _rivals(scope: Scope, total: NDArray[np.floating[Any]], pool: Slots | None, compared: Slots) -> Slots:
    """The best memories of others than the speaker whom the query names, less those that are compared anyway."""
    if scope.named is None:
        return compared[:0]
    spoken = scope.shelf.spoken_by(scope.named, pool)
    best = top_set(np.where(spoken, -np.inf, total), _MARGIN)
    return np.setdiff1d(best if pool is None else pool[best], compared, assume_unique=True)


def _share(score: float, known: float) -> float:
    """A BM25 score as a share of what is known to be possible; the rarities in a part of the store differ a little."""
    return min(score / known, 1.0) if known else 0.0


def _support(
    scope: Scope,
    slots: Slots,
    compared: Slots,
    matched: TokenMatches | None,
    *,
    words: NDArray[np.float32],
    terms: tuple[str, ...],
) -> Support:
    """What words and tokens say for an answer; `slots` best first, `compared` those that have been matched.

    words: the BM25 of every slot for the `terms`.
    """
    named = scope.named
    words = words if scope.allowed is scope.eligible else words * scope.allowed
    most = float(words.max(initial=0.0))
    share = _share(most, part.known_rarity(scope, terms))
    if matched is None:
        margin = 0.0
        if named is not None and most > 0:
            allowed = scope.allowed
            margin = speaker_margin(words[allowed] / most, scope.shelf.spoken_by(named)[allowed])
        return Support(margin=margin, matched=share)
    missing = weakest_words(matched, np.flatnonzero((compared[:, None] == slots[:BEST]).any(axis=1)))
    margin = speaker_margin(matched.scores(), scope.shelf.spoken_by(named, compared)) if named is not None else 0.0
    weakest = float(np.mean([fit for _, fit in missing])) if missing else None
    return Support(weakest=weakest, margin=margin, matched=share, missing=missing)


def _assistant(scope: Scope, profile: AssistantProfile, limit: int) -> Ranking:
    shelf, query = scope.shelf, scope.query
    replies, answered = shelf.replies(), shelf.answered()
    messages = shelf.derived(("messages", scope.key), lambda: scope.eligible & ~replies)
    own = scope.silenced(
        shelf.lexical(
            query.terms, eligible=messages, gammas=(), k1=profile.k1, b=profile.b, key=f"messages {scope.key}"
        )
    )
    recency = part.recency(scope, profile.recency)
    dense, learned, nearest = _message_dense(scope, profile, own, messages)
    of_message = _given(
        dense=dense,
        feedback=learned,
        lexical=part.shared(own, profile.lexical),
        recency=None if recency is None else recency * messages,
        echo=part.echo(scope, profile.echo),
    )
    weight = np.float32(profile.answered_asked if query.asks_reply else profile.answered)
    score = sum(of_message.values(), np.zeros(len(replies), np.float32))
    chunks = part.chunks(scope, profile)
    parts = _given(
        **of_message,
        answered=np.where(replies, weight * score[answered], 0),
        chunk=part.shared(chunks, profile.chunk if dense is not None else profile.chunk * _without_dense(profile)),
        activation=part.activation(scope, None),
    )
    evident = own > 0
    if scope.echoes is not None:
        evident[scope.echoes] = True
    if "dense" in parts:
        evident = evident | (parts["dense"] != 0 if scope.near is not None else _encoded(scope, messages))
    found = evident | (replies & evident[answered]) | _any(parts, "chunk")
    total = _total(parts, scope.allowed & found)
    slots = _widened(total, limit, slack=_ROUNDING)
    slots, kept = _sorted(slots, _doubled(parts, slots))
    best = _widened(np.where(messages, total, -np.inf), BEST, slack=_ROUNDING)
    best = _sorted(best, _doubled(parts, best))[0][:BEST]
    support = _support(scope, best, best, part.matches(scope, best), words=own, terms=query.terms)
    replied = _share(float((chunks * scope.allowed).max(initial=0.0)), part.known_rarity(scope, query.terms))
    return _cut(slots, kept, limit, replace(support, nearest=nearest, replied=replied))


def _without_dense(profile: AssistantProfile) -> float:
    """The share of a message's highest score that its words alone can reach; replies are held to the same."""
    return profile.lexical / ((profile.dense + profile.lexical) or 1.0)


def _message_dense(
    scope: Scope, profile: AssistantProfile, own: NDArray[np.float32], messages: Mask
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, float | None]:
    """The dense part of the user's messages, what feedback changes about it, and the mean cosine of the nearest.

    With an index, only those that could matter get one.
    """
    if not profile.dense:
        return None, None, None
    encoded = _encoded(scope, messages)
    mean = scope.mean_cosine(replies=False)
    if scope.near is None:
        cosines = part.cosines(scope)
        if cosines is None:
            return None, None, None
        found = part.dense(cosines, profile.dense, encoded, mean=mean)
        learned = part.feedback(scope, found, None, profile.dense, encoded, replies=False)
        return found, learned, mean_of_best(cosines[encoded & scope.allowed])
    pool = _united(scope, scope.near, top_set(np.where(own > 0, own, -np.inf), _MATCHING))
    cosines = part.cosines(scope, pool)
    values = None if cosines is None else part.dense(cosines, profile.dense, encoded[pool], mean=mean)
    if cosines is None or values is None:
        return None, None, None
    learned = part.feedback(scope, values, pool, profile.dense, encoded[pool], replies=False)
    nearest = mean_of_best(cosines[(encoded & scope.allowed)[pool]])
    return (
        _spread(values, pool, len(messages)),
        None if learned is None else _spread(learned, pool, len(messages)),
        nearest,
    )


def _spread(values: NDArray[np.float32], pool: Slots, slots: int) -> NDArray[np.float32]:
    """Values of some slots as those of all, 0 elsewhere."""
    spread = np.zeros(slots, np.float32)
    spread[pool] = values
    return spread


def _encoded(scope: Scope, messages: Mask) -> Mask:
    key = ("encoded messages", scope.key)
    return scope.without_echoes(scope.shelf.derived(key, lambda: messages & scope.shelf.has_vector.values))


def _concert(scope: Scope, profile: ConcertProfile, limit: int) -> Ranking:
    similarity = part.cosines(scope)
    if similarity is None:
        return Ranking(slots=np.empty(0, np.int64), parts={}, support=Support())
    settings = {"alpha": profile.alpha, "beta": profile.beta, "gamma": profile.gamma, "tau": profile.tau}
    age = (scope.evidence.now - scope.shelf.times.values) / 1000.0
    # Novelty costs a scan of the store for each memory, so only those that it could lift are measured.
    parts: Parts = dict(concert_parts(similarity, age, np.zeros(len(age)), **settings))
    total = _total(parts, scope.allowed & scope.encoded & (similarity >= profile.floor))
    slots = _widened(total, limit, slack=2.0 * profile.gamma)
    parts = dict(concert_parts(similarity[slots], age[slots], _novelty(scope.shelf, slots), **settings))
    close = scope.allowed & scope.encoded
    return _cut(*_sorted(slots, parts), limit, Support(nearest=mean_of_best(similarity[close])))


def _novelty(shelf: Shelf, slots: Slots) -> NDArray[np.float64]:
    """1 − best cosine with an earlier memory; 1 for the first."""
    compared = shelf.alive.values & shelf.has_vector.values
    known: NDArray[np.float64] = shelf.derived("novelty", lambda: np.full(len(compared), np.nan))
    for slot in slots[np.isnan(known[slots])]:
        earlier = shelf.vectors.scores(shelf.vectors.row(slot))[:slot][compared[:slot]]
        known[slot] = 1.0 - float(earlier.max(initial=0.0 if not len(earlier) else -1.0))
    return known[slots]


def _pool(scope: Scope, parts: Parts, matching: Mask, count: int) -> Slots | None:
    """The slots worth comparing: the nearest by the index, and the best by everything else. None means all."""
    if scope.near is None:
        return None
    return _united(scope, scope.near, top_set(_total(parts, scope.allowed & matching), count))


def _united(scope: Scope, *groups: Slots) -> Slots:
    """The slots of several groups, ascending, each once."""
    chosen = np.zeros(len(scope.eligible), np.bool_)
    for group in groups:
        chosen[group] = True
    return np.flatnonzero(chosen)


def _given(**parts: NDArray[np.floating[Any]] | None) -> Parts:
    return {name: values for name, values in parts.items() if values is not None}


def _any(parts: Parts, *names: str) -> Mask:
    """Slots for which one of these parts speaks; a single False where none of them is given."""
    masks = [parts[name] > 0 for name in names if name in parts]
    return np.logical_or.reduce(masks) if masks else np.zeros(1, np.bool_)


def _total(parts: Parts, candidates: Mask) -> NDArray[np.floating[Any]]:
    """The sum of the parts; −inf where there is no candidate."""
    total = sum(parts.values(), np.zeros(candidates.shape, np.float32))
    np.copyto(total, -np.inf, where=~candidates)
    return total


def _take(values: NDArray[Any], pool: Slots | None) -> NDArray[Any]:
    return values if pool is None or len(values) == 1 else values[pool]


def _at(parts: Parts, pool: Slots | None) -> Parts:
    return parts if pool is None else {name: values[pool] for name, values in parts.items()}


def _doubled(parts: Parts, places: Slots) -> Parts:
    """The parts at some places as people read them: without the noise behind the seventh digit of float32."""
    return {name: np.round(values[places].astype(np.float64), 7) for name, values in parts.items()}


def _widened(total: NDArray[np.floating[Any]], limit: int, *, slack: float) -> Slots:
    """Every slot that could be among the `limit` best once at most `slack` is added to each."""
    best = top_set(total, limit)
    if len(best) < limit:
        return best
    worst = len(best) - limit
    return np.flatnonzero(total >= np.partition(total[best], worst)[worst] - slack)


def _sorted(slots: Slots, parts: Parts) -> tuple[Slots, Parts]:
    total = sum(parts.values(), np.zeros(len(slots)))
    order = np.lexsort((slots, -total))
    return slots[order], {name: values[order] for name, values in parts.items()}


def _cut(slots: Slots, parts: Parts, limit: int, support: Support) -> Ranking:
    return Ranking(slots=slots[:limit], parts={name: values[:limit] for name, values in parts.items()}, support=support)
