"""The chain holds after every lawful change, and shows every other one by name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Memory, Tier
from mnemoloom.chain import GENESIS, anchor_of
from mnemoloom.embedders import HashingEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory

ACTS = st.one_of(
    st.tuples(st.just("remember"), st.integers(0, 5), st.sampled_from(["Ann", "assistant", None])),
    st.tuples(st.just("replace"), st.integers(0, 2), st.integers(0, 5)),
    st.tuples(st.just("batch"), st.integers(0, 4), st.integers(0, 5)),
    st.tuples(st.just("forget"), st.integers(0, 30), st.none()),
    st.tuples(st.just("pin"), st.integers(0, 30), st.none()),
    st.tuples(st.just("unpin"), st.integers(0, 30), st.none()),
    st.tuples(st.just("cool"), st.integers(0, 30), st.none()),
    st.tuples(st.just("recall"), st.integers(0, 5), st.none()),
    st.tuples(st.just("elsewhere"), st.integers(0, 5), st.none()),
    st.tuples(st.just("rekey"), st.integers(0, 5), st.none()),
    st.tuples(st.just("erase"), st.integers(0, 5), st.none()),
)


def perform(memory: Memory, act: tuple[str, int, Any]) -> None:
    name, number, extra = act
    living = [record.id for record in memory.records()]
    if name == "remember":
        memory.remember(f"Text {number}", speaker=extra, metadata={"number": number})
    elif name == "replace":
        memory.remember(f"Version {extra}", external_id=f"doc {number}")
    elif name == "batch":
        memory.remember_many(f"Text {extra + i}" for i in range(number))
    elif name == "recall":
        memory.recall(f"Text {number}")
    elif name == "rekey":
        memory.rekey(b"sixteen bytes: %02d" % number)
    elif name == "erase":
        memory.erase({"metadata.number": number})
    elif name == "elsewhere":
        memory.at("elsewhere").remember(f"Text {number}")
    elif living:
        key = living[number % len(living)]
        acts = {"forget": memory.forget, "pin": memory.pin, "unpin": memory.unpin}
        acts.get(name, lambda known: memory.move(known, Tier.COLD))(key)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTS, max_size=25), st.sampled_from([None, b"0123456789abcdef"]))
def test_the_chain_holds_after_any_lawful_changes(acts: list[tuple[str, int, Any]], key: bytes | None) -> None:
    with Memory.open(":memory:", embedder=HashingEmbedder(8), key=key) as memory:
        for act in acts:
            perform(memory, act)
        report = memory.verify()
        assert (report.ok, report.problem) == (True, None)
        assert report.entries == memory.stats().entries
        assert report.anchor == (memory.stats().anchor or anchor_of(GENESIS))
        assert report.memories == len(memory) + len(memory.at("elsewhere"))


@pytest.fixture
def written(memory: Memory, folder: Path) -> Path:
    """The folder of a closed store: 8 memories remembered, 3 forgotten, 4 pinned, 5 encoded anew."""
    memory.remember_many(
        {
            "text": f"Note {number} is about the boat.",
            "speaker": "Ann",
            "session": "may",
            "external_id": f"n{number}",
            "metadata": {"number": number},
            "source": "test",
        }
        for number in range(1, 9)
    )
    memory.forget(3)
    memory.pin(4)
    memory.close()
    return folder


def edit(folder: Path, script: str) -> None:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.executescript(script)


def problem(folder: Path) -> str:
    with Memory.open(folder, read_only=True) as memory:
        report = memory.verify()
    assert not report.ok
    assert report.problem is not None
    return report.problem


def test_the_untouched_store_verifies(written: Path, open_memory: OpenMemory) -> None:
    report = open_memory(written, read_only=True).verify()
    assert (report.ok, report.problem, report.entries, report.memories) == (True, None, 10, 7)


_PAYLOAD = "(SELECT payload FROM memories WHERE id = 5)"
_ROW = {
    "text": f"UPDATE payloads SET text = 'Note 5 is about the kettle.' WHERE id = {_PAYLOAD}",
    "one bit of the vector": "UPDATE payloads SET vector = CAST(x'01' || substr(vector, 2) AS BLOB) "
    f"WHERE id = {_PAYLOAD}",
    "no vector": f"UPDATE payloads SET vector = NULL WHERE id = {_PAYLOAD}",
    "tokens": f"UPDATE payloads SET tokens = x'00' WHERE id = {_PAYLOAD}",
    "encoder": f"UPDATE payloads SET encoder = 'another/64' WHERE id = {_PAYLOAD}",
    "pointer": f"UPDATE payloads SET pointer = randomblob(32) WHERE id = {_PAYLOAD}",
    "variant": f"UPDATE payloads SET variant = x'01' WHERE id = {_PAYLOAD}",
    "another memory's text": "UPDATE memories SET payload = (SELECT payload FROM memories WHERE id = 6) WHERE id = 5",
    "external id": "UPDATE memories SET external_id = 'other' WHERE id = 5",
    "no external id": "UPDATE memories SET external_id = NULL WHERE id = 5",
    "speaker": "UPDATE memories SET speaker = 'Ben' WHERE id = 5",
    "session": "UPDATE memories SET session = 'june' WHERE id = 5",
    "time": "UPDATE memories SET time = time + 1 WHERE id = 5",
    "metadata": """UPDATE memories SET metadata = '{"number":6}' WHERE id = 5""",
    "tier": "UPDATE memories SET tier = 'cold' WHERE id = 5",
    "pinned": "UPDATE memories SET pinned = 1 WHERE id = 5",
    "created": "UPDATE memories SET created = created - 1 WHERE id = 5",
    "source": "UPDATE memories SET source = 'elsewhere' WHERE id = 5",
    "trust": "UPDATE memories SET trust = 'system' WHERE id = 5",
    "surprise": "UPDATE memories SET surprise = surprise + 1e-9 WHERE id = 5",
    "expiry": "UPDATE memories SET expires = 1 << 60 WHERE id = 5",
    "salt": "UPDATE memories SET salt = randomblob(16) WHERE id = 5",
    "namespace": "INSERT INTO namespaces VALUES (2, '[\"other\"]'); UPDATE memories SET namespace = 2 WHERE id = 5",
}


@pytest.mark.parametrize("script", _ROW.values(), ids=_ROW)
def test_an_edited_field_is_found_and_its_memory_named(written: Path, script: str) -> None:
    edit(written, script)
    assert problem(written) == "memory 5 is not what was logged"


def test_an_unpinned_memory_that_was_pinned_is_found(written: Path) -> None:
    edit(written, "UPDATE memories SET tier = 'long_term', pinned = 0 WHERE id = 4")
    assert problem(written) == "memory 4 is not what was logged"


def test_a_renamed_namespace_is_found(written: Path) -> None:
    edit(written, "UPDATE namespaces SET labels = '[\"other\"]'")
    assert problem(written) == "memory 1 is not what was logged"


def test_another_store_s_name_is_found(written: Path) -> None:
    edit(written, "UPDATE meta SET value = CAST('0123456789abcdef0123456789abcdef' AS BLOB) WHERE key = 'store_id'")
    assert problem(written) == "memory 1 is not what was logged"


def test_two_texts_that_changed_places_are_found(written: Path) -> None:
    edit(
        written,
        "UPDATE memories SET payload = -1 WHERE id = 5; UPDATE memories SET payload = 5 WHERE id = 6;"
        "UPDATE memories SET payload = 6 WHERE id = 5",
    )
    assert problem(written) == "memory 5 is not what was logged"


_LOG = {
    "op": "UPDATE log SET op = 'forget' WHERE seq = 6",
    "namespace": "UPDATE log SET namespace = 2 WHERE seq = 6",
    "memory": "UPDATE log SET memory = 7 WHERE seq = 6",
    "time": "UPDATE log SET time = time + 1 WHERE seq = 6",
    "item": "UPDATE log SET item = randomblob(32) WHERE seq = 6",
    "entry": "UPDATE log SET entry = randomblob(32) WHERE seq = 6",
    "swapped entries": "UPDATE log SET seq = -6 WHERE seq = 6; UPDATE log SET seq = 6 WHERE seq = 7;"
    "UPDATE log SET seq = 7 WHERE seq = -6",
}


@pytest.mark.parametrize("script", _LOG.values(), ids=_LOG)
def test_an_edited_log_entry_is_found_and_named(written: Path, script: str) -> None:
    edit(written, script)
    assert problem(written) == "log entry 6 does not follow from the one before it"


@pytest.mark.parametrize("seq", [1, 6, 9])
def test_a_deleted_log_entry_is_found_and_named(written: Path, seq: int) -> None:
    edit(written, f"DELETE FROM log WHERE seq = {seq}")
    assert problem(written) == f"log entry {seq} is missing"


def test_a_log_that_lost_its_end_is_found_by_the_memories(written: Path) -> None:
    edit(written, "DELETE FROM log WHERE seq = 10")
    assert problem(written) == "memory 4 is not what was logged"
    edit(written, "DELETE FROM log WHERE seq = 9")
    assert problem(written) == "memory 3 is in the log, but gone"
    edit(written, "DELETE FROM log WHERE seq = 8")
    assert problem(written) == "memory 3 is in the log, but gone"


def test_an_appended_log_entry_is_found(written: Path) -> None:
    edit(
        written, "INSERT INTO log SELECT 11, 'forget', 1, 5, time, zeroblob(32), randomblob(32) FROM log WHERE seq = 1"
    )
    assert problem(written) == "log entry 11 does not follow from the one before it"


def test_a_deleted_memory_is_found_and_named(written: Path) -> None:
    edit(written, "DELETE FROM memories WHERE id = 5")
    assert problem(written) == "memory 5 is in the log, but gone"


def test_a_memory_that_was_slipped_in_is_found_and_named(written: Path) -> None:
    edit(
        written,
        "INSERT INTO memories SELECT 99, namespace, payload, 'n99', speaker, session, time, metadata, tier, pinned, "
        "created, source, trust, surprise, salt, expires FROM memories WHERE id = 5",
    )
    assert problem(written) == "memory 99 is not in the log"


def test_a_memory_that_lost_its_text_is_found_and_named(written: Path) -> None:
    edit(written, f"DELETE FROM payloads WHERE id = {_PAYLOAD}")
    assert problem(written) == "memory 5 has lost its text or namespace"


def test_a_forgotten_memory_leaves_no_text_behind_and_the_chain_holds(memory: Memory, folder: Path) -> None:
    canary = "xyzzy-canary-7f3a"
    note = memory.remember(f"The password is {canary}.", metadata={"k": canary + "-meta"}, speaker=canary + "-who")
    memory.remember("Something else.")
    memory.recall(canary)
    memory.forget(note)
    assert memory.verify().ok
    memory.close()
    for path in folder.rglob("*"):
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path.name
