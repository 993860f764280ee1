"""An encoder that fails, or answers with something else than one good row a text, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import EmbedderAnswerError, EmbedderError

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

Answer = Callable[[np.ndarray], Any]


class Spoiled(HashingEmbedder):
    """Encodes well until `spoil` is set."""

    spoil: Answer | None = None

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        rows = super().embed(texts, query=query)
        return rows if self.spoil is None else self.spoil(rows)


def raising(error: BaseException) -> Answer:
    def spoil(_: np.ndarray) -> Any:
        raise error

    return spoil


def with_first_row(value: float) -> Answer:
    def spoil(rows: np.ndarray) -> Any:
        rows[0] = value
        return rows

    return spoil


WRONG: dict[str, Answer] = {
    "one row too few": lambda rows: rows[1:],
    "one row too many": lambda rows: np.vstack((rows, rows[:1])),
    "wrong width": lambda rows: rows[:, :-1],
    "no width": lambda rows: rows[:, :0],
    "NaN": with_first_row(np.nan),
    "infinity": with_first_row(np.inf),
    "a zero row": with_first_row(0.0),
    "one flat row": lambda rows: rows.ravel(),
    "None": lambda _: None,
    "words": lambda rows: [["one"] * 64] * len(rows),
    "ragged": lambda rows: [[1.0] * (60 + i) for i in range(len(rows) + 1)],
}


@pytest.fixture
def embedder() -> Spoiled:
    return Spoiled(64)


@pytest.fixture
def started(open_memory: OpenMemory, folder: Path, embedder: Spoiled) -> Memory:
    """A memory with one encoded text."""
    memory = open_memory(folder, embedder=embedder)
    memory.remember("The violin is in the attic.")
    return memory


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_stores_nothing_and_recalls_nothing(
    started: Memory, embedder: Spoiled, refused: Refused, spoil: Answer
) -> None:
    embedder.spoil = spoil
    with refused(started, EmbedderAnswerError, "hashing/64"):
        started.remember_many(["The boat is blue.", "The map is old."])
    with refused(started, EmbedderAnswerError, "hashing/64"):
        started.recall("Where is the violin?")
    embedder.spoil = None
    assert started.remember("The boat is blue.") == 2
    assert started.recall("Where is the violin?")[0].id == 1


def test_a_failing_encoder_stores_nothing_and_recall_goes_by_words(
    started: Memory, embedder: Spoiled, refused: Refused
) -> None:
    embedder.spoil = raising(RuntimeError("the model fell over"))
    with refused(started, EmbedderError, "hashing/64 failed with RuntimeError"):
        started.remember("The boat is blue.")
    assert "failed with RuntimeError" in str(started.recall("Where is the boat?").degraded)
    assert started.recall("violin", profile="lexical")[0].id == 1
    embedder.spoil = None
    assert started.remember("The boat is blue.") == 2


def test_the_wrong_width_of_a_first_answer_settles_nothing(
    open_memory: OpenMemory, folder: Path, embedder: Spoiled
) -> None:
    memory = open_memory(folder, embedder=embedder)
    embedder.spoil = lambda rows: rows[:, :32]
    with pytest.raises(ValueError, match="width"):
        memory.remember_many([{"text": "brought along", "vector": np.ones(64)}, "encoded"])
    embedder.spoil = None
    assert memory.remember("The boat is blue.") == 1
    assert memory.stats().width == 64


def test_texts_with_vectors_of_their_own_never_reach_the_encoder(started: Memory, embedder: Spoiled) -> None:
    embedder.spoil = raising(AssertionError("it was asked"))
    assert started.remember("The boat is blue.", vector=np.ones(64)) == 2
    assert started.recall("boat", vector=np.ones(64), profile="dense")[0].id == 2
