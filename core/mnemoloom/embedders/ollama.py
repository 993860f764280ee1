"""Encoding with a model that an Ollama server runs.

The texts of a private memory go there, so the server is this machine unless the caller says
otherwise, no redirect or proxy is followed, and every answer is checked before it is used.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mnemoloom.embedders.checking import checked, listed
from mnemoloom.embedders.endpoint import endpoint
from mnemoloom.embedders.ollama_client import MALFORMED, ollama_client, quoted
from mnemoloom.errors import (
    ConfigError,
    EmbedderAnswerError,
    EmbedderError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    TextError,
)
from mnemoloom.ports import Rows

if TYPE_CHECKING:
    import ollama

__all__ = ["OllamaEmbedder"]

LONGEST_ANSWER = 64 * 2**20  # bytes


class OllamaEmbedder:
    """Encodes through the `/api/embed` endpoint of an Ollama server; safe to share between threads.

    Parameters
    ----------
    model: the name as `ollama list` shows it, such as "nomic-embed-text".
    host: the server's URL. The environment variable OLLAMA_HOST is not read.
    timeout: seconds that the answer to one batch may take.
    batch_size: texts in one request.
    dimensions: cut the rows to this width, for models trained to allow it (ollama client 0.6 or newer).
    keep_alive: how long the server keeps the model loaded: seconds or a text such as "10m"; None is its default.
    allow_remote: allow another machine than this one. The key in OLLAMA_API_KEY is sent there over https only.
    query_prompt, memory_prompt: put before each question and each memory, as some models want it. A memory
        prompt becomes part of the identity, because it changes the vectors that are stored.

    Raises
    ------
    ConfigError: a setting outside its bounds, or a host that is not allowed.
    MissingExtraError: the ollama library is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        host: str = "http://127.0.0.1:11434",
        timeout: float = 60.0,
        batch_size: int = 64,
        dimensions: int | None = None,
        keep_alive: float | str | None = None,
        allow_remote: bool = False,
        query_prompt: str = "",
        memory_prompt: str = "",
    ) -> None:
        if not model.strip():
            raise ConfigError(f"OllamaEmbedder.model must be the name of a model; got {model!r}")
        if not (math.isfinite(timeout) and timeout > 0):
            raise ConfigError(f"OllamaEmbedder.timeout must be a positive number of seconds; got {timeout!r}")
        if batch_size < 1:
            raise ConfigError(f"OllamaEmbedder.batch_size must be at least 1; got {batch_size!r}")
        if dimensions is not None and dimensions < 1:
            raise ConfigError(f"OllamaEmbedder.dimensions must be at least 1 or None; got {dimensions!r}")
        self._server = endpoint(host, allow_remote=allow_remote)
        if not self._server.local and not self._server.encrypted:
            warnings.warn(f"texts are sent unencrypted to {self._server.url}; use https", stacklevel=2)
        self._model, self._timeout, self._batch_size = model, timeout, batch_size
        self._query_prompt, self._memory_prompt = query_prompt, memory_prompt
        self._options = {"dimensions": dimensions, "keep_alive": keep_alive}
        self._width = dimensions
        self._client = ollama_client(self._server, patience=timeout, timeout=timeout, longest_answer=LONGEST_ANSWER)

    @property
    def identity(self) -> str:
        width = self._options["dimensions"]
        name = f"ollama/{self._model}" + (f"@{width}" if width is not None else "")
        return f"{name}#{self._memory_prompt}" if self._memory_prompt else name

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        """Shape (len(texts), d), float32, as the server gives them.

        Raises
        ------
        TextError: a text is blank; nothing was sent.
        EmbedderUnavailableError: no server answers, the connection broke, or it does not have the model.
        EmbedderTimeoutError: the answer took too long.
        EmbedderAnswerError: the answer is malformed, or its count, width or values are wrong.
        EmbedderError: the server refused.
        """
        texts = listed(texts)
        for index, text in enumerate(texts):
            if not text.strip():  # one empty text fails the whole batch on the server
                raise TextError(f"texts[{index}] is blank; an Ollama server cannot encode it")
        prompt = self._query_prompt if query else self._memory_prompt
        batches = [
            self._embed_batch([prompt + text for text in texts[start : start + self._batch_size]])
            for start in range(0, len(texts), self._batch_size)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, self._width or 0), np.float32)

    def _embed_batch(self, texts: list[str]) -> Rows:
        # the server ignores a width that it cannot give, so the width of the answer is checked even if it was asked for
        rows = checked(self._ask(texts), count=len(texts), identity=self.identity, width=self._width)
        self._width = rows.shape[1]
        return rows

    def _ask(self, texts: list[str]) -> Sequence[Sequence[float]]:
        import httpx
        import ollama

        given = {name: value for name, value in self._options.items() if value is not None}
        try:
            reply = self._client.embed(model=self._model, input=texts, **given)
        except ollama.ResponseError as error:
            raise self._refusal(error, texts) from None  # the client's error holds all that the server said
        except httpx.TimeoutException as error:
            raise EmbedderTimeoutError(
                f"{self.identity} at {self._server.url} gave no answer within {self._timeout:g} s"
            ) from error
        except httpx.DecodingError as error:
            raise EmbedderAnswerError(f"{self.identity} at {self._server.url} cannot be read: {error}") from error
        except ConnectionError as error:
            raise EmbedderUnavailableError(
                f"no Ollama server answers at {self._server.url}; start it with `ollama serve`"
            ) from error
        except httpx.TransportError as error:
            raise EmbedderUnavailableError(f"the connection to {self._server.url} broke: {error}") from error
        except MALFORMED as error:
            raise EmbedderAnswerError(
                f"{self.identity} at {self._server.url} did not answer as /api/embed does: {type(error).__name__}"
            ) from None  # what could not be read may repeat the texts
        embeddings: Sequence[Sequence[float]] = reply.embeddings
        return embeddings

    def _refusal(self, error: ollama.ResponseError, texts: list[str]) -> EmbedderError:
        said = quoted(str(error.error), sent=texts)
        if error.status_code == 404 and "model" in said:
            return EmbedderUnavailableError(
                f"the Ollama server at {self._server.url} does not have the model {self._model!r}; "
                f"run: ollama pull {self._model}"
            )
        if 300 <= error.status_code < 400:
            said = "a redirect, which is not followed"
        return EmbedderError(f"{self.identity} at {self._server.url} answered {error.status_code}: {said}")
