"""The connection to an Ollama server, with the bounds that private texts deserve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mnemoloom.clock import MonotonicClock
from mnemoloom.embedders.breaker import Breaker
from mnemoloom.embedders.endpoint import Endpoint
from mnemoloom.errors import ConfigError, require

if TYPE_CHECKING:
    import httpx
    import ollama

__all__ = ["LONGEST_QUOTE", "MALFORMED", "chat_breaker", "connection", "ollama_client", "quoted"]

LONGEST_QUOTE = 200  # characters of a server's error text
_REPEATED = 10  # characters in a row that are no accident

# What the client raises when a reply is not the JSON object it expects: JSONDecodeError, UnicodeDecodeError and
# pydantic's ValidationError are ValueErrors; the others come from JSON of another shape, or nested too deep.
MALFORMED = (ValueError, TypeError, AttributeError, RecursionError)


def ollama_client(
    server: Endpoint, *, patience: float, timeout: float, longest_answer: int, breaker: Breaker | None = None
) -> ollama.Client:
    """A client that follows no redirect, uses no proxy, and gives up in time.

    Parameters
    ----------
    patience: seconds to wait for the next bytes. timeout: seconds for an answer as a whole.
    longest_answer: bytes. breaker: leaves the server alone for a while when it keeps failing.

    Raises
    ------
    MissingExtraError: the ollama library is not installed. ConfigError: the URL is malformed.
    """
    require("ollama", extra="ollama")
    import httpx
    import ollama

    from mnemoloom.embedders.bounded_http import BoundedTransport

    try:
        return ollama.Client(
            server.url,
            transport=BoundedTransport(max_bytes=longest_answer, seconds=timeout, breaker=breaker),
            **connection(server, patience=patience),
        )
    except httpx.InvalidURL as error:
        raise ConfigError(f"host must be a URL such as http://127.0.0.1:11434: {error}") from error


def chat_breaker() -> Breaker:
    """One for a chat model: five failures in a row open it, and after ten seconds one question is let through."""
    return Breaker(failures=5, cool_down=10.0, clock=MonotonicClock())


def quoted(said: str, *, sent: Iterable[str]) -> str:
    """What a server said, at most 200 characters of it, and nothing at all if it repeats what it was sent."""
    shown = said[:LONGEST_QUOTE]
    pieces = {shown[start : start + _REPEATED] for start in range(len(shown) - _REPEATED + 1)}
    if any(piece in text for text in sent for piece in pieces):
        return f"{len(said)} characters that repeat what was sent"
    return shown


def connection(server: Endpoint, *, patience: float) -> dict[str, Any]:
    """Arguments of an httpx client, of either kind: no redirect, no proxy, no key in clear, and an end to waiting."""
    import httpx

    # the client puts OLLAMA_API_KEY into a header for whatever host it is given
    keyless = None if server.encrypted and not server.local else _without_key
    timeout = httpx.Timeout(patience, connect=min(patience, 5.0))
    return {"timeout": timeout, "follow_redirects": False, "trust_env": False, "auth": keyless}


def _without_key(request: httpx.Request) -> httpx.Request:
    request.headers.pop("authorization", None)
    return request
