"""Opening with another encoder: refused by name, or everything is encoded anew, however often that breaks off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mnemoloom import Memory, TokenVectors
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import EmbedderError, EmbedderMismatchError, EmbedderUnavailableError
from mnemoloom.ports import Rows

if TYPE_CHECKING:
    from conftest import OpenMemory

TEXTS = [f"Note {number}: the {thing} is here." for number in range(10) for thing in ("violin", "boat", "kettle")]


class Failing(HashingEmbedder):
    """Encodes `left` texts and then finds its server gone. `seen` are the memories among them."""

    def __init__(self, dimension: int, left: int) -> None:
        super().__init__(dimension)
        self.left = left
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        if len(texts) > self.left:
            raise EmbedderUnavailableError("the server is gone")
        self.left -= len(texts)
        self.seen += [] if query else texts
        return super().embed(texts, query=query)


class WordVectors(HashingEmbedder):
    """A hashing encoder that shows a vector for every word."""

    token_width = 96

    @property
    def identity(self) -> str:
        return "words/" + super().identity

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        words = [tuple(text.lower().split()) for text in texts]
        shown = [TokenVectors(each, HashingEmbedder(self.token_width).embed(each)) for each in words]
        return self.embed(texts, query=query), shown


class FailingWords(WordVectors):
    """As `WordVectors`, until `left` texts have been shown."""

    left = 10**6

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        if len(texts) > self.left:
            raise EmbedderUnavailableError("the server is gone")
        self.left -= len(texts)
        return super().embed_tokens(texts, query=query)


@pytest.fixture
def written(folder: Path) -> Path:
    """The folder of a closed store, encoded with hashing/64."""
    with Memory.open(folder, embedder=HashingEmbedder(64)) as memory:
        memory.remember_many(TEXTS)
    return folder


def dense(memory: Memory, query: str, *, k: int = 7) -> list[tuple[int, float]]:
    return [(hit.id, pytest.approx(hit.score, abs=1e-6)) for hit in memory.recall(query, k=k, profile="dense")]


@pytest.mark.parametrize("read_only", [False, True])
def test_another_encoder_is_refused_by_both_names(written: Path, read_only: bool) -> None:
    before = (written / "store.db").read_bytes()
    with pytest.raises(EmbedderMismatchError, match=r"'hashing/64'.*'hashing/32'.*reembed=True") as caught:
        Memory.open(written, embedder=HashingEmbedder(32), read_only=read_only)
    assert (caught.value.stored, caught.value.offered) == ("hashing/64", "hashing/32")
    assert (written / "store.db").read_bytes() == before


def test_without_an_encoder_the_store_opens_and_recalls_by_words(written: Path, open_memory: OpenMemory) -> None:
    result = open_memory(written).recall("Note 3 violin", k=1)
    assert (result[0].text, result.encoded) == (TEXTS[9], False)


def test_reembedding_encodes_everything_anew(written: Path, tmp_path: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(written, embedder=HashingEmbedder(32), reembed=True)
    stats = memory.stats()
    assert (stats.encoder, stats.width, stats.waiting, stats.encoded) == ("hashing/32", 32, 0, len(TEXTS))
    fresh = open_memory(tmp_path / "fresh", embedder=HashingEmbedder(32))
    fresh.remember_many(TEXTS)
    assert dense(memory, "Where is boat 4?") == dense(fresh, "Where is boat 4?")
    assert memory.verify().ok
    memory.close()
    assert dense(open_memory(written, embedder=HashingEmbedder(32)), "Where is boat 4?") == dense(
        fresh, "Where is boat 4?"
    )


def test_reembedding_with_the_same_encoder_has_nothing_to_do(written: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(written, embedder=HashingEmbedder(64), reembed=True)
    assert (memory.reembed(), memory.stats().entries) == (0, len(TEXTS))


def test_reembedding_reports_its_progress(written: Path, open_memory: OpenMemory) -> None:
    with Memory.open(written) as plain:
        plain.remember_many(f"Not encoded {number}" for number in range(5))
    told: list[tuple[int, int]] = []
    memory = open_memory(written, embedder=HashingEmbedder(64))
    assert memory.stats().waiting == 5
    assert memory.reembed(batch_size=2, progress=lambda done, total: told.append((done, total))) == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert memory.stats().waiting == 0


def test_a_run_that_fails_at_once_leaves_the_old_encoder(written: Path, open_memory: OpenMemory) -> None:
    with pytest.raises(EmbedderUnavailableError):
        Memory.open(written, embedder=Failing(32, left=0), reembed=True)
    memory = open_memory(written, embedder=HashingEmbedder(64))
    assert (memory.stats().encoder, memory.stats().encoded, memory.stats().entries) == ("hashing/64", 30, 30)
    assert memory.recall(TEXTS[4], profile="dense")[0].text == TEXTS[4]


def test_a_broken_off_run_goes_on_where_it_stopped(folder: Path, open_memory: OpenMemory) -> None:
    texts = [f"Note {number}: the {('violin', 'boat', 'kettle')[number % 3]} is here." for number in range(600)]
    with Memory.open(folder, embedder=HashingEmbedder(64)) as memory:
        memory.remember_many(texts)
    failing, rest = Failing(32, left=300), Failing(32, left=1000)
    with pytest.raises(EmbedderUnavailableError):
        Memory.open(folder, embedder=failing, reembed=True)
    done = len(failing.seen)
    assert 0 < done < 600
    memory = open_memory(folder, embedder=rest)
    assert (memory.stats().encoded, memory.stats().waiting) == (done, 600 - done)
    assert memory.verify().ok
    assert len(memory.recall("Where is the violin?", k=600)) >= 200
    assert memory.reembed() == 600 - done
    assert sorted(failing.seen + rest.seen) == sorted(texts)
    assert memory.recall(texts[577], k=1, profile="dense")[0].text == texts[577]
    assert memory.verify().ok


def test_after_a_broken_off_run_what_is_open_answers_as_what_is_reopened(folder: Path, open_memory: OpenMemory) -> None:
    with Memory.open(folder) as plain:
        plain.remember_many(TEXTS)
    encoder = Failing(64, left=1000)
    memory = open_memory(folder, embedder=encoder)
    memory.recall("Note 1")
    encoder.left = 8
    with pytest.raises(EmbedderUnavailableError):
        memory.reembed(batch_size=4)
    encoder.left = 1000
    kept_open = [(hit.id, hit.score) for hit in memory.recall("Where is boat 4?", k=9, profile="dense")]
    memory.close()
    assert dense(open_memory(folder, embedder=encoder), "Where is boat 4?", k=9) == kept_open


def test_vectors_that_callers_brought_along_survive_a_change_of_width(folder: Path, open_memory: OpenMemory) -> None:
    with Memory.open(folder, embedder=HashingEmbedder(64)) as memory:
        memory.remember("An ordinary message.", speaker="user")
        memory.remember("A message with a vector of its own.", speaker="user", vector=np.ones(64))
        reply = memory.remember("A reply with a vector of its own.", speaker="assistant", vector=np.ones(64))
    memory = open_memory(folder, embedder=HashingEmbedder(32), reembed=True)
    assert memory.verify().ok
    assert len(memory.recall("A message of its own", k=5)) == 3
    assert memory.get(reply).text == "A reply with a vector of its own."


@pytest.mark.parametrize("left", ["a reply", "nothing"])
def test_a_store_without_a_text_to_encode_takes_the_new_encoder(
    folder: Path, open_memory: OpenMemory, left: str
) -> None:
    with Memory.open(folder, embedder=HashingEmbedder(64)) as memory:
        memory.forget(memory.remember("Soon gone."))
        if left == "a reply":
            memory.remember("Replies are not encoded.", speaker="assistant")
    with Memory.open(folder, embedder=HashingEmbedder(32), reembed=True) as memory:
        memory.remember("The violin is in the attic.")
        assert memory.recall("violin", profile="dense")[0].text == "The violin is in the attic."
        assert (memory.stats().encoder, memory.stats().width) == ("hashing/32", 32)
    assert len(open_memory(folder, embedder=HashingEmbedder(32)).recall("violin", profile="dense")) == 1


def test_reembedding_without_an_encoder_is_refused(written: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(written)
    with pytest.raises(EmbedderError, match="embedder"):
        memory.reembed()
    memory.close()
    with pytest.raises(EmbedderError, match="embedder"):
        Memory.open(written, reembed=True)
    assert len(open_memory(written, read_only=True)) == len(TEXTS)


@pytest.mark.parametrize("size", [0, -1, True, "9"])
def test_a_batch_size_that_makes_no_sense_is_refused(written: Path, open_memory: OpenMemory, size: object) -> None:
    memory = open_memory(written, embedder=HashingEmbedder(64))
    memory.at("other").remember("Encoded with the rest.")
    with pytest.raises(ValueError, match="batch_size"):
        memory.reembed(batch_size=size)  # type: ignore[arg-type]


def test_learning_a_projection_keeps_recall_and_is_the_same_after_reopening(
    folder: Path, open_memory: OpenMemory
) -> None:
    memory = open_memory(folder, embedder=WordVectors(64))
    memory.remember_many({"text": text, "speaker": ("Ann", "Ben")[i % 2]} for i, text in enumerate(TEXTS))
    before = memory.stats().entries
    assert memory.reembed(learn=True) == len(TEXTS)
    assert memory.stats().entries == before + len(TEXTS)
    hits = memory.recall("Note 7: the boat", k=5)
    assert hits[0].text == "Note 7: the boat is here."
    assert "maxsim" in hits[0].parts
    assert memory.verify().ok
    memory.close()
    again = open_memory(folder, embedder=WordVectors(64)).recall("Note 7: the boat", k=5)
    assert [(hit.id, hit.score) for hit in again] == [(hit.id, pytest.approx(hit.score)) for hit in hits]


class NarrowWords(WordVectors):
    """Shows tokens that are narrower than what the store would keep of them."""

    token_width = 32

    @property
    def identity(self) -> str:
        return "narrow " + super().identity


def test_tokens_narrower_than_the_projection_are_kept_as_they_are(folder: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(folder, embedder=NarrowWords(64))
    memory.remember_many({"text": text, "speaker": ("Ann", "Ben")[i % 2]} for i, text in enumerate(TEXTS))
    hits = memory.recall("Note 7: the boat", k=5)
    assert hits[0].text == "Note 7: the boat is here."
    assert "maxsim" in hits[0].parts
    memory.close()
    again = open_memory(folder, embedder=NarrowWords(64)).recall("Note 7: the boat", k=5)
    assert [(hit.id, hit.score) for hit in again] == [(hit.id, pytest.approx(hit.score)) for hit in hits]


def test_learning_needs_an_encoder_that_shows_tokens(written: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(written, embedder=HashingEmbedder(64))
    with pytest.raises(EmbedderError, match="token"):
        memory.reembed(learn=True)
    assert memory.stats().entries == len(TEXTS)


def test_learning_from_too_few_tokens_is_refused_and_changes_nothing(folder: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(folder, embedder=WordVectors(64))
    memory.remember("Three words only.")
    with pytest.raises(EmbedderError, match="at least 64 tokens"):
        memory.reembed(learn=True)
    assert memory.stats().entries == 1


def test_a_learning_run_that_broke_off_is_completed_by_the_next(folder: Path, open_memory: OpenMemory) -> None:
    encoder = FailingWords(64)
    memory = open_memory(folder, embedder=encoder)
    memory.remember_many({"text": text, "speaker": ("Ann", "Ben")[i % 2]} for i, text in enumerate(TEXTS))
    encoder.left = len(TEXTS) + 8  # the texts to learn from, and two batches
    with pytest.raises(EmbedderUnavailableError):
        memory.reembed(learn=True, batch_size=4)
    encoder.left = 10**6
    assert memory.reembed() == len(TEXTS) - 8
    broken_off = [(hit.id, hit.score) for hit in memory.recall("Note 7: the boat", k=5)]
    memory.reembed(learn=True)
    assert [(hit.id, pytest.approx(hit.score)) for hit in memory.recall("Note 7: the boat", k=5)] == broken_off
