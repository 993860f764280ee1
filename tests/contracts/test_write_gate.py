"""The write gate behind the facade: what it drops is cold, what it decides is kept, and without it nothing changes."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnemoloom import Config, Gate, Memory, Tier, where
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, CorruptionError, StorageFailure, UnknownMemoryError
from mnemoloom.storage import gates

if TYPE_CHECKING:
    from conftest import OpenMemory

FILLER = ("Wow, that is great!", "Thanks so much!", "I know, right?", "That sounds lovely.", "Haha, yes!", "Oh no.")
THINGS = ("kettle", "ladder", "violin", "harbour", "garden", "bicycle", "lantern", "passport", "piano", "orchard")
PLACES = ("Oslo", "Bergen", "Lisbon", "Cairo", "Quito", "Hanoi")
GATED = Config(gate=Gate(budget=0.7))


def talk(count: int, speakers: Sequence[str] = ("Ann", "Ben"), *, seed: int = 1) -> list[dict[str, Any]]:
    """Two who talk: half of it says something, in sessions of thirty turns."""
    chance = random.Random(seed)

    def turn(number: int) -> str:
        if chance.random() < 0.5:
            return chance.choice(FILLER)
        thing, other = chance.sample(THINGS, 2)
        return f"I bought a {thing} in {chance.choice(PLACES)} for {number} crowns and sold the {other}."

    return [
        {"text": turn(i), "speaker": speakers[i % len(speakers)], "session": f"s{i // 30}", "time": 1000.0 + i}
        for i in range(count)
    ]


def seen(memory: Memory) -> list[tuple[Any, ...]]:
    """What the gate made of every memory."""
    return [(record.text, record.tier, memory.gated(record.id)) for record in memory.records()]


def test_the_gate_is_off_by_default_and_nothing_is_judged(memory: Memory) -> None:
    memory.remember_many(talk(120))
    assert memory.stats().tiers == {"long_term": 120}
    assert memory.stats().gated == {}
    assert memory.gated(7) is None


def test_a_gate_that_drops_nothing_leaves_every_record_and_score_as_without_one(
    open_memory: OpenMemory, hashing: HashingEmbedder
) -> None:
    turns = talk(120, ("user", "assistant"))
    plain = open_memory(":memory:", embedder=hashing)
    gated = open_memory(":memory:", embedder=hashing, config=GATED)
    for memory in (plain, gated):
        memory.remember_many(turns)
    for question in ("Who bought a kettle in Oslo?", "violin", "thanks"):
        got, want = (memory.recall(question, k=20) for memory in (gated, plain))
        assert [(hit.id, hit.score, dict(hit.parts)) for hit in got] == [
            (hit.id, hit.score, dict(hit.parts)) for hit in want
        ]
    assert [record.surprise for record in gated.records()] == [record.surprise for record in plain.records()]


def test_what_is_dropped_is_cold_and_recalled_only_when_asked_for(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=GATED)
    ids = memory.remember_many(talk(300))
    dropped = [each for each in ids if not memory.gated(each).write]
    assert abs(len(dropped) / len(ids) - 0.3) < 0.06
    assert {memory.get(each).tier for each in dropped} == {Tier.COLD}
    assert {memory.get(each).tier for each in set(ids) - set(dropped)} == {Tier.LONG_TERM}
    text = memory.get(dropped[0]).text
    assert not set(dropped) & {hit.id for hit in memory.recall(text, k=100)}
    assert set(dropped) & {hit.id for hit in memory.recall(text, k=100, tier="cold")}
    memory.move(dropped[0], Tier.LONG_TERM)
    assert dropped[0] in {hit.id for hit in memory.recall(text, k=100)}


@pytest.mark.parametrize("steps", [1, 7, 45])
def test_turns_that_come_in_parts_fare_as_they_do_together(open_memory: OpenMemory, steps: int) -> None:
    turns = talk(200)
    together, parted = (open_memory(":memory:", config=GATED) for _ in range(2))
    together.remember_many(turns)
    for start in range(0, len(turns), steps):
        parted.remember_many(turns[start : start + steps])
    assert seen(parted) == seen(together)


def test_a_gate_that_was_closed_and_opened_goes_on_as_if_it_had_stayed_open(
    folder: Path, open_memory: OpenMemory
) -> None:
    turns = talk(240)
    kept = open_memory(":memory:", config=GATED)
    for start in range(0, 240, 60):
        kept.remember_many(turns[start : start + 60])
        with Memory.open(folder, config=GATED) as memory:
            memory.remember_many(turns[start : start + 60])
    with Memory.open(folder, read_only=True) as memory:
        assert seen(memory) == seen(kept)


@pytest.mark.parametrize("speakers", [("user", "assistant"), ("Human", "AI"), ("Ann", "assistant"), (None, None)])
def test_a_chat_with_a_role_or_without_labels_is_written_whole(
    open_memory: OpenMemory, speakers: tuple[str | None, ...]
) -> None:
    memory = open_memory(":memory:", config=GATED)
    memory.remember_many(talk(200, speakers))  # type: ignore[arg-type]
    assert memory.stats().tiers == {"long_term": 200}
    assert {memory.gated(record.id).reason for record in memory.records()} <= {"roles", "first turns"}
    assert memory.stats().gated["roles"] >= 199


def test_what_is_pinned_or_has_a_tier_of_its_own_is_never_dropped(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=GATED)
    memory.remember_many(talk(200))
    before = memory.stats().gated
    placed = [
        memory.remember("Oh no.", speaker="Ann", session="s9", pinned=True),
        memory.remember("Oh no.", speaker="Ann", session="s9", tier=Tier.LONG_TERM),
        memory.remember("Oh no.", speaker="Ann", session="s9", tier=Tier.COLD),
    ]
    assert [memory.get(each).tier for each in placed] == [Tier.PERSISTENT, Tier.LONG_TERM, Tier.COLD]
    assert [(memory.gated(each).write, memory.gated(each).reason) for each in placed] == [(True, "placed")] * 3
    assert memory.stats().gated == before | {"placed": 3}
    assert memory.remember("Oh no.", speaker="Ann", session="s9")
    assert memory.stats().gated["placed"] == 3


def test_the_share_dropped_keeps_to_the_budget_of_each_speaker(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=Config(gate=Gate(budget=0.8)))
    memory.remember_many(talk(900, ("Ann", "Ben", "Cem")))
    for speaker in ("Ann", "Ben", "Cem"):
        said = [memory.gated(record.id).write for record in memory.records(where("speaker").eq(speaker))]
        assert abs(said.count(False) / len(said) - 0.2) < 0.04


def test_why_and_stats_tell_what_the_gate_decided(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=GATED)
    ids = memory.remember_many(talk(200))
    dropped = next(each for each in ids if not memory.gated(each).write)
    made = memory.gated(dropped)
    assert (made.reason, made.z < made.threshold) == ("expected", True)
    [stage] = [s for s in memory.why(memory.get(dropped).text, dropped).stages if s.name == "tier"]
    assert not stage.passed
    assert f"the write gate dropped it (expected: z {made.z:+.2f}, threshold {made.threshold:+.2f})" in stage.detail
    told = memory.why(memory.get(ids[-1]).text, ids[-1]).stages[1].detail
    assert "the write gate" in told
    counted = memory.stats().gated
    assert sum(counted.values()) == 200
    assert counted["expected"] == memory.stats().tiers["cold"]
    assert counted["first turns"] == 32


def test_a_gate_that_is_switched_off_again_leaves_its_decisions(folder: Path) -> None:
    with Memory.open(folder, config=GATED) as memory:
        memory.remember_many(talk(100))
        want = seen(memory)
    with Memory.open(folder) as memory:
        new = memory.remember("Oh no.", speaker="Ann", session="s9")
        assert memory.gated(new) is None
        assert seen(memory)[:100] == want


def test_a_call_that_fails_teaches_the_gate_nothing(open_memory: OpenMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = talk(160)
    tried, plain = (open_memory(":memory:", config=GATED) for _ in range(2))
    for memory in (tried, plain):
        memory.remember_many(turns[:80])

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(gates, "keep_decisions", full)  # after the turns were judged and written, before the commit
        with pytest.raises(StorageFailure):
            tried.remember_many(turns[80:])
    assert len(tried) == 80
    for memory in (tried, plain):
        memory.remember_many(turns[80:])
    assert seen(tried) == seen(plain)


def test_an_erased_speaker_leaves_no_gate_behind(folder: Path) -> None:
    with Memory.open(folder, config=GATED) as memory:
        memory.remember_many(talk(120, ("Ann", "xyzzyBen")))
        memory.erase(where("speaker").eq("xyzzyBen"))
        assert {record.speaker for record in memory.records()} == {"Ann"}
        assert sum(memory.stats().gated.values()) == 60
        assert memory.verify().ok
        assert not [path for path in folder.rglob("*") if path.is_file() and b"xyzzy" in path.read_bytes()]
        new = memory.remember_many(talk(40, ("Ann", "Cem")))
        assert memory.gated(new[1]).reason == "first turns"


def test_threads_that_write_at_once_show_every_turn_to_the_gate_once(folder: Path) -> None:
    with Memory.open(folder, config=GATED) as memory:
        parts = [talk(50, ("Ann",), seed=seed) for seed in range(4)]

        def say(turns: list[dict[str, Any]]) -> None:
            for turn in turns:
                memory.remember_many([turn])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(say, parts))
        counted = memory.stats().gated
        assert (sum(counted.values()), counted["first turns"]) == (200, 16)
        assert counted["expected"] == memory.stats().tiers["cold"]
        with memory._opened.store.reading() as connection:
            [seen_turns, *_] = gates.gate_of(connection, 1, "Ann")
        assert seen_turns == 200


def test_what_is_in_quarantine_is_not_counted(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=GATED)
    memory.remember_many(talk(60))
    memory.quarantine(where("speaker").eq("Ben"))
    assert sum(memory.stats().gated.values()) == len(memory) == 30
    memory.release(where("speaker").eq("Ben"))
    assert sum(memory.stats().gated.values()) == 60


def test_namespaces_have_gates_of_their_own(open_memory: OpenMemory) -> None:
    turns = talk(200)
    alone, shared = (open_memory(":memory:", config=GATED) for _ in range(2))
    alone.remember_many(turns)
    other = shared.at("other")
    for start in range(0, 200, 20):
        other.remember_many(talk(20, ("Ann", "Ben"), seed=start + 2))
        shared.remember_many(turns[start : start + 20])
    assert seen(shared) == seen(alone)
    with pytest.raises(UnknownMemoryError):
        other.gated(next(iter(shared.records())).id)


def test_the_async_twin_answers_alike_and_an_unknown_memory_is_refused(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=GATED)
    memory.remember_many(talk(100))
    assert asyncio.run(memory.agated(90)) == memory.gated(90)
    with pytest.raises(UnknownMemoryError):
        memory.gated(101)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE gates SET state = 'no numbers'",
        "UPDATE gates SET state = '[1, 2]'",
        "UPDATE gates SET state = '{}'",
        "UPDATE gated SET reason = 'whim'",
        "UPDATE gated SET z = 9e999",
    ],
)
def test_a_gate_that_was_damaged_is_reported(folder: Path, statement: str) -> None:
    with Memory.open(folder, config=GATED) as memory:
        memory.remember_many(talk(60))
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.execute(statement)
        connection.commit()
    with Memory.open(folder, config=GATED) as memory:
        with pytest.raises(CorruptionError, match="write gate"):
            memory.remember("Oh no.", speaker="Ann") if " gates " in statement else memory.gated(50)
        assert len(memory) == 60


@pytest.mark.parametrize("value", [0.3, 1, "much", None])
def test_a_budget_that_could_be_taken_for_the_share_dropped_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"Gate.budget must be the share of turns to write"):
        Gate(budget=value)


def test_a_gate_that_is_none_of_ours_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Config.gate must be a Gate or None; got 0.8"):
        Config(gate=0.8)  # type: ignore[arg-type]
