"""The encoder changes under a store: no vector goes to the wrong text, and none is compared with a stranger's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mnemoloom import Config, Memory, TokenVectors
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import EmbedderError, EmbedderMismatchError
from mnemoloom.ports import Rows


class Named:
    """A hashing embedder under another name, which may do something first."""

    def __init__(self, identity: str, width: int = 16, *, first: Callable[[Sequence[str]], None] | None = None) -> None:
        self.identity, self.first = identity, first
        self._rows = HashingEmbedder(width)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        if self.first is not None:
            self.first(texts)
        return -self._rows.embed(texts)


class Tokens(Named):
    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        shown = [TokenVectors(tuple(text.lower().split()), self.embed(text.split())) for text in texts]
        return self.embed(texts), shown


def stored_row(memory: Memory, text: str) -> np.ndarray:
    with memory._opened.store.reading() as connection:
        (blob,) = connection.execute("SELECT vector FROM payloads WHERE text = ?", (text,)).fetchone()
    return np.frombuffer(blob, "<f4")


def test_a_text_that_is_replaced_while_it_is_encoded_anew_does_not_get_the_old_vector(folder: Path) -> None:
    with Memory.open(folder, embedder=HashingEmbedder(16)) as memory:
        memory.remember("old apple text", external_id="x")

    replaced: list[str] = []

    def replace_it(texts: Sequence[str]) -> None:
        if "old apple text" in texts and not replaced:
            replaced.append("now")
            memory.remember("new banana words", external_id="x", vector=np.arange(1, 17))

    new = Named("new", first=replace_it)
    from mnemoloom.opened import OpenStore

    opened = OpenStore.open(
        folder,
        embedder=new,
        read_only=False,
        durability="full",
        config=Config(),
        clock=memory._opened.clock,
        lock_timeout=0.5,
        reembed=True,
    )
    with Memory(opened, ("default",)) as memory:
        memory.reembed()
        assert replaced
        assert not np.allclose(stored_row(memory, "new banana words"), new.embed(["old apple text"])[0])


def test_vectors_that_callers_brought_along_survive_a_reembed_of_the_same_width(folder: Path) -> None:
    own = np.arange(1, 17, dtype=np.float32)
    with Memory.open(folder, embedder=Named("a")) as memory:
        memory.remember("the caller's own", vector=own)
        memory.remember("ours")
    with Memory.open(folder, embedder=Named("b"), reembed=True) as memory:
        np.testing.assert_array_equal(stored_row(memory, "the caller's own"), own)
        assert memory.stats().waiting == 0
        assert memory.reembed() == 0


@pytest.mark.parametrize("width", [16, 24])
def test_a_reader_that_stays_open_says_so_when_the_store_was_encoded_by_another(folder: Path, width: int) -> None:
    with Memory.open(folder, embedder=Named("a")) as memory:
        memory.remember_many([f"note {n} about cherries" for n in range(5)])
    with Memory.open(folder, embedder=Named("a"), read_only=True) as reader:
        assert reader.recall("cherries").encoded
        other = Memory.open(folder, embedder=Named("b", width), reembed=True)
        with other, pytest.raises(EmbedderMismatchError, match="'b'"):
            reader.recall("cherries")


def test_codes_of_another_width_are_learned_through_a_cache_and_beside_a_reader(folder: Path) -> None:
    notes = [f"note {n} about {['apples', 'pears', 'plums', 'cherries'][n % 4]} and {n % 7}" for n in range(620)]
    embedder = Tokens("t", 32)
    with Memory.open(folder, embedder=embedder, config=Config(token_width=24)) as memory:
        memory.remember_many([{"text": note, "speaker": "Ann"} for note in notes])
    with Memory.open(folder, embedder=embedder, read_only=True) as reader:
        assert "maxsim" in reader.recall("apples and 3")[0].parts
        with Memory.open(folder, embedder=embedder, config=Config(token_width=8)) as memory:
            memory.reembed(learn=True)
            here = [(hit.id, hit.parts) for hit in memory.recall("apples and 3")]
            there = [(hit.id, hit.parts) for hit in reader.recall("apples and 3")]
            assert [memory_id for memory_id, _ in here] == [memory_id for memory_id, _ in there]
            assert all("maxsim" in parts for _, parts in there)
    with Memory.open(folder, embedder=embedder) as memory:
        assert [hit.id for hit in memory.recall("apples and 3")] == [memory_id for memory_id, _ in here]


def test_a_learning_run_that_broke_off_does_not_shorten_the_reembed_of_the_next_encoder(folder: Path) -> None:
    calls = []

    def fail_late(texts: Sequence[str]) -> None:
        calls.append(texts)
        if len(calls) > 30 and len(texts) == 4:
            raise EmbedderError("the encoder is gone")

    embedder = Tokens("t", 32)
    with Memory.open(folder, embedder=embedder, config=Config(token_width=8)) as memory:
        memory.remember_many([f"apples number {n} here" for n in range(20)])
        embedder.first = fail_late
        with pytest.raises(EmbedderError, match="gone"):
            memory.reembed(learn=True, batch_size=4)
    with Memory.open(folder, embedder=Named("c"), reembed=True) as memory:
        assert memory.stats().waiting == 0
        assert memory.stats().encoded == 20


def test_an_open_that_cannot_reembed_lets_go_of_the_store(folder: Path) -> None:
    def fail(texts: Sequence[str]) -> None:
        raise EmbedderError("no server")

    with Memory.open(folder, embedder=Named("a")) as memory:
        memory.remember("something")
    with pytest.raises(EmbedderError, match="no server") as caught:
        Memory.open(folder, embedder=Named("b", first=fail), reembed=True)
    with Memory.open(folder, embedder=Named("a")) as memory:
        assert memory.recall("something")
    assert caught.value is not None


def test_texts_that_wait_for_the_encoder_are_told_of_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Memory.open(folder) as memory:
        memory.remember_many(["about apples", "about pears"])
    with Memory.open(folder, embedder=Named("a")) as memory:
        assert not caplog.records
        memory.recall("apples")
        memory.recall("pears")
    assert [record.getMessage() for record in caplog.records] == [
        "2 memories are not encoded by a; Memory.reembed or `mnemoloom reembed` encodes them"
    ]
