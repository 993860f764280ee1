"""Encoders both ways: a LangChain `Embeddings` for the core, and the core's embedder for LangChain."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from mnemoloom.drafts import check_count
from mnemoloom.errors import (
    ConfigError,
    EmbedderAnswerError,
    EmbedderError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    LoomError,
)
from mnemoloom.ports import Embedder, Rows

__all__ = ["LangChainEmbedder", "MnemoloomEmbeddings"]

Vectors = list[list[float]]
EmbedFunction = Callable[[Sequence[str]], Vectors] | Callable[[Sequence[str]], Awaitable[Vectors]]
_making_loop = threading.Lock()
_MODEL_NAMES = ("model", "model_name", "deployment", "repo_id")


class LangChainEmbedder:
    """Any LangChain `Embeddings`, as the encoder of a `Memory`.

    Parameters
    ----------
    embeddings: the model; or, as LangGraph's index takes it, a function from texts to vectors, async ones too.
    identity: names the model so that the same name always means the same vectors. By default the class and the name
        of its model; give it where a class has no model name, or where a setting changes the vectors.
    dims: how many numbers a vector must have; None accepts any.
    """

    def __init__(
        self, embeddings: Embeddings | EmbedFunction, *, identity: str | None = None, dims: int | None = None
    ) -> None:
        if not isinstance(embeddings, Embeddings) and not callable(embeddings):
            raise ConfigError(f"LangChainEmbedder takes an Embeddings or a function of texts; got {embeddings!r}")
        if identity is not None and (not isinstance(identity, str) or not identity.strip()):
            raise ConfigError(f"LangChainEmbedder.identity must be a non-empty string; got {identity!r}")
        self.embeddings = embeddings
        self._dims = None if dims is None else check_count(dims, "dims", low=1)
        self._identity = identity or _identity_of(embeddings)

    @property
    def identity(self) -> str:
        return self._identity

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        """Shape (len(texts), d). Raises EmbedderError, whatever the model's client raises."""
        texts = list(texts)
        if not texts:
            return np.zeros((0, 0), np.float32)
        try:
            rows = np.asarray(self._vectors(texts, query=query), np.float32)
            return self._of_width(rows)
        except LoomError:
            raise
        except ConnectionError as error:
            raise EmbedderUnavailableError(f"{self._identity} cannot be reached: {error}") from error
        except TimeoutError as error:
            raise EmbedderTimeoutError(f"{self._identity} gave no answer in time: {error}") from error
        except Exception as error:  # a client of any provider, with errors of its own
            raise EmbedderError(f"{self._identity} failed: {type(error).__name__}: {error}") from error

    def _of_width(self, rows: Rows) -> Rows:
        if self._dims is not None and rows.shape[-1:] != (self._dims,):
            raise EmbedderAnswerError(
                f"{self._identity} must answer with vectors of width {self._dims}, which is what dims says; "
                f"got an array of shape {rows.shape}"
            )
        return rows

    def _vectors(self, texts: list[str], *, query: bool) -> Any:  # noqa: ANN401 - an untrusted answer
        if not isinstance(self.embeddings, Embeddings):
            answer = self.embeddings(texts)
            return _awaited(answer) if inspect.isawaitable(answer) else answer
        if query:
            return [self.embeddings.embed_query(text) for text in texts]
        return self.embeddings.embed_documents(texts)


class MnemoloomEmbeddings(Embeddings):
    """An embedder of the core, for whatever in LangChain takes an `Embeddings`."""

    def __init__(self, embedder: Embedder) -> None:
        if not isinstance(embedder, Embedder):
            raise ConfigError(f"MnemoloomEmbeddings takes one of mnemoloom.embedders, or its like; got {embedder!r}")
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> Vectors:
        vectors: Vectors = np.asarray(self.embedder.embed(texts)).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = np.asarray(self.embedder.embed([text], query=True))[0].tolist()
        return vector


def _identity_of(embeddings: object) -> str:
    kind = embeddings if inspect.isroutine(embeddings) else type(embeddings)
    model = next((value for name in _MODEL_NAMES if isinstance(value := getattr(embeddings, name, None), str)), None)
    return "/".join(filter(None, ["langchain", f"{kind.__module__}.{kind.__qualname__}", model]))


def _awaited(answer: Awaitable[Any]) -> Any:  # noqa: ANN401 - an untrusted answer
    """Wait for a coroutine from synchronous code."""

    async def wait() -> Any:  # noqa: ANN401
        return await answer

    with _making_loop:
        loop = _loop(os.getpid())
    return asyncio.run_coroutine_threadsafe(wait(), loop).result()


@lru_cache(maxsize=1)
def _loop(_process: int) -> asyncio.AbstractEventLoop:
    """A loop that never ends, on a thread of its own: the caller's may be the one that waits, and the connections of
    an async client belong to the loop that they were made in. A forked process needs its own thread.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="mnemoloom-embed", daemon=True).start()
    return loop
