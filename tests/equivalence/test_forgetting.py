"""After forgetting, a store equals one that never had the memory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equivalence.comparing import QUESTIONS, SPEAKERS, assert_equal_results, conversation, open_at
from mnemoloom import Config, Draft, Embedder, Memory, WeightedProfile
from mnemoloom.config import PROFILES, Profile
from unit.recall.small_stores import open_with
from unit.recall.word_embedder import WordEmbedder

# Surprise is what a memory was when it was written; what was forgotten later has been read by then.
WITHOUT_SURPRISE: list[Profile] = [
    replace(profile, surprise=0.0) if isinstance(profile, WeightedProfile) else profile for profile in PROFILES.values()
]


def assert_equal_stores(one: Memory, other: Memory, questions: list[str]) -> None:
    assert [record.text for record in one.records()] == [record.text for record in other.records()]
    assert len(one) == len(other)
    for question in questions:
        for profile in WITHOUT_SURPRISE:
            assert_equal_results(
                one.recall(question, 25, profile=profile, expand=2),
                other.recall(question, 25, profile=profile, expand=2),
            )


@settings(deadline=None, max_examples=30)
@given(
    kind=st.sampled_from(sorted(SPEAKERS)),
    gone=st.sets(st.integers(0, 29), max_size=29),
    order=st.randoms(use_true_random=False),
    embedder=st.sampled_from([None, WordEmbedder()]),
    questions=st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=3, unique=True),
)
def test_forgetting_any_memories_equals_never_having_had_them(
    kind: str, gone: set[int], order: object, embedder: Embedder | None, questions: list[str]
) -> None:
    drafts = conversation(kind, 30)
    leaving = sorted(gone)
    order.shuffle(leaving)  # type: ignore[attr-defined]
    kept = [draft for place, draft in enumerate(drafts) if place not in gone]
    with open_with(drafts, embedder, Config()) as forgetful, open_with(kept, embedder, Config()) as innocent:
        for place in leaving:
            forgetful.forget(place + 1)
        assert_equal_stores(forgetful, innocent, questions)


@pytest.mark.parametrize("kind", SPEAKERS)
@pytest.mark.parametrize("cache", ["kept", "dropped"])
def test_a_store_that_forgot_equals_the_innocent_one_after_reopening_too(
    tmp_path: Path, kind: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemoloom.recall.live._REPLAY_AT_MOST", 0)
    drafts, embedder = conversation(kind, 60), WordEmbedder()
    gone = {0, 5, 6, 7, 19, 33, 58, 59}
    with open_at(tmp_path, embedder) as memory:
        memory.remember_many(drafts[:40])
        for place in sorted(gone):
            if place < 30:
                memory.forget(place + 1)
    with open_at(tmp_path, embedder) as memory:
        ids = memory.remember_many(drafts[40:])
        memory.forget(34)
        memory.forget(ids[-2])
        memory.forget(ids[-1])
    if cache == "dropped":
        shutil.rmtree(tmp_path / "cache")
    kept = [draft for place, draft in enumerate(drafts) if place not in gone]
    with open_at(tmp_path, embedder) as memory, open_with(kept, embedder, Config()) as innocent:
        assert_equal_stores(memory, innocent, QUESTIONS)


def test_replacing_by_external_id_equals_forgetting_and_remembering() -> None:
    texts = ["the dog sleeps", "a violin plays", "the garden grows"]
    drafts = [Draft(text=text, speaker="Ann", session="s", external_id=text[:5]) for text in texts]
    newer = replace(drafts[1], text="a violin sings in Oslo")
    with (
        open_with(drafts, WordEmbedder()) as replaced,
        open_with([drafts[0], drafts[2], newer], WordEmbedder()) as built,
    ):
        replaced.remember_many([newer])
        assert_equal_stores(replaced, built, ["violin in the garden", "dog sleeps"])


def test_neighbours_are_those_of_the_session_however_sessions_interleave() -> None:
    turns = [("a", "one"), ("b", "two"), ("a", "three"), (None, "four"), ("b", "five"), (None, "six"), ("a", "seven")]
    drafts = [Draft(text=f"apple {text}", speaker="Ann", session=session) for session, text in turns]
    with open_with(drafts, None) as memory:
        around = {
            hit.text.split()[1]: [record.text.split()[1] for record in (*hit.before, *hit.after)]
            for hit in memory.recall("apple", 10, expand=1)
        }
        assert around == {
            "one": ["three"],
            "three": ["one", "seven"],
            "seven": ["three"],
            "two": ["five"],
            "five": ["two"],
            "four": ["six"],
            "six": ["four"],
        }


def test_the_window_reaches_only_into_the_session() -> None:
    drafts = [
        Draft(text="violin", speaker="Ann", session="a"),
        Draft(text="apple", speaker="Ann", session="b"),
        Draft(text="pear", speaker="Ann", session="a"),
        Draft(text="plum", speaker="Ann", session="a"),
        Draft(text="fig", speaker="Ann", session="a"),
    ]
    with open_with(drafts, None) as memory:
        parts = {hit.text: hit.parts["lexical"] for hit in memory.recall("violin", 10)}
        assert set(parts) == {"violin", "pear", "plum"}
        assert parts["violin"] > parts["pear"] > parts["plum"] > 0
