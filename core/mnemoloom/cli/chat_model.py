"""A chat model of an Ollama server, answering piece by piece.

The prompts hold private memories, so the server is this machine: the rules are those of the embedders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict

from mnemoloom.embedders.endpoint import Endpoint, endpoint
from mnemoloom.embedders.ollama_client import LONGEST_QUOTE, MALFORMED, ollama_client
from mnemoloom.errors import (
    ChatModelError,
    ChatModelTimeoutError,
    ChatModelUnavailableError,
    ConfigError,
)

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
        self._client = ollama_client(self.server, patience=patience, timeout=timeout, longest_answer=LONGEST_ANSWER)

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
    with _translated(server, model):
        for part in client.chat(model=model, messages=messages, stream=True):
            if part.message.content:
                yield part.message.content
            complete = complete or bool(part.done)
    if not complete:
        raise ChatModelUnavailableError(f"{model} at {server.url} broke off in mid-answer; ask again")


def installed_models(host: str, *, timeout: float) -> list[str]:
    """The names of the server's models, embedding models left out. Raises as `stream_answer` does."""
    server = endpoint(host, allow_remote=False)
    client = ollama_client(server, patience=timeout, timeout=timeout, longest_answer=LONGEST_ANSWER)
    with _translated(server, "the list of models"):
        names = [entry.model for entry in client.list().models]
        return [name for name in names if name and "embed" not in name and "minilm" not in name]


@contextmanager
def _translated(server: Endpoint, model: str) -> Iterator[None]:
    """Raise a ChatModelError, with what to do about it, for whatever the client raises."""
    import httpx
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        raise _refusal(error, server, model) from error
    except httpx.TimeoutException as error:
        raise ChatModelTimeoutError(
            f"{model} at {server.url} kept us waiting too long; a smaller model answers sooner"
        ) from error
    except (ConnectionError, httpx.ConnectError) as error:
        raise ChatModelUnavailableError(
            f"no Ollama server answers at {server.url}; start it with `ollama serve`"
        ) from error
    except httpx.TransportError as error:
        raise ChatModelUnavailableError(
            f"the connection to {server.url} broke before the answer was complete; ask again ({error})"
        ) from error
    except (httpx.DecodingError, *MALFORMED) as error:
        raise ChatModelError(f"{server.url} did not answer as Ollama does: {type(error).__name__}") from error


def _refusal(error: ollama.ResponseError, server: Endpoint, model: str) -> ChatModelError:
    said = str(error.error)[:LONGEST_QUOTE]
    if error.status_code == 404 and "model" in said:
        return ChatModelUnavailableError(
            f"the Ollama server at {server.url} does not have the model {model!r}; run: ollama pull {model}"
        )
    if 300 <= error.status_code < 400:
        said = "a redirect, which is not followed"
    status = f" {error.status_code}" if error.status_code > 0 else " in mid-answer"
    return ChatModelError(f"{model} at {server.url} answered{status}: {said}")
