"""A call with a key of its own is done once, however often it is made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import StorageFailure, TextError, ValidationError

BATCH = ["One.", {"text": "Two.", "external_id": "two"}, "One."]


def test_a_call_made_again_adds_nothing_and_answers_the_same(folder: Path) -> None:
    with Memory.open(folder) as memory:
        ids = memory.remember_many(BATCH, idem_key="batch 1")
        assert memory.remember_many(BATCH, idem_key="batch 1") == ids
        entries = memory.stats().entries
    with Memory.open(folder) as memory:
        assert memory.remember_many(BATCH, idem_key="batch 1") == ids
        assert (len(memory), memory.stats().entries) == (3, entries)
        assert memory.remember_many(BATCH, idem_key="batch 2") != ids
        assert memory.verify().ok


def test_what_was_forgotten_since_does_not_come_back(memory: Memory) -> None:
    ids = memory.remember_many(BATCH, idem_key="batch")
    memory.forget(ids[0])
    assert memory.remember_many(BATCH, idem_key="batch") == ids
    assert len(memory) == 2


def test_a_key_belongs_to_one_namespace(memory: Memory) -> None:
    memory.remember_many(BATCH, idem_key="batch")
    memory.at("other").remember_many(BATCH, idem_key="batch")
    assert (len(memory), len(memory.at("other"))) == (3, 3)


def test_a_key_of_another_call_is_refused(memory: Memory) -> None:
    memory.remember_many(BATCH, idem_key="batch")
    with pytest.raises(ValidationError, match="call with 3 drafts; this one has 1"):
        memory.remember_many(["Four."], idem_key="batch")
    for wrong in ("", " ", 7, "\ud800"):
        with pytest.raises(TextError):
            memory.remember_many(["Four."], idem_key=wrong)  # type: ignore[arg-type]
    assert len(memory) == 3


def test_a_call_that_failed_can_be_made_again(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise StorageFailure("no space")

    with monkeypatch.context() as patched:
        patched.setattr("mnemoloom.remembering.keep_answer", failing)
        with pytest.raises(StorageFailure):
            memory.remember_many(BATCH, idem_key="batch")
    assert len(memory) == 0
    memory.remember_many(BATCH, idem_key="batch")
    assert len(memory) == 3


class Waiting(HashingEmbedder):
    """Encodes only when all threads have come this far."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__(8)
        self._barrier = barrier

    def embed(self, texts: object, *, query: bool = False) -> object:  # type: ignore[override]
        self._barrier.wait(10)
        return super().embed(texts, query=query)  # type: ignore[arg-type]


def test_threads_that_make_the_same_call_do_it_once() -> None:
    answers: list[list[int]] = []
    with Memory.open(":memory:", embedder=Waiting(threading.Barrier(4))) as memory:  # type: ignore[arg-type]
        calls = [
            threading.Thread(target=lambda: answers.append(memory.remember_many(BATCH, idem_key="batch")))
            for _ in range(4)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join(30)
        assert len(memory) == 3
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
