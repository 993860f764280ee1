"""With a key nobody else can rewrite history; with a seal nothing before it can be taken away."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnemoloom import Memory, read_proof, read_seal
from mnemoloom.chain import GENESIS, Entry, entry_digest
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    ChainKeyError,
    ConfigError,
    ImportFormatError,
    StorageFailure,
    UnknownMemoryError,
    ValidationError,
)
from mnemoloom.storage.memories import item_of

if TYPE_CHECKING:
    from conftest import OpenMemory

KEY, NEXT = b"0123456789abcdef", b"fedcba9876543210 and more"


@pytest.fixture
def signed(folder: Path) -> Path:
    """The folder of a closed store kept under KEY: a rekey entry, 8 memories (2 to 9), 4 forgotten, 5 pinned."""
    with Memory.open(folder, key=KEY, embedder=HashingEmbedder(8)) as memory:
        memory.remember_many(f"Note {number} is about the boat." for number in range(1, 9))
        memory.forget(4)
        memory.pin(5)
    return folder


def edit(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def recompute(connection: sqlite3.Connection, store: str, start: int = 1) -> None:
    """Write the chain again from an entry on, as anybody without the key can."""
    row = connection.execute("SELECT entry FROM log WHERE seq = ?", (start - 1,)).fetchone()
    head = row[0] if row else GENESIS
    living = {row[0] for row in connection.execute("SELECT id FROM memories")}
    rows = connection.execute("SELECT seq, op, namespace, memory, time, item FROM log ORDER BY seq").fetchall()
    last = {row[3]: row[0] for row in rows if row[1] not in ("rekey", "forget")}
    for row in rows:
        if row[0] < start:
            continue
        item = item_of(connection, row[3], store=store) if row[3] in living and last[row[3]] == row[0] else row[5]
        head = entry_digest(head, Entry(*row[:5]), item)
        connection.execute("UPDATE log SET item = ?, entry = ? WHERE seq = ?", (item, head, row[0]))
    connection.commit()


def forge(folder: Path, *statements: str, start: int = 1) -> None:
    edit(folder, *statements)
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        store = connection.execute("SELECT value FROM meta WHERE key = 'store_id'").fetchone()[0].decode()
        recompute(connection, store, start)


_GOLD = "Note 5 is about gold."
_CHANGE = (
    f"UPDATE payloads SET text = '{_GOLD}', pointer = x'{sha256(_GOLD.encode()).hexdigest()}' "
    "WHERE id = (SELECT payload FROM memories WHERE id = 6)"
)


def test_a_signed_log_verifies_and_says_under_which_key(signed: Path, open_memory: OpenMemory) -> None:
    report = open_memory(signed, key=KEY).verify()
    assert (report.ok, report.problem, report.level, report.entries) == (True, None, "keyed", 11)
    assert report.key_id is not None
    assert len(report.key_id) == 16


def test_the_key_is_in_no_file(signed: Path) -> None:
    with Memory.open(signed, key=KEY) as memory:
        memory.rekey(NEXT)
        memory.seal(signed / "seal.json")
        shown = repr(memory) + str(memory.verify()) + str(memory.stats())
    assert KEY.decode() not in shown
    assert not [p for p in signed.rglob("*") if p.is_file() and (KEY in p.read_bytes() or NEXT in p.read_bytes())]


def test_history_rewritten_without_the_key_is_found_where_it_begins(signed: Path) -> None:
    forge(signed, _CHANGE)
    with Memory.open(signed, read_only=True) as memory:
        assert memory.verify().ok  # without the key it cannot be told
    with Memory.open(signed, key=KEY) as memory:
        report = memory.verify()
        assert memory.get(6).text == "Note 5 is about gold."
    assert (report.ok, report.broken_at) == (False, 6)
    assert report.problem == f"log entry 6 was not signed with key {report.key_id}"


def test_signatures_that_were_taken_away_are_missed(signed: Path) -> None:
    forge(signed, _CHANGE, "DELETE FROM tags")
    with Memory.open(signed, key=KEY) as memory:
        report = memory.verify()
    assert (report.ok, report.broken_at) == (False, 1)
    assert "not signed" in str(report.problem)


def test_a_log_made_to_look_unsigned_is_refused(signed: Path) -> None:
    forge(signed, _CHANGE, "DELETE FROM tags", "UPDATE log SET op = 'place', memory = 2 WHERE op = 'rekey'")
    with pytest.raises(ChainKeyError, match="begun without a key"):
        Memory.open(signed, key=KEY)


def test_a_wrong_or_missing_key_is_refused_and_nothing_is_written(signed: Path) -> None:
    before = (signed / "store.db").read_bytes()
    with pytest.raises(ChainKeyError, match="another key"):
        Memory.open(signed, key=NEXT)
    with pytest.raises(ChainKeyError, match="another key"):
        Memory.open(signed, key=NEXT, read_only=True)
    with pytest.raises(ChainKeyError, match="none was given"):
        Memory.open(signed)
    assert (signed / "store.db").read_bytes() == before
    with Memory.open(signed, read_only=True) as memory:
        report = memory.verify()
    assert (report.ok, report.level) == (True, "accident-only")


@pytest.mark.parametrize("key", [b"too short", "0123456789abcdef0", 17, b""])
def test_what_is_no_key_is_refused(folder: Path, memory: Memory, key: Any) -> None:
    with pytest.raises(ConfigError, match="key"):
        Memory.open(folder / "other", key=key)
    with pytest.raises(ConfigError, match="key"):
        memory.rekey(key)
    assert not (folder / "other").exists()


def test_a_store_that_began_without_a_key_takes_one_by_rekey(memory: Memory, folder: Path) -> None:
    memory.remember("The first note.")
    memory.close()
    with pytest.raises(ChainKeyError, match="call rekey"):
        Memory.open(folder, key=KEY)
    with Memory.open(folder) as unsigned:
        unsigned.rekey(KEY)
        unsigned.at("elsewhere").remember("Another note.")
        assert unsigned.verify().level == "keyed"
    forge(folder, "UPDATE payloads SET text = 'Gold.' WHERE id = 1")  # before the key came
    with Memory.open(folder, key=KEY) as again:
        report = again.verify()
    assert (report.ok, report.broken_at) == (False, 2)


def test_a_rotated_key_signs_on_and_still_vouches_for_all_before(signed: Path) -> None:
    with Memory.open(signed, key=KEY) as memory:
        memory.rekey(NEXT)
        assert memory.verify().level == "keyed"
    with pytest.raises(ChainKeyError):
        Memory.open(signed, key=KEY)
    with Memory.open(signed, key=NEXT) as memory:
        memory.remember("After the rotation.")
        assert (memory.verify().ok, memory.verify(past_keys=[KEY]).ok) == (True, True)
    forge(signed, _CHANGE)
    with Memory.open(signed, key=NEXT) as memory:
        assert memory.verify().broken_at == 12  # the rekey entry, which the new key signed too
        assert memory.verify(past_keys=[KEY]).broken_at == 6


def test_a_rekey_that_fails_leaves_the_old_key_in_use(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Memory.open(signed, key=KEY) as memory:
        store = memory._opened.store
        with monkeypatch.context() as patched:
            patched.setattr(store, "_connection", Refusing(store._connection))
            with pytest.raises(StorageFailure):
                memory.rekey(NEXT)
        memory.remember("Goes on.")
        assert memory.verify().ok
        assert memory.verify().level == "keyed"


class Refusing:
    """A connection that cannot commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._real = connection

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return self._real.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_an_empty_signed_store_opens_again(folder: Path) -> None:
    for _ in range(2):
        with Memory.open(folder, key=KEY) as memory:
            assert (memory.verify().ok, memory.verify().entries) == (True, 1)


# -- seals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY])
def test_a_log_that_went_on_still_fits_its_seal(folder: Path, tmp_path: Path, key: bytes | None) -> None:
    with Memory.open(folder, key=key) as memory:
        memory.remember_many(["One.", "Two.", "Three."])
        seal = memory.seal(tmp_path / "seal.json")
        memory.remember("Four.")
        memory.forget(2)
        report = memory.verify(seal=tmp_path / "seal.json")
        assert (report.ok, report.level) == (True, "keyed+seal" if key else "accident-only+seal")
    assert read_seal(tmp_path / "seal.json") == seal
    with Memory.open(folder, key=key) as memory:
        memory.seal(tmp_path)  # into a folder
    assert read_seal(tmp_path / "seal.json").seq == seal.seq + 2
    assert (seal.count, seal.anchor, seal.mac is not None) == (3, seal.head[:16], key is not None)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_folder_that_was_put_back_is_found_by_the_seal_alone(folder: Path, tmp_path: Path, key: bytes | None) -> None:
    with Memory.open(folder, key=key) as memory:
        memory.remember("One.")
    shutil.copytree(folder, tmp_path / "older")
    with Memory.open(folder, key=key) as memory:
        memory.remember("Two.")
        seal = memory.seal()
    with Memory.open(tmp_path / "older", key=key) as memory:
        assert memory.verify().ok
        report = memory.verify(seal=seal)
        assert not report.ok
        assert "cut off or put back" in str(report.problem)
        memory.remember("Another two.")
        report = memory.verify(seal=seal)
        assert report.broken_at == seal.seq
        assert "not the one that was sealed" in str(report.problem)


def test_another_store_s_seal_and_a_changed_one_are_refused(signed: Path, tmp_path: Path) -> None:
    with Memory.open(signed, key=KEY) as memory, Memory.open(tmp_path / "other", key=KEY) as other:
        seal = memory.seal()
        assert "is of store" in str(other.verify(seal=replace(other.seal(), store_id=seal.store_id)).problem)
        for name, value in (("count", 99), ("time", 1), ("root", "0" * 64), ("key_id", "0" * 16), ("mac", "0" * 64)):
            report = memory.verify(seal=replace(seal, **{name: value}))
            assert "seal" in str(report.problem), name
        assert "not signed" in str(memory.verify(seal=replace(seal, mac=None, key_id=None)).problem)


def test_a_seal_of_an_earlier_key_needs_that_key(signed: Path) -> None:
    with Memory.open(signed, key=KEY) as memory:
        seal = memory.seal()
        memory.rekey(NEXT)
        assert "was not given" in str(memory.verify(seal=seal).problem)
        assert memory.verify(seal=seal, past_keys=[KEY]).level == "keyed+seal"


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: found | {"format": 2},
        lambda found: found | {"seq": -1},
        lambda found: found | {"seq": True},
        lambda found: found | {"head": "x" * 64},
        lambda found: found | {"anchor": "1" * 16},
        lambda found: found | {"more": 1},
        lambda found: [],
    ],
)
def test_a_file_that_is_no_seal_is_refused(memory: Memory, tmp_path: Path, damage: Callable[[Any], Any]) -> None:
    path = tmp_path / "seal.json"
    memory.seal(path)
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(ImportFormatError, match=r"seal\.json"):
        memory.verify(seal=path)


def test_a_seal_that_cannot_be_read_or_written_says_so(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(StorageFailure, match="could not be read"):
        memory.verify(seal=tmp_path / "none.json")
    with pytest.raises(StorageFailure, match="could not be written"):
        memory.seal(tmp_path / "none" / "seal.json")


# -- proofs -----------------------------------------------------------------------------------------


def test_a_hit_is_proved_with_the_seal_alone(signed: Path) -> None:
    with Memory.open(signed, key=KEY, embedder=HashingEmbedder(8)) as memory:
        seal = memory.seal()
        memory.remember("After the seal.")
        for hit in memory.recall("Which note is about the boat?", k=8):
            if hit.text == "After the seal.":
                continue
            proof = read_proof(memory.prove(hit.id, seal).to_json())
            assert proof.text == hit.text
            assert proof.holds(seal)
            assert seal.signed_by(KEY)


def test_a_proof_of_something_else_does_not_hold(signed: Path, tmp_path: Path) -> None:
    with Memory.open(signed, key=KEY) as memory, Memory.open(tmp_path / "other", key=KEY) as other:
        seal = memory.seal()
        proof = memory.prove(6, seal)
        other.remember_many(f"Note {number}." for number in range(10))
        assert proof.holds(seal)
        assert not proof.holds(other.seal())
        fields = list(proof.fields)
        for i, field in enumerate(fields):
            changed = (*fields[:i], "forged" if field != "forged" else None, *fields[i + 1 :])
            assert not replace(proof, fields=changed).holds(seal)
        assert not replace(proof, salt=bytes(16)).holds(seal)
        assert not replace(proof, entry=proof.entry._replace(seq=7)).holds(seal)
        assert not replace(proof, entry=proof.entry._replace(seq=0)).holds(seal)
        assert not replace(proof, path=proof.path[1:]).holds(seal)
        assert not replace(proof, path=(*proof.path, GENESIS)).holds(seal)


def test_only_what_stood_in_the_sealed_log_is_proved(signed: Path, tmp_path: Path) -> None:
    with Memory.open(signed, key=KEY) as memory, Memory.open(tmp_path / "other") as other:
        seal = memory.seal()
        new = memory.remember("After the seal.")
        memory.pin(6)
        for late in (new, 6):
            with pytest.raises(ValidationError, match="after the seal"):
                memory.prove(late, seal)
        assert memory.prove(6, memory.seal()).holds(memory.seal())
        with pytest.raises(UnknownMemoryError):
            memory.prove(4, seal)
        with pytest.raises(ValidationError, match="not of this store"):
            memory.prove(6, other.seal())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"entry": {"seq": 1}}', "[" * 5000])
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(ImportFormatError, match="no proof"):
        read_proof(text)


def test_the_async_twins_seal_prove_and_rekey(signed: Path) -> None:
    async def main() -> None:
        async with Memory.open(signed, key=KEY) as memory:
            seal = await memory.aseal()
            proof = await memory.aprove(6, seal)
            assert proof.holds(seal)
            await memory.arekey(NEXT)
            assert (await memory.averify(seal=seal, past_keys=[KEY])).ok

    asyncio.run(main())
