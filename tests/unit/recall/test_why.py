"""Why a memory is, or is not, among the hits: one stage at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mnemoloom import Draft, Explanation, Memory, Tier
from mnemoloom.errors import UnknownMemoryError
from unit.recall.small_stores import NOW, open_with
from unit.recall.word_embedder import RowEmbedder

DRAFTS = [
    Draft(text="the dog sleeps in the garden", speaker="Ann", external_id="first", session="a", time=NOW),
    Draft(text="a dog barks", speaker="Otto", session="b", time=NOW),
    Draft(text="violin lessons", speaker="Otto", session="c", time=NOW),
    Draft(text="an old dog", speaker="Ann", session="d", tier=Tier.COLD, time=NOW),
]


@pytest.fixture
def memory() -> Iterator[Memory]:
    with open_with(DRAFTS, None) as opened:
        yield opened


def lost_at(told: Explanation) -> str | None:
    """The stage that let the memory go; every earlier one passed it."""
    assert all(stage.passed for stage in told.stages[:-1])
    assert told.recalled == told.stages[-1].passed
    return None if told.recalled else told.stages[-1].name


def test_a_hit_passes_every_stage(memory: Memory) -> None:
    told = memory.why("dog in the garden", 1)
    assert [stage.name for stage in told.stages] == ["namespace", "tier", "filter", "candidates", "cut"]
    assert lost_at(told) is None
    hit = memory.recall("dog in the garden")[0]
    assert (told.rank, told.score, told.parts) == (1, hit.score, hit.parts)
    assert told.profile == "dialogue"


def test_a_memory_of_another_namespace_is_lost_at_the_namespace(memory: Memory) -> None:
    other = memory.at("elsewhere").remember("dog dog dog")
    told = memory.why("dog", other)
    assert lost_at(told) == "namespace"
    assert (told.rank, told.score, told.parts) == (None, None, {})
    assert lost_at(memory.why("dog", 10**9)) == "namespace"
    assert lost_at(memory.why("dog", 0)) == "namespace"
    assert lost_at(memory.why("dog", -1)) == "namespace"


def test_a_forgotten_memory_is_lost_at_the_namespace(memory: Memory) -> None:
    memory.forget(2)
    assert lost_at(memory.why("dog", 2)) == "namespace"


def test_a_cold_memory_is_lost_at_the_tier(memory: Memory) -> None:
    assert lost_at(memory.why("dog", 4)) == "tier"
    assert lost_at(memory.why("dog", 4, tier="cold")) is None


def test_a_hidden_memory_is_lost_at_the_filter(memory: Memory) -> None:
    assert lost_at(memory.why("dog", 2, speaker="Ann")) == "filter"
    assert lost_at(memory.why("dog", 2, where={"metadata.x": 1})) == "filter"
    assert lost_at(memory.why("dog", 2, after=NOW)) is None
    assert lost_at(memory.why("dog", 2, before=NOW)) == "filter"


def test_a_memory_without_evidence_is_no_candidate_and_its_words_are_told(memory: Memory) -> None:
    told = memory.why("dog in the garden", 3)
    assert lost_at(told) == "candidates"
    assert told.stages[-1].detail.startswith(
        "words held: none; missing: dog, garden; vectors not compared; nothing made"
    )


def test_the_words_that_a_candidate_holds_and_lacks_are_told(memory: Memory) -> None:
    stages = {stage.name: stage.detail for stage in memory.why("a dog plays violin", 2).stages}
    assert stages["candidates"] == "words held: dog; missing: play, violin; vectors not compared"


def test_the_name_of_a_speaker_is_no_missing_word(memory: Memory) -> None:
    """It is matched with who spoke, and not looked for inside texts."""
    told = memory.why("Where is Ann's dog?", 1)
    assert told.parts["speaker"] > 0
    assert told.stages[3].detail == "words held: dog; missing: none; vectors not compared"
    assert memory.why("Where is Ann's violin?", 1).stages[3].detail.startswith("words held: none; missing: violin;")


def test_a_profile_that_looks_for_names_tells_of_them(memory: Memory) -> None:
    assert "missing: ann;" in memory.why("Ann dog", 1, profile="document").stages[3].detail


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("who is it", "the query has no words to look for;"),
        ("Ann?", "the query has no words to look for beside names;"),
    ],
)
def test_a_query_without_words_to_look_for_is_said_to_have_none(memory: Memory, query: str, said: str) -> None:
    assert memory.why(query, 3).stages[3].detail.startswith(said)


def test_a_memory_behind_the_kth_is_lost_at_the_cut(memory: Memory) -> None:
    told = memory.why("dog in the garden", 2, 1)
    assert lost_at(told) == "cut"
    assert told.rank == 2
    assert told.stages[-1].detail.startswith("rank 2 of 2")
    assert lost_at(memory.why("dog in the garden", 2, 2)) is None


def test_an_external_id_names_the_memory(memory: Memory) -> None:
    assert memory.why("dog", "first").memory_id == 1
    with pytest.raises(UnknownMemoryError, match="nobody"):
        memory.why("dog", "nobody")


def test_vectors_are_said_to_be_compared_when_they_were() -> None:
    with open_with(DRAFTS, RowEmbedder()) as memory:
        stages = {stage.name: stage.detail for stage in memory.why("dog", 3, profile="dense").stages}
        assert stages["candidates"].endswith("vectors compared")


def test_asking_why_leaves_no_trace(memory: Memory) -> None:
    memory.why("dog", 1)
    assert memory.get(1).accessed is None


def test_an_explanation_reads_as_text(memory: Memory) -> None:
    explanation = memory.why("dog", 4)
    assert str(explanation).splitlines() == [
        "memory 4 is not recalled for 'dog' (profile dialogue)",
        "  passed namespace: it is in this namespace",
        "  lost at tier: cold memories are recalled only with tier='cold'",
        f"  confidence {explanation.confidence:.2f}",
    ]
