"""Threads that work on one memory until they are told to stop, and what was promised to them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest

from mnemoloom import Memory
from mnemoloom.errors import UnknownMemoryError

__all__ = ["Crowd", "Diary"]


class Crowd:
    """Threads that repeat an action until told to stop; what any of them raises is raised at the end."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._faults: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def repeat(self, act: Callable[[random.Random], None], *, threads: int) -> None:
        for number in range(threads):
            chance = random.Random(number)
            self._threads.append(threading.Thread(target=self._run, args=(act, chance)))
            self._threads[-1].start()

    def _run(self, act: Callable[[random.Random], None], chance: random.Random) -> None:
        try:
            while not self._stop.is_set():
                act(chance)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self._faults.append(error)
            self._stop.set()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a call never returned"
        for fault in self._faults:
            raise fault


class Diary:
    """What was promised and what was taken back; shared by all threads."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.kept: dict[int, str] = {}
        self.gone: set[int] = set()
        self._lock = threading.Lock()
        self._count = 0

    def fresh_text(self) -> str:
        with self._lock:
            self._count += 1
            return f"Entry e{self._count} is about the harbour."

    def remember(self, _: random.Random) -> None:
        text = self.fresh_text()
        self.kept[self.memory.remember(text)] = text

    def recall(self, chance: random.Random) -> None:
        hits = self.memory.recall(
            f"What is entry e{chance.randrange(1 + self._count)} about?", k=chance.choice((1, 5, 50))
        )
        assert all(hit.score == pytest.approx(sum(hit.parts.values())) for hit in hits)

    def forget(self, chance: random.Random) -> None:
        time.sleep(0.005)
        with self._lock:
            known = list(self.kept)
            note = chance.choice(known) if len(known) > 20 else None
            if note is not None:
                del self.kept[note]
        if note is not None:
            self.memory.forget(note)
            self.gone.add(note)

    def check(self, memory: Memory) -> None:
        assert {record.id: record.text for record in memory.records()} == self.kept
        assert len(memory) == len(self.kept)
        assert memory.verify().ok
        for note in list(self.gone)[:5]:
            with pytest.raises(UnknownMemoryError):
                memory.get(note)
