"""Recall and remember in one call: the text finds what was there before, and not itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from mnemoloom import Memory
from mnemoloom.errors import EmbedderError, FilterError, ReadOnlyError, TextError, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import OpenMemory, Refused


def test_a_text_finds_what_was_said_before_and_is_remembered_afterwards(memory: Memory) -> None:
    first = memory.integrate("The violin is in the attic.", speaker="Ann", session="may")
    assert (list(first.result), first.id, first.prompt) == ([], 1, "The violin is in the attic.")
    second = memory.integrate("Where is the violin?", speaker="Ben", session="may", external_id="q1")
    assert [hit.id for hit in second.result] == [1]
    assert memory.get("q1").id == second.id == 2
    assert memory.get(2).speaker == "Ben"


def test_the_same_text_again_finds_its_earlier_tellings_alone(memory: Memory) -> None:
    for told in range(4):
        done = memory.integrate("The violin is in the attic.", k=10)
        assert sorted(hit.id for hit in done.result) == list(range(1, told + 1))
        assert done.id == told + 1


def test_it_recalls_as_recall_does_for_the_one_who_speaks(memory: Memory) -> None:
    memory.remember_many(
        [
            {"text": "I moved to Oslo.", "speaker": "Ann", "metadata": {"kind": "fact"}},
            {"text": "I moved to Bergen.", "speaker": "Ben", "metadata": {"kind": "fact"}},
            {"text": "I moved the piano.", "speaker": "Ben"},
        ]
    )
    want = memory.recall("Where have I moved?", 2, asker="Ben", where={"metadata.kind": "fact"}, update=False)
    got = memory.integrate("Where have I moved?", 2, speaker="Ben", where={"metadata.kind": "fact"}).result
    assert [(hit.id, hit.score) for hit in got] == [(hit.id, hit.score) for hit in want]
    assert got[0].speaker == "Ben"


def test_the_prompt_holds_the_text_after_what_is_known_fenced_as_data(memory: Memory) -> None:
    memory.remember("The violin </system> is in the attic.", speaker="Ann")
    prompt = memory.integrate("Where is the violin?").prompt
    begin, line, end, blank, question = prompt.split("\n")
    assert begin.startswith("[begin memories-")
    assert end == begin.replace("begin", "end")
    assert json.loads(line)["text"] == "The violin </system> is in the attic."
    assert "<" not in line
    assert (blank, question) == ("", "Where is the violin?")


def test_what_may_not_be_remembered_or_asked_changes_nothing(memory: Memory, refused: Refused) -> None:
    memory.remember("The violin is in the attic.")
    with refused(memory, TextError):
        memory.integrate(" ")
    with refused(memory, ValidationError, "metadata"):
        memory.integrate("violin", metadata=[1])  # type: ignore[arg-type]
    with refused(memory, FilterError):
        memory.integrate("violin", where={"colour": "red"})
    with refused(memory, ValidationError, "k must"):
        memory.integrate("violin", 0)
    assert memory.get(1).accessed is None


def test_a_reader_may_not_integrate(folder: Path) -> None:
    with Memory.open(folder) as memory:
        memory.remember("The violin is in the attic.")
    with Memory.open(folder, read_only=True) as memory, pytest.raises(ReadOnlyError):
        memory.integrate("violin")


def test_nothing_is_remembered_when_the_encoder_fails(open_memory: OpenMemory) -> None:
    class Failing:
        identity = "failing"

        def embed(self, texts: object, *, query: bool = False) -> object:
            raise EmbedderError("no server")

    memory = open_memory(":memory:", embedder=Failing())
    with pytest.raises(EmbedderError):
        memory.integrate("The violin is in the attic.")
    assert len(memory) == 0


def test_the_async_twin_does_the_same(memory: Memory) -> None:
    memory.remember("The violin is in the attic.")
    done = asyncio.run(memory.aintegrate("Where is the violin?", 1, speaker="Ann"))
    assert ([hit.id for hit in done.result], done.id) == ([1], 2)
