"""Encoders across the border: LlamaIndex's as one of the core's, and the core's as one of LlamaIndex's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from mnemoloom.embedders.checking import checked, listed
from mnemoloom.embedders.spec import from_spec
from mnemoloom.errors import (
    ConfigError,
    EmbedderError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    LoomError,
)
from mnemoloom.ports import Embedder, Rows

__all__ = ["LlamaIndexEmbedder", "MnemoloomEmbedding", "as_embedder"]


class LlamaIndexEmbedder:
    """Any LlamaIndex embedding model as an embedder of a `Memory`.

    Parameters
    ----------
    model: what encodes. Questions are encoded as queries, memories as texts.
    identity: names the model so that the same name always means the same vectors. By default its class and model
        name; instructions that the model puts before a text belong in it, too.

    Raises
    ------
    ConfigError: the model has no name of its own, and none was given.
    """

    def __init__(self, model: BaseEmbedding, *, identity: str | None = None) -> None:
        if identity is None and model.model_name in ("", "unknown"):
            raise ConfigError(
                f"{type(model).__name__} does not say which model it is; pass identity=, a name for its vectors"
            )
        self.model = model
        self._identity = identity or f"llama-index:{type(model).__name__}:{model.model_name}"

    @property
    def identity(self) -> str:
        return self._identity

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        """Shape (len(texts), d). Raises EmbedderError, as the kind of failure says, and TextError."""
        asked = listed(texts)
        if query:
            rows = self._ask(lambda: [self.model.get_query_embedding(text) for text in asked])
        else:
            rows = self._ask(lambda: self.model.get_text_embedding_batch(asked))
        return checked(rows, count=len(asked), identity=self.identity, width=None)

    def _ask(self, work: Callable[[], list[list[float]]]) -> list[list[float]]:
        try:
            return work()
        except LoomError:
            raise
        except Exception as error:  # the border to any library: each has errors of its own
            raise _translated(error, self.identity) from error


class MnemoloomEmbedding(BaseEmbedding):
    """An embedder of the core as LlamaIndex's embedding model.

    Parameters
    ----------
    embedder: an embedder, or its specification, such as "hashing:256" or "ollama:nomic-embed-text". Only the
        latter can be written down and made again (`to_dict`, `from_dict`).
    """

    specification: str | None = Field(default=None, description="The embedder in one word.")

    _embedder: Embedder = PrivateAttr()

    def __init__(
        self,
        embedder: Embedder | str | None = None,
        *,
        specification: str | None = None,
        **fields: Any,  # noqa: ANN401 - those of BaseEmbedding
    ) -> None:
        given = specification if embedder is None else embedder
        if given is None:
            raise ConfigError("MnemoloomEmbedding needs an embedder, or its specification such as 'hashing:256'")
        found = from_spec(given) if isinstance(given, str) else given
        if found is None:
            raise ConfigError(f"MnemoloomEmbedding needs an embedder; got {given!r}")
        named = {"model_name": found.identity, "specification": given if isinstance(given, str) else None}
        super().__init__(**(fields | named))
        self._embedder = found

    @classmethod
    def class_name(cls) -> str:
        return "MnemoloomEmbedding"

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self._embedder.embed(texts).tolist()
        return rows

    def _get_query_embedding(self, query: str) -> list[float]:
        row: list[float] = self._embedder.embed([query], query=True)[0].tolist()
        return row

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)


def as_embedder(given: Embedder | BaseEmbedding | None) -> Embedder | None:
    """An embedder of the core, whichever side it comes from."""
    return LlamaIndexEmbedder(given) if isinstance(given, BaseEmbedding) else given


def _translated(error: Exception, identity: str) -> EmbedderError:
    said = f"{identity}: {type(error).__name__}: {error}"
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, TimeoutError) or any("Timeout" in name for name in names):
        return EmbedderTimeoutError(said)
    if isinstance(error, ConnectionError) or "TransportError" in names:  # httpx, requests and their relatives
        return EmbedderUnavailableError(said)
    return EmbedderError(said)
