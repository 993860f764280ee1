"""A backup taken while others write is a store of its own, and a beginning of the log."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from durability.crowd import Crowd
from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import StorageFailure, ValidationError

KEY = b"a key of 16 bytes"


@tier(quick=6, torture=100)
def test_a_backup_taken_while_others_write_is_a_beginning_of_the_log(quick_disk: Path, size: int) -> None:
    memory = Memory.open(quick_disk / "store", embedder=HashingEmbedder(16), key=KEY)
    memory.remember_many(f"Note {number} of the beginning." for number in range(50))
    crowd, seals = Crowd(), []

    def write(chance: random.Random) -> None:
        number = memory.remember(f"Note {chance.random()} in between.")
        memory.at("somebody", "else").remember(f"Note {chance.random()} elsewhere.")
        if chance.random() < 0.3:
            memory.forget(number)
        if chance.random() < 0.05:
            memory._opened.store.checkpoint()

    crowd.repeat(write, threads=2)
    for number in range(size):
        seals.append(memory.backup(quick_disk / f"backup {number}"))
    crowd.end()
    log = dict(_log(memory))
    memory.close()
    for number, seal in enumerate(seals):
        with Memory.open(quick_disk / f"backup {number}", embedder=HashingEmbedder(16), key=KEY) as copy:
            report = copy.verify(seal=seal)
            assert (report.ok, report.problem, report.level, report.entries) == (True, None, "keyed+seal", seal.seq)
            assert dict(_log(copy)).items() <= log.items()
            assert copy.remember("The backup is a store.") == seal.seq + 1


def _log(memory: Memory) -> list[tuple[int, bytes]]:
    with memory._opened.store.reading() as connection:
        return connection.execute("SELECT seq, entry FROM log").fetchall()


def test_a_backup_goes_to_a_new_folder_only_and_leaves_nothing_when_it_fails(memory: Memory, tmp_path: Path) -> None:
    memory.remember("The boat is blue.")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(ValidationError, match="new or an empty folder"):
        memory.backup(tmp_path / "full")
    (tmp_path / "file").write_text("mine")
    with pytest.raises((ValidationError, StorageFailure)):
        memory.backup(tmp_path / "file" / "below")
    (tmp_path / "empty").mkdir()
    memory.backup(tmp_path / "empty")
    assert {path.name for path in tmp_path.iterdir()} == {"store", "full", "file", "empty"}


@pytest.mark.parametrize("inside", [".", "copy", "cache/copy", "deep/er"])
def test_a_backup_into_the_folder_of_the_store_is_refused(memory: Memory, folder: Path, inside: str) -> None:
    memory.remember("The boat is blue.")
    before = sorted(folder.rglob("*"))
    with pytest.raises(ValidationError, match="in the store's own folder"):
        memory.backup(folder / inside)
    assert sorted(folder.rglob("*")) == before


def test_a_store_in_memory_and_one_that_is_only_read_can_be_backed_up(
    memory: Memory, folder: Path, tmp_path: Path
) -> None:
    memory.remember("The boat is blue.")
    with Memory.open(folder, read_only=True) as reader:
        reader.backup(tmp_path / "one")
    with Memory.open(":memory:") as volatile:
        volatile.remember("The kettle is red.")
        asyncio.run(volatile.abackup(tmp_path / "two"))
    with Memory.open(tmp_path / "one") as one, Memory.open(tmp_path / "two") as two:
        assert one.recall("boat")[0].text == "The boat is blue."
        assert two.recall("kettle")[0].text == "The kettle is red."
        assert one.verify().ok
        assert two.verify().ok
