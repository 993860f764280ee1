"""Messages of a conversation: which of them are new, what they say, and how memories stand among them.

What a middleware or a chain puts before a model goes into copies of the messages; what is remembered comes from
the conversation itself, without any block of memories that a model may have repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from mnemoloom.records import Draft
from mnemoloom.rendering import MEMORY_RULES, unfenced

from .naming import digest_of, label_of

__all__ = [
    "answer_draft",
    "external_id_of",
    "human_drafts",
    "new_human_messages",
    "question_of",
    "with_memories",
]

_UNSTORABLE = {0: None, **dict.fromkeys(range(0xD800, 0xE000))}  # NUL and unpaired surrogates


def new_human_messages(messages: Sequence[BaseMessage]) -> list[HumanMessage]:
    """What the user said since the last answer; summaries that another middleware wrote are not the user's."""
    new: list[HumanMessage] = []
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            break
        if isinstance(message, HumanMessage) and "lc_source" not in message.additional_kwargs:
            new.append(message)
    return new[::-1]


def question_of(messages: Sequence[BaseMessage]) -> str:
    """What the user last said, as one text, whatever a model has made of it since; empty if it holds no text."""
    last = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    return "\n".join(filter(None, map(_text, new_human_messages(messages[: last + 1]))))


def human_drafts(
    messages: Iterable[HumanMessage], *, speaker: str, session: str | None, thread: str | None
) -> list[Draft]:
    """The user's messages as drafts; one without text is none. `thread`: see `external_id_of`."""
    return [
        Draft(text=text, speaker=speaker, session=session, external_id=external_id_of(message, thread))
        for message in messages
        if (text := _text(message))
    ]


def answer_draft(message: AIMessage, *, speaker: str, session: str | None, thread: str | None) -> Draft | None:
    """A model's answer as a draft; None if it only calls tools or says nothing of its own."""
    text = "" if message.tool_calls else unfenced(_text(message)).strip()
    if not text:
        return None
    told = message.response_metadata
    model = told.get("model_name") or told.get("model")
    return Draft(
        text=text,
        speaker=speaker,
        session=session,
        source=label_of(f"{told.get('model_provider') or 'model'}/{model}") if model else None,
        trust="model",
        external_id=external_id_of(message, thread),
    )


def external_id_of(message: BaseMessage, thread: str | None) -> str | None:
    """The id under which a message is remembered, so that remembering it again in its thread replaces it.

    Callers number the messages of a thread as they like: the same id in another thread is another message.
    """
    if not message.id:
        return None
    return f"message/{label_of(message.id) if thread is None else digest_of(f'{len(thread)}/{thread}/{message.id}')}"


def with_memories(
    messages: Sequence[BaseMessage], system: SystemMessage | None, block: str
) -> tuple[list[BaseMessage], SystemMessage]:
    """Messages and system message as the model shall see them: the rules in the system, the data with the user.

    The block begins the last message of the user; the messages given are left as they are.
    """
    last = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=None)
    if last is None:
        shown: list[BaseMessage] = [HumanMessage(block), *messages]
    else:
        asked = messages[last]
        changed = asked.model_copy(update={"content": _joined(block, asked.content)})
        shown = [*messages[:last], changed, *messages[last + 1 :]]
    return shown, _with_rules(system)


def _with_rules(system: SystemMessage | None) -> SystemMessage:
    if system is None:
        return SystemMessage(MEMORY_RULES)
    if MEMORY_RULES in str(system.text):
        return system
    return system.model_copy(update={"content": _joined(system.content, MEMORY_RULES)})


def _joined(first: str | list[Any], second: str | list[Any]) -> str | list[Any]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_blocks(first), *_blocks(second)]


def _blocks(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": f"{content}\n\n"}] if isinstance(content, str) else content


def _text(message: BaseMessage) -> str:
    return str(message.text).translate(_UNSTORABLE).strip()
