"""The doctor: what it sees in good and in damaged stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mnemoloom import Memory
from mnemoloom.doctor import Report, examine
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import NotAStoreError, StoreLockedError
from mnemoloom.repairing import Repaired, repair


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """600 memories, which is enough for a cache."""
    folder = tmp_path / "store"
    with Memory.open(folder) as memory:
        memory.remember_many([f"Event number {n}." for n in range(600)])
        memory.recall("event")
    return folder


def check(report: Report, name: str) -> tuple[bool, str]:
    [found] = [each for each in report.checks if each.name == name]
    return found.ok, found.detail


def alter(store: Path, statement: str) -> None:
    connection = sqlite3.connect(store / "store.db")
    with connection:
        connection.execute(statement)
    connection.close()


def files(store: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in store.rglob("*") if path.is_file() and "store.db-" not in path.name
    }


def test_a_good_store_passes_every_check(store):
    report = examine(store)
    assert report.ok
    assert [each.name for each in report.checks] == [
        "folder", "lock", "database", "format", "truth", "caches", "vectors", "sqlite", "disk",
    ]  # fmt: skip
    assert check(report, "caches") == (True, "1 intact")
    assert "600 memories" in check(report, "truth")[1]


def test_looking_changes_nothing(store):
    before = files(store)
    examine(store)
    assert files(store) == before


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    report = examine(tmp_path / "nowhere")
    assert not report.ok
    assert check(report, "folder")[0] is False
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_store_or_with_a_link_is_no_store(store, tmp_path):
    assert check(examine(tmp_path), "folder")[0] is False
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "store.db").symlink_to(store / "store.db")
    assert check(examine(tmp_path / "linked"), "folder")[0] is False


def test_a_writer_is_seen_and_no_fault(store):
    with Memory.open(store):
        report = examine(store)
    assert report.ok
    assert "held" in check(report, "lock")[1]
    assert check(examine(store), "lock") == (True, "free")


def test_another_database_is_not_a_store(tmp_path):
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    ok, detail = check(examine(tmp_path), "database")
    assert (ok, "not a mnemoloom store" in detail) == (False, True)


def test_a_newer_format_is_left_alone(store):
    alter(store, "PRAGMA user_version = 99")
    ok, detail = check(examine(store), "database")
    assert (ok, "format 99" in detail) == (False, True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE payloads SET text = 'something else' WHERE id = 7", "memory 7 is not what was logged"),
        ("DELETE FROM memories WHERE id = 7", "memory 7 is in the log, but gone"),
        ("DELETE FROM log WHERE seq = 7", "log entry 7 is missing"),
    ],
)
def test_altered_truth_is_found(store, statement, said):
    alter(store, statement)
    ok, detail = check(examine(store), "truth")
    assert ok is False
    assert said in detail


def test_damaged_pages_are_a_finding_and_no_crash(store):
    data = bytearray((store / "store.db").read_bytes())
    data[4096 * 3 : 4096 * 9] = b"\xa5" * 4096 * 6
    (store / "store.db").write_bytes(data)
    report = examine(store)
    assert not report.ok


def test_a_damaged_cache_is_found_and_repair_drops_it(store):
    [cache] = (store / "cache").iterdir()
    data = bytearray(cache.read_bytes())
    data[-1] ^= 1
    cache.write_bytes(data)
    ok, detail = check(examine(store), "caches")
    assert (ok, "damaged: shelf-1" in detail) == (False, True)
    assert repair(store) == Repaired(caches=("shelf-1",))
    assert examine(store).ok
    assert list((store / "cache").iterdir()) == []


def test_repair_leaves_good_caches_alone(store):
    before = files(store)
    assert repair(store) == Repaired()
    assert files(store) == before


def test_a_cache_of_another_history_is_told_apart(store, tmp_path):
    with Memory.open(tmp_path / "other") as memory:
        memory.remember_many(["Something else."] * 3)
    (store / "cache").rename(tmp_path / "other" / "cache")
    assert check(examine(tmp_path / "other"), "caches") == (True, "1 intact, 1 of another history, to be rebuilt")


def test_repair_waits_for_nobody_and_makes_nothing(store, tmp_path):
    with Memory.open(store), pytest.raises(StoreLockedError):
        repair(store)
    with pytest.raises(NotAStoreError):
        repair(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_vectors_are_counted_by_their_encoder(tmp_path):
    store = tmp_path / "store"
    with Memory.open(store) as memory:
        memory.remember("a plain text")
    with Memory.open(store, embedder=HashingEmbedder(8)) as memory:
        memory.remember("an encoded text")
        memory.remember("a text with its own vector", vector=[1, 2, 3, 4, 5, 6, 7, 8])
    ok, detail = check(examine(store), "vectors")
    assert ok
    assert detail == "1 of 3 texts encoded by hashing/8, width 8, 1 brought along by callers, 1 without a vector"


def test_vectors_of_the_wrong_width_are_found(tmp_path):
    store = tmp_path / "store"
    with Memory.open(store, embedder=HashingEmbedder(8)) as memory:
        memory.remember("an encoded text")
    alter(store, "UPDATE payloads SET vector = x'00000000'")
    assert check(examine(store), "vectors") == (
        False,
        "1 of 1 texts encoded by hashing/8, width 8, 1 of the wrong width",
    )


def test_the_sqlite_library_is_named(store):
    ok, detail = check(examine(store), "sqlite")
    assert ok
    assert detail.startswith(sqlite3.sqlite_version)
    assert ("WAL-reset" in detail) == ((3, 7, 0) <= sqlite3.sqlite_version_info <= (3, 51, 2))
