"""Saying a thing twice makes two events; what equal texts share is kept, and encoded, once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import UnknownMemoryError
from mnemoloom.ports import Rows

if TYPE_CHECKING:
    from conftest import OpenMemory

TEXT = "The violin is in the attic."


class Counting(HashingEmbedder):
    """Notes every text that it is asked to encode as a memory."""

    def __init__(self) -> None:
        super().__init__(64)
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        self.seen += [] if query else texts
        return super().embed(texts, query=query)


@pytest.fixture
def embedder() -> Counting:
    return Counting()


@pytest.fixture
def counted(open_memory: OpenMemory, folder: Path, embedder: Counting) -> Memory:
    return open_memory(folder, embedder=embedder)


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(f"{(folder / 'store.db').as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_repeated_text_is_an_event_of_its_own(counted: Memory) -> None:
    first = counted.remember(TEXT, speaker="Ann", time="2026-03-01")
    second = counted.remember(TEXT, speaker="Ben", time="2026-04-01")
    assert first != second
    one, other = counted.get(first), counted.get(second)
    assert (one.speaker, other.speaker, one.pointer == other.pointer) == ("Ann", "Ben", True)
    assert {hit.id for hit in counted.recall("violin")} == {first, second}
    assert counted.stats().entries == 2


def test_a_repeated_text_is_stored_once(counted: Memory, folder: Path) -> None:
    counted.remember_many([TEXT, "Another text.", TEXT])
    counted.remember(TEXT)
    assert (rows(folder, "memories"), rows(folder, "payloads")) == (4, 2)


def test_a_known_text_is_not_encoded_again(counted: Memory, embedder: Counting) -> None:
    counted.remember_many([TEXT, TEXT])
    counted.remember(TEXT)
    counted.remember_many([TEXT, "Another text."])
    assert embedder.seen == [TEXT, "Another text."]
    assert counted.stats().encoded == 5


def test_a_known_text_is_not_encoded_again_after_reopening(
    counted: Memory, embedder: Counting, folder: Path, open_memory: OpenMemory
) -> None:
    counted.remember(TEXT)
    counted.close()
    again = open_memory(folder, embedder=embedder)
    again.remember(TEXT)
    assert embedder.seen == [TEXT]
    assert len(again.recall("violin attic", profile="dense")) == 2


def test_namespaces_share_nothing_not_even_a_text(counted: Memory, embedder: Counting, folder: Path) -> None:
    counted.remember(TEXT)
    counted.at("other").remember(TEXT)
    assert embedder.seen == [TEXT, TEXT]
    assert rows(folder, "payloads") == 2


def test_forgetting_one_of_two_keeps_the_text_for_the_other(counted: Memory, folder: Path) -> None:
    first, second = counted.remember_many([TEXT, TEXT])
    counted.forget(first)
    assert counted.get(second).text == TEXT
    assert [hit.id for hit in counted.recall("violin")] == [second]
    counted.forget(second)
    assert (rows(folder, "memories"), rows(folder, "payloads"), len(counted)) == (0, 0, 0)
    assert counted.verify().ok


def test_a_caller_s_own_vector_belongs_to_its_event_alone(counted: Memory, embedder: Counting, folder: Path) -> None:
    plain = counted.remember(TEXT)
    own = counted.remember(TEXT, vector=np.eye(64)[3])
    assert rows(folder, "payloads") == 2
    assert embedder.seen == [TEXT]
    hits = counted.recall("violin", vector=np.eye(64)[3], profile="dense")
    assert [hit.id for hit in hits] == [own, plain]
    assert counted.verify().ok


def test_a_text_remembered_without_an_encoder_gets_its_vector_when_it_is_repeated_with_one(
    folder: Path, open_memory: OpenMemory, embedder: Counting
) -> None:
    with Memory.open(folder) as plain:
        first = plain.remember(TEXT)
        plain.remember("The boat is in the harbour.")
    memory = open_memory(folder, embedder=embedder)
    second = memory.remember(TEXT)
    assert {hit.id for hit in memory.recall("violin attic", profile="dense")} == {first, second}
    assert memory.stats().encoded == 2
    kept_open = [(hit.id, hit.score) for hit in memory.recall("violin attic")]
    assert memory.verify().ok
    memory.close()
    again = open_memory(folder, embedder=embedder)
    assert [(hit.id, pytest.approx(hit.score)) for hit in again.recall("violin attic")] == kept_open


def test_the_same_external_id_replaces_the_memory(counted: Memory) -> None:
    first = counted.remember("Version one.", external_id="doc")
    second = counted.remember("Version two.", external_id="doc")
    assert (counted.get("doc").id, counted.get("doc").text, len(counted)) == (second, "Version two.", 1)
    assert [hit.text for hit in counted.recall("version")] == ["Version two."]
    with pytest.raises(UnknownMemoryError):
        counted.get(first)
    assert counted.verify().ok


def test_of_drafts_with_one_external_id_the_last_stands_for_all(counted: Memory) -> None:
    ids = counted.remember_many(
        [{"text": f"Version {number}.", "external_id": "doc"} for number in range(3)] + [{"text": "Something else."}]
    )
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert [record.text for record in counted.records()] == ["Version 2.", "Something else."]


def test_existing_memories_can_be_skipped(counted: Memory, embedder: Counting) -> None:
    first = counted.remember("Version one.", external_id="doc")
    ids = counted.remember_many(
        [{"text": "Version two.", "external_id": "doc"}, {"text": "A new one.", "external_id": "new"}], existing="skip"
    )
    assert ids[0] == first
    assert [record.text for record in counted.records()] == ["Version one.", "A new one."]
    assert counted.remember_many([{"text": "Version three.", "external_id": "doc"}], existing="skip") == [first]
    assert counted.verify().ok


def test_an_external_id_belongs_to_its_namespace(counted: Memory) -> None:
    other = counted.at("other")
    counted.remember("Mine.", external_id="doc")
    other.remember("Theirs.", external_id="doc")
    assert (counted.get("doc").text, other.get("doc").text) == ("Mine.", "Theirs.")


def test_an_id_is_never_used_again(counted: Memory, folder: Path, open_memory: OpenMemory) -> None:
    last = counted.remember_many(["one", "two", "three"])[-1]
    counted.forget(last)
    counted.close()
    assert open_memory(folder).remember("four") > last
