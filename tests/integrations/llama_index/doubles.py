"""Encoders, models and clocks for the tests of the LlamaIndex integration; all of them deterministic and offline."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM

WIDTH = 64


def bag(text: str) -> list[float]:
    """A unit vector, near for texts that share words."""
    row = [0.0] * WIDTH
    for word in "".join(c if c.isalnum() else " " for c in text.lower()).split():
        row[int(hashlib.md5(word.encode()).hexdigest(), 16) % WIDTH] += 1.0
    length = math.sqrt(sum(x * x for x in row)) or 1.0
    return [x / length for x in row] if any(row) else [1.0, *row[1:]]


class BagEmbedding(BaseEmbedding):
    """Encodes by the words of a text; counts how often it was asked."""

    asked: int = 0

    def _get_text_embedding(self, text: str) -> list[float]:
        self.asked += 1
        return bag(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        self.asked += 1
        return bag(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class BrokenEmbedder:
    """An encoder of the core that fails for as long as `error` is set."""

    identity = "broken"

    def __init__(self) -> None:
        self.error: Exception | None = None

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        if self.error is not None:
            raise self.error
        import numpy as np

        return np.asarray([bag(text) for text in texts], np.float32)


def scripted(*turns: ChatMessage | str) -> tuple[MockFunctionCallingLLM, list[list[ChatMessage]]]:
    """A model that says these turns, one a call, and the messages that it was given each time."""
    left = [ChatMessage(role="assistant", content=turn) if isinstance(turn, str) else turn for turn in turns]
    seen: list[list[ChatMessage]] = []

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        seen.append(list(messages))
        return left.pop(0) if left else ChatMessage(role="assistant", content="Nothing more to say.")

    make: Callable[..., Any] = MockFunctionCallingLLM
    return make(response_generator=answer, is_chat_model=True), seen


def calling(tool: str, **arguments: Any) -> ChatMessage:
    """A turn in which the model calls a tool."""
    return ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_call_id="1", tool_name=tool, tool_kwargs=arguments)]
    )


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def shown(messages: Sequence[ChatMessage]) -> str:
    """All that a model was told, in one text."""
    return "\n".join(f"{message.role.value}: {message.content}" for message in messages)
