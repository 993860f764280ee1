"""What has ended is shown by nothing from that moment on, and the next write erases it without a trace."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Config, Draft, ManualClock, Memory, Tier, where
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, StorageFailure, UnknownMemoryError, ValidationError
from mnemoloom.ports import Rows
from mnemoloom.records import Hit

if TYPE_CHECKING:
    from conftest import OpenMemory

CANARY = "xyzzy7f3a"
DOOR = f"The code of the door is {CANARY}."


def traces(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes().lower()]


def with_neighbours(memory: Memory, **options: Any) -> int:
    """A memory about a door between two others of its session; its id."""
    before, door, after = memory.remember_many(
        [
            Draft(text="Where is the key?", speaker="Ann", session="s"),
            Draft(text=DOOR, speaker="Bo", session="s", external_id="door", metadata={"a": 1}, **options),
            Draft(text="Thank you.", speaker="Ann", session="s"),
        ]
    )
    assert before < door < after
    return door


VIEWS: dict[str, Callable[[Memory, int], Any]] = {
    "recall": lambda memory, door: door in {hit.id for hit in memory.recall("code of the door", k=10)},
    "recall with a vector alone": lambda memory, door: (
        door in {hit.id for hit in memory.recall("door", k=10, profile="dense", exact=True)}
    ),
    "recall with a filter": lambda memory, door: (
        door in {hit.id for hit in memory.recall("door", where={"metadata.a": 1})}
    ),
    "a second look": lambda memory, door: (
        door in {hit.id for hit in memory.recall("door", min_confidence=0.0, tier=["cold", "long_term", "persistent"])}
    ),
    "neighbours": lambda memory, door: door in _neighbours(list(memory.recall("Where is the key?", expand=3))),
    "nearest": lambda memory, door: door in memory.nearest("code of the door").ids,
    "get": lambda memory, door: _found(lambda: memory.get(door)),
    "get by name": lambda memory, door: _found(lambda: memory.get("door")),
    "vectors": lambda memory, door: _found(lambda: memory.vectors([door])),
    "history": lambda memory, door: _found(lambda: memory.history("door")),
    "in": lambda memory, door: door in memory or "door" in memory,
    "len": lambda memory, door: len(memory) == 3,
    "records": lambda memory, door: door in {record.id for record in memory.records()},
    "records of a filter": lambda memory, door: bool(list(memory.records(where("speaker").eq("Bo")))),
    "why": lambda memory, door: memory.why("door", door).recalled,
    "stats": lambda memory, door: memory.stats().memories == 3 or "Bo" in memory.stats().speakers,
    "tiers": lambda memory, door: sum(memory.stats().tiers.values()) == 3,
    "topics": lambda memory, door: memory.topics().unsorted + sum(topic.count for topic in memory.topics()) == 3,
    "topic of it": lambda memory, door: _found(lambda: memory.topic_of(door)),
    "related": lambda memory, door: door in {each.record.id for each in memory.related(door - 1, cold=True)},
    "related to it": lambda memory, door: _found(lambda: memory.related(door)),
    "short term": lambda memory, door: door in {record.id for record in memory.short_term("s")},
    "gated": lambda memory, door: _found(lambda: memory.gated(door)),
    "repeats": lambda memory, door: _found(lambda: memory.repeats(door)),
    "quarantine": lambda memory, door: (
        bool(memory.quarantine(where("id").eq(door))) and bool(list(memory.quarantined()))
    ),
    "useful": lambda memory, door: _found(lambda: memory.useful(door, query="Which code has the door?")),
    "anchor": lambda memory, door: _found(lambda: memory.anchor(door)),
    "proof": lambda memory, door: _found(lambda: memory.prove(door, memory.seal())),
}


def _neighbours(hits: list[Hit]) -> set[int]:
    return {record.id for hit in hits for record in (*hit.before, *hit.after)}


def _found(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except UnknownMemoryError:
        return False
    return True


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("options", [{}, {"tier": Tier.PERSISTENT}, {"tier": Tier.COLD}], ids=str)
def test_nothing_shows_what_has_ended(memory: Memory, clock: ManualClock, view: str, options: dict[str, Any]) -> None:
    door, ask = with_neighbours(memory, ttl=60, **options), VIEWS[view]
    clock.advance(59.999)
    warm = options.get("tier") is not Tier.COLD
    asks_the_warm = ("recall", "neighbours", "nearest", "why", "stats", "tiers", "anchor", "proof", "short term")
    asks_the_cold = not view.startswith(asks_the_warm)
    if warm or asks_the_cold:
        assert ask(memory, door)
    clock.advance(0.001)
    assert not ask(memory, door)
    assert memory.verify().ok
    memory.remember("Something else.")
    assert not ask(memory, door) or view in ("len", "tiers", "stats", "topics")


def test_readers_and_a_handle_that_opens_later_do_not_see_it_either(
    folder: Path, clock: ManualClock, open_memory: OpenMemory
) -> None:
    embedder = HashingEmbedder(16)
    with Memory.open(folder, clock=clock, embedder=embedder) as memory:
        memory.remember_many(f"Note {i} about the harbour." for i in range(800))
        door = with_neighbours(memory, ttl=60)
    assert any((folder / "cache").iterdir())
    reader = open_memory(folder, clock=clock, read_only=True, embedder=embedder)
    assert reader.recall("code of the door")[0].id == door
    clock.advance(60)
    late = open_memory(folder, clock=clock, read_only=True, embedder=embedder)
    for each in (reader, late):
        assert door not in each
        assert door not in {hit.id for hit in each.recall("code of the door", k=20)}
        assert len(each) == 802
        assert each.why("door", door).stages[-1].name == "expiry"


def test_the_next_write_leaves_no_trace_in_any_file(folder: Path, clock: ManualClock) -> None:
    embedder = HashingEmbedder(16)
    with Memory.open(folder, clock=clock, embedder=embedder) as memory:
        memory.remember_many(f"Note {i} about the harbour." for i in range(800))
        with_neighbours(memory, ttl=60, source=f"{CANARY}-source")
    assert len(traces(folder)) == 2  # the database and the cache
    with Memory.open(folder, clock=clock, embedder=embedder) as memory:
        memory.recall("door")
        clock.advance(60)
        memory.remember("Something else.")
        assert traces(folder) == []
        assert memory.verify().ok
        memory.remember_many(f"Note {i} about the sea." for i in range(800))
    assert traces(folder) == []
    with Memory.open(folder, clock=clock, embedder=embedder) as memory:
        assert len(memory) == 800 + 2 + 1 + 800
        assert memory.verify().ok


WRITES: dict[str, Callable[[Memory], Any]] = {
    "remember": lambda memory: memory.remember("More."),
    "forget": lambda memory: memory.forget(1),
    "erase": lambda memory: memory.erase(where("id").eq(1)),
    "pin": lambda memory: memory.pin(1),
    "purge": lambda memory: memory.purge(),
    "sleep": lambda memory: memory.sleep(),
}


@pytest.mark.parametrize("write", WRITES)
def test_every_write_erases_what_has_ended(memory: Memory, folder: Path, clock: ManualClock, write: str) -> None:
    with_neighbours(memory, ttl=60)
    clock.advance(3600)
    assert traces(folder) != []
    WRITES[write](memory)
    assert traces(folder) == []
    assert memory.verify().ok


def test_purge_says_how_many_were_erased_and_tasks_may_ask_for_it(memory: Memory, clock: ManualClock) -> None:
    memory.remember_many([Draft(text=f"Note {i}.", ttl=10 * i) for i in range(1, 6)])
    clock.advance(30)
    assert memory.purge().count == 3
    clock.advance(10)
    assert asyncio.run(memory.apurge()).count == 1
    assert (memory.purge().count, len(memory)) == (0, 1)


def test_a_cache_that_cannot_be_removed_is_named_by_purge_and_removed_by_the_next_write(
    folder: Path, clock: ManualClock, open_memory: OpenMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory.open(folder, clock=clock) as memory:
        memory.remember_many(f"Note {i} about the harbour." for i in range(800))
        with_neighbours(memory, ttl=60)
    memory = open_memory(folder, clock=clock)
    clock.advance(60)

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "in use")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        memory.remember("It is stored, whatever becomes of the cache.")
        assert traces(folder) != []
        with pytest.raises(StorageFailure, match="could not be removed"):
            memory.purge()
    assert memory.recall("whatever becomes")[0].text == "It is stored, whatever becomes of the cache."
    memory.remember("One more.")
    assert traces(folder) == []


def test_a_span_may_be_a_timedelta_and_a_default_of_the_settings(folder: Path, clock: ManualClock) -> None:
    config = Config(ttl=timedelta(days=1))
    with Memory.open(folder, clock=clock, config=config) as memory:
        start = memory.get(memory.remember("By default.")).expires
        assert start is not None
        assert start.timestamp() == clock.now() + 86_400
        assert memory.get(memory.remember("For ever.", ttl=math.inf)).expires is None
        own = memory.get(memory.remember("For an hour.", ttl=timedelta(hours=1))).expires
        assert own is not None
        assert own.timestamp() == clock.now() + 3600
        clock.advance(86_400)
        assert [record.text for record in memory.records()] == ["For ever."]


@pytest.mark.parametrize("wrong", [0, -1, math.nan, "1 hour", True, timedelta(0), 1e300, [1]])
def test_a_span_that_is_none_is_refused(memory: Memory, wrong: Any) -> None:
    with pytest.raises(ValidationError, match="ttl"):
        memory.remember("One.", ttl=wrong)
    assert len(memory) == 0
    with pytest.raises(ConfigError, match=r"Config\.ttl"):
        Config(ttl=wrong)


@pytest.mark.parametrize("endless", [1e300, 10**400, 4e11, timedelta.max.total_seconds() * 2])
def test_a_default_that_ends_beyond_all_years_is_refused_before_anything_is_remembered(
    memory: Memory, endless: float
) -> None:
    with pytest.raises(ConfigError, match=r"Config\.ttl must end before the year 10000"):
        Config(ttl=endless)
    with pytest.raises(ValidationError, match="ttl must end before the year 10000"):
        memory.remember("One.", ttl=endless)
    assert Config(ttl=math.inf).ttl == math.inf


def test_what_is_pinned_has_no_end_and_what_ends_is_not_pinned(open_memory: OpenMemory, clock: ManualClock) -> None:
    memory = open_memory(":memory:", clock=clock, config=Config(ttl=60))
    for ttl in (None, math.inf):
        assert memory.get(memory.remember("For good.", pinned=True, ttl=ttl)).expires is None
    ends = memory.remember("For a minute.")
    for wrong in (
        lambda: memory.remember("Both.", pinned=True, ttl=60),
        lambda: memory.remember("Made of it.", pinned=True, derived_from=[ends]),
        lambda: memory.pin(ends),
        lambda: memory.move(ends, Tier.PERSISTENT),
    ):
        with pytest.raises(ValidationError, match="a memory is pinned for good"):
            wrong()
    memory.move(ends, Tier.COLD)
    assert memory.get(ends).tier is Tier.COLD
    clock.advance(61)
    assert [record.text for record in memory.records()] == ["For good.", "For good."]
    memory.pin(memory.remember("Also for good.", ttl=math.inf))
    assert memory.verify().ok


def test_filters_know_when_a_memory_ends(memory: Memory, clock: ManualClock) -> None:
    memory.remember_many([Draft(text="One.", ttl=10), Draft(text="Two.", ttl=20), Draft(text="Three.")])
    soon = where("expires").lt(clock.now() + 15)
    assert [record.text for record in memory.records(soon)] == ["One."]
    assert [record.text for record in memory.records(where("expires").exists(False))] == ["Three."]


def test_an_external_id_may_be_used_again_once_its_memory_has_ended(memory: Memory, clock: ManualClock) -> None:
    first = memory.remember("One.", external_id="a", ttl=10)
    clock.advance(10)
    second = memory.remember_many([Draft(text="Two.", external_id="a")], existing="skip")[0]
    assert second != first
    assert memory.get("a").text == "Two."


def test_a_replaced_memory_takes_the_new_end(memory: Memory, clock: ManualClock) -> None:
    memory.remember("One.", external_id="a", ttl=10)
    memory.remember("One.", external_id="a")
    clock.advance(10)
    assert memory.get("a").expires is None


def test_a_clock_that_goes_back_shows_nothing_twice_and_loses_nothing(memory: Memory, clock: ManualClock) -> None:
    memory.remember("One.", ttl=10)
    clock.advance(20)
    assert len(memory) == 0
    clock.advance(-3600)
    late = memory.remember("Two.", ttl=10)
    assert late in memory
    clock.advance(10)
    assert [hit.id for hit in memory.recall("two")] == []
    assert len(memory) == 0


SPANS = st.lists(st.sampled_from([None, 1, 2, 3, 5, 8]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(SPANS, st.lists(st.integers(0, 4), max_size=6), st.booleans())
def test_a_store_with_what_has_ended_answers_like_one_that_never_held_it(
    spans: list[int | None], steps: list[int], write: bool
) -> None:
    clock = ManualClock(1_000.0)
    texts = [f"Note {i} is about the {('boat', 'sea', 'dog')[i % 3]}." for i in range(len(spans))]
    drafts = [
        Draft(text=text, ttl=span, session="s", speaker="Ann", time=i)
        for i, (text, span) in enumerate(zip(texts, spans, strict=True))
    ]
    config = Config(update_rule=None)
    with Memory.open(":memory:", clock=clock, config=config) as memory:
        memory.remember_many(drafts)
        age = 0
        for step in steps:
            clock.advance(step)
            age += step
            if write:
                memory.purge()
            living = [text for text, span in zip(texts, spans, strict=True) if span is None or span > age]
            assert [record.text for record in memory.records()] == living
            assert len(memory) == len(living)
            assert {hit.text for hit in memory.recall("the boat, the sea and the dog", k=50)} == set(living)
        assert memory.verify().ok


def test_what_was_derived_from_a_memory_ends_with_it(memory: Memory, clock: ManualClock) -> None:
    origin = memory.remember("The code of the door is 1234.", ttl=60)
    other = memory.remember("The door is green.", ttl=3600)
    short = memory.remember("A note on the door.", derived_from=[other], ttl=30)
    made = memory.remember("The green door has the code 1234.", derived_from=[origin, other])
    again = memory.remember("Of the door.", derived_from=[made], ttl=10**9)
    ends = [memory.get(each).expires for each in (origin, made, again)]
    assert ends[0] == ends[1] == ends[2]
    assert memory.get(short).expires != memory.get(other).expires
    clock.advance(60)
    assert [record.id for record in memory.records()] == [other]
    assert memory.purge().count == 4
    assert memory.verify().ok


def test_what_waits_in_a_queue_ends_as_if_it_had_been_stored_at_once(memory: Memory, clock: ManualClock) -> None:
    async def main() -> None:
        async with memory.queue() as queue:
            await queue.put(Draft(text="One.", ttl=60))
            await queue.put(Draft(text="Two."))

    asyncio.run(main())
    first, second = memory.records()
    assert first.expires is not None
    assert first.expires.timestamp() == clock.now() + 60
    assert second.expires is None


def test_what_has_ended_is_not_encoded_any_more(open_memory: OpenMemory, folder: Path, clock: ManualClock) -> None:
    with Memory.open(folder, clock=clock) as memory:
        memory.remember("The code is 0000.", ttl=60)
        memory.remember("The number is 1111.", vector=[1.0, 0.0], ttl=60)
        memory.remember("The ferry leaves at nine.")
    clock.advance(61)
    read: list[str] = []

    class Reading(HashingEmbedder):
        def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
            read.extend(texts)
            return super().embed(texts, query=query)

    memory = open_memory(folder, clock=clock, embedder=Reading(64), reembed=True)
    assert read == ["The ferry leaves at nine."]
    assert memory.stats().waiting == 0
    assert memory.reembed() == 0
    assert memory.nearest("ferry").ids.tolist() == [3]
    assert memory.verify().ok
