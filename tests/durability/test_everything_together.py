"""Threads and an event loop on one memory at once: nothing lost, nobody waits for ever, a log without a gap."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from durability.crowd import Crowd, Diary
from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let the interpreter change threads far more often than usual: races show sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class LogWatch:
    """Looks at the log again and again: it only ever grows, and what a call returned for is in it."""

    def __init__(self, memory: Memory) -> None:
        self._memory, self._seen, self.looks = memory, 0, 0

    def look(self, _: random.Random) -> None:
        text = f"Look {self.looks} at the log."
        number = self._memory.remember(text)
        entries = self._memory.stats().entries
        assert number > self._seen, "a later call has an earlier place in the log"
        assert entries >= number
        assert self._memory.get(number).text == text
        self._memory.forget(number)
        self._seen, self.looks = entries, self.looks + 1
        time.sleep(0.01)


@pytest.mark.usefixtures("hasty_threads")
@tier(quick=3, torture=60)
def test_eight_threads_and_an_event_loop_share_a_memory_and_lose_nothing(
    memory: Memory, folder: Path, hashing: HashingEmbedder, open_memory: OpenMemory, size: int
) -> None:
    diary, crowd, watch = Diary(memory), Crowd(), LogWatch(memory)

    async def task(end: float) -> None:
        while time.monotonic() < end:
            text = diary.fresh_text()
            diary.kept[await memory.aremember(text)] = text
            assert (await memory.arecall(text, k=3)).hits

    async def tasks() -> None:
        await asyncio.gather(*(task(time.monotonic() + size) for _ in range(6)))

    crowd.repeat(diary.remember, threads=3)
    crowd.repeat(diary.recall, threads=3)
    crowd.repeat(diary.forget, threads=1)
    crowd.repeat(watch.look, threads=1)
    asyncio.run(tasks())
    crowd.end()
    assert len(diary.gone) > 3 * size
    assert watch.looks > size
    diary.check(memory)
    memory.close()
    diary.check(open_memory(folder, embedder=hashing))
    print(f"{size} s: {len(diary.kept)} kept, {len(diary.gone)} forgotten, {watch.looks} looks at the log, 0 lost")
