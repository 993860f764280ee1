"""What the model of the test server says: the test's own words, in order, or a plain answer of its own."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from mnemoloom.testing.ollama.schema import instance

__all__ = ["Reply", "Said", "Script", "ToolCall"]

WORD_WITH_SPACE = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says at one time.

    Parameters
    ----------
    content: the text; streamed word by word.
    tool_calls: sent after the text.
    thinking: sent before the text, by a model that thinks, unless the request says `think: false`.
    pieces: how the text is cut when it is streamed, if not by words; they make up the content.
    """

    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    pieces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tool_calls", tuple(self.tool_calls))
        pieces = tuple(self.pieces) or tuple(WORD_WITH_SPACE.findall(self.content))
        object.__setattr__(self, "content", self.content or "".join(pieces))
        object.__setattr__(self, "pieces", pieces)
        if "".join(pieces) != self.content:
            raise ValueError(f"Reply.pieces must make up the content {self.content!r}; got {pieces!r}")


Said = Union[str, Reply]  # noqa: UP007 - also used at run time on Python 3.10


class Script:
    """Replies in the order in which they are asked for; then those of `otherwise`.

    Parameters
    ----------
    replies: each is used once.
    otherwise: makes a reply of a request's body, when no reply is left. By default the model repeats the last
        line that it was told, or fills the schema that `format` asks for.
    """

    def __init__(
        self, replies: Iterable[Said] = (), otherwise: Callable[[Mapping[str, Any]], Said] | None = None
    ) -> None:
        self._left = deque(map(_reply, replies))
        self._otherwise = otherwise or _plain_answer
        self._lock = threading.Lock()

    def add(self, *replies: Said) -> None:
        with self._lock:
            self._left.extend(map(_reply, replies))

    def __len__(self) -> int:
        """How many of the replies have not been asked for."""
        return len(self._left)

    def next(self, body: Mapping[str, Any]) -> Reply:
        with self._lock:
            if self._left:
                return self._left.popleft()
        return _reply(self._otherwise(body))


def _reply(said: Said) -> Reply:
    return Reply(said) if isinstance(said, str) else said


def _plain_answer(body: Mapping[str, Any]) -> str:
    wanted = body.get("format")
    if wanted:
        return json.dumps(instance(wanted) if isinstance(wanted, Mapping) else {})
    told = body["prompt"] if "prompt" in body else body["messages"][-1].get("content", "")
    lines = str(told).strip().splitlines()
    return f"You said: {lines[-1] if lines else ''}".strip()
