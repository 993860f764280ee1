"""Encoders both ways, and what becomes of their errors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from langchain_mnemoloom import LangChainEmbedder, MnemoloomEmbeddings
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
from mnemoloom.testing import OllamaServer

TEXTS = ["a boat", "a kettle", "a boat"]


class Model(Embeddings):
    """A model with a name that fails as it is told."""

    def __init__(self, model: str = "tiny", *, answer: Any = None, error: BaseException | None = None) -> None:
        self.model, self.answer, self.error = model, answer, error

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.error is not None:
            raise self.error
        return HashingEmbedder(16).embed(texts).tolist() if self.answer is None else self.answer

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def test_langchains_vectors_reach_the_core_unchanged() -> None:
    embeddings = DeterministicFakeEmbedding(size=16)
    embedder = LangChainEmbedder(embeddings)
    assert isinstance(embedder, Embedder)
    rows = embedder.embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.tolist() == np.asarray(embeddings.embed_documents(TEXTS), np.float32).tolist()
    assert embedder.embed(["x"], query=True).tolist() == [np.asarray(embeddings.embed_query("x"), np.float32).tolist()]
    assert embedder.embed([]).shape[0] == 0


def test_the_cores_vectors_reach_langchain_unchanged() -> None:
    embeddings = MnemoloomEmbeddings(HashingEmbedder(16))
    assert embeddings.embed_documents(TEXTS) == HashingEmbedder(16).embed(TEXTS).tolist()
    assert asyncio.run(embeddings.aembed_query("x")) == embeddings.embed_query("x")
    assert embeddings.embed_documents([]) == []


def test_functions_and_async_functions_embed_too() -> None:
    def plain(texts: Sequence[str]) -> list[list[float]]:
        return HashingEmbedder(16).embed(list(texts)).tolist()

    async def slow(texts: Sequence[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return plain(texts)

    async def inside_a_loop() -> Any:
        return LangChainEmbedder(slow).embed(TEXTS)

    want = HashingEmbedder(16).embed(TEXTS).tolist()
    assert LangChainEmbedder(plain).embed(TEXTS).tolist() == want
    assert LangChainEmbedder(slow).embed(TEXTS).tolist() == want
    assert asyncio.run(inside_a_loop()).tolist() == want


def test_an_async_function_may_keep_its_client_from_call_to_call() -> None:
    """A client's connections belong to one event loop."""
    with OllamaServer() as server:
        client = httpx.AsyncClient(base_url=server.url, trust_env=False)

        async def embed(texts: Sequence[str]) -> list[list[float]]:
            answer = await client.post("/api/embed", json={"model": "tinyemb", "input": list(texts)})
            return answer.json()["embeddings"]

        async def close() -> list[list[float]]:
            await client.aclose()
            return []

        embedder = LangChainEmbedder(embed)
        assert [embedder.embed([text]).shape for text in ("one", "two", "three")] == [(1, 64)] * 3
        assert asyncio.run(asyncio.to_thread(embedder.embed, ["four"])).shape == (1, 64)
        LangChainEmbedder(lambda _: close()).embed(["the end"])


def test_an_identity_names_the_class_and_the_model_or_what_the_caller_says() -> None:
    assert LangChainEmbedder(Model("tiny")).identity.endswith("Model/tiny")
    assert LangChainEmbedder(Model("tiny")).identity != LangChainEmbedder(Model("huge")).identity
    assert LangChainEmbedder(Model(), identity="mine").identity == "mine"


def test_a_folder_refuses_another_model(tmp_path: Any) -> None:
    with Memory.open(tmp_path / "s", embedder=LangChainEmbedder(Model("tiny"))) as memory:
        memory.remember("a boat")
    with pytest.raises(EmbedderMismatchError, match="huge"):
        Memory.open(tmp_path / "s", embedder=LangChainEmbedder(Model("huge")))


class ProvidersError(Exception):
    pass


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (ConnectionError("refused"), EmbedderUnavailableError),
        (TimeoutError("slow"), EmbedderTimeoutError),
        (ProvidersError("quota"), EmbedderError),
        (ValueError("bad model"), EmbedderError),
    ],
)
def test_whatever_a_client_raises_is_an_embedder_error_and_nothing_is_stored(
    raised: Exception, becomes: type[EmbedderError]
) -> None:
    model = Model(error=raised)
    with Memory.open(":memory:", embedder=LangChainEmbedder(model)) as memory:
        with pytest.raises(becomes) as caught:
            memory.remember("a boat")
        assert caught.value.__cause__ is raised
        assert len(memory) == 0


@pytest.mark.parametrize("answer", [[[1.0, 2.0]] * 3, [[float("nan"), 1.0]], [[0.0, 0.0]], [1.0], [[]]])
def test_an_answer_that_is_no_encoding_is_refused(answer: Any) -> None:
    with Memory.open(":memory:", embedder=LangChainEmbedder(Model(answer=answer))) as memory:
        with pytest.raises(EmbedderAnswerError):
            memory.remember("a boat")
        assert len(memory) == 0


@pytest.mark.parametrize("bad", ["model", 3, None])
def test_what_is_no_encoder_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError):
        LangChainEmbedder(bad)
    with pytest.raises(ConfigError):
        MnemoloomEmbeddings(bad)
    with pytest.raises(ConfigError, match="identity"):
        LangChainEmbedder(Model(), identity=" ")
