"""Repair mends what is derived and never truth; what is damaged is named; what is whole can be saved."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import CorruptionError, ValidationError
from mnemoloom.repairing import repair, salvage


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A closed store: 40 memories of one namespace (7 forgotten), 5 of another."""
    folder = tmp_path / "store"
    with Memory.open(folder, embedder=HashingEmbedder(16)) as memory:
        memory.remember_many(
            {"text": f"Note {number} is about the boat.", "external_id": f"doc {number}", "speaker": "Ann"}
            for number in range(1, 41)
        )
        memory.forget(7)
        memory.move(8, Tier.COLD)
        memory.at("somebody", "else").remember_many(f"Their note {number}." for number in range(5))
    return folder


def alter(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def overwrite(folder: Path, old: bytes, new: bytes) -> None:
    """Change bytes of the database's file where SQLite does not notice."""
    data = (folder / "store.db").read_bytes()
    assert data.count(old) >= 1
    (folder / "store.db").write_bytes(data.replace(old, new))


def contents(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall()
            for table in ("memories", "payloads", "namespaces", "log", "tags", "calls")
        }


def test_a_damaged_text_is_named_by_every_verb_that_would_show_it(store: Path) -> None:
    overwrite(store, b"Note 12 is about", b"Note 12 is abOut")
    with Memory.open(store, embedder=HashingEmbedder(16)) as memory:
        for show in (
            lambda: memory.recall("Note 12", k=40),
            lambda: memory.get(12),
            lambda: memory.get("doc 12"),
            lambda: list(memory.records()),
            lambda: memory.export(store.parent / "bundle"),
        ):
            with pytest.raises(CorruptionError, match="memory 12 is damaged: its text is not the one"):
                show()
        report = memory.verify()
        assert (report.ok, report.problem, report.damaged) == (False, "memory 12 is not what was logged", (12,))
        assert memory.get(13).text == "Note 13 is about the boat."
        memory.forget(12)
        assert len(memory.recall("Note 12", k=40)) == 37
        assert memory.verify().ok


def test_every_damaged_memory_is_named_not_only_the_first(store: Path) -> None:
    alter(
        store,
        "UPDATE payloads SET text = CAST(x'4e6f7465ff' AS TEXT) WHERE id = 20",
        "UPDATE memories SET speaker = 'Ben' WHERE id IN (3, 30)",
        "DELETE FROM payloads WHERE id = 33",
        "DELETE FROM memories WHERE id = 35",
    )
    with Memory.open(store, read_only=True) as memory:
        report = memory.verify()
    assert (report.ok, report.damaged) == (False, (3, 20, 30, 33, 35))


def test_repair_leaves_truth_alone_and_names_what_is_damaged(store: Path) -> None:
    overwrite(store, b"Note 12 is about", b"Note 12 is abOut")
    before = contents(store)
    found = repair(store)
    assert (found.ok, found.damaged, found.leftovers) == (False, (12,), 0)
    assert contents(store) == before


def test_repair_makes_a_damaged_index_anew(store: Path) -> None:
    before = contents(store)
    with closing(sqlite3.connect(store / "store.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        # the index forgets a memory: SQLite does not maintain it while the schema does not show it
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'memories_by_external_id'").fetchone()
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'memories_by_external_id'",
                           (sql.replace("IS NOT NULL", "= 'doc 12'"),))  # fmt: skip
    with closing(sqlite3.connect(store / "store.db", isolation_level=None)) as connection:
        connection.execute("REINDEX memories_by_external_id")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'memories_by_external_id'", (sql,))
    with Memory.open(store, read_only=True) as memory:
        assert "index memories_by_external_id" in str(memory.verify().problem)
        assert "doc 13" not in memory
    found = repair(store)
    assert (found.ok, found.indexes, found.problem) == (True, True, None)
    with Memory.open(store) as memory:
        assert memory.verify().ok
        assert memory.get("doc 13").id == 13
    assert contents(store) == before


def test_repair_removes_what_nothing_refers_to_only_where_nobody_is_missing(store: Path) -> None:
    orphan = "INSERT INTO payloads (namespace, pointer, variant, text) VALUES (1, x'00', x'', 'Of nobody.')"
    alter(
        store,
        orphan,
        "INSERT INTO usage (memory, accessed) VALUES (7, 1)",
        "INSERT INTO links VALUES (7, 'supersedes', 8)",
    )
    before = contents(store)
    found = repair(store)
    assert (found.ok, found.leftovers) == (True, 3)
    assert [row[4] for row in before["payloads"] if row not in contents(store)["payloads"]] == ["Of nobody."]
    alter(store, orphan, "DELETE FROM memories WHERE id = 9")  # its text is still there
    found = repair(store)
    assert (found.damaged, found.leftovers) == ((9,), 0)
    assert repair(store).damaged == (9,)


def test_what_is_whole_is_saved_by_namespace_and_can_be_imported(store: Path, tmp_path: Path) -> None:
    overwrite(store, b"Note 12 is about", b"Note 12 is abOut")
    alter(store, "UPDATE payloads SET text = CAST(x'4e6f7465ff' AS TEXT) WHERE id = 20")
    saved = salvage(store, tmp_path / "saved")
    assert saved.lost == (12, 20)
    assert {labels: count for labels, (_, count) in saved.folders.items()} == {
        ("default",): 37,
        ("somebody", "else"): 5,
    }
    listed = json.loads((tmp_path / "saved" / "namespaces.json").read_text(encoding="utf-8"))
    assert listed["lost"] == [12, 20]
    with Memory.open(tmp_path / "new", embedder=HashingEmbedder(16)) as memory:
        for each in listed["saved"]:
            memory.at(*each["namespace"]).import_bundle(tmp_path / "saved" / each["folder"])
        assert len(memory) == 37
        assert "doc 12" not in memory
        assert memory.get("doc 13").text == "Note 13 is about the boat."
        assert memory.verify().ok
    with pytest.raises(ValidationError, match="new or an empty folder"):
        salvage(store, tmp_path / "saved")


def test_of_a_store_with_a_destroyed_page_the_rest_is_saved(store: Path, tmp_path: Path) -> None:
    whole = {record.text for record in _records(store)}
    data = (store / "store.db").read_bytes()
    page = int.from_bytes(data[16:18], "big")
    chance, saved_once = random.Random(5), 0
    for number in range(1, len(data) // page):
        (store / "store.db").write_bytes(data[: number * page] + chance.randbytes(page) + data[(number + 1) * page :])
        try:
            saved = salvage(store, tmp_path / f"saved {number}")
        except CorruptionError:
            continue
        saved_once += 1
        with Memory.open(":memory:") as memory:
            for folder, count in saved.folders.values():
                assert memory.import_bundle(folder, existing="skip").added == count
            assert {record.text for record in memory.records()} <= whole
    assert saved_once > 3


def _records(folder: Path) -> list[object]:
    with Memory.open(folder, read_only=True) as memory:
        return [*memory.records(), *memory.at("somebody", "else").records()]


def test_a_damaged_text_stops_neither_closing_nor_forgetting_nor_what_does_not_show_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "bare"
    with Memory.open(folder) as memory:
        memory.remember_many({"text": f"Note {number} is about the boat.", "session": "s"} for number in range(1, 31))
    alter(folder, "UPDATE payloads SET text = 'Another text.' WHERE id = 15")
    with Memory.open(folder) as memory:
        for act in (
            lambda: memory.recall("Which boat?"),
            lambda: memory.remember("One more."),
            lambda: memory.short_term("s").peek(),
        ):
            with pytest.raises(CorruptionError, match=r"memory 15 .*forget\(15\) removes it, .*repair --salvage"):
                act()
        assert memory.get(14).text == "Note 14 is about the boat."
        assert [record.id for record in memory.records({"id": {"$lt": 15}})] == list(range(1, 15))
        assert memory.forget_many([3, 4]) == 2
        assert memory.erase({"id": 5}).count == 1
        memory.pin(6)
    assert "no cache is written: memory 15 is damaged" in caplog.text
    with Memory.open(folder) as memory:
        assert memory.forget_many([15]) == 1
        assert len(memory.recall("Which boat?", k=40)) == 26
        assert memory.verify().ok
