"""Sleep changes only what it tells of, all or nothing; it can be undone, and no event is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Config, Gate, ManualClock, Memory, PrunePolicy, SleepConfig, SleepReport, Tier, where
from mnemoloom.consolidation import QUADRANTS
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    ConfigError,
    ReadOnlyError,
    StorageFailure,
    StoreClosedError,
    UnknownMemoryError,
    UnknownSleepError,
    ValidationError,
)
from mnemoloom.rendering import fitting
from mnemoloom.sleeping.cycle import STEPS

if TYPE_CHECKING:
    from conftest import OpenMemory, StartPython

KEY = b"0123456789abcdef"
DAY = 86_400.0
QUESTIONS = ("Where is the boat?", "Who loves hiking in the mountains?", "What is in the cellar?", "bye")
DULL = SleepConfig(cold_share=0.15, duplicates=0.8)
ROUTINE = SleepConfig(pruning=PrunePolicy(quadrants=("routine_forget",), below_value=0.4, floor=5))


def talk(count: int = 60) -> list[dict[str, Any]]:
    """Two people talk; every third line is the same, but for fillers and punctuation."""
    same = ("I love hiking in the mountains.", "So, I love hiking in the mountains!")
    return [
        {
            "text": same[i % 4 > 1] if i % 3 == 0 else f"Line {i}: the {i * 7} boxes are in cellar {i % 11}.",
            "speaker": ("Ann", "Bo")[i % 2],
            "session": f"s{i // 10}",
            "time": f"2026-0{1 + i // 28}-{1 + i % 28:02}",
        }
        for i in range(count)
    ]


def answers(memory: Memory) -> list[Any]:
    """Everything that recall says, to the last bit."""
    return [
        [(hit.id, hit.score, dict(hit.parts), [each.id for each in hit.repeats]) for hit in found] + [found.confidence]
        for found in (memory.recall(question, k=10, update=False) for question in QUESTIONS)
    ]


def ids_of(report: SleepReport, what: str) -> list[int]:
    return [change.id for change in report.changes if change.what == what]


@pytest.fixture
def full(memory: Memory) -> Memory:
    """A memory that holds the talk."""
    memory.remember_many(talk())
    return memory


# -- repetitions ----------------------------------------------------------------------------------------


def test_what_one_speaker_said_several_times_comes_up_once_and_the_hit_carries_every_time(memory: Memory) -> None:
    first, second, third, other = memory.remember_many(
        [
            {"text": "I love hiking in the mountains.", "speaker": "Ann", "time": "2026-05-01"},
            {"text": "Oh, I love hiking in the mountains!", "speaker": "Ann", "time": "2026-05-02"},
            {"text": "i love hiking in the mountains", "speaker": "Ann", "time": "2026-05-03"},
            {"text": "I love hiking in the mountains.", "speaker": "Bo", "time": "2026-05-04"},
        ]
    )
    assert len(memory.recall("Ann and Bo love hiking in mountains", k=10)) == 4
    report = memory.sleep(policy=SleepConfig(duplicates=0.5))
    assert {change.stand_in for change in report.changes} == {first}
    hits = memory.recall("Ann and Bo love hiking in mountains", k=10)
    told = {hit.id: [each.id for each in hit.repeats] for hit in hits}
    assert other in told
    [stands] = set(told) - {other}
    assert sorted([stands, *told[stands]]) == [first, second, third]
    assert told[other] == []
    assert [record.id for record in memory.repeats(third)] == [first, second, third]
    assert [record.id for record in memory.repeats(other)] == [other]
    assert len(memory) == 4
    assert [record.id for record in memory.records()] == [first, second, third, other]
    assert memory.stats().merged == 2


def test_a_filter_or_a_date_still_finds_the_telling_that_it_lets_through(memory: Memory) -> None:
    monday, friday = memory.remember_many(
        {"text": "I went to the gym.", "speaker": "Ann", "session": session, "time": day}
        for session, day in (("monday", "2026-05-04"), ("friday", "2026-05-08"))
    )
    memory.sleep()
    for session, expected in (("monday", monday), ("friday", friday)):
        [hit] = memory.recall("Did Ann go to the gym?", session=session)
        assert (hit.id, hit.repeats) == (expected, ())
    [hit] = memory.recall("Did Ann go to the gym?", as_of="2026-05-05")
    assert (hit.id, hit.repeats) == (monday, ())


def test_versions_of_a_fact_are_not_repetitions_however_near_their_vectors(memory: Memory) -> None:
    row = np.ones(64)
    memory.remember("Bodil has 4 chickens.", speaker="Ann", time="2026-05-01", vector=row)
    memory.remember("Bodil has 26 chickens.", speaker="Ann", time="2026-06-01", vector=row)
    memory.remember("He moved to Oslo.", speaker="Ann", vector=row)
    memory.remember("She moved to Oslo.", speaker="Ann", vector=row)
    assert memory.sleep().changes == ()
    # by the cosine alone they are one; the update rule still keeps what contradicts apart
    assert memory.sleep(policy=SleepConfig(alike="cosine")).counts()["merged"] == 3
    found = [hit.text for hit in memory.recall("How many chickens does Bodil have now?", k=5)]
    assert found[0] == "Bodil has 26 chickens."
    assert "Bodil has 4 chickens." in found


def nearly_alike(memory: Memory, *texts: str) -> list[int]:
    """Remember what Ann said month after month, with vectors of a cosine of .99."""
    rows = np.eye(64)
    return [
        memory.remember(text, speaker="Ann", time=f"2026-0{month}-01", vector=rows[0] + 0.1 * rows[month])
        for month, text in enumerate(texts, start=1)
    ]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I parked the car on the left side of the street.", "I parked the car on the right side of the street."),
        ("Let us meet at 9 am on Friday.", "Let us meet at 9 pm on Friday."),
        ("The course starts in the morning.", "The course starts in the evening."),
        ("I like the show more than the book.", "I like the book more than the show."),
        ("Set it to +5 degrees.", "Set it to -5 degrees."),
        ("Turn the valve clockwise.", "Turn the valve counterclockwise."),
        ("The door is open.", "The door is closed."),
        ("I take the pill before dinner.", "I take the pill after dinner."),
        ("I work at Acme.", "I worked at Acme."),
    ],
)
def test_statements_that_differ_in_a_word_its_order_or_a_sign_stay_apart(
    memory: Memory, older: str, newer: str
) -> None:
    ids = nearly_alike(memory, older, newer)
    assert memory.sleep().counts()["merged"] == 0
    hits = memory.recall(older, k=5)
    assert {hit.id for hit in hits} == set(ids)
    assert {record.text for record in fitting(hits)} == {older, newer}


def test_what_takes_the_place_of_another_statement_is_no_repeat_of_it(memory: Memory) -> None:
    older, newer = nearly_alike(memory, "Bodil has 4 chickens.", "Bodil has 26 chickens.")
    assert memory.sleep(policy=SleepConfig(alike="cosine")).counts()["merged"] == 1
    first, second = memory.recall("How many chickens does Bodil have now?", k=5)
    assert (first.id, first.supersedes, first.repeats) == (newer, (older,), ())
    assert (second.id, second.superseded_by, second.repeats) == (older, (newer,), ())


@pytest.mark.parametrize("expand", [0, 1])
def test_a_prompt_shows_the_last_of_what_a_wider_policy_took_for_one(memory: Memory, expand: int) -> None:
    nearly_alike(memory, "Turn the valve clockwise.", "Turn the valve counterclockwise.")
    assert memory.sleep(policy=SleepConfig(alike="specifics")).counts()["merged"] == 1
    hits = memory.recall("turning valves clockwise", k=5, expand=expand, update=False)
    assert [len(hit.repeats) for hit in hits] == [1]
    assert "Turn the valve counterclockwise." in {record.text for record in fitting(hits)}


@pytest.mark.parametrize("key", [None, KEY])
def test_a_repetition_put_in_behind_the_librarys_back_hides_nothing_and_is_found(
    folder: Path, hashing: HashingEmbedder, key: bytes | None
) -> None:
    with Memory.open(folder, embedder=hashing, key=key) as memory:
        ids = memory.remember_many({"text": "The boat is red.", "speaker": "Ann"} for _ in range(2))
        ids += [memory.remember(text, speaker="Ann") for text in ("The rent is $900.", "The rent is $500.")]
        memory.sleep()
        seal = memory.seal()
        assert memory.verify(seal=seal).ok
    # a row that names no entry of the log, and one that names the entry of another pair
    with closing(sqlite3.connect(folder / "store.db")) as connection, connection:
        (entry,) = connection.execute("SELECT entry FROM merged").fetchone()
        space, sleep = connection.execute("SELECT namespace, sleep FROM merged").fetchone()
        rows = [(ids[2], ids[3], space, sleep, 0)], [(ids[3], ids[2], space, sleep, entry)]
        for row in rows:
            connection.executemany("INSERT INTO merged VALUES (?, ?, ?, ?, ?)", row)
    with Memory.open(folder, embedder=hashing, key=key) as memory:
        found = {hit.id for hit in memory.recall("rent boat", k=10)}
        assert set(ids[2:]) <= found
        assert len(found) == 3
        report = memory.verify(seal=seal)
        assert (report.ok, report.problem) == (False, f"memory {ids[3]} stands for {ids[2]} without a log entry")


def test_a_repetition_taken_away_behind_the_librarys_back_is_found(folder: Path, hashing: HashingEmbedder) -> None:
    with Memory.open(folder, embedder=hashing) as memory:
        first, second = memory.remember_many({"text": "The boat is red.", "speaker": "Ann"} for _ in range(2))
        memory.sleep()
    with closing(sqlite3.connect(folder / "store.db")) as connection, connection:
        connection.execute("DELETE FROM merged")
    with Memory.open(folder, embedder=hashing) as memory:
        assert not memory.verify().ok
        assert f"memory {first} stood for {second}" in str(memory.verify().problem)


def test_the_log_follows_repetitions_through_forgetting_and_undoing(memory: Memory) -> None:
    ids = memory.remember_many({"text": "The boat is red.", "speaker": "Ann"} for _ in range(5))
    memory.sleep()
    memory.forget(ids[4])
    assert memory.verify().ok
    for each in ids[1:4]:
        memory.pin(each)
    memory.pin(memory.remember("Seventeen purple walruses juggle chainsaws near Kathmandu.", speaker="Ann"))
    everything = PrunePolicy(quadrants=tuple(QUADRANTS), below_value=1.0, floor=0)
    memory.sleep(policy=SleepConfig(pruning=everything))
    assert memory.verify().ok
    [hit] = memory.recall("Where is the boat?", k=1)
    assert sorted([hit.id, *(each.id for each in hit.repeats)]) == ids[1:4]
    memory.undo_sleep(memory.sleeps()[0].id)
    assert memory.verify().ok
    assert {hit.id for hit in memory.recall("Where is the boat?", k=3)} == set(ids[1:4])


def test_a_repetition_in_quarantine_is_not_counted(memory: Memory) -> None:
    for source in ("diary", "diary", "web"):
        memory.remember("The boat is red.", speaker="Ann", source=source)
    memory.sleep()
    memory.quarantine(source="web")
    assert memory.stats().merged == 1


def test_the_same_words_with_other_vectors_stay_apart(memory: Memory) -> None:
    for axis in (0, 1):
        memory.remember("The boat is red.", speaker="Ann", vector=np.eye(64)[axis])
    assert memory.sleep().changes == ()


def test_k_hits_come_even_if_most_of_the_best_are_one_thing_said_again(memory: Memory) -> None:
    memory.remember_many({"text": "The boat is in the harbour.", "speaker": "Ann"} for _ in range(120))
    others = memory.remember_many({"text": f"The boat number {i} has a sail.", "speaker": "Ann"} for i in range(12))
    memory.sleep()
    hits = memory.recall("Where is the boat in the harbour?", k=10)
    assert len(hits) == 10
    assert sum(hit.text == "The boat is in the harbour." for hit in hits) == 1
    assert len(hits[0].repeats) == 119
    assert {hit.id for hit in hits[1:]} <= set(others)


def test_why_tells_which_memory_stands_for_one(memory: Memory) -> None:
    ids = memory.remember_many({"text": "The boat is in the harbour.", "speaker": "Ann"} for _ in range(2))
    memory.sleep()
    [shown] = memory.recall("Where is the boat?")
    [hidden] = set(ids) - {shown.id}
    told = memory.why("Where is the boat?", hidden)
    assert not told.recalled
    assert (told.stages[-1].name, told.stages[-1].passed) == ("repeats", False)
    assert str(shown.id) in told.stages[-1].detail
    assert memory.why("Where is the boat?", shown.id).recalled


def test_when_the_one_that_stands_for_others_is_forgotten_they_are_found_again(memory: Memory) -> None:
    ids = memory.remember_many({"text": "The boat is in the harbour.", "speaker": "Ann"} for _ in range(3))
    [change, _] = memory.sleep().changes
    memory.forget(change.stand_in or 0)
    left = sorted(set(ids) - {change.stand_in})
    assert sorted(hit.id for hit in memory.recall("Where is the boat?")) == left
    assert len(memory.sleep().changes) == 1


# -- all or nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY])
def test_a_second_sleep_changes_nothing_and_an_undone_one_leaves_recall_as_it_was_to_the_bit(
    folder: Path, clock: ManualClock, hashing: HashingEmbedder, key: bytes | None
) -> None:
    with Memory.open(folder, embedder=hashing, clock=clock, key=key) as memory:
        memory.remember_many(talk())
        before, tiers = answers(memory), memory.stats().tiers
        assert memory.verify().ok
        report = memory.sleep(policy=DULL)
        assert report.counts()["merged"] > 2
        assert report.counts()["to_cold"] > 5
        assert answers(memory) != before
        assert memory.verify().ok
        entries = memory.stats().entries
        again = memory.sleep(policy=DULL)
        assert (again.id, again.changes, memory.stats().entries) == (None, (), entries)
        assert again.before == again.after
        slept = answers(memory)
    with Memory.open(folder, embedder=hashing, clock=clock, key=key) as memory:
        assert answers(memory) == slept
        undone = memory.undo_sleep(report.id or 0)
        assert (undone.moved, undone.left) == (report.counts()["to_cold"], 0)
        assert undone.separated == report.counts()["merged"]
        assert answers(memory) == before
        assert memory.stats().tiers == tiers
        assert memory.verify().ok
    with Memory.open(folder, embedder=hashing, clock=clock, key=key) as memory:
        assert answers(memory) == before


def test_a_plan_changes_nothing_and_tells_what_the_sleep_then_does(full: Memory) -> None:
    before, entries = answers(full), full.stats().entries
    plan = full.sleep(plan_only=True, policy=DULL)
    assert (plan.id, plan.planned_only) == (None, True)
    assert (answers(full), full.stats().entries, full.sleeps()) == (before, entries, [])
    report = full.sleep(policy=DULL)
    assert report.changes == plan.changes
    for state in (report, plan):
        assert state.after.tiers == full.stats().tiers
        assert (state.after.memories, state.after.merged) == (60, full.stats().merged)
        assert dict(state.after.quadrants) == dict(full.stats().quadrants)
    assert all(change.reason for change in report.changes)
    [slept] = full.sleeps()
    assert (slept.id, slept.undone) == (report.id, None)
    assert slept.counts == {kind: count for kind, count in report.counts().items() if count}


def test_progress_rises_to_its_total_and_what_it_raises_stops_the_sleep_with_nothing_changed(full: Memory) -> None:
    before, told = answers(full), []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        full.sleep(policy=DULL, progress=stop)
    assert (answers(full), full.sleeps(), full.stats().entries) == (before, [], 60)
    told.clear()
    report = full.sleep(policy=DULL, progress=lambda *done: told.append(done))
    assert told[-1] == (told[-1][1], len(report.changes) + len(STEPS) + 1)
    assert [done for done, _ in told[1:]] == sorted(done for done, _ in told[1:])
    assert full.verify().ok


_KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from contracts.test_sleep import DULL
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

def progress(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL) if hasattr(signal, "SIGKILL") else os._exit(9)

memory = Memory.open(sys.argv[1], embedder=HashingEmbedder(64))
memory.sleep(policy=DULL, progress=progress)
"""


@pytest.mark.parametrize("step", [1, 9])
def test_a_sleep_that_is_killed_in_the_middle_has_done_nothing_and_the_next_one_does_it(
    folder: Path, start_python: StartPython, step: int
) -> None:
    with Memory.open(folder, embedder=HashingEmbedder(64)) as memory:
        memory.remember_many(talk())
        before, entries = answers(memory), memory.stats().entries
        plan = memory.sleep(plan_only=True, policy=DULL)
        assert len(plan.changes) > step
    process = start_python("-c", _KILLED, folder, str(step), str(Path(__file__).parents[1]))
    assert process.wait(60) != 0
    with Memory.open(folder, embedder=HashingEmbedder(64), lock_timeout=5.0) as memory:
        assert memory.verify().ok
        assert (answers(memory), memory.stats().entries, memory.sleeps()) == (before, entries, [])
        assert memory.sleep(policy=DULL).changes == plan.changes


def test_what_is_forgotten_or_moved_between_the_plan_and_its_application_stays_as_it_is(full: Memory) -> None:
    plan = full.sleep(plan_only=True, policy=DULL)
    cold = ids_of(plan, "to_cold")
    stops, goes_on = threading.Event(), threading.Event()
    original = full._cycle

    def cycle() -> Any:
        found = original()
        apply = found._apply

        def apply_later(*args: Any, **options: Any) -> Any:
            stops.set()
            assert goes_on.wait(30)
            return apply(*args, **options)

        found._apply = apply_later
        return found

    full._cycle = cycle  # type: ignore[method-assign]
    task = full.sleep_in_background(policy=DULL)
    assert stops.wait(30)
    full.forget(cold[0])
    full.pin(cold[1])
    full.move(cold[2], Tier.COLD)
    goes_on.set()
    report = task.result(30)
    assert not {cold[0], cold[1], cold[2]} & {change.id for change in report.changes if change.what == "to_cold"}
    assert full.get(cold[1]).tier is Tier.PERSISTENT
    assert full.verify().ok


def test_undoing_leaves_what_was_moved_since_and_can_be_done_once(full: Memory) -> None:
    report = full.sleep(policy=DULL)
    first, second, *rest = ids_of(report, "to_cold")
    full.pin(first)
    full.forget(second)
    undone = full.undo_sleep(report.id or 0)
    assert (undone.moved, undone.left) == (len(rest), 1)
    assert full.get(first).tier is Tier.PERSISTENT
    with pytest.raises(ValidationError, match="was undone at"):
        full.undo_sleep(report.id or 0)
    for unknown in (99, True, "1", 1 << 70):
        with pytest.raises(UnknownSleepError):
            full.undo_sleep(unknown)  # type: ignore[arg-type]
    assert full.sleeps()[0].undone is not None


def test_an_older_sleep_is_undone_without_touching_what_a_later_one_did(full: Memory, clock: ManualClock) -> None:
    one = full.sleep(policy=DULL)
    first = ids_of(one, "to_cold")[0]
    full.recall("What is in the cellar?", k=60, tier="cold")
    two = full.sleep(policy=SleepConfig(cold_share=0.0))
    assert first in ids_of(two, "to_long_term")
    undone = full.undo_sleep(one.id or 0)
    assert undone.left == len(ids_of(two, "to_long_term"))
    assert full.get(first).tier is Tier.LONG_TERM
    assert full.undo_sleep(two.id or 0).moved == len(ids_of(two, "to_long_term"))


# -- tiers and pruning ----------------------------------------------------------------------------------


def test_by_default_nothing_goes_cold_and_nothing_is_forgotten_after_any_time(full: Memory, clock: ManualClock) -> None:
    full.sleep()
    for days in (1, 30, 3650):
        clock.advance(days * DAY)
        assert full.sleep().changes == ()
    assert full.stats().tiers == {"long_term": 60}


def test_what_is_used_is_not_dull_and_comes_back_unless_a_user_put_it_away(full: Memory, clock: ManualClock) -> None:
    dull = ids_of(full.sleep(plan_only=True, policy=DULL), "to_cold")
    full.recall("x", k=1, where=where("id").eq(dull[0]), tier="long_term")
    [hit] = full.recall("boxes in cellar", k=1, where=where("id").eq(dull[0]))
    assert hit.id == dull[0]
    full.move(dull[1], Tier.COLD)
    slept = ids_of(full.sleep(policy=DULL), "to_cold")
    assert dull[0] not in slept
    assert dull[1] not in slept
    woken = slept[0]
    for cold in (woken, dull[1]):
        assert [hit.id for hit in full.recall("boxes in cellar", tier="cold", where=where("id").eq(cold))] == [cold]
    assert ids_of(full.sleep(policy=DULL), "to_long_term") == [woken]
    assert full.get(dull[1]).tier is Tier.COLD
    full.move(slept[1], Tier.LONG_TERM)  # a user wants it there: sleep leaves it
    assert ids_of(full.sleep(policy=DULL), "to_cold") == []


def test_only_what_the_policy_names_is_forgotten_down_to_its_floor_and_once(full: Memory, clock: ManualClock) -> None:
    full.pin(1)
    assert full.sleep(policy=ROUTINE).counts()["forgotten"] == 0  # all of it is new
    clock.advance(60 * DAY)
    plan = full.sleep(plan_only=True, policy=ROUTINE)
    gone = ids_of(plan, "forgotten")
    assert len(gone) > 10
    assert 1 not in gone
    report = full.sleep(policy=ROUTINE)
    assert ids_of(report, "forgotten") == gone
    assert report.after.memories == len(full) == 60 - len(gone)
    assert dict(report.after.quadrants) == dict(full.stats().quadrants)
    assert full.sleep(policy=ROUTINE).changes == ()
    with pytest.raises(UnknownMemoryError):
        full.get(gone[0])
    floor = SleepConfig(pruning=PrunePolicy(quadrants=("routine_forget",), below_value=1.0, floor=len(full) - 2))
    held = full.sleep(policy=floor)
    assert len(ids_of(held, "forgotten")) == 2
    assert held.spared > 0
    assert full.undo_sleep(report.id or 0).forgotten == len(gone)
    assert full.verify().ok


def test_the_policy_may_let_repetitions_go_and_one_of_each_stays(full: Memory) -> None:
    merged = ids_of(full.sleep(), "merged")
    report = full.sleep(policy=SleepConfig(pruning=PrunePolicy(merged=True, floor=0)))
    assert sorted(ids_of(report, "forgotten")) == sorted(merged)
    stays = [record.id for record in full.records() if "hiking" in record.text]
    assert [full.get(each).speaker for each in stays] == ["Ann", "Bo"]
    assert all([record.id for record in full.repeats(each)] == [each] for each in stays)


def test_the_quadrants_follow_stress_surprise_use_and_newness(memory: Memory, clock: ManualClock) -> None:
    ids = memory.remember_many(
        {"text": f"Word{i} " * (1 + i % 4), "speaker": "Ann", "metadata": {"stress": 0.9} if i < 4 else {}}
        for i in range(12)
    )
    clock.advance(30 * DAY)
    before = memory.stats().quadrants
    assert sum(before.values()) == 12
    assert before["crisis_learning"] + before["exploration"] == 4
    assert before["routine_forget"] > 0
    for each in ids[4:]:
        memory.recall("word", where=where("id").eq(each))
        memory.recall(memory.get(each).text, where=where("id").eq(each))
    after = memory.stats().quadrants
    assert (after["routine_forget"], after["skill_building"]) == (0, 8)


# -- beside others --------------------------------------------------------------------------------------


def test_a_namespace_sleeps_alone(full: Memory) -> None:
    other = full.at("other")
    other.remember_many(talk())
    before, tiers = answers(other), other.stats().tiers
    report = full.sleep(policy=DULL)
    assert report.changes
    assert (answers(other), other.stats().tiers, other.sleeps()) == (before, tiers, [])
    with pytest.raises(UnknownSleepError):
        other.undo_sleep(report.id or 0)
    assert full.at("never", "written").sleep().changes == ()


def test_a_reader_beside_sees_the_sleep_and_its_undoing_and_may_plan_but_not_sleep(
    full: Memory, folder: Path, open_memory: OpenMemory, hashing: HashingEmbedder
) -> None:
    reader = open_memory(folder, read_only=True, embedder=hashing)
    before = answers(reader)
    assert reader.sleep(plan_only=True, policy=DULL).changes == full.sleep(plan_only=True, policy=DULL).changes
    with pytest.raises(ReadOnlyError):
        reader.sleep()
    with pytest.raises(ReadOnlyError):
        reader.sleep_in_background()
    report = full.sleep(policy=DULL)
    assert answers(reader) == answers(full) != before
    full.undo_sleep(report.id or 0)
    assert answers(reader) == before


def test_an_encrypted_store_sleeps_and_shrinks(folder: Path, clock: ManualClock, hashing: HashingEmbedder) -> None:
    with Memory.open(folder, embedder=hashing, clock=clock, encryption_key=b"k" * 32) as memory:
        memory.remember_many([*talk(), *({"text": f"Note {i} about boats.", "speaker": "Cy"} for i in range(300))])
        report = memory.sleep(policy=DULL)
        assert report.counts()["merged"] > 2
        memory.forget_many(range(61, 361))
        shrunk = memory.sleep(policy=DULL)
        assert (shrunk.not_compacted, shrunk.pending_checkpoint) == (None, False)
        assert shrunk.after.bytes < 0.7 * report.after.bytes
        assert memory.verify().ok


@pytest.mark.parametrize("old", [False, True])
def test_files_shrink_after_forgetting_and_a_reader_of_the_older_state_is_waited_for(
    folder: Path, clock: ManualClock, old: bool
) -> None:
    embedder = HashingEmbedder(256)
    with Memory.open(folder, embedder=embedder, clock=clock) as memory:
        memory.remember_many(f"Note {i} about {i * i} boats in harbour {i % 17}." for i in range(1500))
    if old:  # made before a database could shrink step by step
        with closing(sqlite3.connect(folder / "store.db")) as connection:
            connection.execute("PRAGMA auto_vacuum = NONE")
            connection.execute("VACUUM")
    with Memory.open(folder, embedder=embedder, clock=clock) as memory:
        full = memory.sleep().after.bytes
        memory.forget_many(range(1, 1201))
        with closing(sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM memories").fetchone() == (300,)
            report = memory.sleep()
            assert report.pending_checkpoint
            assert reader.execute("SELECT count(*), max(id) FROM memories").fetchone() == (300, 1500)
        report = memory.sleep()
        assert not report.pending_checkpoint
        assert report.after.bytes < 0.5 * full
        assert memory.recall("Note 1400 about boats")[0].text.startswith("Note 1400 ")
        assert memory.verify().ok
        assert memory.sleep().after.bytes == report.after.bytes
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    with Memory.open(folder, embedder=embedder, clock=clock) as memory:
        assert len(memory) == 300


def test_a_disk_too_full_to_shrink_the_files_is_told_and_takes_back_nothing(
    full: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(store: Any) -> bool:
        raise StorageFailure("database or disk is full")

    monkeypatch.setattr("mnemoloom.sleeping.cycle.compact", refused)
    report = full.sleep(policy=DULL)
    assert report.not_compacted == "database or disk is full"
    assert [slept.id for slept in full.sleeps()] == [report.id]
    assert full.verify().ok


def test_erasing_leaves_nothing_of_a_memory_in_the_journal_of_sleep(
    full: Memory, folder: Path, clock: ManualClock
) -> None:
    clock.advance(60 * DAY)
    full.sleep(policy=SleepConfig(pruning=PrunePolicy(quadrants=("routine_forget",), below_value=0.3, floor=50)))
    full.sleep(policy=SleepConfig(cold_share=0.4))
    with closing(sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True)) as connection:
        kept = [
            connection.execute(f"SELECT * FROM {t}").fetchall() for t in ("sleeps", "sleep_moves", "merged", "pruned")
        ]
        assert all(kept)
        told = repr(kept)
        assert "hiking" not in told
        assert "Ann" not in told
    full.erase(where("id").gt(0))
    with closing(sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True)) as connection:
        for table in ("sleep_moves", "merged", "pruned"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    assert full.verify().ok


def test_threads_write_recall_and_forget_while_it_sleeps_again_and_again(full: Memory) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def busy(number: int) -> None:
        try:
            while not stop.is_set():
                ids = full.remember_many(
                    {"text": f"Thread {number} says hello again.", "speaker": "Cy"} for _ in range(3)
                )
                full.recall("Who says hello again?", k=5)
                full.forget(ids[0])
        except BaseException as error:  # noqa: BLE001 - shown at the end
            failures.append(error)

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        full.sleep(policy=DULL)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert full.verify().ok
    full.sleep(policy=DULL)
    assert full.sleep(policy=DULL).changes == ()


# -- in the background, and without --------------------------------------------------------------------


def test_a_sleep_in_the_background_tells_how_far_it_is_and_gives_the_report(full: Memory) -> None:
    expected = full.sleep(plan_only=True, policy=DULL).changes
    told: list[tuple[int, int]] = []
    task = full.sleep_in_background(policy=DULL, progress=lambda *done: told.append(done))
    report = task.result(30)
    assert (task.done, task.cancelled) == (True, False)
    assert report.changes == expected
    assert task.progress == told[-1] == (len(expected) + len(STEPS) + 1,) * 2
    task.cancel()
    assert task.result() is report
    assert full._opened._closing == []


def test_a_cancelled_sleep_has_changed_nothing(full: Memory) -> None:
    before, reached, goes_on = answers(full), threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        if done == 4:
            reached.set()
            assert goes_on.wait(30)

    task = full.sleep_in_background(policy=DULL, progress=wait)
    assert reached.wait(30)
    with pytest.raises(TimeoutError, match="has not ended"):
        task.result(0.01)
    task.cancel()
    goes_on.set()
    with pytest.raises(CancelledError):
        task.result(30)
    assert (task.done, task.cancelled) == (True, True)
    assert (answers(full), full.sleeps(), full.stats().entries) == (before, [], 60)


def test_closing_the_memory_ends_a_sleep_and_leaves_it_whole_or_undone(
    folder: Path, hashing: HashingEmbedder, full: Memory
) -> None:
    reached = threading.Event()

    def slow(done: int, total: int) -> None:
        reached.set()
        time.sleep(0.01)

    task = full.sleep_in_background(policy=DULL, progress=slow)
    assert reached.wait(30)
    full.close()
    assert task.done
    assert task.cancelled
    with pytest.raises(StoreClosedError):
        full.sleep()
    with Memory.open(folder, embedder=hashing) as memory:
        assert (memory.verify().ok, memory.sleeps(), len(memory)) == (True, [], 60)


def test_what_a_sleep_in_the_background_raises_comes_out_of_its_result(full: Memory) -> None:
    task = full.sleep_in_background(policy="all of it")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must be a SleepConfig"):
        task.result(30)


def test_the_async_twins_sleep_list_and_undo(hashing: HashingEmbedder) -> None:
    async def main() -> None:
        async with Memory.open(":memory:", embedder=hashing) as memory:
            await memory.aremember_many(talk())
            report = await memory.asleep(policy=DULL)
            assert [each.id for each in await memory.asleeps()] == [report.id]
            change = next(change for change in report.changes if change.what == "merged")
            assert change.id in [record.id for record in await memory.arepeats(change.id)]
            undone = await memory.aundo_sleep(report.id or 0)
            assert undone.separated == report.counts()["merged"]
            task = memory.sleep_in_background(policy=DULL)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(task, 0.0)  # stops the waiting, not the sleep
            assert (await task).changes == report.changes

    asyncio.run(main())


def test_without_an_encoder_the_same_words_are_the_same_said_again(folder: Path) -> None:
    with Memory.open(folder) as memory:
        memory.remember_many(talk())
        report = memory.sleep(policy=DULL)
        assert report.counts()["merged"] > 2
        assert report.counts()["to_cold"] > 5
        hiking = memory.recall("Who loves hiking in the mountains?", k=10)
        assert sorted(str(hit.speaker) for hit in hiking if "hiking" in hit.text) == ["Ann", "Bo"]
        assert memory.sleep(policy=DULL).changes == ()
        assert memory.undo_sleep(report.id or 0).separated == report.counts()["merged"]


def test_an_assistants_memories_never_go_cold_but_its_users_repetitions_are_found(memory: Memory) -> None:
    memory.remember_many(
        {"text": text, "speaker": speaker}
        for text, speaker in (
            ("How do I add a spinner?", "user"),
            ("Use CSS.", "assistant"),
            ("How do I add a spinner?", "user"),
            ("Use CSS!", "assistant"),
            ("My cat is called Rex.", "user"),
        )
    )
    report = memory.sleep(policy=SleepConfig(cold_share=0.9))
    assert report.counts() == {"merged": 2, "to_cold": 0, "to_long_term": 0, "forgotten": 0}


# -- topics ---------------------------------------------------------------------------------------------


def test_sleep_sorts_topics_anew_once_and_its_undoing_puts_every_memory_back(memory: Memory) -> None:
    rng = np.random.default_rng(5)
    middles = rng.standard_normal((6, 64))
    for i in range(90):
        memory.remember(f"Turn {i}.", speaker="Ann", vector=middles[rng.integers(6)] + 0.6 * rng.standard_normal(64))
    assert memory.sleep().id is None  # nobody has asked for topics yet
    memory.topics()
    before = [memory.topic_of(i) for i in range(1, 91)]
    for i in range(90, 100):
        memory.remember(f"Turn {i}.", speaker="Ann", vector=middles[0] + 0.6 * rng.standard_normal(64))
    report = memory.sleep()
    assert report.changes == ()
    assert report.id is not None
    after = [memory.topic_of(i) for i in range(1, 101)]
    assert None not in after
    again = memory.sleep()
    assert (again.id, again.steps["topics"]) == (None, 0)
    assert [memory.topic_of(i) for i in range(1, 101)] == after
    assert memory.undo_sleep(report.id).steps["topics"] >= max(10, report.steps["topics"])
    assert [memory.topic_of(i) for i in range(1, 91)] == before
    assert memory.verify().ok


def test_what_the_write_gate_dropped_comes_back_when_it_is_used(folder: Path, clock: ManualClock) -> None:
    with Memory.open(folder, clock=clock, config=Config(gate=Gate(budget=0.6))) as memory:
        memory.remember_many(talk())
        cold = [record.id for record in memory.records(where("tier").eq("cold"))]
        assert len(cold) > 3
        assert [hit.id for hit in memory.recall("hiking boxes", tier="cold", where=where("id").eq(cold[0]))] == cold[:1]
        assert ids_of(memory.sleep(), "to_long_term") == cold[:1]
