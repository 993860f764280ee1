"""What the hook takes from a text is in no file, reaches no encoder, and is not looked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Config, Draft
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, RedactionError, TextError
from mnemoloom.redaction import Redactor

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

CANARY = "xyzzy7f3a@example.org"
REDACTING = Config(redact=Redactor())


class Listening:
    """An encoder that keeps what it is given."""

    identity = "listening"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        self.heard += texts
        return HashingEmbedder(16).embed(texts)


def test_the_original_is_in_no_file_and_reaches_no_encoder(
    folder: Path, open_memory: OpenMemory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    embedder = Listening()
    memory = open_memory(folder, embedder=embedder, config=REDACTING)
    memory.remember(f"Write to {CANARY} soon.", metadata={"mail": [CANARY]}, vector=[1.0] * 16)
    memory.remember_many([f"Or to {CANARY}.", {"text": f"{CANARY} again", "metadata": {"a": {"b": CANARY}}}])
    found = memory.recall(f"Where does {CANARY} stand?")
    memory.nearest(f"near {CANARY}")
    assert found.query == "Where does [email] stand?"
    assert {hit.text for hit in found} == {"Write to [email] soon.", "Or to [email].", "[email] again"}
    assert [record.metadata for record in memory.records()] == [{"mail": ["[email]"]}, {}, {"a": {"b": "[email]"}}]
    memory.export(folder.parent / "bundle")
    memory.close()
    assert not any(CANARY.encode() in path.read_bytes() for path in folder.parent.rglob("*") if path.is_file())
    assert embedder.heard
    assert CANARY not in "".join(embedder.heard) + caplog.text


def test_a_callers_vector_stays_unless_the_text_was_changed(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=REDACTING)
    row = np.eye(8)[3]
    hidden, plain = memory.remember_many([Draft(text=CANARY, vector=row), Draft(text="Plain.", vector=row)])
    assert not memory.vectors([hidden]).any()
    assert np.array_equal(memory.vectors([plain])[0], row)


def test_metadata_may_be_left_alone(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=Config(redact=Redactor(), redact_metadata=False))
    assert memory.get(memory.remember(CANARY, metadata={"mail": CANARY})).metadata == {"mail": CANARY}


def test_a_hook_that_fails_stores_nothing(open_memory: OpenMemory, refused: Refused) -> None:
    def failing(text: str) -> str:
        if "fail" in text:
            raise KeyError(text)
        return text

    memory = open_memory(":memory:", config=Config(redact=failing))
    memory.remember("One.")
    with refused(memory, RedactionError, match="KeyError"):
        memory.remember_many(["Two.", "fail"])
    with refused(memory, RedactionError, match="KeyError"):
        memory.remember("Two.", metadata={"a": "fail"})
    with refused(memory, RedactionError, match="KeyError"):
        memory.recall("fail")


@pytest.mark.parametrize(("made", "error"), [(None, RedactionError), (7, RedactionError), ("", TextError)])
def test_what_a_hook_returns_must_be_a_text(made: Any, error: type[Exception], open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=Config(redact=lambda text: made))
    with pytest.raises(error):
        memory.remember("One.")
    assert len(memory) == 0


def test_a_hook_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigError, match="redact"):
        Config(redact="email")  # type: ignore[arg-type]


def test_a_text_can_be_redacted_without_being_stored(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=REDACTING)
    assert (
        memory.redact(f"Write to {CANARY}.")
        == asyncio.run(memory.aredact(f"Write to {CANARY}."))
        == "Write to [email]."
    )
    assert len(memory) == 0
