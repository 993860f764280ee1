"""Chat histories in a namespace: one record a message, in the order in which they came.

A history is read in order and never searched, so the text of a record is only the role, and the message stands in
the metadata as JSON: nothing of it is encoded. The session is the history's key. Archived messages are cold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from threading import Lock
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.storage.chat_store.base_db import MessageStatus

from mnemoloom import Draft, Memory, Record, Tier

__all__ = ["ChatLog"]

_TIERS = {MessageStatus.ACTIVE: Tier.LONG_TERM, MessageStatus.ARCHIVED: Tier.COLD}


class ChatLog:
    """The histories in one namespace; safe to share between threads. A status of None means any."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._changing = Lock()

    def messages(
        self, key: str, status: MessageStatus | None, *, limit: int | None = None, offset: int | None = None
    ) -> list[ChatMessage]:
        """Fresh copies, oldest first."""
        start = offset or 0
        rows = self._rows(key, status)[start : None if limit is None else start + limit]
        return [_message(row) for row in rows]

    def count(self, key: str, status: MessageStatus | None) -> int:
        return len(self._rows(key, status))

    def first_active(self, key: str) -> int | None:
        """The number of the record of the oldest active message."""
        row = next(self._memory.records(_where(key, MessageStatus.ACTIVE), limit=1), None)
        return None if row is None else row.id

    def add(self, key: str, messages: Sequence[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE) -> None:
        self._memory.remember_many([_draft(key, message, status) for message in messages], encode=False)

    def replace(self, key: str, messages: Sequence[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE) -> None:
        """Put a history in place of another; after a crash on the way both are there, never neither."""
        with self._changing:
            old = self._rows(key, None)
            self.add(key, messages, status)
            self._forget(old)

    def insert(self, key: str, message: ChatMessage, place: int) -> None:
        """Put a message before the one at `place`, as lists do."""
        kept = self.messages(key, None)
        kept.insert(place, message)
        self.replace(key, kept)

    def delete(self, key: str, status: MessageStatus | None = None) -> list[ChatMessage]:
        """Delete a history; what it held."""
        with self._changing:
            return self._forget(self._rows(key, status))

    def delete_at(self, key: str, place: int) -> ChatMessage | None:
        """Delete the message at a place, counted from 0, or from the end if negative; None if there is none."""
        with self._changing:
            rows = self._rows(key, None)
            if not -len(rows) <= place < len(rows):
                return None
            return self._forget([rows[place]])[0]

    def delete_oldest(self, key: str, n: int) -> list[ChatMessage]:
        """Delete the oldest active messages; what they were."""
        with self._changing:
            return self._forget(self._rows(key, MessageStatus.ACTIVE)[: max(n, 0)])

    def archive_oldest(self, key: str, n: int) -> list[ChatMessage]:
        """Archive the oldest active messages, one after the other; what they are."""
        with self._changing:
            rows = self._rows(key, MessageStatus.ACTIVE)[: max(n, 0)]
            for row in rows:
                self._memory.move(row.id, Tier.COLD)
            return [_message(row) for row in rows]

    def keys(self) -> list[str]:
        """The keys of all histories, in the order in which they began."""
        return list(dict.fromkeys(row.session for row in self._memory.records() if row.session is not None))

    def _rows(self, key: str, status: MessageStatus | None) -> list[Record]:
        return list(self._memory.records(_where(key, status)))

    def _forget(self, rows: Sequence[Record]) -> list[ChatMessage]:
        self._memory.forget_many([row.id for row in rows], missing="skip")
        return [_message(row) for row in rows]


def _where(key: str, status: MessageStatus | None) -> dict[str, Any]:
    return {"session": key} if status is None else {"session": key, "tier": _TIERS[status].value}


def _draft(key: str, message: ChatMessage, status: MessageStatus) -> Draft:
    # as one string: a message may be deeper, and hold other characters, than metadata may
    content = json.dumps(message.model_dump(mode="json"))
    return Draft(
        text=message.role.value, session=key, tier=_TIERS[status], metadata={"message": content}, source="llama_index"
    )


def _message(row: Record) -> ChatMessage:
    return ChatMessage.model_validate(json.loads(row.metadata["message"]))
