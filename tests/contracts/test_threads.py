"""One memory, many threads and an event loop: no error, nothing lost, no loop that stands still."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from durability.crowd import Crowd, Diary
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import StoreClosedError
from mnemoloom.ports import Rows

if TYPE_CHECKING:
    from conftest import OpenMemory


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let the interpreter change threads far more often than usual: races show sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_noting_the_time_of_access_never_disturbs_a_writer(memory: Memory) -> None:
    known = memory.remember_many(f"Entry {number} is about the harbour." for number in range(300))
    crowd = Crowd()

    def recall(chance: random.Random) -> None:
        memory.recall("harbour", k=chance.randrange(1, 300), where={"id": {"$gt": chance.choice(known)}})

    crowd.repeat(recall, threads=4)
    crowd.repeat(lambda _: memory.remember("One more.") and None, threads=3)
    time.sleep(2.0)
    crowd.end()


@pytest.mark.usefixtures("hasty_threads")
def test_verify_finds_nothing_wrong_while_others_write(memory: Memory) -> None:
    diary, crowd = Diary(memory), Crowd()
    crowd.repeat(diary.remember, threads=2)
    crowd.repeat(diary.forget, threads=1)
    reports = []
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        reports.append(memory.verify())
    crowd.end()
    assert [report.problem for report in reports if not report.ok] == []


def test_listing_goes_on_while_memories_come_and_go(memory: Memory) -> None:
    kept = memory.remember_many(f"Entry {number}" for number in range(1200))
    listing = memory.records()
    first = next(listing)
    memory.forget(kept[1100])
    memory.remember("A late one.")
    rest = [record.id for record in listing]
    assert [first.id, *rest] == [note for note in kept if note != kept[1100]]


class SlowEmbedder(HashingEmbedder):
    """Takes as long as a model on a small machine, and lets other threads run meanwhile."""

    seconds = 0.4

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        time.sleep(self.seconds)
        return super().embed(texts, query=query)


async def longest_gap(stop: asyncio.Event) -> float:
    """The longest time between two beats of a task that asks to be woken every 5 ms."""
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def test_the_event_loop_goes_on_while_a_slow_encoder_works(open_memory: OpenMemory, folder: Path) -> None:
    memory = open_memory(folder, embedder=SlowEmbedder(64))

    async def scenario() -> tuple[float, float]:
        stop = asyncio.Event()
        heart = asyncio.create_task(longest_gap(stop))
        await asyncio.sleep(0.5)
        stop.set()
        idle = await heart
        stop.clear()
        heart = asyncio.create_task(longest_gap(stop))
        await memory.aremember("The violin is in the attic.")
        await asyncio.gather(*(memory.arecall(f"Where is the violin {number}?") for number in range(4)))
        await memory.averify()
        stop.set()
        return idle, await heart

    idle, busy = asyncio.run(scenario())
    # a call that ran on the loop would hold it for 400 ms; the bar is 50 ms on a quiet machine, and a
    # test machine that is busy with other things takes a thread's turn away for longer than that
    assert busy < idle + 0.25


def test_the_event_loop_goes_on_while_writers_wait_for_the_disk(memory: Memory) -> None:
    async def scenario() -> float:
        stop = asyncio.Event()
        heart = asyncio.create_task(longest_gap(stop))
        await asyncio.gather(*(memory.aremember(f"Note {number}") for number in range(200)))
        stop.set()
        return await heart

    assert asyncio.run(scenario()) < 0.25
    assert len(memory) == 200


def test_cancelling_a_recall_leaves_the_memory_usable(open_memory: OpenMemory, folder: Path) -> None:
    memory = open_memory(folder, embedder=SlowEmbedder(64))
    note = memory.remember("The violin is in the attic.")

    async def scenario() -> None:
        waiting = asyncio.create_task(memory.arecall("Where is the violin?"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await memory.arecall("Where is the violin now?"))[0].id == note
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(memory.arecall("Where was the violin?"), timeout=0.05)
        assert await memory.aremember("The boat is in the harbour.") == note + 1

    asyncio.run(scenario())
    assert len(memory) == 2


def test_a_cancelled_write_is_done_as_a_whole_or_not_at_all(open_memory: OpenMemory, folder: Path) -> None:
    memory = open_memory(folder, embedder=SlowEmbedder(64))

    async def scenario() -> None:
        writing = asyncio.create_task(memory.aremember_many([f"Note {number}" for number in range(9)]))
        await asyncio.sleep(0.05)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await memory.aremember("After the cancelled one.")

    asyncio.run(scenario())
    memory.close()
    again = open_memory(folder)
    assert len(again) in (1, 10)
    assert again.verify().ok


def test_a_memory_serves_one_event_loop_after_another(memory: Memory) -> None:
    for number in range(3):
        asyncio.run(memory.aremember(f"Note {number}"))
    assert len(asyncio.run(memory.arecall("Note"))) == 3


def test_closing_while_others_work_ends_them_with_a_typed_error(memory: Memory, folder: Path) -> None:
    crowd, promised, closed = Crowd(), [], []

    def write(_: random.Random) -> None:
        try:
            promised.append(memory.remember("An ordinary note."))
            memory.recall("note")
        except StoreClosedError:
            closed.append(1)
            time.sleep(0.01)

    crowd.repeat(write, threads=6)
    while len(promised) < 30:
        time.sleep(0.01)
    memory.close()
    time.sleep(0.1)
    crowd.end()
    assert closed
    with Memory.open(folder) as again:
        assert [record.id for record in again.records()] == sorted(promised)
