"""The disk is full, or fails, at any request: a typed error, nothing half there, and the store goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from durability.recorded_disk import recording
from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.errors import LoomError, StorageFailure, StoreError

# where SQLite does not hand a refusal on, apsw tells of it in this way
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

_FULL = "database or disk is full"
_BROKEN = "disk I/O error"


class Fault:
    """Refuses the nth request of some kinds, and those that follow it if `lasting`, until `over`."""

    def __init__(self, kinds: frozenset[str], error: Callable[[], Exception], *, nth: int, lasting: bool) -> None:
        self._kinds, self._error, self._nth, self._lasting = kinds, error, nth, lasting
        self.seen, self.over = 0, False

    def __call__(self, kind: str, _: str) -> None:
        if kind not in self._kinds or self.over:
            return
        self.seen += 1
        if self.seen == self._nth or (self._lasting and self.seen > self._nth):
            raise self._error()


FAULTS = {
    "full": (frozenset({"write", "truncate"}), lambda: apsw.FullError(_FULL)),
    "a write fails": (frozenset({"write"}), lambda: apsw.IOError(_BROKEN)),
    "a sync fails": (frozenset({"sync"}), lambda: apsw.IOError(_BROKEN)),
    "a read fails": (frozenset({"read"}), lambda: apsw.IOError(_BROKEN)),
    "a truncation fails": (frozenset({"truncate"}), lambda: apsw.IOError(_BROKEN)),
    "a file cannot be made": (frozenset({"make"}), lambda: apsw.CantOpenError("unable to open database file")),
}

_REQUESTS = {  # about how many of them the work below makes
    "full": 160,
    "a write fails": 160,
    "a sync fails": 25,
    "a read fails": 5,
    "a truncation fails": 4,
    "a file cannot be made": 4,
}


class Attempts:
    """Batches that were tried, and those that were acknowledged."""

    def __init__(self) -> None:
        self.tried: dict[int, list[str]] = {}
        self.kept: set[int] = set()
        self.errors: list[LoomError] = []

    def run(self, memory: Memory) -> None:
        for number in range(14):
            self.tried[number] = [
                f"Batch {number}, note {i}: the boat is in the harbour." for i in range(1 + number % 5)
            ]
            try:
                memory.remember_many(self.tried[number])
                self.kept.add(number)
                memory.recall("Where is the boat?", k=3)
                if number % 4 == 3:
                    memory._opened.store.checkpoint()
            except LoomError as error:
                self.errors.append(error)

    def check(self, memory: Memory) -> None:
        """What was acknowledged is there, and every other batch is there as a whole or not at all."""
        stored = {record.text for record in memory.records()}
        for number, texts in self.tried.items():
            held = stored.intersection(texts)
            assert held in (set(texts), set() if number not in self.kept else set(texts)), number
        assert len(memory) == len(stored)
        assert memory.verify().ok


@pytest.mark.parametrize("name", FAULTS)
@tier(quick=4, torture=120)
def test_a_refused_request_costs_nothing_that_was_promised(
    quick_disk: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: int
) -> None:
    kinds, error = FAULTS[name]
    chance, raised = random.Random(name), 0
    for turn in range(size):
        folder, attempts = quick_disk / str(turn), Attempts()
        early = kinds == {"make"} or turn % 4 >= 2  # from the making of the store on
        fault = Fault(kinds, error, nth=chance.randrange(1, _REQUESTS[name]), lasting=bool(turn % 2))
        with recording(monkeypatch) as disk:
            disk.refuse = fault if early else disk.refuse
            memory = None
            try:
                memory = Memory.open(folder)
                disk.refuse = fault
                attempts.run(memory)
                fault.over = True
                attempts.check(memory)  # the same handle, once the disk is well again
                memory.remember("Once the disk was well again.")
            except StoreError as failure:
                attempts.errors.append(failure)
                fault.over = True
            finally:
                if memory is not None:
                    memory.close()
        assert all(isinstance(each, StoreError) for each in attempts.errors), attempts.errors
        raised += bool(attempts.errors)
        with Memory.open(folder) as memory:  # with the SQLite of this Python, on the disk as it is
            attempts.check(memory)
    assert raised, f"no request was refused: {name}"


def test_a_full_disk_lets_readers_go_on_and_writers_as_soon_as_there_is_room(
    quick_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(monkeypatch) as disk:
        memory = Memory.open(quick_disk / "store")
        kept = memory.remember_many(f"Note {number} is about the boat." for number in range(50))
        fault = Fault(*FAULTS["full"], nth=1, lasting=True)
        disk.refuse = fault
        for _ in range(3):
            with pytest.raises(StorageFailure, match="full"):
                memory.remember("There is no room for this.")
            assert memory.recall("Which note is about the boat?", k=50)
            assert memory.verify().ok
        fault.over = True
        kept.append(memory.remember("Now there is room."))
        memory.close()
    with Memory.open(quick_disk / "store") as memory:
        assert [record.id for record in memory.records()] == kept
