"""Every async verb gives what the verb without the `a` gives."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from mnemoloom import Memory, Tier
from mnemoloom.errors import LoomError, StoreClosedError, TextError, UnknownMemoryError

QUESTIONS = (
    ("recall", ("Where is the violin?",), {"k": 3, "update": False}),
    ("recall", ("Where is the violin?",), {"speaker": "Ann", "expand": 1, "update": False}),
    ("recall", ("violin",), {"profile": "lexical", "where": {"metadata.room": {"$gt": 2}}, "update": False}),
    ("why", ("Where is the violin?", 2), {"k": 1}),
    ("get", (3,), {}),
    ("get", ("violin 4",), {}),
    ("namespaces", (), {}),
    ("stats", (), {}),
    ("verify", (), {}),
    ("reembed", (), {}),
)


@pytest.fixture
def filled(memory: Memory) -> Memory:
    memory.remember_many(
        {
            "text": f"The violin of room {number} is red.",
            "speaker": ("Ann", "Ben")[number % 2],
            "session": "may",
            "external_id": f"violin {number}",
            "metadata": {"room": number},
        }
        for number in range(8)
    )
    return memory


@pytest.mark.parametrize(("name", "arguments", "options"), QUESTIONS)
def test_an_async_question_has_the_answer_of_the_plain_one(
    filled: Memory, name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    plain: Callable[..., Any] = getattr(filled, name)
    assert asyncio.run(getattr(filled, "a" + name)(*arguments, **options)) == plain(*arguments, **options)


def test_async_records_are_the_list_of_the_plain_ones(filled: Memory) -> None:
    assert asyncio.run(filled.arecords()) == list(filled.records())
    assert asyncio.run(filled.arecords({"speaker": "Ann"}, after_id=2, limit=2)) == list(
        filled.records({"speaker": "Ann"}, after_id=2, limit=2)
    )


def test_async_writes_do_what_the_plain_ones_do(memory: Memory) -> None:
    async def scenario() -> None:
        first = await memory.aremember("The boat is blue.", speaker="Ann", metadata={"a": 1})
        second, third = await memory.aremember_many(["The kettle is red.", "The map is old."])
        await memory.apin(first)
        await memory.amove(second, Tier.COLD)
        await memory.aforget(third)
        assert [record.tier for record in memory.records()] == [Tier.PERSISTENT, Tier.COLD]
        await memory.aunpin(first)
        assert memory.get(first).tier is Tier.LONG_TERM

    asyncio.run(scenario())
    assert memory.stats().entries == 7


def test_async_errors_are_those_of_the_plain_verbs(memory: Memory) -> None:
    async def scenario() -> None:
        with pytest.raises(TextError, match="blank"):
            await memory.aremember(" ")
        with pytest.raises(UnknownMemoryError):
            await memory.aforget(99)
        with pytest.raises(LoomError):
            await memory.arecall("x", k=0)

    asyncio.run(scenario())


def test_the_async_with_block_closes_the_memory(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory as same:
            assert await same.aremember("The boat is blue.") == 1
        with pytest.raises(StoreClosedError):
            await memory.arecall("boat")
        await memory.aclose()

    asyncio.run(scenario())


def test_every_verb_has_an_async_twin() -> None:
    sync_only = {"open", "at", "queue", "short_term", "sleep_in_background"}  # the last gives what may be awaited
    verbs = {
        name
        for name, member in inspect.getmembers(Memory, inspect.isroutine)
        if not name.startswith("_") and not inspect.iscoroutinefunction(member)
    }
    missing = {name for name in verbs - sync_only if not inspect.iscoroutinefunction(getattr(Memory, "a" + name, None))}
    assert missing == set()
