"""A chat model of an Ollama server, answering piece by piece.

The prompts hold private memories, so the server is this machine: the rules are those of the embedders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypedDict

from mnemoloom.embedders.chat_errors import broken_off, chat_errors
from mnemoloom.embedders.endpoint import Endpoint, endpoint
from mnemoloom.embedders.ollama_client import chat_breaker, ollama_client
from mnemoloom.errors import ConfigError

if TYPE_CHECKING:
    import ollama

__all__ = ["ChatModel", "Message", "installed_models", "stream_answer"]

LONGEST_ANSWER = 16 * 2**20  # bytes on the wire; a piece of a few letters takes about a hundred


class Message(TypedDict):
    """role: system, user or assistant."""

    role: str
    content: str


class ChatModel:
    """One model of one server.

    Parameters
    ----------
    model: its name, as `ollama list` shows it.
    host: the server's URL; must be this machine.
    patience: seconds to wait for the next piece; a model that is still being loaded sends none.
    timeout: seconds for an answer as a whole.

    Raises
    ------
    ConfigError: no name, or a host that is not allowed. MissingExtraError: the ollama library is not installed.
    """

    def __init__(self, model: str, *, host: str, patience: float = 120.0, timeout: float = 600.0) -> None:
        if not model.strip():
            raise ConfigError(f"model must be the name of a model; got {model!r}")
        self.model = model
        self.server = endpoint(host, allow_remote=False)
        self._client = ollama_client(
            self.server,
            patience=patience,
            timeout=timeout,
            longest_answer=LONGEST_ANSWER,
            breaker=chat_breaker(),
        )

    def answer(self, messages: Sequence[Message]) -> Iterator[str]:
        """The pieces of the answer to `messages`, as they come. Raises as `stream_answer` does."""
        return stream_answer(self._client, self.server, self.model, messages)


def stream_answer(client: ollama.Client, server: Endpoint, model: str, messages: Sequence[Message]) -> Iterator[str]:
    """The pieces of an answer, as they come; it is complete when the iterator ends.

    Raises
    ------
    ChatModelUnavailableError: no server, no such model, or the connection broke before the answer was complete.
    ChatModelTimeoutError: no piece within the patience, or no end within the timeout.
    ChatModelError: the server refused, or its answer makes no sense.
    """
    complete = False
    with chat_errors(server, model):
        for part in client.chat(model=model, messages=messages, stream=True):
            if part.message.content:
                yield part.message.content
            complete = complete or bool(part.done)
    if not complete:
        raise broken_off(server, model)


def installed_models(host: str, *, timeout: float) -> list[str]:
    """The names of the server's models, embedding models left out. Raises as `stream_answer` does."""
    server = endpoint(host, allow_remote=False)
    client = ollama_client(server, patience=timeout, timeout=timeout, longest_answer=LONGEST_ANSWER)
    with chat_errors(server, "the list of models"):
        names = [entry.model for entry in client.list().models]
        return [name for name in names if name and "embed" not in name and "minilm" not in name]
