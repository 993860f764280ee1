"""Short-term memory: the last turns of a session, in every order, as they were said, and kept through a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Config, Gate, Memory, Tier, where
from mnemoloom.errors import ReadOnlyError, StoreClosedError, ValidationError
from mnemoloom.titans import Window, pop, push

if TYPE_CHECKING:
    from conftest import OpenMemory


def say(memory: Memory, *texts: str, session: str | None = "may", speaker: str | None = "Ann") -> list[int]:
    return memory.remember_many([{"text": text, "session": session, "speaker": speaker} for text in texts])


def test_the_window_is_the_last_turns_of_one_session_oldest_first(memory: Memory) -> None:
    say(memory, "one", "two")
    say(memory, "elsewhere", session="june")
    say(memory, "three", "four")
    window = memory.short_term("may", size=3)
    assert [turn.text for turn in window.fetch()] == ["two", "three", "four"]
    assert [turn.text for turn in window] == ["two", "three", "four"]
    assert (len(window), window.peek().text, window.ids()) == (3, "four", [2, 4, 5])
    assert window.fetch() == [memory.get(each) for each in (2, 4, 5)]


def test_a_turn_is_in_the_window_whatever_its_tier(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=Config(gate=Gate(budget=0.5)))
    ids = say(memory, *(f"I know, right {i % 3}?" for i in range(60)))
    memory.pin(ids[0])
    assert memory.stats().tiers["cold"] > 10
    assert memory.short_term("may", size=60).ids() == ids


def test_pop_takes_the_newest_out_and_leaves_the_memory(memory: Memory) -> None:
    say(memory, "the boat is blue", "the kettle is red", "the map is old")
    window = memory.short_term("may", size=2)
    assert window.pop().text == "the map is old"
    assert [turn.text for turn in window.fetch()] == ["the boat is blue", "the kettle is red"]
    assert memory.recall("map")[0].text == "the map is old"
    assert window.pop().text == "the kettle is red"
    assert window.pop().text == "the boat is blue"
    assert (window.pop(), window.peek(), window.fetch(), list(window.rewind())) == (None, None, [], [])
    assert len(memory) == 3
    assert memory.verify().ok


def test_what_was_popped_stays_popped_after_a_restart(folder: Path) -> None:
    with Memory.open(folder) as memory:
        say(memory, "one", "two", "three")
        memory.short_term("may").pop()
    with Memory.open(folder) as memory:
        say(memory, "four")
        assert [turn.text for turn in memory.short_term("may")] == ["one", "two", "four"]
    with Memory.open(folder, read_only=True) as memory:
        assert [turn.text for turn in memory.short_term("may").rewind()] == ["four", "two", "one"]
        with pytest.raises(ReadOnlyError):
            memory.short_term("may").pop()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["say", "say", "say", "pop", "clear"]), max_size=30), st.integers(0, 6))
def test_it_agrees_with_the_stack_that_it_is(steps: list[str], size: int) -> None:
    stack = Window.empty(1000)
    with Memory.open(":memory:") as memory:
        window = memory.short_term("may", size=size)
        for number, step in enumerate(steps):
            if step == "say":
                stack, _ = push(stack, say(memory, f"turn {number}"))
            elif step == "clear":
                assert window.clear() == len(stack.ids)
                stack = Window.empty(1000)
            elif size:
                stack, newest = pop(stack)
                assert (turn.id if (turn := window.pop()) else None) == newest
            assert window.ids() == stack.ids.tolist()[max(0, len(stack.ids) - size) :]
            assert [turn.id for turn in window.rewind()] == window.ids()[::-1]


@pytest.mark.parametrize(("depth", "texts"), [(None, ["c", "b", "a"]), (0, []), (2, ["c", "b"]), (9, ["c", "b", "a"])])
def test_rewind_goes_back_as_far_as_asked(memory: Memory, depth: int | None, texts: list[str]) -> None:
    say(memory, "a", "b", "c")
    window = memory.short_term("may")
    assert [turn.text for turn in window.rewind(depth)] == texts
    assert [turn.text for turn in window.rewind(depth, newest_first=False)] == texts[::-1]
    assert len(window) == 3


def test_rewind_passes_far_more_turns_than_python_recurses(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    count = 6_000
    memory.remember_many({"text": f"t{i % 7}", "session": "long"} for i in range(count))
    steps = memory.short_term("long", size=count).rewind()
    assert isinstance(steps, Iterator)
    assert [turn.id for turn in steps] == list(range(count, 0, -1))
    assert [turn.id for turn in memory.short_term("long", size=3)] == [count - 2, count - 1, count]


def test_fetch_keeps_of_each_key_the_newest_or_the_oldest(memory: Memory) -> None:
    for slot, text in (("home", "Oslo"), ("job", "cook"), ("home", "Bergen"), (None, "hello"), (None, "bye")):
        memory.remember(text, session="may", metadata={"slot": slot})
    window = memory.short_term("may")

    def slot_of(turn: Any) -> Any:
        return turn.metadata.get("slot")

    assert [turn.text for turn in window.fetch(slot_of)] == ["cook", "Bergen", "hello", "bye"]
    assert [turn.text for turn in window.fetch(slot_of, newest_overrides=False)] == ["Oslo", "cook", "hello", "bye"]


def test_forgotten_turns_leave_it_and_erased_ones_leave_no_trace_of_having_been_taken(memory: Memory) -> None:
    ids = say(memory, "one", "two", "three")
    window = memory.short_term("may")
    window.pop()
    memory.forget(ids[1])
    assert window.ids() == [ids[0]]
    memory.erase(where("id").eq(ids[2]))
    with memory._opened.store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM taken").fetchone() == (0,)


def test_turns_without_a_session_have_a_window_and_lone_notes_have_none(memory: Memory) -> None:
    say(memory, "hello", session=None)
    memory.remember("a note that nobody said")
    assert [turn.text for turn in memory.short_term(None)] == ["hello"]


def test_windows_of_namespaces_are_apart(memory: Memory) -> None:
    say(memory, "mine")
    other = memory.at("other")
    say(other, "yours", "yours too")
    assert other.short_term("may").pop().text == "yours too"
    assert [turn.text for turn in memory.short_term("may")] == ["mine"]
    assert memory.short_term("may").namespace == ("default",)
    assert [turn.text for turn in memory.at("never").short_term("may")] == []
    assert memory.at("never").short_term("may").pop() is None


def test_threads_that_pop_at_once_get_different_turns(memory: Memory) -> None:
    ids = say(memory, *map(str, range(40)))
    window = memory.short_term("may", size=5)
    with ThreadPoolExecutor(4) as pool:
        popped = [turn.id for turn in pool.map(lambda _: window.pop(), range(40))]
    assert sorted(popped) == ids
    assert window.pop() is None


def test_the_async_twins_answer_alike(memory: Memory) -> None:
    say(memory, "one", "two", "three")
    window = memory.short_term("may", size=2)

    async def scenario() -> None:
        assert await window.apeek() == window.peek()
        assert await window.afetch() == window.fetch()
        assert await window.arewind(1) == list(window.rewind(1))
        assert await window.aids() == window.ids()
        assert (await window.apop()).text == "three"
        assert await window.aclear() == 2
        assert window.fetch() == []

    asyncio.run(scenario())
    memory.close()
    with pytest.raises(StoreClosedError):
        asyncio.run(window.apeek())


@pytest.mark.parametrize("size", [-1, 2.0, True, "9"])
def test_a_size_that_is_no_count_is_refused(memory: Memory, size: Any) -> None:
    with pytest.raises(ValidationError, match="size must be a whole number of at least 0"):
        memory.short_term("may", size=size)


def test_a_session_and_a_depth_that_make_no_sense_are_refused(memory: Memory) -> None:
    with pytest.raises(ValidationError, match="session must be a string or None; got 7"):
        memory.short_term(7)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="depth must be None or"):
        memory.short_term("may").rewind(-1)


def test_a_window_of_size_zero_holds_nothing_and_gives_nothing(memory: Memory) -> None:
    say(memory, "one")
    memory.move(1, Tier.COLD)
    window = memory.short_term("may", size=0)
    assert (window.fetch(), window.peek(), window.pop(), len(window)) == ([], None, None, 0)
    assert memory.short_term("may").ids() == [1]


def test_a_needle_that_has_left_the_window_is_found_in_long_term_memory(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    needle = say(memory, "The spare key lies under the blue pot.")[0]
    say(memory, *(f"Filler {number}: nothing happened on this day, and tea was had." for number in range(2000)))
    window = memory.short_term("may", size=50)
    assert needle not in window.ids()
    shown = memory.recall("Where is the spare key?", 10, variant="mac", window=memory.short_term("may", size=4))
    assert (shown[0].id, shown[0].shown_from) == (needle, "long_term")
    assert memory.recall("Where is the spare key?")[0].id == needle
