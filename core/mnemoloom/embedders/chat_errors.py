"""What can go wrong while an Ollama server answers a chat, as errors that say what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING

from mnemoloom.embedders.endpoint import Endpoint
from mnemoloom.embedders.ollama_client import LONGEST_QUOTE, MALFORMED
from mnemoloom.errors import ChatModelError, ChatModelTimeoutError, ChatModelUnavailableError, LoomError

if TYPE_CHECKING:
    import ollama

__all__ = ["broken_off", "chat_errors"]


@contextmanager
def chat_errors(server: Endpoint, model: str) -> Iterator[None]:
    """Raise a ChatModelError, with what to do about it, for whatever the client raises.

    Raises
    ------
    ChatModelUnavailableError: no server, no such model, or the connection broke.
    ChatModelTimeoutError: the answer kept us waiting too long.
    ChatModelError: the server refused, or its answer makes no sense.
    """
    import httpx
    import ollama

    from mnemoloom.embedders.bounded_http import LeftAloneError

    try:
        yield
    except LoomError:
        raise
    except ollama.ResponseError as error:
        raise _refusal(error, server, model) from None  # the client's error holds all that the server said
    except httpx.TimeoutException as error:
        raise ChatModelTimeoutError(
            f"{model} at {server.url} kept us waiting too long; a smaller model answers sooner"
        ) from error
    except (ConnectionError, httpx.ConnectError) as error:
        raise ChatModelUnavailableError(
            f"no Ollama server answers at {server.url}; start it with `ollama serve`"
        ) from error
    except LeftAloneError as error:
        raise ChatModelUnavailableError(f"{model} at {server.url} is {error}") from error
    except httpx.TransportError as error:
        raise ChatModelUnavailableError(
            f"the connection to {server.url} broke before the answer was complete; ask again ({error})"
        ) from error
    except (httpx.DecodingError, *MALFORMED) as error:
        if isinstance(error, JSONDecodeError) and _is_cut_off(error):
            raise broken_off(server, model) from error
        raise ChatModelError(f"{server.url} did not answer as Ollama does: {type(error).__name__}") from error


def broken_off(server: Endpoint, model: str) -> ChatModelUnavailableError:
    """The error for an answer whose end never came."""
    return ChatModelUnavailableError(f"{model} at {server.url} broke off in mid-answer; ask again")


def _is_cut_off(error: JSONDecodeError) -> bool:
    """Whether what could not be read is the beginning of a JSON object, and no more."""
    text = error.doc.strip()
    return text.startswith("{") and (not text.endswith("}") or error.pos >= len(error.doc.rstrip()))


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
