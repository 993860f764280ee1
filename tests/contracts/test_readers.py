"""Readers open beside a writer, see everything written before their call, and never write."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import NotAStoreError, ReadOnlyError
from unit.recall.word_embedder import WordEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory, StartPython

Ask = Callable[..., Any]

_READER = """
import json, sys
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

memory = Memory.open(sys.argv[1], read_only=True, embedder=HashingEmbedder(64))
print("open", flush=True)
for line in sys.stdin:
    query, options = json.loads(line)
    hits = memory.recall(query, **options)
    print(json.dumps([len(memory), [[hit.id, hit.text, hit.score] for hit in hits]]), flush=True)
"""
_WRITER = """
import sys
from mnemoloom import Memory
memory = Memory.open(sys.argv[1])
memory.remember_many(f"Note {number} of the writer that was killed." for number in range(40))
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(params=["this process", "another process"])
def ask(
    request: pytest.FixtureRequest, memory: Memory, folder: Path, open_memory: OpenMemory, start_python: StartPython
) -> Iterator[Ask]:
    """`ask(query, **options)` of a reader beside `memory`: how many memories it sees, and (id, text, score) of hits."""
    if request.param == "this process":
        reader = open_memory(folder, read_only=True, embedder=HashingEmbedder(64))

        def ask_here(query: str, **options: Any) -> Any:
            hits = reader.recall(query, **options)
            return [len(reader), [[hit.id, hit.text, hit.score] for hit in hits]]

        yield ask_here
        return
    with start_python("-c", _READER, folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"

        def ask_there(query: str, **options: Any) -> Any:
            process.stdin.write(json.dumps([query, options]) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return json.loads(process.stdout.readline())  # type: ignore[union-attr]

        yield ask_there
        process.kill()


def texts(answer: Any) -> list[str]:
    return [text for _, text, _ in answer[1]]


def test_a_reader_sees_what_was_written_before_its_call(memory: Memory, ask: Ask) -> None:
    assert ask("violin") == [0, []]
    memory.remember("The violin is in the attic.", speaker="Ann", session="may")
    assert texts(ask("violin")) == ["The violin is in the attic."]
    memory.remember("The violin has been sold.", speaker="Ben", session="may")
    assert set(texts(ask("violin"))) == {"The violin is in the attic.", "The violin has been sold."}


def test_a_reader_stops_seeing_what_was_forgotten(memory: Memory, ask: Ask) -> None:
    kept, gone = memory.remember_many(["The boat is blue.", "The boat is for sale."])
    assert ask("boat")[0] == 2
    memory.forget(gone)
    assert ask("boat") == [1, [[kept, "The boat is blue.", pytest.approx(memory.recall("boat")[0].score)]]]


def test_a_reader_follows_moves_between_tiers(memory: Memory, ask: Ask) -> None:
    note = memory.remember("The map hangs in the library.")
    assert texts(ask("map")) == ["The map hangs in the library."]
    memory.move(note, Tier.COLD)
    assert texts(ask("map")) == []
    assert texts(ask("map", tier="cold")) == ["The map hangs in the library."]
    memory.pin(note)
    assert texts(ask("map", tier="persistent")) == ["The map hangs in the library."]


def test_a_reader_sees_a_replaced_memory_once_and_as_it_is_now(memory: Memory, ask: Ask) -> None:
    memory.remember("The clock shows five.", external_id="clock")
    ask("clock")
    memory.remember("The clock shows six.", external_id="clock")
    assert [ask("clock")[0], texts(ask("clock"))] == [1, ["The clock shows six."]]


def test_a_reader_ranks_as_the_writer_does_after_many_changes(memory: Memory, ask: Ask) -> None:
    speakers = ("Ann", "Ben", "Cleo")
    for turn in range(4):
        ids = memory.remember_many(
            {
                "text": f"Turn {turn}.{i}: the lamp is in room {i % 7}.",
                "speaker": speakers[i % 3],
                "session": f"s{turn}",
            }
            for i in range(30)
        )
        memory.forget(ids[3])
        memory.forget(ids[29])
        memory.move(ids[5], Tier.COLD)
        for query in ("Which room is the lamp in?", "What did Ann say about room 5?"):
            expected = [[hit.id, hit.text, pytest.approx(hit.score, abs=1e-6)] for hit in memory.recall(query, k=10)]
            assert ask(query, k=10) == [len(memory), expected]


def test_a_reader_compares_vectors_that_were_made_after_it_opened(
    folder: Path, open_memory: OpenMemory, hashing: HashingEmbedder
) -> None:
    plain = open_memory(folder)
    note = plain.remember("The ladder stands behind the shed.")
    reader = open_memory(folder, read_only=True)
    question = hashing.embed(["ladder"])[0]
    assert len(reader.recall("ladder", vector=question, profile="dense")) == 0
    plain.close()
    writer = open_memory(folder, embedder=hashing)
    assert writer.reembed() == 1
    assert [hit.id for hit in reader.recall("ladder", vector=question, profile="dense")] == [note]


def test_a_reader_outlives_a_change_of_the_encoder(folder: Path, open_memory: OpenMemory) -> None:
    texts = [f"The kettle has served {number} cups." for number in range(20)]
    writer = open_memory(folder, embedder=HashingEmbedder(64))
    writer.remember_many(texts)
    reader = open_memory(folder, read_only=True)
    assert len(reader.recall("kettle", k=20)) == 20
    writer.close()
    other = open_memory(folder, embedder=HashingEmbedder(32), reembed=True)
    assert len(reader.recall("How many cups?", k=20)) == 20
    question = HashingEmbedder(32).embed([texts[7]])[0]
    assert reader.recall(texts[7], vector=question, profile="dense")[0].text == texts[7]
    assert other.verify().ok


@pytest.mark.parametrize("width", [32, 64])
def test_a_reader_from_before_the_first_encoder_outlives_its_change(
    folder: Path, open_memory: OpenMemory, width: int
) -> None:
    writer = open_memory(folder)
    ids = writer.remember_many(f"The kettle has served {number} cups." for number in range(20))
    reader = open_memory(folder, read_only=True)
    assert len(reader.recall("kettle", k=20)) == 20
    writer.close()
    for encoder in (HashingEmbedder(64), WordEmbedder(width)):
        writer = open_memory(folder, embedder=encoder, reembed=True)
        writer.reembed()
        writer.topics()
        assert len(reader.recall("How many cups?", k=20)) == 20
        fresh = open_memory(folder, read_only=True)
        assert np.array_equal(reader.vectors(ids), fresh.vectors(ids))
        assert reader.topics() == fresh.topics()
        writer.close()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("remember", lambda memory, note: memory.remember("One more.")),
        ("remember_many", lambda memory, note: memory.remember_many(["One more."])),
        ("remember_many of nothing", lambda memory, note: memory.remember_many([])),
        ("forget", lambda memory, note: memory.forget(note)),
        ("pin", lambda memory, note: memory.pin(note)),
        ("unpin", lambda memory, note: memory.unpin(note)),
        ("move", lambda memory, note: memory.move(note, Tier.COLD)),
        ("reembed", lambda memory, note: memory.reembed()),
    ],
)
def test_a_reader_refuses_every_write(
    memory: Memory, folder: Path, open_memory: OpenMemory, name: str, write: Callable[[Memory, int], object]
) -> None:
    note = memory.remember("The apron is white.")
    reader = open_memory(folder, read_only=True, embedder=HashingEmbedder(64))
    with pytest.raises(ReadOnlyError, match="read_only"):
        write(reader, note)
    assert memory.stats().entries == 1
    assert [hit.text for hit in reader.recall("apron")] == ["The apron is white."]


def test_a_reader_leaves_the_database_byte_for_byte_as_it_was(
    memory: Memory, folder: Path, open_memory: OpenMemory
) -> None:
    note = memory.remember("The letter is from Oslo.")
    memory.close()
    before = (folder / "store.db").read_bytes()
    reader = open_memory(folder, read_only=True)
    reader.recall("letter")
    reader.verify()
    assert reader.get(note).accessed is None
    reader.close()
    assert (folder / "store.db").read_bytes() == before
    assert not (folder / "cache").exists()


def test_readers_open_when_no_writer_is_alive(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    memory.remember("The bridge is closed.")
    memory.close()
    readers = [open_memory(folder, read_only=True) for _ in range(3)]
    assert [reader.recall("bridge")[0].text for reader in readers] == ["The bridge is closed."] * 3


def test_a_reader_opens_after_the_writer_was_killed(
    folder: Path, open_memory: OpenMemory, start_python: StartPython
) -> None:
    with start_python("-c", _WRITER, folder) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        writer.kill()
    reader = open_memory(folder, read_only=True)
    assert len(reader) == 40
    assert reader.recall("Note 17", k=1)[0].text == "Note 17 of the writer that was killed."
    assert reader.verify().ok


def test_reading_what_is_no_store_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotAStoreError):
        Memory.open(tmp_path / "nothing", read_only=True)
    assert not any(tmp_path.iterdir())


def test_a_reader_of_a_database_without_tables_is_told_that_it_is_no_store(tmp_path: Path) -> None:
    # a writer may be killed between making the file and making the tables
    (tmp_path / "store.db").touch()
    with pytest.raises(NotAStoreError):
        Memory.open(tmp_path, read_only=True)


def test_a_store_in_memory_cannot_be_opened_for_reading_only(open_memory: OpenMemory) -> None:
    # there is nothing in it, and nothing could ever come in
    with pytest.raises((ReadOnlyError, NotAStoreError, ValueError)):
        open_memory(":memory:", read_only=True).remember("Where would this go?")


def test_readers_beside_a_busy_writer_never_see_less_or_something_torn(
    memory: Memory, folder: Path, open_memory: OpenMemory, hashing: HashingEmbedder
) -> None:
    memory.remember("Entry 0 tells of the harbour.")
    faults: list[str] = []
    done = threading.Event()

    def watch() -> None:
        reader, seen = open_memory(folder, read_only=True), 0
        while not done.is_set():
            size = len(reader)
            if size < seen:
                faults.append(f"saw {seen} memories and then {size}")
            seen = size
            newest = list(reader.records(after_id=max(size - 3, 0)))
            hit = reader.recall(newest[-1].text, k=1, vector=hashing.embed([newest[-1].text])[0])[0]
            if hit.text != newest[-1].text:
                faults.append(f"asked for {newest[-1].text!r} and got {hit.text!r}")

    threads = [threading.Thread(target=watch) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline, number = time.monotonic() + 2.0, 1
    while time.monotonic() < deadline:
        memory.remember_many(f"Entry {number + i} tells of the harbour." for i in range(1 + number % 5))
        number = len(memory)
    done.set()
    for thread in threads:
        thread.join(30)
    assert faults == []
    assert number > 20
    assert np.isfinite(memory.recall("harbour")[0].score)
