"""An encrypted store answers like any other, and without its key its files tell nothing of what it holds."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mnemoloom
from mnemoloom import Config, Draft, ManualClock, Memory, Tier, TokenVectors, where
from mnemoloom.config import Gate
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    ConfigError,
    CorruptionError,
    EncryptionKeyError,
    MissingExtraError,
    ReadOnlyError,
    StorageFailure,
    UnknownMemoryError,
)
from mnemoloom.storage import ciphers, vault
from mnemoloom.storage.vault import SECRETS

if TYPE_CHECKING:
    from conftest import OpenMemory

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
PASSPHRASE = "correct horse battery staple"
CANARY = "xyzzy7f3a"
WIDTH = 16


@pytest.fixture(autouse=True)
def _cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ciphers, "_SCRYPT", (4, 8, 1))


class Tokens:
    """An encoder with token vectors: words are hashed."""

    identity = "tokens"

    def __init__(self) -> None:
        self._words = HashingEmbedder(WIDTH)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        return self._words.embed(texts)

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> Any:
        words = [tuple(word for word in text.lower().split() if word.isalnum()) for text in texts]
        rows = [self._words.embed(each) if each else np.zeros((0, WIDTH), np.float32) for each in words]
        return self.embed(texts), list(map(TokenVectors, words, rows))


OWN_VECTOR = np.linspace(0.123, 0.987, WIDTH, dtype=np.float32)
TEXT = f"The {CANARY}-text is about the boat and the sea."
SETTINGS: dict[str, Any] = {"embedder": Tokens(), "config": Config(token_width=8), "namespace": (f"{CANARY}-label",)}


def fill(memory: Memory) -> list[int]:
    """Memories whose every field holds a canary, and a few plain ones."""
    ids = memory.remember_many(
        [
            Draft(
                text=TEXT,
                speaker=f"{CANARY}-who",
                session=f"{CANARY}-when",
                metadata={f"{CANARY}-key": f"{CANARY}-value", "n": 1},
                external_id=f"{CANARY}-id",
                source=f"{CANARY}-source",
                trust="tool",
            ),
            Draft(text=f"{CANARY}-own has a vector of its own.", vector=OWN_VECTOR, speaker="Bo", ttl=10**9),
            Draft(text="We raised the budget for the trip to $1,200.", speaker="Ann", session="s"),
            Draft(text="My budget for the trip is $900.", speaker="Ann", session="s", tier=Tier.COLD),
            Draft(text="Plain.", speaker="Ann", session="s", pinned=True),
        ],
        idem_key=f"{CANARY}-idem",
    )
    memory.calibrate([f"{CANARY} question {i}" for i in range(10)], keep=0.8)
    memory.recall(f"{CANARY}-text boat")
    return ids


def needles() -> dict[str, bytes]:
    """What would give the memories away, by what it is."""
    row, _ = Tokens().embed_tokens([TEXT])
    return {
        **{part: f"{CANARY}-{part}".encode() for part in ("text", "who", "when", "key", "value", "id", "source")},
        **{part: f"{CANARY}-{part}".encode() for part in ("label", "idem", "own")},
        "pointer": sha256(TEXT.encode()).digest(),
        "own vector": OWN_VECTOR.tobytes()[:24],
        "vector": row[0].astype("<f4").tobytes()[:24],
        "unit vector": (row[0] / np.linalg.norm(row[0])).astype("<f4").tobytes()[:24],
    }


def found_in(folder: Path) -> set[str]:
    content = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {name for name, needle in needles().items() if any(needle in data for data in content)}


@pytest.mark.parametrize("encryption_key", [None, KEY, PASSPHRASE], ids=["plain", "key", "passphrase"])
def test_no_file_tells_anything_while_it_is_written_and_afterwards(folder: Path, encryption_key: Any) -> None:
    seen: set[str] = set()
    with Memory.open(folder, encryption_key=encryption_key, **SETTINGS) as memory:
        fill(memory)
        assert (folder / "store.db-wal").stat().st_size > 0
        seen |= found_in(folder)
        memory.remember_many([f"{CANARY}-text number {i} about the boat." for i in range(700)])
        seen |= found_in(folder)
        memory.erase(where("speaker").eq("Bo"))
        memory.move(f"{CANARY}-id", Tier.COLD)
        seen |= found_in(folder)
    with Memory.open(folder, encryption_key=encryption_key, **SETTINGS) as memory:
        memory.recall(f"{CANARY}-text boat")
        memory.reembed()
        seen |= found_in(folder)
    seen |= found_in(folder)
    # without a key everything is found: the search has teeth
    assert seen == (set(needles()) if encryption_key is None else set())
    if encryption_key is not None:
        assert sorted(path.name for path in folder.iterdir()) == ["LOCK", "store.db"]


def answers(memory: Memory) -> list[Any]:
    """Everything that the verbs tell of a namespace."""
    return [
        [(hit.record, hit.score, hit.parts, hit.supersedes) for hit in memory.recall(query, k=20, expand=1)]
        for query in (f"{CANARY}-text boat", "How much is the budget for the trip?", "sea")
    ] + [
        list(memory.records()),
        list(memory.records(where("speaker").eq(f"{CANARY}-who") & where("metadata.n").gte(1))),
        list(memory.records(where("external_id").contains("-id") | where("trust").ne("user"))),
        list(memory.records(where("session").exists(False))),
        memory.get(f"{CANARY}-id"),
        memory.vectors([record.id for record in memory.records()]).tolist(),
        memory.nearest("boat").ids.tolist(),
        memory.namespaces(),
        memory.stats().memories,
        memory.stats().speakers,
        memory.why("sea", f"{CANARY}-id").stages,
        memory.verify().ok,
        memory.recall(f"{CANARY} question 1", min_confidence="calibrated", update=False).confidence,
    ]


def test_it_answers_like_a_plain_store(tmp_path: Path) -> None:
    told = []
    for name, encryption_key in (("plain", None), ("encrypted", KEY)):
        clock = ManualClock(1e9)
        with Memory.open(tmp_path / name, encryption_key=encryption_key, clock=clock, **SETTINGS) as memory:
            ids = fill(memory)
            told.append(answers(memory))
            assert memory.remember_many(["x"] * 5, idem_key=f"{CANARY}-idem") == ids
            memory.export(tmp_path / f"{name}-bundle")
        with Memory.open(tmp_path / name, encryption_key=encryption_key, clock=clock, **SETTINGS) as memory:
            told.append(answers(memory))
            assert memory.encrypted is (encryption_key is not None)
    assert told[0] == told[2]
    assert told[1] == told[3]
    plain, encrypted = tmp_path / "plain-bundle", tmp_path / "encrypted-bundle"
    assert all(path.read_bytes() == (encrypted / path.name).read_bytes() for path in plain.iterdir())


ACTS = st.one_of(
    st.tuples(st.just("remember"), st.integers(0, 5)),
    st.tuples(st.just("replace"), st.integers(0, 2)),
    st.tuples(st.just("forget"), st.integers(0, 5)),
    st.tuples(st.just("erase"), st.integers(0, 2)),
    st.tuples(st.just("elsewhere"), st.integers(0, 5)),
    st.tuples(st.just("advance"), st.integers(1, 40)),
)


def perform(memory: Memory, clock: ManualClock, act: str, number: int) -> None:
    if act == "remember":
        memory.remember(f"Note {number}.", speaker=f"S{number % 3}", ttl=60 if number % 2 else None)
    elif act == "replace":
        memory.remember(f"New {number}.", external_id=f"e{number}", metadata={"n": number})
    elif act == "forget":
        memory.forget_many([number], missing="skip")
    elif act == "erase":
        memory.erase({"speaker": f"S{number}"})
    elif act == "elsewhere":
        memory.at("elsewhere").remember(f"Note {number}.")
    else:
        clock.advance(number)


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTS, max_size=15))
def test_any_changes_give_what_they_give_in_a_plain_store(acts: list[tuple[str, int]]) -> None:
    told = []
    for encryption_key in (None, KEY):
        clock = ManualClock(1e9)
        with Memory.open(":memory:", encryption_key=encryption_key, clock=clock) as memory:
            for act, number in acts:
                perform(memory, clock, act, number)
            handles = (memory, memory.at("elsewhere"))
            told.append([list(each.records()) for each in handles])
            told[-1] += [[(hit.id, hit.score) for hit in each.recall("note new", k=20)] for each in handles]
            assert memory.verify().ok
    assert told[0] == told[1]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("made", "given_key", "said"),
    [
        (KEY, None, "is encrypted; open it with"),
        (KEY, OTHER, "under another key"),
        (KEY, PASSPHRASE, "a passphrase was given"),
        (PASSPHRASE, KEY, "a key of 32 bytes was given"),
        (PASSPHRASE, PASSPHRASE + "r", "under another key"),
        (None, KEY, "has begun without encryption"),
    ],
)
def test_the_wrong_key_is_a_typed_error_and_changes_nothing(
    folder: Path, made: Any, given_key: Any, said: str, read_only: bool
) -> None:
    with Memory.open(folder, encryption_key=made) as memory:
        memory.remember("One.")
    with pytest.raises(EncryptionKeyError, match=said):
        Memory.open(folder, encryption_key=given_key, read_only=read_only)
    with Memory.open(folder, encryption_key=made) as memory:
        assert [record.text for record in memory.records()] == ["One."]
        assert memory.verify().ok


@pytest.mark.parametrize("wrong", [b"short", bytes(31), bytes(33), "too short", "", 7, bytearray(16)])
def test_what_is_no_key_is_refused_and_not_shown(folder: Path, wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Memory.open(folder, encryption_key=wrong)
    assert not folder.exists()
    assert not wrong or str(wrong) not in str(caught.value)


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_is_made_or_encrypted_without_a_key_to_encrypt_it_under(folder: Path, begun: bool) -> None:
    if begun:
        with Memory.open(folder) as memory:
            memory.remember("One.")
    with pytest.raises(ConfigError, match="encrypt=True needs the key"):
        Memory.open(folder, encrypt=True, encryption_key=None)
    assert folder.exists() == begun


def test_a_text_of_64_hex_digits_is_the_key_of_32_bytes_that_it_spells(folder: Path) -> None:
    with Memory.open(folder, encryption_key=KEY.hex()) as memory:
        memory.remember("One.")
    for same in (KEY, KEY.hex().upper()):
        with Memory.open(folder, encryption_key=same) as memory:
            assert len(memory) == 1
    for other in (KEY.hex() + "\n", KEY.hex()[:-1], "g" + KEY.hex()[1:]):
        with pytest.raises(
            EncryptionKeyError, match="a text is a key if it is 64 hex digits, and nothing else"
        ) as caught:
            Memory.open(folder, encryption_key=other)
        assert other.strip() not in str(caught.value)
    with Memory.open(folder, encryption_key=KEY) as memory:
        memory.rewrap(OTHER.hex())
    with Memory.open(folder, encryption_key=OTHER) as memory:
        assert len(memory) == 1


def test_without_the_extra_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cryptography" else real(name))
    with pytest.raises(MissingExtraError, match=r"mnemoloom\[encryption\]"):
        Memory.open(folder, encryption_key=KEY)
    with Memory.open(folder) as memory:
        memory.remember("One.")


def test_a_passphrase_is_stretched_as_the_store_says_and_within_bounds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with Memory.open(folder, encryption_key=PASSPHRASE) as memory:
        memory.remember("One.")
    salt = raw(folder, "SELECT wrapped FROM vault WHERE namespace = -1")
    assert (tuple(salt[:3]), len(salt)) == ((15, 8, 3), 19)
    monkeypatch.setattr(ciphers, "_SCRYPT", (5, 8, 1))  # a later release; the store keeps its own
    with Memory.open(folder, encryption_key=PASSPHRASE) as memory:
        assert len(memory) == 1
    for wrong in (b"", bytes([63, 8, 1]) + salt[3:], salt[:-1]):
        with closing(sqlite3.connect(folder / "store.db")) as connection:
            connection.execute("UPDATE vault SET wrapped = ? WHERE namespace = -1", (wrong,))
            connection.commit()
        with pytest.raises((CorruptionError, EncryptionKeyError)):
            Memory.open(folder, encryption_key=PASSPHRASE)


# -- a store that was begun without -------------------------------------------------------------------


def test_a_plain_store_is_encrypted_in_place_and_goes_on_as_it_was(folder: Path) -> None:
    clock = ManualClock(1e9)
    with Memory.open(folder, clock=clock, **SETTINGS) as memory:
        ids = fill(memory)
        memory.at("other").remember(f"{CANARY}-own elsewhere")
        memory.remember_many([f"Note {i} about the sea." for i in range(700)])
        seal = memory.seal()
    assert found_in(folder) == set(needles())
    shutil.copytree(folder, folder.parent / "plain", ignore=shutil.ignore_patterns("cache"))
    with Memory.open(folder.parent / "plain", clock=clock, **SETTINGS) as memory:
        before = answers(memory)
    assert any((folder / "cache").iterdir())
    with Memory.open(folder, clock=clock, encryption_key=KEY, encrypt=True, **SETTINGS) as memory:
        assert found_in(folder) == set()
        assert memory.verify(seal=seal).ok
        assert answers(memory) == before
        assert memory.remember_many(["x"] * 5, idem_key=f"{CANARY}-idem") == ids
        memory.remember(f"{CANARY}-text, and more.")
        assert [record.text for record in memory.at("other").records()] == [f"{CANARY}-own elsewhere"]
    assert found_in(folder) == set()
    with pytest.raises(EncryptionKeyError):
        Memory.open(folder)
    with Memory.open(folder, clock=clock, encryption_key=KEY, encrypt=True, **SETTINGS) as memory:  # nothing to do
        assert memory.verify(seal=seal).ok


def test_encrypting_that_fails_leaves_the_plain_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Memory.open(folder, **SETTINGS) as memory:
        fill(memory)

    def failing(self: vault.Vault, connection: sqlite3.Connection, namespace: int) -> Any:
        if namespace:
            raise StorageFailure("in the middle of it")
        return real(self, connection, namespace)

    real = vault.Vault.key
    with monkeypatch.context() as patched:
        patched.setattr(vault.Vault, "key", failing)
        with pytest.raises(StorageFailure, match="middle"):
            Memory.open(folder, encryption_key=KEY, encrypt=True, **SETTINGS)
    with Memory.open(folder, **SETTINGS) as memory:
        assert memory.get(f"{CANARY}-id").text == TEXT
        assert memory.verify().ok


def test_a_reader_cannot_encrypt(folder: Path) -> None:
    Memory.open(folder).close()
    with Memory.open(folder) as memory:
        memory.remember("One.")
    with pytest.raises(EncryptionKeyError, match="opened for writing"):
        Memory.open(folder, encryption_key=KEY, encrypt=True, read_only=True)


# -- changed, swapped, moved --------------------------------------------------------------------------


@pytest.fixture
def written(folder: Path) -> Path:
    """A closed store with alike memories 1 and 2 in one namespace and 3 in another."""
    with Memory.open(folder, encryption_key=KEY, embedder=HashingEmbedder(8)) as memory:
        for number, handle in ((1, memory), (2, memory), (3, memory.at("other"))):
            handle.remember(
                f"Note {number}.",
                speaker=f"S{number}",
                session=f"T{number}",
                external_id=f"e{number}",
                metadata={"n": number},
                source=f"U{number}",
            )
    return folder


def change(folder: Path, script: str) -> None:
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA foreign_keys = OFF; {script}")


def swapped(table: str, column: str, one: int, other: int) -> str:
    hold = f"(SELECT {column} FROM {table} WHERE id = {{}})"
    return (
        f"CREATE TEMP TABLE held AS SELECT {hold.format(one)} AS a, {hold.format(other)} AS b;"
        f"UPDATE {table} SET {column} = NULL WHERE id = {one} AND '{column}' = 'external_id';"
        f"UPDATE {table} SET {column} = (SELECT a FROM held) WHERE id = {other};"
        f"UPDATE {table} SET {column} = (SELECT b FROM held) WHERE id = {one};"
    )


CELLS = [("memories", c) for c in ("speaker", "session", "metadata", "source", "trust", "salt", "external_id")] + [
    ("payloads", c) for c in ("text", "vector")
]
FORGERIES = {
    **{f"{t}.{c} of 1 and 2": swapped(t, c, 1, 2) for t, c in CELLS},
    **{f"{t}.{c} of two namespaces": swapped(t, c, 1, 3) for t, c in CELLS},
    "speaker and session": "UPDATE memories SET speaker = session, session = speaker WHERE id = 1",
    "payloads of 1 and 2": "UPDATE memories SET payload = 3 - payload WHERE id IN (1, 2)",
    "a payload as a whole": "UPDATE payloads SET id = -id WHERE id IN (1, 2);"
    "UPDATE payloads SET id = 3 + id WHERE id < 0",
    "namespace of 1": "UPDATE memories SET namespace = 2 WHERE id = 1",
    "namespace of 1 with its payload": "UPDATE memories SET namespace = 2 WHERE id = 1;"
    "UPDATE payloads SET namespace = 2 WHERE id = 1",
    "a speaker in the clear": "UPDATE memories SET speaker = 'Ann' WHERE id = 1",
    "a speaker that is no base64": "UPDATE memories SET speaker = 'é!' WHERE id = 1",
    "an empty speaker": "UPDATE memories SET speaker = '' WHERE id = 1",
    "no speaker": "UPDATE memories SET speaker = NULL WHERE id = 1",
    "a byte of the vector": "UPDATE payloads SET vector = CAST(substr(vector, 1, 20) || x'00' || substr(vector, 22)"
    " AS BLOB) WHERE id = 1",
    "half a vector": "UPDATE payloads SET vector = substr(vector, 1, 20) WHERE id = 1",
    "an empty vector": "UPDATE payloads SET vector = x'' WHERE id = 1",
    "the data keys": "UPDATE vault SET wrapped = (SELECT wrapped FROM vault WHERE namespace = 2) WHERE namespace = 1",
    "no data key": "DELETE FROM vault WHERE namespace = 1",
    "the label": "UPDATE namespaces SET labels = labels || '=' WHERE id = 1",
}


@pytest.mark.parametrize("script", FORGERIES.values(), ids=FORGERIES)
def test_what_was_changed_or_put_elsewhere_is_found(written: Path, script: str) -> None:
    change(written, script)
    with Memory.open(written, encryption_key=KEY, embedder=HashingEmbedder(8), read_only=True) as memory:
        report = memory.verify()
        assert not report.ok
        assert report.problem


@pytest.mark.parametrize("column", ["speaker", "metadata"])
def test_a_value_that_does_not_open_is_a_typed_error_that_names_its_row(written: Path, column: str) -> None:
    change(written, swapped("memories", column, 1, 2))
    with Memory.open(written, encryption_key=KEY, read_only=True) as memory:
        with pytest.raises(CorruptionError, match=rf"memories 1: {column} does not open"):
            memory.get(1)
        report = memory.verify()
        assert (report.problem, report.damaged[:1]) == ("memory 1 cannot be read", (1,))


def test_a_number_where_a_text_stands_is_a_typed_error(written: Path) -> None:
    change(written, "UPDATE memories SET speaker = CAST(x'ff' AS TEXT) WHERE id = 1")
    with Memory.open(written, encryption_key=KEY, read_only=True) as memory, pytest.raises(CorruptionError):
        memory.get(1)


def cells(folder: Path) -> Iterator[bytes]:
    """Every value that was encrypted with a random nonce."""
    from base64 import b64decode

    with closing(sqlite3.connect(folder / "store.db")) as connection:
        for table, secret in SECRETS.items():
            for column in secret.cells:
                kept = f"{secret.row[0]} NOT IN ({','.join(repr(c) for c in secret.clear)})" if secret.clear else "1"
                for (value,) in connection.execute(f"SELECT {column} FROM {table} WHERE {kept}"):
                    if value is not None:
                        yield b64decode(value) if isinstance(value, str) else value


def test_no_nonce_comes_twice_and_equal_values_look_different(folder: Path) -> None:
    with Memory.open(folder, encryption_key=KEY, embedder=HashingEmbedder(8)) as memory:
        for _ in range(2):
            drafts = [Draft(text=f"Note {i % 40}.", speaker="Ann", session="s", source="u") for i in range(200)]
            memory.remember_many(drafts)
            memory.erase(where("id").lt(50))
    found = list(cells(folder))
    assert len(found) > 1500
    assert max(Counter(value[:12] for value in found).values()) == 1
    assert max(Counter(found).values()) == 1


# -- keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(KEY, OTHER), (KEY, PASSPHRASE), (PASSPHRASE, KEY)])
def test_a_new_key_takes_the_place_of_the_old_one(folder: Path, tmp_path: Path, before: Any, after: Any) -> None:
    with Memory.open(folder, encryption_key=before) as memory:
        memory.remember("One.")
    shutil.copytree(folder, tmp_path / "backup")
    with Memory.open(folder, encryption_key=before) as memory:
        memory.rewrap(after)
        memory.remember("Two.")
        memory.at("new").remember("Three.")
    with pytest.raises(EncryptionKeyError):
        Memory.open(folder, encryption_key=before)
    with Memory.open(folder, encryption_key=after) as memory:
        assert [record.text for record in memory.records()] == ["One.", "Two."]
        assert [record.text for record in memory.at("new").records()] == ["Three."]
        assert memory.verify().ok
    with pytest.raises(EncryptionKeyError):
        Memory.open(tmp_path / "backup", encryption_key=after)


def test_a_rotation_that_fails_leaves_the_old_key(written: Path) -> None:
    change(written, "INSERT INTO vault VALUES (99, randomblob(60))")
    with Memory.open(written, encryption_key=KEY) as memory:
        with pytest.raises(CorruptionError, match="nothing was rewrapped"):
            memory.rewrap(OTHER)
        with pytest.raises(ConfigError):
            memory.rewrap(b"short")
        memory.at("new").remember("Goes on.")
    with pytest.raises(EncryptionKeyError):
        Memory.open(written, encryption_key=OTHER)
    with Memory.open(written, encryption_key=KEY) as memory:
        assert [record.text for record in memory.at("new").records()] == ["Goes on."]
        assert memory.verify().ok


def test_a_commit_that_fails_leaves_the_old_key(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: vault.Vault, connection: sqlite3.Connection, key: Any) -> Any:
        real(self, connection, key)
        raise StorageFailure("the disk is full")

    real = vault.Vault.rewrap
    with Memory.open(written, encryption_key=KEY) as memory:
        with monkeypatch.context() as patched:
            patched.setattr(vault.Vault, "rewrap", failing)
            with pytest.raises(StorageFailure):
                memory.rewrap(OTHER)
        memory.at("new").remember("Goes on.")
    with Memory.open(written, encryption_key=KEY) as memory:
        assert memory.verify().ok
        assert len(memory.at("new")) == 1


def test_others_read_while_a_new_key_takes_the_place_of_the_old_one(
    written: Path, open_memory: OpenMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory.open(written, encryption_key=KEY) as memory:
        for name in ("one", "two"):
            memory.at(name).remember(f"The code of {name} is 0000.")
    memory = open_memory(written, encryption_key=KEY)
    take, read = vault.Vault.take, []

    def takes(self: vault.Vault, master: ciphers.MasterKey) -> ciphers.MasterKey:
        before = take(self, master)
        thread = Thread(target=lambda: read.extend(record.text for record in memory.at("one").records()))
        thread.start()
        thread.join()
        return before

    monkeypatch.setattr(vault.Vault, "take", takes)
    memory.rewrap(OTHER)
    assert read == ["The code of one is 0000."]
    assert [record.text for record in memory.at("two").records()] == ["The code of two is 0000."]
    assert memory.verify().ok


def test_a_destroyed_key_takes_its_namespace_along_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    with Memory.open(folder, encryption_key=KEY, **SETTINGS) as memory:
        fill(memory)
        other = memory.at("other")
        other.remember("Stays.")
        wrapped = raw(folder, "SELECT wrapped FROM vault WHERE namespace = 1")
        memory._opened.store.checkpoint()
        shutil.copytree(folder, tmp_path / "backup")
        report = memory.destroy_key()
        assert (report.count, report.pending_checkpoint) == (5, False)
        assert (len(memory), list(memory.records())) == (0, [])
        with pytest.raises(UnknownMemoryError):
            memory.get(f"{CANARY}-id")
        assert not any(wrapped in path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert [record.text for record in other.records()] == ["Stays."]
        assert memory.verify().ok
        assert SETTINGS["namespace"] not in memory.namespaces()
        memory.rewrap(OTHER)
        memory.remember("Begins anew.")
        assert memory.remember_many(["x"] * 5, idem_key=f"{CANARY}-idem") != [1, 2, 3, 4, 5]
        assert raw(folder, "SELECT max(id) FROM namespaces") == 3
        assert memory.destroy_key().count == 6
        assert memory.destroy_key().count == 0
    # the backup opens with the master key from before alone
    with pytest.raises(EncryptionKeyError):
        Memory.open(tmp_path / "backup", encryption_key=OTHER, **SETTINGS)
    # with the keys of now, what the backup holds of the namespace stays closed
    rows = raw_all(tmp_path / "backup", "SELECT * FROM vault WHERE namespace IN (-1, 0)")
    now = dict(raw_all(folder, "SELECT namespace, wrapped FROM vault"))
    assert len(rows) == 2
    with closing(sqlite3.connect(tmp_path / "backup" / "store.db")) as connection:
        connection.execute("DELETE FROM vault")
        connection.executemany("INSERT INTO vault VALUES (?, ?)", now.items())
        connection.commit()
    with Memory.open(tmp_path / "backup", encryption_key=OTHER, read_only=True, **SETTINGS) as memory:
        with pytest.raises(CorruptionError, match="does not open"):
            list(memory.records())
        assert [record.text for record in memory.at("other").records()] == ["Stays."]


def raw_all(folder: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def raw(folder: Path, statement: str) -> Any:
    return raw_all(folder, statement)[0][0]


def test_a_plain_or_a_read_only_store_has_no_key_to_change(folder: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    assert not memory.encrypted
    for verb in (memory.destroy_key, lambda: memory.rewrap(KEY)):
        with pytest.raises(EncryptionKeyError, match="not encrypted"):
            verb()
    open_memory(folder, encryption_key=KEY).remember("One.")
    reader = open_memory(folder, encryption_key=KEY, read_only=True)
    for verb in (reader.destroy_key, lambda: reader.rewrap(OTHER)):
        with pytest.raises(ReadOnlyError):
            verb()


def test_a_reader_follows_namespaces_that_a_writer_adds(folder: Path, open_memory: OpenMemory) -> None:
    writer = open_memory(folder, encryption_key=KEY)
    writer.remember("One.")
    reader = open_memory(folder, encryption_key=KEY, read_only=True)
    assert len(reader) == 1
    writer.at("new").remember("Two.", speaker="Ann")
    assert [hit.text for hit in reader.at("new").recall("two")] == ["Two."]


def test_a_reader_follows_a_namespace_whose_key_was_destroyed_into_its_new_beginning(
    folder: Path, open_memory: OpenMemory
) -> None:
    memory = open_memory(folder, encryption_key=KEY)
    memory.remember("The ferry leaves at nine.", external_id="ferry")
    reader = open_memory(folder, encryption_key=KEY, read_only=True)
    assert len(reader.recall("When does the ferry leave?")) == 1
    memory.destroy_key()
    assert len(reader) == 0
    memory.remember("The ferry leaves at ten.", external_id="ferry")
    assert reader.get("ferry").text == "The ferry leaves at ten."
    assert [hit.text for hit in reader.recall("When does the ferry leave?")] == ["The ferry leaves at ten."]
    assert [record.text for record in reader.records()] == ["The ferry leaves at ten."]


def test_tasks_may_do_it_too(folder: Path) -> None:
    async def main() -> None:
        async with Memory.open(folder, encryption_key=KEY) as memory:
            await memory.aremember("One.")
            await memory.arewrap(OTHER)
            assert (await memory.adestroy_key()).count == 1

    asyncio.run(main())


def test_a_store_that_is_full_of_changes_takes_no_more(
    open_memory: OpenMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "MOST_ENTRIES", 3)
    memory = open_memory(":memory:", encryption_key=KEY)
    memory.remember_many(["One.", "Two.", "Three."])
    with pytest.raises(StorageFailure, match="takes 3 changes"):
        memory.remember("Four.")
    assert len(memory) == 3
    assert memory.verify().ok


# -- what a new column or statement must do -----------------------------------------------------------

# Columns that stand in the clear: numbers, kinds, digests under an encrypted salt, and names of encoders.
CLEAR = {
    *("payloads.encoder", "feedback.encoder", "memories.tier", "links.kind", "calls.ids", "gated.reason"),
    *("sleeps.counts", "sleep_moves.before", "sleep_moves.after", "sortings.settled"),
    *("log.op", "log.item", "log.entry", "tags.tag", "vault.wrapped", "meta.key"),
}


def test_every_column_of_text_or_bytes_is_encrypted_or_known_to_be_harmless(folder: Path) -> None:
    with Memory.open(folder) as memory:
        memory.remember("One.")
    columns = raw_all(
        folder,
        "SELECT s.name || '.' || c.name FROM sqlite_schema s, pragma_table_info(s.name) c "
        "WHERE s.type = 'table' AND upper(c.type) NOT IN ('INTEGER', 'REAL')",
    )
    secret = {f"{table}.{c}" for table, each in SECRETS.items() for c in (*each.fixed, *each.cells)}
    assert {column for (column,) in columns} == secret | CLEAR


STATEMENT = re.compile(rf"(?:INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM) (?:{'|'.join(SECRETS)})\b")


def test_every_statement_that_writes_to_an_encrypted_table_names_the_table_itself() -> None:
    sources = Path(mnemoloom.__file__).parent.rglob("*.py")
    wrong = {path.name: STATEMENT.findall(path.read_text("utf-8")) for path in sources}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_only_views_of_a_connection_decrypt_so_that_no_file_names_the_functions(written: Path) -> None:
    assert raw_all(written, "SELECT name FROM sqlite_schema WHERE type = 'view'") == []


def learned(memory: Memory) -> list[Any]:
    """What is told of by verbs that keep something of their own."""
    ids = memory.remember_many(
        Draft(
            text=f"{CANARY}-text {i % 9} is about the {('boat', 'sea', 'dog')[i % 3]}.", speaker=f"{CANARY}-who{i % 2}"
        )
        for i in range(40)
    )
    memory.useful(ids[3], query=f"Which {CANARY}-text is about the boat?")
    slept = memory.sleep()
    found = memory.topics()
    return [
        [(topic.count, topic.keywords, topic.representative) for topic in found],
        [(each.record, each.strength) for each in memory.related(ids[0])],
        [memory.gated(each) for each in ids],
        [(hit.id, hit.score, hit.parts, hit.repeats) for hit in memory.recall(f"{CANARY}-text boat", k=9)],
        memory.short_term(None).ids(),
        slept.changes,
        [memory.topic_of(each) for each in ids],
    ]


def test_what_it_learns_is_the_same_and_encrypted_too(tmp_path: Path) -> None:
    told, config = [], Config(token_width=8, gate=Gate(budget=0.8))
    for name, encryption_key in (("plain", None), ("encrypted", KEY)):
        settings_ = SETTINGS | {"config": config, "clock": ManualClock(1e9), "encryption_key": encryption_key}
        with Memory.open(tmp_path / name, **settings_) as memory:
            told.append(learned(memory))
            assert memory.verify().ok
            tables = raw_all(tmp_path / name, "SELECT (SELECT count(*) FROM gates), (SELECT count(*) FROM feedback)")
            assert tables == [(2, 1)]
        names = found_in(tmp_path / name)
        assert names >= {"text", "who", "label"} if encryption_key is None else names == set()
        with Memory.open(tmp_path / name, **settings_) as memory:
            memory.remember(f"{CANARY}-text again.", speaker=f"{CANARY}-who1")  # the gate goes on
            memory.erase({"speaker": f"{CANARY}-who1"})
            assert raw(tmp_path / name, "SELECT count(*) FROM gates") == 1
            if encryption_key is not None:
                assert memory.destroy_key().count > 0
                left = ("gates", "feedback", "topics", "sortings", "calls", "memories", "payloads", "sleeps")
                assert [raw(tmp_path / name, f"SELECT count(*) FROM {table}") for table in left] == [0] * len(left)
                assert memory.verify().ok
    assert told[0] == told[1]


def test_a_plain_store_that_has_learned_is_encrypted_in_place(folder: Path) -> None:
    settings_ = SETTINGS | {"config": Config(token_width=8, gate=Gate(budget=0.8)), "clock": ManualClock(1e9)}
    with Memory.open(folder, **settings_) as memory:
        learned(memory)
    with Memory.open(folder, encryption_key=KEY, encrypt=True, **settings_) as memory:
        assert found_in(folder) == set()
        assert memory.verify().ok
        memory.remember(f"{CANARY}-text again.", speaker=f"{CANARY}-who1")
        assert raw(folder, "SELECT count(*) FROM gates") == 2
        assert "feedback" in memory.recall(f"Which {CANARY}-text is about the boat?")[0].parts


def test_evidence_is_what_it_is_in_a_plain_store(folder: Path) -> None:
    with Memory.open(folder, encryption_key=KEY, key=b"0123456789abcdef") as memory:
        first = memory.remember("One.", ttl=3600)
        seal = memory.seal()
        proof = memory.prove(first, seal)
        assert proof.holds(seal)
        assert (proof.text, type(proof.field("expires"))) == ("One.", int)
        memory.rekey(b"fedcba9876543210")
        report = memory.verify(past_keys=[b"0123456789abcdef"])
        assert (report.ok, report.level) == (True, "keyed")


def test_whoever_writes_without_the_keys_is_refused(written: Path) -> None:
    with closing(sqlite3.connect(written / "store.db")) as connection:
        for statement in (
            "INSERT INTO memories SELECT 99, namespace, payload, NULL, 'Ann', 's', time, '{}', tier, pinned, created, "
            "NULL, 'user', surprise, salt, NULL FROM memories WHERE id = 1",
            "INSERT INTO payloads VALUES (99, 1, randomblob(32), x'', 'In the clear.', NULL, NULL, NULL)",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="this store is encrypted"):
                connection.execute(statement)
