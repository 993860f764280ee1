"""A store that any release has written opens in this one, with all that it held, and is brought up to date."""

from __future__ import annotations

import lzma
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mnemoloom import ManualClock, Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import FormatError
from mnemoloom.storage.migrations import FORMAT

DATA = Path(__file__).parents[1] / "data"
KEPT = sorted(int(path.name.split("-")[1].split(".")[0]) for path in DATA.glob("format-*.db.xz"))
KEYED_FROM = 3


def options(number: int) -> dict[str, bytes]:
    return {"key": b"a key of 16 bytes"} if number >= KEYED_FROM else {}


def format_of(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture(params=KEPT)
def number(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old(folder: Path, number: int) -> Path:
    """The folder of a store as the release with that format left it."""
    folder.mkdir()
    (folder / "store.db").write_bytes(lzma.decompress((DATA / f"format-{number}.db.xz").read_bytes()))
    assert format_of(folder) == number
    return folder


def test_every_format_before_this_one_is_kept() -> None:
    assert set(KEPT) >= {1, 2, 3, 4}
    assert max(KEPT) <= FORMAT


def test_an_old_store_holds_all_that_it_held(old: Path, number: int, clock: ManualClock) -> None:
    with Memory.open(old, embedder=HashingEmbedder(8), clock=clock, **options(number)) as memory:
        assert format_of(old) == FORMAT
        report = memory.verify()
        assert (report.ok, report.problem) == (True, None)
        assert report.level == ("keyed" if number >= KEYED_FROM else "accident-only")
        found = {record.text: record for record in memory.records()}
        assert list(found) == [
            "I moved to Oslo in May.",
            "I'm still in Bergen.",
            "The rent is $700.",
            "The key is under the pot.",
            "The sea was calm.",
            "Her own vector.",
        ]
        assert found["I moved to Oslo in May."].metadata == {"city": "Oslo"}
        assert memory.get("ben").speaker == "Ben"
        assert found["The rent is $700."].source == "mail"
        assert found["The key is under the pot."].tier is Tier.PERSISTENT
        assert found["The sea was calm."].tier is Tier.COLD
        assert [record.text for record in memory.at("somebody", "else").records()] == ["Not for Ann."]
        assert memory.recall("Where did Ann move to?", k=1)[0].text == "I moved to Oslo in May."
        assert memory.recall("How calm was the sea?", tier="cold")[0].text == "The sea was calm."


def test_an_old_store_takes_new_memories_and_all_that_is_new(old: Path, number: int, clock: ManualClock) -> None:
    with Memory.open(old, embedder=HashingEmbedder(8), clock=clock, **options(number)) as memory:
        newer = memory.remember("The rent was raised to $800.", speaker="Ann", time="2026-05-01")
        hit = memory.recall("How much is the rent now?", k=1)[0]
        assert (hit.id, len(hit.supersedes)) == (newer, 1)
        assert memory.remember_many(["Once."], idem_key="call") == memory.remember_many(["Once."], idem_key="call")
        memory.erase({"external_id": "ben"})
        if number < KEYED_FROM:
            memory.rekey(b"a key of 16 bytes")
    with Memory.open(old, embedder=HashingEmbedder(8), clock=clock, key=b"a key of 16 bytes", read_only=True) as memory:
        assert memory.verify().ok
        assert memory.get(newer).text == "The rent was raised to $800."
        assert "ben" not in memory


def test_a_reader_alone_does_not_change_an_old_store(old: Path, number: int) -> None:
    before = (old / "store.db").read_bytes()
    if number < FORMAT:
        with pytest.raises(FormatError, match=f"format {number}; opening it for writing"):
            Memory.open(old, read_only=True)
    else:
        Memory.open(old, read_only=True).close()
    assert (old / "store.db").read_bytes() == before


def test_a_migration_that_is_broken_off_leaves_a_store_that_goes_on_from_there(
    old: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if number < FORMAT:
        from mnemoloom.storage import migrations

        broken = (
            *migrations._STEPS[:number],
            "CREATE TABLE half (x INTEGER) STRICT; NOT SQL",
            *migrations._STEPS[number:],
        )
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "_STEPS", broken)
            with pytest.raises(OSError, match="syntax error"):
                Memory.open(old, **options(number))
        assert format_of(old) == number
    with Memory.open(old, **options(number)) as memory:
        assert memory.verify().ok
