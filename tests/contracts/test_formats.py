"""What is not ours, too new or damaged is named and left as it was; SQLite's own errors never come through."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnemoloom import Memory, Tier, where
from mnemoloom.doctor import examine
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import CorruptionError, FormatError, LoomError, NotAStoreError, StorageFailure
from mnemoloom.repairing import repair

if TYPE_CHECKING:
    from conftest import OpenMemory

Damage = Callable[[bytearray], None]


@pytest.fixture
def small(memory: Memory, folder: Path) -> Path:
    """The folder of a closed store with 120 memories."""
    memory.remember_many(
        {
            "text": f"Note {number}: the boat is in the harbour, " + "and the sea is calm, " * (number % 9),
            "speaker": ("Ann", "Ben")[number % 2],
            "session": f"s{number // 10}",
            "metadata": {"number": number},
        }
        for number in range(120)
    )
    memory.forget(5)
    memory.pin(6)
    memory.move(7, Tier.COLD)
    memory.close()
    return folder


def altered(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_that_is_a_file_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotAStoreError, match="file"):
        Memory.open(tmp_path / "file", read_only=read_only)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(NotAStoreError, match="other files"):
        Memory.open(tmp_path, read_only=read_only)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("read_only", [False, True])
def test_the_database_of_another_program_is_refused_byte_for_byte_untouched(tmp_path: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        connection.executescript("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup');")
    before = (tmp_path / "store.db").read_bytes()
    with pytest.raises(NotAStoreError, match=r"store\.db"):
        Memory.open(tmp_path, read_only=read_only)
    assert (tmp_path / "store.db").read_bytes() == before
    assert not (tmp_path / "store.db-wal").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_a_newer_release_is_refused_byte_for_byte_untouched(small: Path, read_only: bool) -> None:
    altered(small, "PRAGMA user_version = 99")
    before = (small / "store.db").read_bytes()
    with pytest.raises(FormatError, match="99"):
        Memory.open(small, read_only=read_only)
    assert (small / "store.db").read_bytes() == before


def test_an_empty_database_file_becomes_a_store(tmp_path: Path, open_memory: OpenMemory) -> None:
    # left behind by a writer that was killed before it had made the tables
    (tmp_path / "store.db").touch()
    memory = open_memory(tmp_path)
    memory.remember("The first note.")
    assert memory.verify().ok


@pytest.mark.parametrize("beside", ["cache", "wal"])
@pytest.mark.parametrize("read_only", [False, True])
def test_an_empty_file_where_a_store_was_is_damage_and_left_alone(small: Path, beside: str, read_only: bool) -> None:
    (small / "store.db").write_bytes(b"")
    if beside == "cache":
        (small / "cache").mkdir()
    else:
        (small / "store.db-wal").write_bytes(b"pages")
    before = {path: path.is_file() and path.read_bytes() for path in small.rglob("*")}
    with pytest.raises(CorruptionError, match="is empty, but a store was there"):
        Memory.open(small, read_only=read_only)
    assert not examine(small).ok
    assert repair(small).problem
    assert {path: path.is_file() and path.read_bytes() for path in small.rglob("*")} == before


def test_a_database_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises((NotAStoreError, StorageFailure)):
        Memory.open(tmp_path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_garbage_header_is_corruption(small: Path, read_only: bool) -> None:
    data = bytearray((small / "store.db").read_bytes())
    data[:100] = random.Random(1).randbytes(100)
    (small / "store.db").write_bytes(data)
    with pytest.raises(CorruptionError, match=r"store\.db"):
        Memory.open(small, read_only=read_only)
    assert (small / "store.db").read_bytes() == data


def test_overwritten_pages_are_found_by_verify_or_raise_corruption(small: Path, hashing: HashingEmbedder) -> None:
    data = (small / "store.db").read_bytes()
    page = int.from_bytes(data[16:18], "big")
    for number in range(1, len(data) // page):
        damaged = data[: number * page] + random.Random(number).randbytes(page) + data[(number + 1) * page :]
        (small / "store.db").write_bytes(damaged)
        assert_detected_or_unchanged(small, hashing, want=None)


def test_a_truncated_database_is_found_by_verify_or_raises_corruption(small: Path, hashing: HashingEmbedder) -> None:
    data = (small / "store.db").read_bytes()
    for size in range(len(data) // 16, len(data), len(data) // 16):
        (small / "store.db").write_bytes(data[:size])
        assert_detected_or_unchanged(small, hashing, want=None)


def exported(folder: Path, embedder: HashingEmbedder) -> list[object]:
    """Everything a reader gives of a store."""
    with Memory.open(folder, read_only=True, embedder=embedder) as memory:
        hits = memory.recall("Where is the boat?", k=20)
        filtered = memory.recall("boat", where=where("metadata.number").gte(100), expand=1)
        return [
            memory.namespaces(),
            list(memory.records()),
            [(hit.id, hit.score) for hit in hits],
            [(hit.id, hit.before, hit.after) for hit in filtered],
            memory.verify(),
        ]


def assert_detected_or_unchanged(folder: Path, embedder: HashingEmbedder, *, want: list[object] | None) -> None:
    """Any error of this library will do; any other one, and any silent difference, will not."""
    try:
        got = exported(folder, embedder)
    except LoomError:
        return
    if got[-1].ok:  # type: ignore[attr-defined]
        assert got == want


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE namespaces SET labels = ?", "no JSON"),
        ("UPDATE namespaces SET labels = ?", "17"),
        ("UPDATE meta SET value = ? WHERE key = 'store_id'", b"\xff\xfe"),
        ("UPDATE meta SET value = ? WHERE key = 'width'", b"wide"),
        ("UPDATE meta SET value = ? WHERE key = 'width'", b"7"),
        ("UPDATE memories SET metadata = ? WHERE id = 9", "{"),
        ("UPDATE memories SET tier = ? WHERE id = 9", "lukewarm"),
        ("UPDATE memories SET time = ? WHERE id = 9", 1 << 60),
        ("UPDATE payloads SET text = CAST(? AS TEXT) WHERE id = 9", b"\xff\xfe\xff"),
        ("UPDATE payloads SET vector = ? WHERE id = 9", b"12345"),
        ("UPDATE payloads SET vector = ? WHERE id = 9", bytes(256)),
        ("UPDATE payloads SET vector = ? WHERE id = 9", b"\xff" * 256),
        ("DELETE FROM payloads WHERE id = ?", 9),
        ("DELETE FROM namespaces WHERE id = ?", 1),
        ("DELETE FROM meta WHERE key = ?", "store_id"),
    ],
)
def test_a_value_that_makes_no_sense_is_reported_and_never_an_untyped_error(
    small: Path, hashing: HashingEmbedder, statement: str, value: object
) -> None:
    altered(small, statement, value)
    assert_detected_or_unchanged(small, hashing, want=None)


def test_a_projection_that_makes_no_sense_is_reported(small: Path, hashing: HashingEmbedder) -> None:
    altered(small, "INSERT INTO meta VALUES ('projection', ?)", b"\x03\0\0\0" + bytes(22))
    with pytest.raises(CorruptionError, match="meta"):
        Memory.open(small, embedder=hashing)


def test_a_symbolic_link_in_place_of_the_database_is_refused(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "store.db").symlink_to(small / "store.db")
    for read_only in (False, True):
        with pytest.raises(NotAStoreError, match="symbolic link"):
            Memory.open(other, read_only=read_only)
    (other / "store.db").unlink()
    (other / "store.db").symlink_to(tmp_path / "nowhere.db")
    with pytest.raises(NotAStoreError, match="symbolic link"):
        Memory.open(other)
    assert not (tmp_path / "nowhere.db").exists()


def test_a_folder_with_odd_characters_in_its_name_is_a_folder(tmp_path: Path, open_memory: OpenMemory) -> None:
    folder = tmp_path / "a b#c%41 ü'&=;@"
    open_memory(folder).remember("The ladder is here.")
    assert open_memory(folder, read_only=True).recall("ladder")[0].text == "The ladder is here."
    assert (folder / "store.db").is_file()


def test_a_copied_folder_is_a_store(small: Path, tmp_path: Path, hashing: HashingEmbedder) -> None:
    shutil.copytree(small, tmp_path / "copy")
    assert exported(tmp_path / "copy", hashing) == exported(small, hashing)


if os.name == "posix":

    @pytest.fixture
    def open_umask() -> Iterator[None]:
        before = os.umask(0o000)
        yield
        os.umask(before)

    @pytest.mark.usefixtures("open_umask")
    def test_only_the_owner_may_read_the_files_of_a_store(
        folder: Path, open_memory: OpenMemory, hashing: HashingEmbedder
    ) -> None:
        memory = open_memory(folder, embedder=hashing)
        memory.remember_many(f"Note {number} is private." for number in range(600))
        memory.recall("private")
        while_open = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
        memory.close()
        closed = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
        for modes in (while_open, closed):
            for name, mode in modes.items():
                assert (name, oct(mode)) == (name, "0o700" if name in (folder.name, "cache") else "0o600")


@pytest.fixture(params=["a folder", "memory"])
def either(request: pytest.FixtureRequest, folder: Path, open_memory: OpenMemory, hashing: HashingEmbedder) -> Memory:
    """An empty memory in a folder, or in memory only."""
    return open_memory(folder if request.param == "a folder" else ":memory:", embedder=hashing)


def test_a_store_in_memory_and_one_in_a_folder_keep_the_same_contract(either: Memory) -> None:
    first, second = either.remember_many(["The boat is blue.", {"text": "The kettle is red.", "speaker": "Ann"}])
    third = either.remember("The boat is old.", external_id="boat")
    assert either.recall("kettle")[0].id == second
    assert either.get("boat").id == third
    either.pin(first)
    either.move(second, Tier.COLD)
    either.forget("boat")
    assert [record.id for record in either.records()] == [first, second]
    assert [hit.id for hit in either.recall("boat kettle", k=9)] == [first]
    assert [hit.id for hit in either.recall("kettle", tier="cold")] == [second]
    assert "boat" not in either
    assert either.get(first).tier is Tier.PERSISTENT
    assert either.stats().entries == 6
    assert either.verify().ok
    other = either.at("someone", "else")
    assert (len(other), other.namespaces()) == (0, [("default",)])
    other.remember("Only mine.")
    assert (len(either), either.namespaces()) == (2, [("default",), ("someone", "else")])


def test_a_failed_call_leaves_either_kind_of_store_as_it_was(either: Memory) -> None:
    kept = either.remember("The boat is blue.")
    before = either.stats()
    for act in (
        lambda: either.remember_many(["The kettle is red.", {"text": "wrong width", "vector": [1.0, 2.0]}]),
        lambda: either.forget(99),
        lambda: either.remember_many(["fine", ""]),
    ):
        with pytest.raises(LoomError):
            act()
    assert [record.id for record in either.records()] == [kept]
    assert (either.stats().entries, either.stats().anchor) == (before.entries, before.anchor)
    assert either.remember("It goes on.") == kept + 1


def test_a_store_from_before_sources_were_kept_learns_them_from_its_links(memory: Memory, folder: Path) -> None:
    page = memory.remember("Acme was hacked.", source="web/forum \u2028 '\"")
    memory.remember("In short: hacked.", derived_from=[memory.remember("A note on it.", derived_from=[page])])
    memory.close()
    for later in ("TABLE ancestry", "TABLE vault", "INDEX memories_by_expiry"):
        altered(folder, f"DROP {later}")
    altered(folder, "ALTER TABLE memories DROP COLUMN expires")
    altered(folder, "PRAGMA user_version = 8")
    with Memory.open(folder) as again:
        again.forget(page)
        assert again.remove_source("web/forum \u2028 '\"").count == 2
        assert again.verify().ok


def test_a_store_of_the_first_format_is_brought_up_to_date_by_a_writer_alone(small: Path) -> None:
    for later in (
        "INDEX memories_by_expiry",
        "TABLE vault",
        "TABLE ancestry",
        "TABLE pruned",
        "TABLE merged",
        "TABLE sleep_topics",
        "TABLE sleep_moves",
        "TABLE sleeps",
        "TABLE topics",
        "TABLE sortings",
        "TABLE feedback",
        "TABLE quarantine",
        "TABLE calls",
        "TABLE gated",
        "TABLE gates",
        "TABLE links",
        "TABLE tags",
        "TABLE taken",
        "INDEX log_rekeys",
    ):
        altered(small, f"DROP {later}")
    altered(small, "ALTER TABLE usage DROP COLUMN active")
    altered(small, "ALTER TABLE memories DROP COLUMN expires")
    altered(small, "PRAGMA user_version = 1")
    with pytest.raises(FormatError, match="format 1; opening it for writing"):
        Memory.open(small, read_only=True)
    with Memory.open(small) as memory:
        assert len(memory) == 119
        older = memory.remember("The rent is $700.", time="2026-01-01")
        newer = memory.remember("The rent was raised to $800.", time="2026-02-01")
        assert memory.recall("How much is the rent?")[0].supersedes == (older,)
    with Memory.open(small, read_only=True) as memory:
        assert [record.id for record in memory.history(older)] == [older, newer]
