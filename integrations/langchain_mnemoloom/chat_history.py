"""A conversation's messages, kept in a session of memory: whole, in order, and found again by recall.

LangChain deprecates message histories in favour of LangGraph's persistence; this serves programs that still use them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from uuid import uuid4

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, message_to_dict, messages_from_dict

from mnemoloom import Draft, Memory, Record, Tier
from mnemoloom.errors import ValidationError
from mnemoloom.filters import conjoin
from mnemoloom.filters import where as field

from .naming import is_label

__all__ = ["MnemoloomChatMessageHistory"]

_SOURCE = "chat-history"
_NO_TEXT = "(no text)"  # of a message that holds tool calls or images only
_MESSAGE = "message"


class MnemoloomChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session: `MnemoloomChatMessageHistory(memory.at("users", "ann"), session="monday")`.

    Parameters
    ----------
    memory: the handle on the namespace of the user. What users and models said is recalled from it like everything
        else; system and tool messages, and messages without text, are kept, but not recalled.
    session: names the conversation.

    What a message holds besides its text (tool calls, usage, names, ids, content blocks) comes back unchanged. It must
    be JSON of at most `Limits.metadata_bytes`: open the memory with more where pictures stand in the messages.
    """

    def __init__(self, memory: Memory, session: str) -> None:
        if not isinstance(session, str) or not session.strip():
            raise ValidationError(f"session must be a non-empty string; got {session!r}")
        self.memory, self.session = memory, session
        self._own = conjoin(field("session").eq(session), field("source").eq(_SOURCE))

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # the base declares an attribute
        """All messages of the session, in order."""
        return _messages(self.memory.records(self._own))

    async def aget_messages(self) -> list[BaseMessage]:
        return _messages(await self.memory.arecords(self._own))

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages, all or none. Raises ValidationError for one that cannot be kept."""
        self.memory.remember_many(list(_drafts(messages, self.session)))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        await self.memory.aremember_many(list(_drafts(messages, self.session)))

    def clear(self) -> None:
        """Forget the messages of this session."""
        self.memory.forget_many([record.id for record in self.memory.records(self._own)], missing="skip")

    async def aclear(self) -> None:
        await self.memory.aforget_many([record.id for record in await self.memory.arecords(self._own)], missing="skip")


def _drafts(messages: Sequence[BaseMessage], session: str) -> Iterator[Draft]:
    for message in messages:
        text, written = _split(message)
        said = isinstance(message, (HumanMessage, AIMessage)) and text is not None
        yield Draft(
            text=_NO_TEXT if text is None else text,
            speaker=_speaker(message),
            session=session,
            metadata={_MESSAGE: written},
            external_id=f"{_SOURCE}/{uuid4().hex}",
            source=_SOURCE,
            tier=Tier.LONG_TERM if said else Tier.COLD,
        )


def _split(message: BaseMessage) -> tuple[str | None, str]:
    """The text to remember, and all the rest as JSON; content that is that text is left out of the JSON.

    The JSON is kept as one ASCII string: messages hold deeper objects and larger numbers than metadata may.
    """
    written = message_to_dict(message)
    text = str(message.text)
    storable = _storable(text)
    if storable and message.content == text:
        written["data"]["content"] = None
    try:
        return text if storable else None, json.dumps(written)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"a message must be JSON to be kept; a {message.type} message is not: {error}") from error


def _storable(text: str) -> bool:
    return bool(text.strip()) and "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _speaker(message: BaseMessage) -> str:
    if isinstance(message, HumanMessage):
        return message.name if message.name and is_label(message.name) else "user"
    return "assistant" if isinstance(message, AIMessage) else message.type


def _messages(records: Iterable[Record]) -> list[BaseMessage]:
    written = []
    for record in records:
        message = json.loads(record.metadata[_MESSAGE])
        if message["data"]["content"] is None:
            message["data"]["content"] = record.text
        written.append(message)
    return messages_from_dict(written)
