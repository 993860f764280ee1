"""ChatOllama with an end to waiting, a server that is this machine, and errors that say what to do.

As it comes, ChatOllama waits for ever, follows redirects, sends the key of the environment to any host, takes the
errors of its HTTP library for its own, and a stream that ends too soon for an answer.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from mnemoloom.embedders.bounded_http import AsyncBoundedTransport, BoundedTransport
from mnemoloom.embedders.chat_errors import broken_off, chat_errors
from mnemoloom.embedders.endpoint import Endpoint, endpoint
from mnemoloom.embedders.ollama_client import chat_breaker, connection
from mnemoloom.errors import ConfigError, require

require("langchain_ollama", extra="langchain-ollama")

from langchain_ollama import ChatOllama  # noqa: E402 - after the error that names the extra

__all__ = ["CheckedChatOllama", "ollama_chat_model"]

LONGEST_ANSWER = 16 * 2**20  # bytes on the wire; a piece of a few letters takes about a hundred


class CheckedChatOllama(ChatOllama):
    """A ChatOllama whose failures are ChatModelErrors; made by `ollama_chat_model`.

    Raises, from whatever asks it:

    ChatModelUnavailableError: no server, no such model, or the connection broke before the answer was complete.
    ChatModelTimeoutError: no piece within the patience, or no end within the timeout.
    ChatModelError: the server refused, or its answer makes no sense.
    """

    @property
    def server(self) -> Endpoint:
        """Where it asks."""
        return endpoint(str(self.base_url), allow_remote=True)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        with chat_errors(self.server, self.model):
            return self._whole(super()._generate(messages, stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        with chat_errors(self.server, self.model):
            return self._whole(await super()._agenerate(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[ChatGenerationChunk]:
        pieces, complete = super()._stream(messages, stop, run_manager, **kwargs), False
        while True:
            with chat_errors(self.server, self.model):  # not around yield: errors of the reader are not the server's
                piece = next(pieces, None)
            if piece is None:
                break
            complete = complete or _is_last(piece.generation_info)
            yield piece
        if not complete:
            raise broken_off(self.server, self.model)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncIterator[ChatGenerationChunk]:
        pieces, complete = super()._astream(messages, stop, run_manager, **kwargs), False
        while True:
            with chat_errors(self.server, self.model):
                piece = await anext(pieces, None)
            if piece is None:
                break
            complete = complete or _is_last(piece.generation_info)
            yield piece
        if not complete:
            raise broken_off(self.server, self.model)

    def _whole(self, result: ChatResult) -> ChatResult:
        if not _is_last(result.generations[0].generation_info):
            raise broken_off(self.server, self.model)
        return result


def ollama_chat_model(
    model: str,
    *,
    host: str = "http://127.0.0.1:11434",
    patience: float = 120.0,
    timeout: float = 600.0,
    allow_remote: bool = False,
    **options: Any,  # noqa: ANN401 - those of ChatOllama
) -> CheckedChatOllama:
    """A chat model of an Ollama server. After five failures in a row nothing is sent to it for ten seconds.

    Parameters
    ----------
    model: its name, as `ollama list` shows it.
    host: the server's URL. The environment variable OLLAMA_HOST is not read.
    patience: seconds to wait for the next piece; a model that is still being loaded sends none.
    timeout: seconds for an answer as a whole.
    allow_remote: allow another machine than this one. The key in OLLAMA_API_KEY is sent there over https only.
    options: of ChatOllama, such as temperature or num_ctx.

    Raises
    ------
    ConfigError: a setting outside its bounds, an option that ChatOllama does not have, or a host not allowed.
    """
    if not model.strip():
        raise ConfigError(f"model must be the name of a model; got {model!r}")
    for name, seconds in (("patience", patience), ("timeout", timeout)):
        if not (math.isfinite(seconds) and seconds > 0):
            raise ConfigError(f"{name} must be a positive number of seconds; got {seconds!r}")
    # ChatOllama takes any name and says nothing
    if unknown := sorted(set(options) - set(ChatOllama.model_fields) | set(options) & _OURS):
        raise ConfigError(f"ChatOllama has no option {unknown[0]!r} that can be set here")
    server = endpoint(host, allow_remote=allow_remote)
    bounds: dict[str, Any] = {"max_bytes": LONGEST_ANSWER, "seconds": timeout, "breaker": chat_breaker()}
    return CheckedChatOllama(
        model=model,
        base_url=server.url,
        client_kwargs=connection(server, patience=patience),
        sync_client_kwargs={"transport": BoundedTransport(**bounds)},
        async_client_kwargs={"transport": AsyncBoundedTransport(**bounds)},
        **options,
    )


_OURS = {"base_url", "client_kwargs", "sync_client_kwargs", "async_client_kwargs"}


def _is_last(told: dict[str, Any] | None) -> bool:
    return bool(told) and told.get("done") is True  # type: ignore[union-attr]  # a dict, if it is true
