"""Ways for `OllamaServer` to break; give one to its `fail`.

>>> from mnemoloom.testing import OllamaServer, faults
>>> server = OllamaServer()
>>> server.fail(faults.status(503, "server busy"), path="/api/chat", times=2)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mnemoloom.testing.ollama.answers import Answer
from mnemoloom.testing.ollama.server import Exchange, Fault

__all__ = [
    "bad_json",
    "delay",
    "die_midway",
    "drop",
    "end_early",
    "error_midway",
    "not_a_number",
    "redirect",
    "silence_midway",
    "status",
    "wrong_width",
]


def delay(seconds: float) -> Fault:
    """Answer rightly, but later."""

    def fault(exchange: Exchange) -> None:
        if exchange.wait(seconds):
            exchange.hang_up()
        else:
            exchange.send(exchange.answer())

    return fault


def status(code: int, text: str, headers: Mapping[str, str] | None = None) -> Fault:
    """Refuse, as Ollama does: a status and {"error": text}."""

    def fault(exchange: Exchange) -> None:
        exchange.send_json(code, {"error": text}) if headers is None else exchange.send_text(code, text, headers)

    return fault


def redirect(url: str) -> Fault:
    """Send the client elsewhere."""
    return status(307, "", {"location": url})


def drop() -> Fault:
    """Break the connection without an answer."""
    return Exchange.hang_up


def die_midway(after: int = 1) -> Fault:
    """Break the connection after some lines of a stream, or in the middle of an answer that is not one."""

    def fault(exchange: Exchange) -> None:
        _begin(exchange, after)
        exchange.hang_up()

    return fault


def end_early(after: int = 1) -> Fault:
    """End the stream after some lines, in good order but without the line that is done."""

    def fault(exchange: Exchange) -> None:
        _begin(exchange, after)
        exchange.end_stream()

    return fault


def error_midway(
    text: str = "an error was encountered while running the model: unexpected EOF", after: int = 1
) -> Fault:
    """Send an error as a line of the stream, as Ollama does when the model's process dies; the status stays 200."""

    def fault(exchange: Exchange) -> None:
        _begin(exchange, after)
        exchange.send_line({"error": text})
        exchange.end_stream()

    return fault


def silence_midway(seconds: float, after: int = 1) -> Fault:
    """Stop sending after some lines of a stream, and hang up after a while."""

    def fault(exchange: Exchange) -> None:
        _begin(exchange, after)
        exchange.wait(seconds)
        exchange.hang_up()

    return fault


def bad_json(text: str = '{"model": "tiny", "message": {"role": }}') -> Fault:
    """Answer 200 with a body that is no JSON."""

    def fault(exchange: Exchange) -> None:
        exchange.send_text(200, text)

    return fault


def wrong_width(width: int) -> Fault:
    """Answer with embeddings of another width."""
    return _with_rows(lambda row: (row * math.ceil(width / len(row)))[:width])


def not_a_number() -> Fault:
    """Answer with NaN in the last embedding, as a model that overflows does."""
    return _with_rows(lambda row: [math.nan, *row[1:]], last_only=True)


def _begin(exchange: Exchange, after: int) -> None:
    """Send the first lines of a stream; the first half of an answer that is not one."""
    answer = exchange.answer()
    if answer.streamed:
        exchange.begin_stream(answer.status)
        for line in answer.lines[:after]:
            exchange.send_line(line)
    else:
        exchange.begin(answer.status, {"content-type": "application/json", "transfer-encoding": "chunked"})
        exchange.write(b'10\r\n{"model": "tiny"\r\n')


def _with_rows(change: Any, *, last_only: bool = False) -> Fault:  # noqa: ANN401
    def fault(exchange: Exchange) -> None:
        answer = exchange.answer()
        exchange.send(_changed(answer, change, last_only=last_only))

    return fault


def _changed(answer: Answer, change: Any, *, last_only: bool) -> Answer:  # noqa: ANN401
    [value] = answer.lines
    rows = value.get("embeddings", ())
    kept = len(rows) - 1 if last_only else 0
    changed = {**value, "embeddings": [*rows[:kept], *map(change, rows[kept:])]} if rows else value
    return replace(answer, lines=(changed,))
