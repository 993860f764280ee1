"""What was erased is in no file, in no answer and in no cache, and the chain still verifies."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnemoloom import Memory, Tier, where
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import FilterError, StorageFailure, ValidationError

if TYPE_CHECKING:
    from conftest import OpenMemory

CANARY = "xyzzy7f3a"
KEY = b"0123456789abcdef"


def traces(folder: Path) -> list[str]:
    """The files in which a canary stands, whatever the case of its letters."""
    return [p.name for p in folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes().lower()]


def fill(memory: Memory, *, count: int, canaries: int) -> list[int]:
    """Plain memories, and among them some whose every field holds a canary."""
    step = count // canaries
    drafts = [
        {
            "text": f"Note {i} of {CANARY}{i} about the boat.",
            "speaker": f"{CANARY}-who",
            "session": f"{CANARY}-when",
            "metadata": {"secret": True, f"{CANARY}-key": f"{CANARY}-value {i}"},
            "external_id": f"{CANARY}-{i}",
            "source": f"{CANARY}-source",
        }
        if i % step == 0
        else {"text": f"Note {i} about the harbour.", "speaker": "Ann"}
        for i in range(count)
    ]
    ids = memory.remember_many(drafts)
    return [memory_id for i, memory_id in enumerate(ids) if i % step == 0]


@pytest.mark.parametrize("key", [None, KEY])
def test_no_file_keeps_a_trace_and_the_chain_holds(folder: Path, key: bytes | None) -> None:
    embedder = HashingEmbedder(16)
    with Memory.open(folder, key=key, embedder=embedder) as memory:
        gone = fill(memory, count=1500, canaries=60)
        memory.pin(gone[0])
        memory.move(gone[1], Tier.COLD)
    assert any((folder / "cache").iterdir())
    assert len(traces(folder)) >= 1
    with Memory.open(folder, key=key, embedder=embedder) as memory:
        memory.recall(f"{CANARY}0 boat")
        report = memory.erase(where("metadata.secret").eq(True))
        assert (report.count, report.pending_checkpoint) == (60, False)
        assert traces(folder) == []
        assert memory.verify().ok
        assert not {hit.id for hit in memory.recall(f"Note of {CANARY}0 about the boat", k=50)} & set(gone)
        assert len(memory) == 1440
    assert traces(folder) == []
    with Memory.open(folder, key=key, embedder=embedder) as memory:
        assert memory.recall("Note 7 about the harbour.")[0].text == "Note 7 about the harbour."
        assert memory.verify().ok


def test_many_erasures_one_after_another_leave_no_trace(memory: Memory, folder: Path) -> None:
    ids = fill(memory, count=120, canaries=40)
    for number, each in enumerate(ids, start=1):
        assert memory.erase(where("id").eq(each)).count == 1
        assert memory.verify().ok
        assert len(memory) == 120 - number
    assert traces(folder) == []


def test_a_reader_of_an_older_state_is_reported_and_the_next_erasure_clears(memory: Memory, folder: Path) -> None:
    fill(memory, count=40, canaries=4)
    with closing(sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memories").fetchone()
        memory._opened.store._connection.execute("PRAGMA busy_timeout = 50")
        report = memory.erase(where("metadata.secret").eq(True))
        assert (report.count, report.pending_checkpoint) == (4, True)
    report = memory.erase(where("metadata.secret").eq(True))
    assert (report.count, report.pending_checkpoint) == (0, False)
    assert traces(folder) == []


def test_only_what_fits_in_this_namespace_goes(memory: Memory) -> None:
    other = memory.at("other")
    for each in (memory, other):
        each.remember_many(["One.", {"text": "Two.", "speaker": "Bo"}, "Three."])
    assert memory.erase({"speaker": "Bo"}).count == 1
    assert [record.text for record in memory.records()] == ["One.", "Three."]
    assert len(other) == 3
    assert memory.erase(where("id").gt(0)).count == 2
    assert (len(memory), len(other)) == (0, 3)
    assert memory.at("never", "used").erase(where("id").gt(0)).count == 0
    memory.remember("Goes on.")
    assert memory.recall("goes on")[0].text == "Goes on."
    assert memory.verify().ok


def test_an_empty_or_wrong_filter_erases_nothing(memory: Memory) -> None:
    memory.remember("One.")
    with pytest.raises(ValidationError):
        memory.erase({})
    with pytest.raises(ValidationError):
        memory.erase(None)  # type: ignore[arg-type]
    with pytest.raises(FilterError):
        memory.erase({"nonsense": 1})
    assert len(memory) == 1


def test_a_cache_that_cannot_be_removed_stops_the_erasure(
    folder: Path, open_memory: OpenMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory.open(folder) as memory:
        memory.remember_many(f"Note {i} about the boat." for i in range(600))
    memory = open_memory(folder)

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "in use")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        with pytest.raises(StorageFailure, match="could not be removed"):
            memory.erase(where("id").eq(7))
    assert memory.get(7).text == "Note 6 about the boat."
    assert memory.erase(where("id").eq(7)).count == 1
    assert memory.verify().ok


def test_a_store_in_memory_and_a_task_erase_too() -> None:
    async def main() -> int:
        async with Memory.open(":memory:") as memory:
            memory.remember_many(["One.", "Two."])
            report = await memory.aerase(where("id").eq(1))
            assert not report.pending_checkpoint
            return report.count + len(memory)

    assert asyncio.run(main()) == 2
