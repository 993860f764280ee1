"""Filters hide memories; they change no score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Draft, Embedder, Hit, Memory, Record, Tier, where
from mnemoloom.clock import to_millis
from mnemoloom.config import PROFILES
from mnemoloom.errors import FilterError
from mnemoloom.filters import common, conjoin, matches, parse_filter
from unit.recall.small_stores import ENCODERS, NOW, PEOPLE, QUERIES, conversations, open_with
from unit.recall.word_embedder import RowEmbedder, WordEmbedder

CITIES = ["Oslo", "Paris", None]
WARM: list[dict[str, Any]] = [
    {"speaker": "Ann"},
    {"speaker": ["Otto", "nobody"]},
    {"speaker": []},
    {"session": "one"},
    {"session": ["one", "two"]},
    {"after": NOW - timedelta(days=300)},
    {"before": NOW - timedelta(days=300)},
    {"after": "2023-01-01", "before": "2024-01-01T00:00:00Z"},
    {"tier": "persistent"},
    {"tier": ["persistent", "long_term"]},
    {"where": {"metadata.city": "Oslo"}},
    {"where": where("metadata.number").gte(4), "speaker": "Ann"},
    {"where": {"$or": [{"metadata.city": "Paris"}, {"session": {"$exists": False}}]}},
    {"where": {"id": {"$lte": 4}}},
]
COLD: list[dict[str, Any]] = [{"tier": "cold"}, {"tier": Tier.COLD}, {"tier": ["cold", "long_term"]}]


@st.composite
def shelves(draw: st.DrawFn) -> list[Draft]:
    drafts = draw(conversations(speakers=(*PEOPLE, None), least=2))
    tiers = st.sampled_from([Tier.LONG_TERM, Tier.LONG_TERM, Tier.PERSISTENT, Tier.COLD])
    return [
        replace(
            draft,
            metadata={"city": draw(st.sampled_from(CITIES)), "number": number},
            tier=draw(tiers),
        )
        for number, draft in enumerate(drafts)
    ]


def passing(memory: Memory, restriction: dict[str, Any]) -> set[int]:
    """What the Python model of the filter lets through."""
    rest = {name: value for name, value in restriction.items() if name != "where"}
    condition = conjoin(parse_filter(restriction.get("where")), common(**rest))
    assert condition is not None
    return {record.id for record in memory.records() if matches(condition, view(record))}


def view(record: Record) -> dict[str, Any]:
    fields = ("id", "external_id", "speaker", "session", "pinned", "source", "trust", "metadata")
    moments = {"time": to_millis(record.time), "created": to_millis(record.created)}
    return {name: getattr(record, name) for name in fields} | moments | {"tier": record.tier.value}


def fixed(hit: Hit) -> dict[str, float]:
    """The parts that no filter changes: MaxSim and the update rule compare the best of those that may be hits."""
    return {name: value for name, value in hit.parts.items() if name not in ("maxsim", "update")}


@settings(deadline=None, max_examples=100)
@given(shelves(), st.sampled_from(QUERIES), st.sampled_from(WARM), ENCODERS, st.sampled_from(sorted(PROFILES)))
def test_a_filter_hides_what_does_not_match_and_changes_no_part_but_reranking_and_updates(
    drafts: list[Draft], query: str, restriction: dict[str, Any], embedder: Embedder | None, profile: str
) -> None:
    with open_with(drafts, embedder) as memory:
        whole = memory.recall(query, 100, profile=profile)
        allowed = passing(memory, restriction)
        kept = memory.recall(query, 100, profile=profile, **restriction)
        assert {hit.id: fixed(hit) for hit in kept} == {hit.id: fixed(hit) for hit in whole if hit.id in allowed}


@settings(deadline=None, max_examples=40)
@given(shelves(), st.sampled_from(QUERIES), st.sampled_from(COLD))
def test_asking_for_the_cold_tier_gives_the_memories_that_match(
    drafts: list[Draft], query: str, restriction: dict[str, Any]
) -> None:
    with open_with(drafts, RowEmbedder()) as memory:
        found = {hit.id for hit in memory.recall(query, 100, profile="dense", **restriction)}
        assert found == passing(memory, restriction)


@pytest.fixture(scope="module")
def library() -> Iterator[Memory]:
    """More memories than are reranked, half of each speaker."""
    drafts = [
        Draft(text=f"dog story {n} {'garden' if n % 3 else 'violin'} number{n % 17}", speaker=("Ann", "Otto")[n % 2])
        for n in range(160)
    ]
    with open_with(drafts, WordEmbedder()) as memory:
        yield memory


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_in_a_larger_store_a_filter_changes_no_part_but_the_reranking(library: Memory, profile: str) -> None:
    whole = {hit.id: fixed(hit) for hit in library.recall("dog in the garden number5", 200, profile=profile)}
    for hit in library.recall("dog in the garden number5", 200, profile=profile, speaker="Otto"):
        assert fixed(hit) == pytest.approx(whole[hit.id], abs=1e-9)


def test_a_filter_finds_matches_far_down_the_ranking(library: Memory) -> None:
    last = library.recall("dog in the garden", 200)[-1]
    found = library.recall("dog in the garden", 1, where={"id": last.id})
    assert [hit.id for hit in found] == [last.id]


def test_an_unknown_field_is_refused(library: Memory) -> None:
    with pytest.raises(FilterError, match="mood"):
        library.recall("dog", where={"mood": "good"})
