"""SQLite's WAL-reset fault needs two connections that write the database or its log: here only one ever does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from durability.recorded_disk import recording
from mnemoloom import Memory
from mnemoloom.doctor import examine


def test_only_the_writer_s_connection_ever_writes_to_the_database(
    quick_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnemoloom.storage.store._CHECKPOINT_BYTES", 60_000)
    with recording(monkeypatch) as disk:
        memory = Memory.open(quick_disk / "store")
        readers = [Memory.open(quick_disk / "store", read_only=True) for _ in range(3)]

        def look(reader: Memory) -> None:
            for number in range(20):
                reader.recall(f"Where is note {number}?")

        threads = [threading.Thread(target=look, args=(each,)) for each in (*readers, memory)]
        for thread in threads:
            thread.start()
        for number in range(30):
            memory.remember_many(f"Note {number}, {i}: the boat is in the harbour." for i in range(10))
        for thread in threads:
            thread.join()
        memory.close()
        for reader in readers:  # the last to leave would be tempted to checkpoint
            reader.close()
        assert sum((step.kind, step.file) == ("write", "store.db") for step in disk.steps) > 20
    assert len(disk.readers) >= 4
    assert len(disk.writers) == 1
    assert not disk.writers & disk.readers


def test_no_connection_checkpoints_by_itself(quick_disk: Path) -> None:
    with Memory.open(quick_disk / "store") as memory, Memory.open(quick_disk / "store", read_only=True) as reader:
        for handle in (memory, reader):
            with handle._opened.store.reading() as connection:
                assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        with memory._opened.store.settled() as connection:
            assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_the_doctor_tells_which_sqlite_it_is(quick_disk: Path) -> None:
    Memory.open(quick_disk / "store").close()
    found = {check.name: check for check in examine(quick_disk / "store").checks}
    assert found["sqlite"].ok
