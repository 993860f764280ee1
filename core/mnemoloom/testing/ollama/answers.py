"""A request, and what Ollama answers: the protocol, without sockets.

The fields, status codes and error texts are those recorded from a real server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Refusal", "Request", "parsed"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. `body` is {} unless it is a JSON object; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        try:
            value = json.loads(self.raw)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server sends: JSON objects, or a plain text.

    `streamed`: the objects go out one by one, a line each, as application/x-ndjson; otherwise there is one.
    """

    status: int = 200
    lines: tuple[Mapping[str, Any], ...] = ()
    streamed: bool = False
    text: str | None = None


class Refusal(Exception):  # noqa: N818 - it never leaves the server
    """The server will not do it; carries the status and the text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text

    @property
    def answer(self) -> Answer:
        return Answer(status=self.status, lines=({"error": self.text},))


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Refusal, in the words of Go's decoder."""
    if not raw:
        raise Refusal(400, "missing request body")
    try:
        value = json.loads(raw)
    except json.JSONDecodeError as error:
        raise Refusal(400, _as_go_says(error)) from error
    except UnicodeDecodeError as error:
        raise Refusal(400, "invalid character in string literal") from error
    if not isinstance(value, dict):
        raise Refusal(400, f"json: cannot unmarshal {_kind(value)} into Go value")
    return value


def _as_go_says(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc):
        return "unexpected EOF"
    place = {
        "Expecting value": "looking for beginning of value",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Extra data": "after top-level value",
    }.get(error.msg, "after object key:value pair")
    return f"invalid character {error.doc[error.pos]!r} {place}"


def _kind(value: object) -> str:
    kinds: dict[type, str] = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return kinds.get(type(value), "null")
