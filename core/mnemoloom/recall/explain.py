"""Why a memory was recalled, or at which stage it was let go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mnemoloom.clock import from_millis
from mnemoloom.config import Profile, WeightedProfile
from mnemoloom.recall.parts import asked_terms
from mnemoloom.recall.query import Query
from mnemoloom.recall.ranking import Ranking
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.values import Value, stated_values
from mnemoloom.records import Explanation, Stage
from mnemoloom.storage.gates import StoredDecision
from mnemoloom.titans import Variant

__all__ = ["Findings", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a recall looked at: the shelf, the slots that were allowed, and the whole ranking of them.

    second_look: whether the first search was not sure enough, so that this is what a wider one found.
    as_of: only what was said until then was allowed (ms).
    topics: the topics asked for, if any; topic: the one that it is in.
    pairs: slots (newer, older) that contradict each other about what is asked; kinds: of which values it is asked.
    texts: those of the best, by slot. under: by slot, the repetition that took its place.
    confidence: that memory holds an answer; least: what was asked for, if anything.
    ended: when the memory ended (ms), if it has and was not erased yet.
    gated: what the write gate decided about the memory, if it met it.
    variant: Titans' way to use memory; shown: the slots that it shows, in order, and the memory that each is from;
    arranged: the same with their scores.
    windowed: whether the memory stands in the window that was given.
    trust: how far the memory is trusted; trusted: which labels may answer, None for all.
    crowded: slots that give way because better ones of their source fill its share. isolated: it is in quarantine.
    """

    shelf: Shelf
    query: Query
    profile: Profile
    encoded: bool
    slot: int
    cold_asked: bool
    second_look: bool
    allowed: NDArray[np.bool_]
    ranking: Ranking
    arranged: Ranking
    k: int
    pairs: tuple[tuple[int, int], ...]
    kinds: frozenset[str]
    texts: Mapping[int, str]
    confidence: float
    least: float | None
    as_of: int | None
    under: Mapping[int, int]
    topics: frozenset[int] | None = None
    topic: int | None = None
    ended: int | None = None
    trusted: tuple[str, ...] | None = None
    trust: str | None = None
    crowded: frozenset[int] = frozenset()
    isolated: bool = False
    gated: StoredDecision | None = None
    variant: Variant = "memory"
    shown: Mapping[int, str] = field(default_factory=dict)
    windowed: bool = False


def explain(found: Findings, memory: int) -> Explanation:
    """The stages in order, up to the first that the memory did not pass."""
    stages: list[Stage] = []
    for stage in _stages(found, memory):
        stages.append(stage)
        if not stage.passed:
            break
    ranking = found.arranged if found.slot in found.shown else found.ranking
    place = _place(found.slot, ranking)
    return Explanation(
        query=found.query.text,
        memory_id=memory,
        profile=found.profile.name,
        recalled=stages[-1].passed,
        rank=None if place is None else place + 1,
        score=None if place is None else ranking.score(place),
        parts={} if place is None else ranking.parts_at(place),
        stages=tuple(stages),
        confidence=found.confidence,
        missing=dict(found.ranking.support.missing),
    )


def _absent(found: Findings, memory: int) -> Stage:
    """Why a memory takes no part at all."""
    if found.ended is not None:
        ended = from_millis(found.ended).isoformat(timespec="milliseconds")
        return Stage(name="expiry", passed=False, detail=f"it expired at {ended}")
    if found.isolated:
        return Stage(name="quarantine", passed=False, detail=f"memory {memory} is in quarantine, until it is released")
    return Stage(name="namespace", passed=False, detail=f"there is no memory {memory} in this namespace")


def _stages(found: Findings, memory: int) -> Iterator[Stage]:
    shelf, slot = found.shelf, found.slot
    if not slot or found.ended is not None:
        yield _absent(found, memory)
        return
    yield Stage(name="namespace", passed=True, detail="it is in this namespace")
    cold = bool(shelf.cold.values[slot])
    warm = not cold or found.cold_asked or found.second_look or found.windowed
    yield Stage(name="tier", passed=warm, detail=_tier(found, cold=cold))
    if found.topics is not None:
        yield Stage(name="topic", passed=found.topic in found.topics, detail=_topic(found))
    if found.trusted is not None:
        detail = f"its trust is {found.trust}; at least {found.trusted[0]} was asked for"
        yield Stage(name="trust", passed=found.trust in found.trusted, detail=detail)
    yield Stage(name="filter", passed=bool(found.allowed[slot]), detail=_filter(found))
    if found.variant != "memory":
        yield Stage(name="variant", passed=slot in found.shown, detail=_variant(found))
        yield from _sure(found)
        return
    place, told, crowded = _place(found.slot, found.ranking), found.under.get(slot), slot in found.crowded
    candidate = crowded or place is not None or told is not None
    yield Stage(name="candidates", passed=candidate, detail=_words(found))
    if told is not None:
        detail = f"{int(shelf.ids.values[told])} says the same, ranks higher, and stands for it"
        yield Stage(name="repeats", passed=False, detail=detail)
    if crowded:
        yield Stage(name="source", passed=False, detail="better memories of the same source fill its share of the hits")
    if place is None:
        return
    for detail in _updates(found):
        yield Stage(name="update", passed=True, detail=detail)
    parts = found.ranking.parts_at(place)
    for name, reason in _LIFTS.items():
        if parts.get(name):
            yield Stage(name=name, passed=True, detail=f"{reason}: {parts[name]:+.3f}")
    yield Stage(name="cut", passed=place < found.k, detail=_cut(found, place))
    yield from _sure(found)


def _sure(found: Findings) -> Iterator[Stage]:
    if found.least is not None:
        detail = f"confidence {found.confidence:.2f}; at least {found.least:.2f} was asked for"
        yield Stage(name="confidence", passed=found.confidence >= found.least, detail=detail)


_LIFTS = {
    "activation": "it was recalled before",
    "feedback": "questions like this one have learned where useful memories lie",
}


def _tier(found: Findings, *, cold: bool) -> str:
    gate = "" if found.gated is None else f"; {_gate(found.gated)}"
    if not cold:
        return f"it is not cold{gate}"
    if found.cold_asked:
        return f"cold memories were asked for{gate}"
    if found.second_look:
        return f"it is cold, and cold memories were searched because the others gave too little confidence{gate}"
    if found.windowed:
        return f"it is cold, and stands in the window{gate}"
    return f"cold memories are recalled only with tier='cold'{gate}"


def _variant(found: Findings) -> str:
    """Where the variant shows the memory, or where it stands otherwise."""
    if found.slot in found.shown:
        at, source = list(found.shown).index(found.slot) + 1, found.shown[found.slot]
        return f"{found.variant} shows it at place {at} of {len(found.shown)}, from {source} memory"
    place = _place(found.slot, found.ranking)
    rank = "is no candidate" if place is None else f"has rank {place + 1}"
    return f"{found.variant} shows {len(found.shown)} others with k = {found.k}; by its score it {rank}"


def _gate(made: StoredDecision) -> str:
    verdict = "let it in" if made.write else "dropped it"
    return f"the write gate {verdict} ({made.reason}: z {made.z:+.2f}, threshold {made.threshold:+.2f})"


def _topic(found: Findings) -> str:
    place = "it is in no topic" if found.topic is None else f"it is in topic {found.topic}"
    asked = sorted(found.topics or ())
    return place if found.topic in asked else f"{place}; asked for: {', '.join(map(str, asked))}"


def _filter(found: Findings) -> str:
    if found.allowed[found.slot]:
        return "the filter lets it through"
    if found.as_of is not None and found.shelf.times.values[found.slot] > found.as_of:
        return f"it was said after {from_millis(found.as_of).isoformat(timespec='milliseconds')}"
    return "the filter hides it"


def _updates(found: Findings) -> Iterator[str]:
    """Which other memories speak of the same thing, and on which values they differ."""
    shelf, slot = found.shelf, found.slot
    for newer, older in found.pairs:
        if slot not in (newer, older):
            continue
        stated = [stated_values(found.texts[each], shelf.cues) for each in (newer, older)]
        new, old = (_listed(mine - others, found.kinds) for mine, others in (stated, stated[::-1]))
        values = f": {new} where it says {old}" if new and old else ""
        other = int(shelf.ids.values[older if slot == newer else newer])
        yield f"it supersedes {other}{values}" if slot == newer else f"{other} supersedes it{values}"


def _listed(values: frozenset[Value], kinds: frozenset[str]) -> str:
    return ", ".join(f"{value.kind} {value.text}" for value in sorted(values) if value.kind in kinds)


def _place(slot: int, ranking: Ranking) -> int | None:
    places = np.flatnonzero(ranking.slots == slot)
    return int(places[0]) if slot and len(places) else None


def _words(found: Findings) -> str:
    """Which words of the query the memory holds, which it lacks, and whether vectors were compared."""
    shelf, query, profile = found.shelf, found.query, found.profile
    looked_for = asked_terms(query, profile) if isinstance(profile, WeightedProfile) else query.terms
    held: list[str] = []
    missing: list[str] = []
    for term in dict.fromkeys(looked_for):
        number = shelf.vocabulary.find(term)
        holders = shelf.postings.of(number)[0] if number is not None else ()
        (held if found.slot in holders else missing).append(term)
    beside = [term for term in missing if _is_beside(found, term)]
    compared = found.encoded and bool(shelf.has_vector.values[found.slot])
    parts = []
    if not looked_for:
        parts.append("the query has no words to look for" + (" beside names" if query.terms else ""))
    else:
        parts.append(f"words held: {', '.join(held) or 'none'}")
        if beside:
            parts.append(f"in its neighbours: {', '.join(beside)}")
        parts.append(f"missing: {', '.join(term for term in missing if term not in beside) or 'none'}")
    parts.append(f"vectors {'compared' if compared else 'not compared'}")
    if _place(found.slot, found.ranking) is None and found.slot not in found.crowded and found.slot not in found.under:
        parts.append("nothing made it a candidate (speakers' names are not looked for inside texts)")
    return "; ".join(parts)


def _is_beside(found: Findings, term: str) -> bool:
    """Whether a neighbour within the profile's window holds a term."""
    number = found.shelf.vocabulary.find(term)
    if number is None or not isinstance(found.profile, WeightedProfile):
        return False
    holders = set(found.shelf.postings.of(number)[0].tolist())
    for links in (found.shelf.before.values, found.shelf.after.values):
        slot = found.slot
        for _ in found.profile.window:
            slot = int(links[slot])
            if slot and slot in holders:
                return True
    return False


def _cut(found: Findings, place: int) -> str:
    score = found.ranking.score(place)
    detail = f"rank {place + 1} of {len(found.ranking.slots)}, score {score:.3f}"
    if place < found.k:
        return f"{detail}; k = {found.k}"
    return f"{detail}; the last of the k = {found.k} scores {found.ranking.score(found.k - 1):.3f}"
