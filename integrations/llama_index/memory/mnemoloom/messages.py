"""What of a chat is worth remembering, what it asks for, and how what was recalled is put before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock

from mnemoloom import Draft, Record
from mnemoloom.rendering import MEMORY_RULES, fenced, unfenced

__all__ = ["draft_of", "question_of", "recalled_text", "said", "with_recalled"]

_SPEAKERS = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.CHATBOT: "assistant",
}
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_REASONING = re.compile(r"\s*(?:Thought|Action|Answer|Observation):")
_THOUGHT = re.compile(r"^\s*Thought:", re.MULTILINE)
_ANSWER = re.compile(r"^\s*Answer:|(?<=\s)Answer:", re.MULTILINE)


def said(message: ChatMessage) -> str | None:
    """What the user or the assistant said, in plain text; None for anything else.

    System messages, tool calls and their results are not said by anybody. Of what a ReAct agent writes only the
    answer counts; thoughts and memories that a model repeats are taken out.
    """
    if message.role not in _SPEAKERS:
        return None
    text: str | None = unfenced(message.content or "")
    if _SPEAKERS[message.role] == "assistant":
        text = _answer(_THOUGHTS.sub("", text or ""))
    # the store takes neither NUL nor half a surrogate pair
    text = (text or "").replace("\0", " ").encode("utf-8", "replace").decode().strip()
    return text or None


def draft_of(message: ChatMessage, *, session: str) -> Draft | None:
    """What is remembered of a message; None if nothing is."""
    text = said(message)
    if text is None:
        return None
    speaker = _SPEAKERS[message.role]
    trust = "user" if speaker == "user" else "model"
    return Draft(text=text, speaker=speaker, session=session, source="llama_index", trust=trust)


def question_of(asked: str | ChatMessage | None, history: Sequence[ChatMessage]) -> str | None:
    """What memory is to be asked: what the caller says, or else the last message of the user."""
    if isinstance(asked, str) and asked.strip():
        return unfenced(asked) or None
    if isinstance(asked, ChatMessage):
        return said(asked)
    last = next((message for message in reversed(history) if message.role is MessageRole.USER), None)
    return None if last is None else said(last)


def recalled_text(memories: Iterable[Record]) -> str:
    """Memories for a model: what they are, then the fenced records."""
    return f"{MEMORY_RULES}\n{fenced(memories)}\n\n"


def with_recalled(history: Sequence[ChatMessage], memories: Sequence[Record]) -> list[ChatMessage]:
    """The history, with memories before the last words of the user; the messages given stay as they are.

    What was once said is data, so it never goes into a system message.
    """
    found = list(history)
    if not memories:
        return found
    text = recalled_text(memories)
    place = next((i for i in reversed(range(len(found))) if found[i].role is MessageRole.USER), None)
    if place is None:
        return [*found, ChatMessage(role=MessageRole.USER, content=text)]
    last = found[place]
    found[place] = ChatMessage(
        role=last.role, blocks=[TextBlock(text=text), *last.blocks], additional_kwargs=last.additional_kwargs
    )
    return found


def _answer(text: str) -> str | None:
    """The answer at the end of a ReAct agent's reasoning; None if it has none; other texts as they are."""
    if not _REASONING.match(text):
        return text
    *_, step = [0, *(found.start() for found in _THOUGHT.finditer(text))]
    answer = _ANSWER.search(text, step)
    return None if answer is None else text[answer.end() :]
