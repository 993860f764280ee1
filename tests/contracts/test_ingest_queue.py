"""The ingest queue: in order, on disk when flushed, never more waiting than there is room for, and nothing lost."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Draft, ManualClock, Memory, Tier, where
from mnemoloom.errors import (
    EmbedderError,
    EmbedderUnavailableError,
    IngestError,
    MetadataError,
    ReadOnlyError,
    StoreClosedError,
    TextError,
    ValidationError,
)

if TYPE_CHECKING:
    from conftest import OpenMemory, StartPython


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """A scenario that ends, or hangs and is told."""
    asyncio.run(asyncio.wait_for(scenario, 30))


def texts(memory: Memory) -> list[str]:
    return [record.text for record in memory.records()]


class Switch:
    """An encoder that fails while it is off, or always at some texts, and can be made to wait."""

    identity = "switch"

    def __init__(self, *bad: str) -> None:
        self.on, self.bad, self.calls = True, bad, []
        self.gate = threading.Event()
        self.gate.set()

    def embed(self, given: Sequence[str], *, query: bool = False) -> np.ndarray:
        self.gate.wait(20)
        self.calls.append(len(given))
        if not self.on:
            raise EmbedderUnavailableError("no server")
        if any(text in self.bad for text in given):
            raise ValueError("this text I cannot encode")
        return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in given]]


def test_what_was_put_is_stored_in_order_and_flushed(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory.queue(size=8, batch=3) as queue:
            for number in range(50):
                await queue.put({"text": f"turn {number}", "session": "may", "external_id": f"t{number}"})
                assert len(queue) <= 8
            await queue.flush()
            assert texts(memory) == [f"turn {number}" for number in range(50)]
            await queue.put("the last one")
        assert (queue.waiting, queue.closed) == ((), True)
        await queue.aclose()

    run(scenario())
    assert texts(memory)[-1] == "the last one"
    assert memory.get("t7").session == "may"
    assert memory.verify().ok


def test_what_flush_returned_for_survives_a_kill(folder: Path, start_python: StartPython) -> None:
    code = """
import asyncio, sys
from mnemoloom import Memory
async def main():
    memory = Memory.open(sys.argv[1])
    queue = memory.queue(batch=7)
    for number in range(1000):
        await queue.put(f"turn {number}")
        if number % 10 == 9:
            await queue.flush()
            print(number + 1, flush=True)
asyncio.run(main())
"""
    process: subprocess.Popen[str] = start_python("-c", code, folder)
    assert process.stdout is not None
    flushed = 0
    for line in process.stdout:
        flushed = int(line)
        if flushed >= random.Random(2).randrange(50, 90):
            process.kill()
            break
    process.wait()
    with Memory.open(folder, lock_timeout=5) as memory:
        held = texts(memory)
        assert held == [f"turn {number}" for number in range(len(held))]
        assert flushed <= len(held)
        assert memory.verify().ok


def test_put_waits_while_there_is_no_room(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        switch.gate.clear()
        async with memory.queue(size=3, batch=2) as queue:
            for number in range(3):
                await queue.put(f"turn {number}")
            late = asyncio.create_task(queue.put("turn 3"))
            await asyncio.sleep(0.05)
            assert (late.done(), len(queue)) == (False, 3)
            switch.gate.set()
            await late
            await queue.flush()
        assert texts(memory) == [f"turn {number}" for number in range(4)]

    run(scenario())


def test_turns_that_come_while_others_are_stored_share_a_transaction(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        async with memory.queue(batch=16) as queue:
            switch.gate.clear()
            for number in range(33):
                await queue.put(f"turn {number}")
                await asyncio.sleep(0)
            switch.gate.set()

    run(scenario())
    assert len(memory) == 33
    assert switch.calls[0] == 1
    assert max(switch.calls) == 16


def test_a_draft_that_breaks_a_rule_is_refused_by_put_and_harms_nothing(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory.queue() as queue:
            await queue.put("good")
            with pytest.raises(TextError):
                await queue.put(" ")
            with pytest.raises(MetadataError):
                await queue.put({"text": "bad", "metadata": {"x": float("nan")}})
            await queue.put("good too")
        assert texts(memory) == ["good", "good too"]

    run(scenario())


def test_what_the_caller_does_to_a_draft_afterwards_changes_nothing(open_memory: OpenMemory) -> None:
    clock = ManualClock(1000.0)
    switch = Switch()
    memory = open_memory(":memory:", clock=clock, embedder=switch)

    async def scenario() -> None:
        switch.gate.clear()
        async with memory.queue() as queue:
            metadata = {"tags": ["a"]}
            await queue.put({"text": "turn", "metadata": metadata})
            metadata["tags"].append("b")
            clock.advance(60)
            switch.gate.set()

    run(scenario())
    assert dict(memory.get(1).metadata) == {"tags": ["a"]}
    assert memory.get(1).time.timestamp() == 1000.0  # when it was put


def test_every_field_of_a_draft_comes_through(memory: Memory) -> None:
    origin = memory.remember("The violin is in the attic.")
    draft = Draft(
        text="A summary.",
        speaker="Ann",
        session="may",
        time="2026-05",
        metadata={"a": [1, None]},
        external_id="x",
        vector=np.ones(64),
        source="web page",
        trust="web",
        tier=Tier.COLD,
        derived_from=(origin,),
    )

    async def scenario() -> None:
        async with memory.queue() as queue:
            await queue.put(draft)
            await queue.put(Draft(text="pinned", pinned=True))

    run(scenario())
    direct = memory.at("direct")
    direct.remember("The violin is in the attic.")
    want = direct.get(direct.remember_many([replace(draft, derived_from=())])[0])
    got = memory.get("x")
    for name in ("text", "speaker", "session", "time", "metadata", "tier", "pinned", "source", "trust"):
        assert getattr(got, name) == getattr(want, name), name
    np.testing.assert_array_equal(memory.vectors(["x"]), direct.vectors(["x"]))
    assert memory.get(3).tier is Tier.PERSISTENT
    memory.remove_source("web page")
    memory.erase(where("id").eq(origin))
    assert [record.text for record in memory.records()] == ["pinned"]


def test_an_error_names_the_draft_keeps_all_that_wait_and_the_next_call_tries_again(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        async with memory.queue(batch=4) as queue:
            switch.on = False
            for number in range(3):
                await queue.put(f"turn {number}")
            for _ in range(2):
                with pytest.raises(
                    IngestError, match="the first of 3 drafts that wait in the queue could not be stored: no server"
                ) as told:
                    await queue.flush()
                assert isinstance(told.value.__cause__, EmbedderUnavailableError)
                assert [draft.text for draft in told.value.waiting] == ["turn 0", "turn 1", "turn 2"]
                assert told.value.draft.text == "turn 0"
                assert queue.waiting == told.value.waiting
            switch.on = True
            await queue.put("turn 3")
            await queue.flush()
            assert texts(memory) == [f"turn {number}" for number in range(4)]

    run(scenario())


def test_a_failure_in_the_background_is_told_by_the_next_put(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        queue = memory.queue()
        switch.on = False
        await queue.put("turn 0")
        await asyncio.sleep(0.1)
        with pytest.raises(IngestError):
            await queue.put("turn 1")  # not taken in
        assert [draft.text for draft in queue.waiting] == ["turn 0"]
        switch.on = True
        await queue.aclose()

    run(scenario())
    assert texts(memory) == ["turn 0"]


def test_one_draft_that_cannot_be_stored_is_named_and_can_be_taken_out(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory.queue(batch=10) as queue:
            with pytest.raises(ValidationError, match="there is none"):
                queue.discard()
            await queue.put({"text": "fixes the width", "vector": [1.0, 0.0]})
            await queue.flush()
            for number in range(5):
                await queue.put({"text": f"turn {number}", "vector": [0.0, 1.0] if number != 2 else [1.0, 2.0, 3.0]})
            with pytest.raises(IngestError, match=r"first of 3 drafts .* width 2; got 3"):
                await queue.flush()
            assert texts(memory) == ["fixes the width", "turn 0", "turn 1"]
            assert queue.discard().text == "turn 2"
            with pytest.raises(ValidationError, match="there is none"):
                queue.discard()
        assert texts(memory)[-2:] == ["turn 3", "turn 4"]

    memory_without = memory.at("other")
    run(scenario())
    assert len(memory_without) == 0


def test_an_error_that_is_not_ours_is_told_too_by_its_kind(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=Switch("cursed"))

    async def scenario() -> None:
        queue = memory.queue()
        await queue.put("cursed")
        with pytest.raises(IngestError, match="switch failed with ValueError") as told:
            await queue.flush()
        assert isinstance(told.value.__cause__, EmbedderError)
        queue.discard()
        await queue.aclose()

    run(scenario())


def test_leaving_the_block_with_an_error_stores_what_was_put(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory.queue() as queue:
            for number in range(5):
                await queue.put(f"turn {number}")
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run(scenario())
    assert len(memory) == 5


def test_closing_a_queue_that_cannot_store_says_so_and_keeps_what_waits(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        switch.on = False
        with pytest.raises(IngestError):
            async with memory.queue() as queue:
                await queue.put("turn 0")
        with pytest.raises(StoreClosedError):
            await queue.put("turn 1")
        switch.on = True
        await queue.aclose()
        assert queue.waiting == ()

    run(scenario())
    assert texts(memory) == ["turn 0"]


def test_cancelling_a_call_stops_its_waiting_alone(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        switch.gate.clear()
        async with memory.queue(size=1) as queue:
            await queue.put("turn 0")
            for call in (queue.put("never"), queue.flush()):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(call, 0.02)
            assert [draft.text for draft in queue.waiting] == ["turn 0"]
            switch.gate.set()

    run(scenario())
    assert texts(memory) == ["turn 0"]


def test_a_batch_that_had_begun_when_everything_was_cancelled_is_known_to_be_stored(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        queue = memory.queue(batch=1)
        switch.gate.clear()
        for number in range(3):
            await queue.put(f"turn {number}")
        await asyncio.sleep(0.05)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        asyncio.get_running_loop().call_later(0.05, switch.gate.set)
        await asyncio.gather(*others, return_exceptions=True)
        assert [draft.text for draft in queue.waiting] == ["turn 1", "turn 2"]
        assert texts(memory) == ["turn 0"]
        await queue.flush()

    asyncio.run(scenario())
    assert texts(memory) == ["turn 0", "turn 1", "turn 2"]


def test_many_tasks_put_at_once_and_nothing_is_lost_or_doubled(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory.queue(size=5, batch=4) as queue:

            async def talk(name: str) -> None:
                for number in range(20):
                    await queue.put({"text": f"{name} {number}", "session": name})
                    if number % 7 == 0:
                        await queue.flush()

            await asyncio.gather(*(talk(name) for name in "abcd"))

    run(scenario())
    for name in "abcd":
        assert [t for t in texts(memory) if t.startswith(name)] == [f"{name} {number}" for number in range(20)]
    assert len(memory) == 80


def test_flush_waits_for_what_was_put_before_it_and_no_longer(memory: Memory) -> None:
    async def scenario() -> None:
        async with memory.queue(size=4, batch=1) as queue:
            going = True

            async def go_on() -> None:
                while going:
                    await queue.put("and on")

            talker = asyncio.create_task(go_on())
            await asyncio.sleep(0.01)
            await queue.flush()
            going = False
            await talker

    run(scenario())


def test_a_queue_that_is_dropped_with_drafts_in_it_warns(open_memory: OpenMemory) -> None:
    switch = Switch()
    memory = open_memory(":memory:", embedder=switch)

    async def scenario() -> None:
        switch.on = False
        await memory.queue().put("turn 0")
        await asyncio.sleep(0.05)

    with pytest.warns(ResourceWarning, match="1 drafts in an ingest queue were not stored"):  # noqa: PT031 - the last of it
        run(scenario())
        gc.collect()


def test_a_closed_memory_and_a_reader_take_in_nothing(folder: Path) -> None:
    with Memory.open(folder) as memory:
        memory.remember("turn")
    queue = memory.queue()
    with pytest.raises(StoreClosedError):
        run(queue.put("turn 0"))
    with Memory.open(folder, read_only=True) as reader, pytest.raises(ReadOnlyError):
        run(reader.queue().put("turn 0"))


@pytest.mark.parametrize("options", [{"size": 0}, {"batch": 0}, {"size": True}, {"batch": 2.5}])
def test_sizes_that_are_no_counts_are_refused(memory: Memory, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="must be a whole number"):
        memory.queue(**options)


def test_the_error_of_a_queue_holds_the_draft_and_quotes_no_text(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=Switch("my secret"))

    async def scenario() -> None:
        queue = memory.queue()
        await queue.put("my secret")
        with pytest.raises(IngestError) as told:
            await queue.flush()
        assert "secret" not in f"{told.value} {told.value!r} {told.value.__cause__}"
        assert told.value.draft.text == queue.discard().text == "my secret"
        await queue.aclose()

    run(scenario())
