"""Encoders cross the border in both directions, and fail in our words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding

from integrations.llama_index.doubles import BagEmbedding, bag
from llama_index.vector_stores.mnemoloom import LlamaIndexEmbedder, MnemoloomEmbedding
from mnemoloom import Embedder, Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    ConfigError,
    EmbedderAnswerError,
    EmbedderError,
    EmbedderMismatchError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
)


class Asymmetric(BagEmbedding):
    """Encodes a question otherwise than a text."""

    def _get_query_embedding(self, query: str) -> list[float]:
        return bag(f"question {query}")


def named(model: type[BagEmbedding] = BagEmbedding, name: str = "bag") -> LlamaIndexEmbedder:
    return LlamaIndexEmbedder(model(model_name=name))


def test_any_llama_index_model_encodes_a_memory(folder: Path) -> None:
    embedder = named()
    assert isinstance(embedder, Embedder)
    with Memory.open(folder, embedder=embedder) as memory:
        memory.remember_many(["Green tea is the best.", "The dog is called Rex."])
        hits = memory.recall("tea", 2, profile="dense")
        assert hits[0].text == "Green tea is the best."
        assert memory.stats().encoder == "llama-index:BagEmbedding:bag"
    with pytest.raises(EmbedderMismatchError):
        Memory.open(folder, embedder=named(name="another"))


def test_questions_and_texts_are_told_apart() -> None:
    embedder = named(Asymmetric)
    np.testing.assert_allclose(embedder.embed(["tea"], query=True)[0], bag("question tea"), atol=1e-6)
    np.testing.assert_allclose(embedder.embed(["tea"])[0], bag("tea"), atol=1e-6)


def test_rows_come_in_the_order_of_the_texts_and_none_for_none() -> None:
    texts = [f"text {i}" for i in range(23)]
    np.testing.assert_allclose(named().embed(texts), [bag(text) for text in texts], atol=1e-6)
    assert named().embed([]).shape[0] == 0


def test_a_model_without_a_name_must_be_given_one() -> None:
    with pytest.raises(ConfigError, match="identity="):
        LlamaIndexEmbedder(BagEmbedding())
    assert LlamaIndexEmbedder(BagEmbedding(), identity="mine").identity == "mine"


class Timeout(Exception):  # noqa: N818 - as it is called there
    """As httpx and its like name theirs."""


class ConnectTimeout(Timeout):
    pass


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ConnectionRefusedError("no"), EmbedderUnavailableError),
        (TimeoutError("late"), EmbedderTimeoutError),
        (ConnectTimeout("late"), EmbedderTimeoutError),
        (KeyError("data"), EmbedderError),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_what_a_model_raises_is_an_error_of_the_encoder(raised: Exception, expected: type[Exception]) -> None:
    class Failing(BagEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            raise raised

    with pytest.raises(expected, match=type(raised).__name__) as caught:
        named(Failing).embed(["tea"])
    assert caught.value.__cause__ is raised


def test_a_useless_answer_is_refused() -> None:
    class Nan(BagEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return [float("nan")] * 4

    with pytest.raises(EmbedderAnswerError):
        named(Nan).embed(["tea"])


def test_an_embedder_of_ours_serves_an_index() -> None:
    model = MnemoloomEmbedding("hashing:64")
    assert isinstance(model, BaseEmbedding)
    index = VectorStoreIndex.from_documents([Document(text="green tea"), Document(text="a dog")], embed_model=model)
    assert index.as_retriever(similarity_top_k=1).retrieve("tea")[0].node.get_content() == "green tea"


def test_it_gives_the_same_vectors_synchronously_and_not() -> None:
    ours, model = HashingEmbedder(64), MnemoloomEmbedding(HashingEmbedder(64))
    want = ours.embed(["green tea"])[0].tolist()
    assert model.get_text_embedding("green tea") == want
    assert model.get_text_embedding_batch(["x", "green tea"])[1] == want
    assert model.get_query_embedding("green tea") == ours.embed(["green tea"], query=True)[0].tolist()
    assert asyncio.run(model.aget_text_embedding("green tea")) == want
    assert asyncio.run(model.aget_text_embedding_batch(["x", "green tea"]))[1] == want
    assert asyncio.run(model.aget_query_embedding("green tea")) == model.get_query_embedding("green tea")


def test_one_with_a_specification_can_be_written_down_and_made_again() -> None:
    model = MnemoloomEmbedding("hashing:32", embed_batch_size=7)
    again = MnemoloomEmbedding.from_dict(model.to_dict())
    assert (again.model_name, again.embed_batch_size) == (model.model_name, 7)
    assert again.get_text_embedding("tea") == model.get_text_embedding("tea")
    with pytest.raises(ConfigError, match="needs an embedder"):
        MnemoloomEmbedding.from_dict(MnemoloomEmbedding(HashingEmbedder(32)).to_dict())
    with pytest.raises(ConfigError, match="needs an embedder"):
        MnemoloomEmbedding("none")


def test_both_ways_make_the_same_vectors() -> None:
    ours = HashingEmbedder(64)
    there_and_back = LlamaIndexEmbedder(MnemoloomEmbedding(ours))
    np.testing.assert_array_equal(there_and_back.embed(["tea", "dog"]), ours.embed(["tea", "dog"]))
