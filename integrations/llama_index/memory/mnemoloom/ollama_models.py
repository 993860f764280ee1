"""LlamaIndex's Ollama classes over connections that are bounded, local by default, and fail in our words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.core.bridge.pydantic import Field, PrivateAttr

from mnemoloom.embedders.breaker import Breaker
from mnemoloom.embedders.chat_errors import broken_off, chat_errors
from mnemoloom.embedders.endpoint import Endpoint, endpoint
from mnemoloom.embedders.ollama_client import chat_breaker, connection, ollama_client
from mnemoloom.errors import ConfigError, require

require("llama_index.llms.ollama", extra="llama-index-ollama")
require("llama_index.embeddings.ollama", extra="llama-index-ollama")

import ollama  # noqa: E402 - after the checks
from llama_index.embeddings.ollama import OllamaEmbedding  # noqa: E402
from llama_index.llms.ollama import Ollama  # noqa: E402

from mnemoloom.embedders.bounded_http import AsyncBoundedTransport  # noqa: E402

__all__ = ["HOST", "BoundedOllama", "ollama_embedding"]

HOST = "http://127.0.0.1:11434"
LONGEST_ANSWER = 16 * 2**20  # bytes on the wire
LONGEST_ROWS = 256 * 2**20


class BoundedOllama(Ollama):  # type: ignore[misc]
    """LlamaIndex's Ollama, for a memory: the server is this machine unless `allow_remote`.

    No redirect is followed and no proxy used. `request_timeout` is how many seconds to wait for the next bytes,
    `answer_timeout` for an answer as a whole. The context window is said, so that the server need not be asked.

    Raises
    ------
    ConfigError: a server that is not allowed, or an option that LlamaIndex's Ollama does not have or that has no
        effect here (a client, headers).
    ChatModelUnavailableError: no server, no such model, or the answer broke off; nothing of it is returned.
        After five failures in a row nothing is sent for ten seconds.
    ChatModelTimeoutError, ChatModelError: too slow; refused, or no answer that makes sense.
    """

    answer_timeout: float = Field(default=600.0, gt=0)
    allow_remote: bool = False

    _client: ollama.Client | None = PrivateAttr(default=None)
    _async_client: ollama.AsyncClient | None = PrivateAttr(default=None)
    _breaker: Breaker = PrivateAttr(default_factory=chat_breaker)

    def __init__(
        self,
        model: str,
        base_url: str = HOST,
        request_timeout: float | None = 120.0,
        context_window: int = 8192,
        **fields: Any,  # noqa: ANN401 - those of Ollama
    ) -> None:
        # LlamaIndex takes any name and says nothing
        unknown = [name for name in fields if name not in type(self).model_fields]
        without_effect = [name for name in ("headers",) if fields.get(name) is not None]
        if refused := [*unknown, *without_effect]:
            raise ConfigError(f"LlamaIndex's Ollama has no option {refused[0]!r} that can be set here")
        super().__init__(
            model=model, base_url=base_url, request_timeout=request_timeout, context_window=context_window, **fields
        )
        endpoint(self.base_url, allow_remote=self.allow_remote)  # a bad address is told here, not in mid-chat

    @property
    def _server(self) -> Endpoint:
        return endpoint(self.base_url, allow_remote=self.allow_remote)

    @property
    def client(self) -> ollama.Client:
        if self._client is None:
            self._client = ollama_client(
                self._server,
                patience=self.request_timeout,
                timeout=self.answer_timeout,
                longest_answer=LONGEST_ANSWER,
                breaker=self._breaker,
            )
        return self._client

    @property
    def async_client(self) -> ollama.AsyncClient:
        if self._async_client is None:
            self._async_client = _async_client(
                self._server,
                patience=self.request_timeout,
                timeout=self.answer_timeout,
                longest_answer=LONGEST_ANSWER,
                breaker=self._breaker,
            )
        return self._async_client

    def get_context_window(self) -> int:
        with chat_errors(self._server, self.model):
            return int(super().get_context_window())

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:  # noqa: ANN401
        with chat_errors(self._server, self.model):
            answer: ChatResponse = super().chat(messages, **kwargs)
            return answer

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:  # noqa: ANN401
        with chat_errors(self._server, self.model):
            answer: ChatResponse = await super().achat(messages, **kwargs)
            return answer

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:  # noqa: ANN401
        inner = super().stream_chat(messages, **kwargs)

        def pieces() -> ChatResponseGen:
            done = False
            with chat_errors(self._server, self.model):
                for piece in inner:
                    done = done or _is_last(piece)
                    yield piece
            if not done:
                raise broken_off(self._server, self.model)

        return pieces()

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:  # noqa: ANN401
        inner = await super().astream_chat(messages, **kwargs)

        async def pieces() -> ChatResponseAsyncGen:
            done = False
            with chat_errors(self._server, self.model):
                async for piece in inner:
                    done = done or _is_last(piece)
                    yield piece
            if not done:
                raise broken_off(self._server, self.model)

        return pieces()


def ollama_embedding(
    model: str, *, host: str = HOST, patience: float = 30.0, timeout: float = 300.0, allow_remote: bool = False
) -> OllamaEmbedding:
    """LlamaIndex's OllamaEmbedding over bounded connections. Raises ConfigError for a server that is not allowed."""
    server = endpoint(host, allow_remote=allow_remote)
    bounds = {"patience": patience, "timeout": timeout, "longest_answer": LONGEST_ROWS}
    found = OllamaEmbedding(model_name=model, base_url=server.url)
    found._client = ollama_client(server, **bounds)  # type: ignore[arg-type]
    found._async_client = _async_client(server, **bounds)  # type: ignore[arg-type]
    return found


def _async_client(
    server: Endpoint, *, patience: float, timeout: float, longest_answer: int, breaker: Breaker | None = None
) -> ollama.AsyncClient:
    return ollama.AsyncClient(
        server.url,
        transport=AsyncBoundedTransport(max_bytes=longest_answer, seconds=timeout, breaker=breaker),
        **connection(server, patience=patience),
    )


def _is_last(piece: ChatResponse) -> bool:
    return bool((piece.raw or {}).get("done"))
