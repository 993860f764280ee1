"""What a chat model is told: the rules, the turns so far, then the memories as data and the question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnemoloom.cli.chat_model import Message
from mnemoloom.records import Record
from mnemoloom.rendering import MEMORY_RULES, fenced

__all__ = ["prompt"]

_RULES = f"You are a helpful assistant with a long-term memory. {MEMORY_RULES}"


def prompt(question: str, memories: Iterable[Record], history: Sequence[Message] = ()) -> list[Message]:
    """The messages to send: the rules, the turns of `history`, then memories and question."""
    asked = f"{fenced(memories)}\n\n{question}"
    return [Message(role="system", content=_RULES), *history, Message(role="user", content=asked)]
