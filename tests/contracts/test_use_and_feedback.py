"""What use and feedback do to recall: nothing unless asked for, little when asked for, and always told."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import AssistantProfile, Config, Draft, ManualClock, Memory, RecallResult, SleepConfig, WeightedProfile
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    CorruptionError,
    EmbedderError,
    EmbedderUnavailableError,
    UnknownMemoryError,
    ValidationError,
    VectorError,
)
from mnemoloom.recall.engine import Recaller
from unit.recall.small_stores import NOW, PEOPLE, QUERIES, ROLES, conversations
from unit.recall.word_embedder import RowEmbedder, WordEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

ACTIVE = Config(profile=WeightedProfile(activation=0.05))
THINGS = ("boat", "cake", "violin", "tomato", "train", "letter", "garden", "radio", "window", "mountain")
TEXTS = [
    f"In {month} the {thing} was {state}." for thing in THINGS for month, state in [("May", "old"), ("June", "new")]
]


def seen(found: RecallResult) -> list[tuple[int, float, dict[str, float]]]:
    return [(hit.id, hit.score, dict(hit.parts)) for hit in found]


def adds_up(found: RecallResult) -> bool:
    return all(abs(sum(hit.parts.values()) - hit.score) <= 1e-9 for hit in found)


def dump(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        return list(connection.iterdump())


@pytest.fixture
def things(open_memory: OpenMemory, folder: Path, clock: ManualClock) -> Memory:
    memory = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE)
    memory.remember_many(TEXTS)
    return memory


# -- activation ---------------------------------------------------------------------------------------


def test_use_changes_no_score_unless_it_is_given_a_weight(
    open_memory: OpenMemory, folder: Path, hashing: HashingEmbedder
) -> None:
    memory = open_memory(folder, embedder=hashing)
    memory.remember_many(TEXTS)
    before = seen(memory.recall("the boat in May", k=20))
    for _ in range(20):
        memory.recall("the boat in May")
    assert seen(memory.recall("the boat in May", k=20)) == before


def test_what_was_recalled_gains_a_named_part_that_stays_below_the_weight(things: Memory) -> None:
    first = things.recall("the boat", k=3)
    assert not any("activation" in hit.parts and hit.parts["activation"] for hit in first)
    again = things.recall("the boat", k=3)
    assert [hit.parts["activation"] for hit in again] == pytest.approx([0.025] * 3, abs=1e-6)
    for _ in range(100):
        found = things.recall("the boat", k=3)
    assert 0.049 < found[0].parts["activation"] < 0.05
    assert adds_up(found)


def test_a_question_that_leaves_no_trace_is_no_use(things: Memory, folder: Path) -> None:
    before = dump(folder)
    first = seen(things.recall("the boat", update=False))
    assert seen(things.recall("the boat", update=False)) == first
    things.why("the boat", 1)
    things.close()
    assert dump(folder) == before


def test_activation_fades_by_half_in_a_week(things: Memory, clock: ManualClock) -> None:
    hit = things.recall("the boat", k=1)[0]
    clock.advance(7 * 86_400)
    [now] = [each for each in things.recall("the boat", k=20, update=False) if each.id == hit.id]
    assert now.parts["activation"] == pytest.approx(0.05 * 0.5 / 1.5, abs=1e-6)


def test_an_answer_as_of_an_earlier_time_knows_of_no_use(things: Memory) -> None:
    things.recall("the boat")
    assert "activation" not in things.recall("the boat", as_of="2026-06")[0].parts


@pytest.mark.parametrize("flush", ["closing", "the next write"])
def test_activation_outlives_a_restart(
    things: Memory, open_memory: OpenMemory, folder: Path, clock: ManualClock, flush: str
) -> None:
    for _ in range(3):
        things.recall("the boat", k=2)
        clock.advance(86_400)
        if flush == "the next write":
            things.remember("Something else.")
    kept = seen(things.recall("the boat", k=5, update=False))
    things.close()
    again = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE)
    assert seen(again.recall("the boat", k=5)) == kept


def test_a_reader_sees_use_that_leaves_no_entry_in_the_log(
    things: Memory, open_memory: OpenMemory, folder: Path, clock: ManualClock
) -> None:
    reader = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE, read_only=True)
    unused = seen(reader.recall("the boat", k=5))
    things.recall("the boat", k=2)
    used = seen(things.recall("the boat", k=5, update=False))
    things.close()
    assert seen(reader.recall("the boat", k=5)) == used != unused


def test_use_in_one_namespace_is_none_in_another(things: Memory) -> None:
    other = things.at("other")
    other.remember_many(TEXTS)
    alone = seen(other.recall("the boat", update=False))
    for _ in range(5):
        things.recall("the boat")
    assert seen(other.recall("the boat")) == alone


@pytest.mark.parametrize("profile", [WeightedProfile(activation=0.05), AssistantProfile(activation=0.05)])
def test_why_tells_of_use(open_memory: OpenMemory, profile: Any) -> None:
    memory = open_memory(":memory:", embedder=RowEmbedder(), config=Config(profile=profile))
    memory.remember_many([Draft(text=text, speaker="user") for text in TEXTS])
    hit = memory.recall("the boat")[0]
    told = memory.why("the boat", hit.id)
    assert told.parts["activation"] == pytest.approx(0.025, abs=1e-6)
    assert "activation" in [stage.name for stage in told.stages]


def test_a_thousand_questions_on_one_topic_hide_no_other_memory(things: Memory) -> None:
    for number in range(1000):
        things.recall(f"the boat of {('May', 'June')[number % 2]}", k=3)
    for memory, text in enumerate(TEXTS, 1):
        assert things.recall(text, update=False)[0].id == memory


def test_what_was_used_often_stays_out_of_the_cold_for_longer(open_memory: OpenMemory, clock: ManualClock) -> None:
    memory = open_memory(":memory:", clock=clock)
    memory.remember_many([Draft(text=text, speaker="Ann") for text in TEXTS])
    policy = SleepConfig(cold_share=0.3, wake=0.9)

    def going() -> set[int]:
        return {change.id for change in memory.sleep(policy=policy, plan_only=True).changes if change.what == "to_cold"}

    once, often, *_ = sorted(going())
    memory.recall(TEXTS[once - 1], k=1, profile="lexical")
    for _ in range(3):
        memory.recall(TEXTS[often - 1], k=1, profile="lexical")
    assert not {once, often} & going()
    clock.advance(2 * 86_400)
    assert {once, often} & going() == {once}


@pytest.mark.parametrize("weight", [-0.1, 1.1, "1", True])
def test_the_weight_of_use_is_bounded(weight: Any) -> None:
    for profile in (WeightedProfile, AssistantProfile):
        with pytest.raises(ValidationError, match="activation"):
            profile(activation=weight)


# -- feedback -----------------------------------------------------------------------------------------

QUESTION = "What did we hear of the sea?"


def test_feedback_changes_nothing_until_something_was_useful(things: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = [seen(things.recall(text, k=20, update=False)) for text in (*TEXTS[:4], QUESTION)]
    off = replace(things._opened.config, feedback=0.0)
    monkeypatch.setattr(things, "_recaller", Recaller(things._live, things._opened.encoding, off, things._opened.clock))
    assert [seen(things.recall(text, k=20, update=False)) for text in (*TEXTS[:4], QUESTION)] == with_it
    assert all("feedback" not in parts for found in with_it for _, _, parts in found)


def test_what_was_useful_comes_first_when_the_same_is_asked_again(things: Memory) -> None:
    assert things.recall(QUESTION, update=False)[0].id != 5
    for _ in range(4):
        things.useful(5, query=QUESTION)
    found = things.recall(QUESTION, k=20)
    assert found[0].id == 5
    assert found[0].parts["feedback"] > 0
    assert adds_up(found)
    assert "feedback" in [stage.name for stage in things.why(QUESTION, 5).stages]


def test_hits_keys_and_several_at_once_can_be_useful(things: Memory) -> None:
    things.remember("The ferry leaves at nine.", external_id="ferry")
    things.useful(things.recall(QUESTION), query=QUESTION)
    things.useful(things.recall(QUESTION)[0], query=QUESTION)
    things.useful("ferry", query=QUESTION)
    things.useful(["ferry", 3], query=QUESTION)
    assert "feedback" in things.recall(QUESTION)[0].parts


def test_feedback_outlives_a_restart(things: Memory, open_memory: OpenMemory, folder: Path, clock: ManualClock) -> None:
    things.recall(QUESTION, update=False)
    things.useful([5, 7], query=QUESTION)
    things.useful(9, query="the radio by the window")
    kept = seen(things.recall(QUESTION, k=20, update=False))
    reader = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE, read_only=True)
    assert seen(reader.recall(QUESTION, k=20)) == kept
    things.useful(11, query=QUESTION)
    more = seen(things.recall(QUESTION, k=20, update=False))
    assert more != kept
    assert seen(reader.recall(QUESTION, k=20)) == more
    things.close()
    again = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE)
    assert seen(again.recall(QUESTION, k=20)) == more


def test_an_answer_as_of_an_earlier_time_has_learned_nothing(things: Memory, clock: ManualClock) -> None:
    then = clock.now()
    before = seen(things.recall(QUESTION, k=20, update=False))
    clock.advance(60)
    late = things.remember("The gulls were loud.")
    unlearned = seen(things.recall(QUESTION, k=20, as_of=then))
    things.useful(late, query=QUESTION)
    assert "feedback" in things.recall(QUESTION, update=False)[0].parts
    assert seen(things.recall(QUESTION, k=20, as_of=then)) == unlearned
    assert [memory for memory, _, _ in unlearned] == [memory for memory, _, _ in before]


def test_a_forgotten_memory_teaches_nothing_any_more(things: Memory, folder: Path) -> None:
    things.forget(19)
    before = seen(things.recall(QUESTION, k=20, update=False))
    things.remember("The gulls were loud.", external_id="gulls")
    things.useful("gulls", query=QUESTION)
    assert seen(things.recall(QUESTION, k=20, update=False)) != before
    things.forget("gulls")
    assert seen(things.recall(QUESTION, k=20, update=False)) == before
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (0,)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("hide", ["end", "quarantine"])
def test_what_has_ended_or_is_in_quarantine_teaches_nothing(
    things: Memory, open_memory: OpenMemory, folder: Path, clock: ManualClock, read_only: bool, hide: str
) -> None:
    asked = open_memory(folder, read_only=True, clock=clock, embedder=RowEmbedder()) if read_only else things
    before = [hit.id for hit in asked.recall(QUESTION, k=20, update=False)]
    gulls = things.remember("The gulls were loud.", source="web", ttl=60)
    things.useful(gulls, query=QUESTION)
    assert any("feedback" in hit.parts for hit in asked.recall(QUESTION, k=20, update=False))
    if hide == "end":
        clock.advance(61)
    else:
        things.quarantine(source="web")
    after = asked.recall(QUESTION, k=20, update=False)
    assert not any("feedback" in hit.parts for hit in after)
    assert [hit.id for hit in after] == before


def test_what_has_ended_or_is_in_quarantine_teaches_nothing_any_more(
    things: Memory, open_memory: OpenMemory, folder: Path, clock: ManualClock
) -> None:
    reader = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE, read_only=True)
    short = things.remember("The gulls were loud.", ttl=60)
    odd = things.remember("The tram was full.", source="web/odd")
    things.useful(short, query=QUESTION)
    things.useful(odd, query=QUESTION)

    def all_see_alike() -> bool:
        fresh = open_memory(folder, clock=clock, embedder=RowEmbedder(), config=ACTIVE, read_only=True)
        wanted = seen(fresh.recall(QUESTION, k=20))
        fresh.close()
        return seen(reader.recall(QUESTION, k=20)) == wanted == seen(things.recall(QUESTION, k=20, update=False))

    assert all_see_alike()
    clock.advance(61)
    assert all_see_alike()
    things.quarantine(source="web/odd")
    assert all_see_alike()
    assert "feedback" not in things.recall(QUESTION, update=False)[0].parts
    things.release(source="web/odd")
    assert all_see_alike()
    assert "feedback" in reader.recall(QUESTION)[0].parts


@pytest.mark.parametrize("question", [b"odd", np.full(72, np.nan, "<f4").tobytes()])
def test_a_damaged_table_of_feedback_is_named(
    things: Memory, folder: Path, open_memory: OpenMemory, question: bytes
) -> None:
    things.useful(5, query=QUESTION)
    things.close()
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.execute("UPDATE feedback SET question = ?", (question,))
        connection.commit()
    with pytest.raises(CorruptionError, match="feedback"):
        open_memory(folder, embedder=RowEmbedder()).recall(QUESTION)


def test_feedback_needs_an_encoder_that_answers(things: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: Any, **__: Any) -> Any:
        raise EmbedderUnavailableError("nobody listens")

    monkeypatch.setattr(things._opened.encoding, "query", down)
    assert things.recall(QUESTION).degraded
    with pytest.raises(EmbedderError, match="nobody listens"):
        things.useful(5, query=QUESTION)


def test_feedback_of_one_namespace_teaches_no_other(things: Memory) -> None:
    other = things.at("other")
    theirs = other.remember_many(TEXTS)
    before = seen(other.recall(QUESTION, update=False))
    things.useful(5, query=QUESTION)
    assert seen(other.recall(QUESTION, update=False)) == before
    with pytest.raises(UnknownMemoryError):
        things.useful(theirs[0], query=QUESTION)


def test_feedback_is_no_affair_of_words(things: Memory) -> None:
    before = seen(things.recall(QUESTION, profile="lexical", update=False))
    things.useful(5, query=QUESTION)
    assert seen(things.recall(QUESTION, profile="lexical", update=False)) == before


def test_feedback_teaches_an_assistants_memory_by_the_message_that_a_reply_answers(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=RowEmbedder())
    for thing in THINGS:
        memory.remember(f"How is the {thing}?", speaker="user", session=thing)
        memory.remember(f"It is fine, that {thing}.", speaker="assistant", session=thing)

    def answered() -> float:
        [reply] = [hit for hit in memory.recall(QUESTION, k=20) if hit.id == 6]
        return reply.parts["answered"]

    before = answered()
    for _ in range(4):
        memory.useful(6, query=QUESTION)
    found = memory.recall(QUESTION, k=20)
    assert found[0].id == 5
    assert found[0].parts["feedback"] > 0
    assert answered() > before
    assert adds_up(found)


def test_the_gain_switches_feedback_off(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=RowEmbedder(), config=Config(feedback=0.0))
    memory.remember_many(TEXTS)
    before = seen(memory.recall(QUESTION, update=False))
    memory.useful(5, query=QUESTION)
    assert seen(memory.recall(QUESTION, update=False)) == before
    with pytest.raises(ValidationError, match="feedback"):
        Config(feedback=2.0)


def test_another_encoder_begins_anew(things: Memory, open_memory: OpenMemory, folder: Path) -> None:
    things.useful(5, query=QUESTION)
    things.close()
    again = open_memory(folder, embedder=HashingEmbedder(64), reembed=True)
    assert "feedback" not in again.recall(QUESTION)[0].parts
    again.useful(5, query=QUESTION)
    assert "feedback" in again.recall(QUESTION)[0].parts


def test_a_thousand_useful_answers_on_one_topic_hide_no_other_memory(things: Memory) -> None:
    for number in range(1000):
        things.useful([1, 2], query=f"the boat of {('May', 'June')[number % 2]}")
    for memory, text in enumerate(TEXTS, 1):
        assert things.recall(text, update=False)[0].id == memory


def test_the_callers_own_vectors_teach_without_an_encoder(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    rows = np.eye(4)
    for row in rows[:3]:
        memory.remember("Said.", vector=row)
    asked = rows[0] + rows[3]
    assert memory.recall("said", vector=asked)[0].id == 1
    for _ in range(6):
        memory.useful(2, query="said", vector=asked)
    assert memory.recall("said", vector=asked)[0].id == 2
    with pytest.raises(EmbedderError, match="embedder"):
        memory.useful(1, query="said")


@pytest.mark.parametrize(
    ("found", "options", "error"),
    [
        ([], {"query": "q"}, ValidationError),
        (999, {"query": "q"}, UnknownMemoryError),
        (["nobody", 1], {"query": "q"}, UnknownMemoryError),
        (True, {"query": "q"}, ValidationError),
        (1.5, {"query": "q"}, (ValidationError, TypeError)),
        (1, {"query": " "}, ValidationError),
        (1, {"query": "q", "vector": [0.0] * 72}, VectorError),
        (1, {"query": "q", "vector": [1.0]}, VectorError),
    ],
)
def test_bad_feedback_is_refused(things: Memory, refused: Refused, found: Any, options: Any, error: Any) -> None:
    with refused(things, error):
        things.useful(found, **options)
    assert "feedback" not in things.recall(QUESTION)[0].parts


def test_a_memory_without_a_vector_teaches_nothing(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=RowEmbedder())
    memory.remember("Encoded.")
    silent = memory.remember_many(["Not encoded."], encode=False)
    with pytest.raises(ValidationError, match="no vector"):
        memory.useful(silent, query="q")


def test_coroutines_teach_alike(things: Memory) -> None:
    asyncio.run(things.auseful([5], query=QUESTION))
    assert "feedback" in things.recall(QUESTION)[0].parts


@settings(max_examples=25, deadline=None)
@given(
    st.one_of(conversations(speakers=PEOPLE), conversations(speakers=ROLES), conversations(speakers=(None,))),
    st.lists(st.sampled_from(QUERIES), min_size=1, max_size=4),
    st.sampled_from([RowEmbedder(), WordEmbedder()]),
)
def test_parts_add_up_whatever_was_used_and_useful(drafts: list[Draft], queries: list[str], embedder: Any) -> None:
    profiles = (WeightedProfile(activation=0.3), AssistantProfile(activation=0.3), WeightedProfile(context=0.5))
    with Memory.open(":memory:", embedder=embedder, clock=ManualClock(NOW)) as memory:
        memory.remember_many(drafts)
        for query in queries:
            for profile in profiles:
                found = memory.recall(query, profile=profile, update=False)
                assert adds_up(found)
                for rank, hit in enumerate(found, 1):
                    told = memory.why(query, hit.id, profile=profile)
                    assert (told.rank, told.score) == (rank, pytest.approx(hit.score, abs=1e-9))
                memory.recall(query, profile=profile)
                taught = [hit for hit in found if memory.vectors([hit.id]).any()]
                if taught:
                    memory.useful(taught[0], query=query)
