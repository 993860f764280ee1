"""The power fails at every boundary between two requests to the disk: nothing that was promised is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from durability.recorded_disk import Disk, Step, recording, wrecks
from durability.tiers import tier
from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import LoomError

KEY = b"a key of 16 bytes"


class Promise(NamedTuple):
    """What the caller knows: texts that are stored, texts that are gone. What is in neither may be either."""

    kept: frozenset[str]
    gone: frozenset[str]


@dataclass
class Outcome:
    states: int = 0
    lost: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)


class Caller:
    """Works with a store on a recorded disk and tells the disk what it was promised."""

    def __init__(self, disk: Disk, folder: Path, **options: object) -> None:
        self._disk, self._folder, self._options = disk, folder, options
        self.kept: set[str] = set()
        self.gone: set[str] = set()
        self.memory = self.open()

    def open(self) -> Memory:
        return Memory.open(self._folder, embedder=HashingEmbedder(16), key=KEY, **self._options)  # type: ignore[arg-type]

    def note(self) -> None:
        self._disk.tell(Promise(frozenset(self.kept), frozenset(self.gone)))

    def remember(self, *texts: str, **options: object) -> list[int]:
        ids = self.memory.remember_many(texts, **options)  # type: ignore[arg-type]
        self.kept.update(texts)
        self.note()
        return ids

    def forget(self, key: int, text: str) -> None:
        self.kept.discard(text)
        self.note()  # from here on it may be gone
        self.memory.forget(key)
        self.gone.add(text)
        self.note()

    def work(self, rounds: int) -> None:
        """Every kind of write, checkpoints, erasures and openings."""
        for turn in range(rounds):
            first, *_ = self.remember(f"Turn {turn}: the boat is in the harbour.", f"Turn {turn}: the sea is calm.")
            self.remember(*(f"Turn {turn}, note {number} of many." for number in range(12)), idem_key=f"call {turn}")
            self.memory.pin(first + 1)
            self.memory.move(first + 1, Tier.COLD)
            self.memory.at("somebody", "else").remember(f"Elsewhere {turn}.")
            self.forget(first, f"Turn {turn}: the boat is in the harbour.")
            if turn % 2:
                word = f"Turn {turn}: the sea is calm."
                self.kept.discard(word)
                self.note()
                self.memory.erase({"id": first + 1})
                self.gone.add(word)
                self.note()
            else:
                self.memory._opened.store.checkpoint()
            self.memory.recall("Where is the boat?")
            if turn % 3 == 2:
                self.memory.close()
                self.memory = self.open()


def recorded(folder: Path, patch: pytest.MonkeyPatch, *, rounds: int, **options: object) -> list[Step]:
    with recording(patch) as disk:
        caller = Caller(disk, folder, **options)
        caller.work(rounds)
        caller.memory.close()
    return disk.steps


def judged(
    steps: Sequence[Step], place: Path, *, every: int, seed: int, modes: Sequence[str] = ("dropped", "random", "torn")
) -> Outcome:
    outcome = Outcome()
    for number, mode, files, promised in wrecks(steps, every=every, seed=seed, modes=modes):
        folder = place / f"{number}-{mode}"
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        where = f"before step {number}, {mode}"
        outcome.states += 1
        try:
            judge(folder, promised or Promise(frozenset(), frozenset()), where, outcome)
        except LoomError as error:
            outcome.unusable.append(f"{where}: {error!r}")
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    return outcome


def judge(folder: Path, promised: Promise, where: str, outcome: Outcome) -> None:
    with Memory.open(folder, embedder=HashingEmbedder(16), key=KEY) as memory:
        report = memory.verify()
        if not report.ok:
            outcome.unusable.append(f"{where}: {report.problem}")
        stored = {record.text for record in memory.records()}
        wrong = (promised.kept - stored) | (promised.gone & stored)
        if wrong:
            outcome.lost.append(f"{where}: {len(wrong)} texts, such as {min(wrong)!r}")
        assert memory.get(memory.remember("Written after the power came back.")).text.startswith("Written")


@pytest.fixture
def steps(quick_disk: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """All that was asked of the disk in four rounds of work, checkpoints by size included."""
    monkeypatch.setattr("mnemoloom.storage.store._CHECKPOINT_BYTES", 200_000)
    return recorded(quick_disk / "recorded", monkeypatch, rounds=4)


@tier(quick=70, torture=1_000_000)
def test_nothing_promised_is_lost_wherever_the_power_fails(steps: list[Step], quick_disk: Path, size: int) -> None:
    every = max(1, len(steps) // size)
    outcome = judged(steps, quick_disk, every=every, seed=1)
    assert (outcome.lost, outcome.unusable) == ([], [])
    assert outcome.states >= 3 * min(size, len(steps))
    print(f"{outcome.states} states of {len(steps)} steps, 0 lost, 0 unusable")


def test_this_disk_shows_the_loss_of_a_store_that_never_syncs(steps: list[Step], quick_disk: Path) -> None:
    careless = [step for step in steps if step.kind != "sync"]
    outcome = judged(careless, quick_disk, every=len(careless) // 25, seed=2)
    assert len(outcome.lost) + len(outcome.unusable) > outcome.states // 2


def test_this_disk_shows_the_loss_when_a_checkpoint_is_not_synced(steps: list[Step], quick_disk: Path) -> None:
    careless = [step for step in steps if (step.kind, step.file) != ("sync", "store.db")]
    outcome = judged(careless, quick_disk, every=len(careless) // 25, seed=3)
    assert len(outcome.lost) + len(outcome.unusable) > 5


def test_normal_durability_may_lose_the_last_moments_and_is_never_corrupt(
    quick_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = recorded(quick_disk / "recorded", monkeypatch, rounds=2, durability="normal")
    outcome = judged(steps, quick_disk, every=max(1, len(steps) // 40), seed=4, modes=("dropped", "random"))
    assert outcome.lost, "the harness cannot see a loss"
    assert outcome.unusable == []


@pytest.mark.parametrize("nth", range(1, 40, 9))
def test_a_sync_that_failed_once_costs_nothing_that_was_promised_before_or_after(
    quick_disk: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    with recording(monkeypatch) as disk:
        caller = Caller(disk, quick_disk / "recorded")
        syncs = iter(range(1, 1 << 30))

        def refuse(kind: str, _: str) -> None:
            if kind == "sync" and next(syncs) == nth:
                raise apsw.IOError("disk I/O error")

        disk.refuse = refuse
        for turn in range(12):
            try:
                caller.remember(f"Note {turn}.", f"Note {turn}, continued.")
                if turn % 4 == 3:
                    caller.memory._opened.store.checkpoint()
            except LoomError:
                continue
        caller.memory.close()
    outcome = judged(disk.steps, quick_disk, every=max(1, len(disk.steps) // 12), seed=nth)
    assert (outcome.lost, outcome.unusable) == ([], [])
