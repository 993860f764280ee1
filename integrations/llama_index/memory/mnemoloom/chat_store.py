"""Chat histories on disk for LlamaIndex: for `Memory` (asynchronous), and for `ChatMemoryBuffer` (synchronous)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr
from llama_index.core.storage.chat_store import BaseChatStore
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus

from llama_index.memory.mnemoloom.chat_log import ChatLog
from llama_index.memory.mnemoloom.users import UserId, check_user
from llama_index.vector_stores.mnemoloom.sharing import Share, share
from mnemoloom import Memory

__all__ = ["MnemoloomChatBuffer", "MnemoloomChatStore"]

_ACTIVE = MessageStatus.ACTIVE


class MnemoloomChatStore(AsyncDBChatStore):
    """Keeps the histories of `Memory.from_defaults(chat_store=…)` in a folder; every call leaves the event loop.

    Parameters
    ----------
    path: a folder, ":memory:", or an open `Memory`, which lends its store.
    user_id: whose chats these are, a string, a whole number or a UUID; the same key is another chat for another user.

    `delete_message` counts messages from 0, archived ones included. Messages read are copies.

    Raises
    ------
    ValidationError, StoreError, NamespaceError, ConfigError
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    path: str = Field(description="The folder of the store.")
    user_id: str = Field(description="Whose chats these are.")

    _share: Share = PrivateAttr()
    _log: ChatLog = PrivateAttr()

    def __init__(self, path: str | Path | Memory, user_id: UserId) -> None:
        user = check_user(user_id)
        opened = share(path, namespace=("chats", user))
        super().__init__(path=opened.path, user_id=user)  # type: ignore[call-arg]
        self._share, self._log = opened, ChatLog(opened.memory)

    @classmethod
    def class_name(cls) -> str:
        return "MnemoloomChatStore"

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = _ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        return await asyncio.to_thread(self._log.messages, key, status, limit=limit, offset=offset)

    async def count_messages(self, key: str, status: MessageStatus | None = _ACTIVE) -> int:
        return await asyncio.to_thread(self._log.count, key, status)

    async def add_message(self, key: str, message: ChatMessage, status: MessageStatus = _ACTIVE) -> None:
        await asyncio.to_thread(self._log.add, key, [message], status)

    async def add_messages(self, key: str, messages: list[ChatMessage], status: MessageStatus = _ACTIVE) -> None:
        await asyncio.to_thread(self._log.add, key, messages, status)

    async def set_messages(self, key: str, messages: list[ChatMessage], status: MessageStatus = _ACTIVE) -> None:
        await asyncio.to_thread(self._log.replace, key, messages, status)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        return await asyncio.to_thread(self._log.delete_at, key, idx)

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        await asyncio.to_thread(self._log.delete, key, status)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        return await asyncio.to_thread(self._log.delete_oldest, key, n)

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        return await asyncio.to_thread(self._log.archive_oldest, key, n)

    async def get_keys(self) -> list[str]:
        return await asyncio.to_thread(self._log.keys)

    def first_active(self, key: str) -> int | None:
        """The number of the record of the oldest active message; None without one."""
        return self._log.first_active(key)

    def close(self) -> None:
        """Let go of the store; it is closed when nothing else in this process uses it."""
        self._share.close()


class MnemoloomChatBuffer(BaseChatStore):
    """Keeps the histories of `ChatMemoryBuffer.from_defaults(chat_store=…)` in a folder.

    Parameters and errors are those of `MnemoloomChatStore`. The two see the same histories.
    """

    path: str = Field(description="The folder of the store.")
    user_id: str = Field(description="Whose chats these are.")

    _share: Share = PrivateAttr()
    _log: ChatLog = PrivateAttr()

    def __init__(self, path: str | Path | Memory, user_id: UserId, **fields: Any) -> None:  # noqa: ANN401
        user = check_user(user_id)
        opened = share(path, namespace=("chats", user))
        super().__init__(path=opened.path, user_id=user, **fields)  # type: ignore[call-arg]
        self._share, self._log = opened, ChatLog(opened.memory)

    @classmethod
    def class_name(cls) -> str:
        return "MnemoloomChatBuffer"

    def set_messages(self, key: str, messages: list[ChatMessage]) -> None:
        self._log.replace(key, messages)

    def get_messages(self, key: str) -> list[ChatMessage]:
        return self._log.messages(key, None)

    def add_message(self, key: str, message: ChatMessage, idx: int | None = None) -> None:
        if idx is None:
            self._log.add(key, [message])
        else:
            self._log.insert(key, message, idx)

    def delete_messages(self, key: str) -> list[ChatMessage] | None:
        return self._log.delete(key) or None

    def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        return self._log.delete_at(key, idx)

    def delete_last_message(self, key: str) -> ChatMessage | None:
        return self._log.delete_at(key, -1)

    def get_keys(self) -> list[str]:
        return self._log.keys()

    async def aset_messages(self, key: str, messages: list[ChatMessage]) -> None:
        await asyncio.to_thread(self.set_messages, key, messages)

    async def aget_messages(self, key: str) -> list[ChatMessage]:
        return await asyncio.to_thread(self.get_messages, key)

    async def async_add_message(self, key: str, message: ChatMessage, idx: int | None = None) -> None:
        await asyncio.to_thread(self.add_message, key, message, idx)

    async def adelete_messages(self, key: str) -> list[ChatMessage] | None:
        return await asyncio.to_thread(self.delete_messages, key)

    async def adelete_message(self, key: str, idx: int) -> ChatMessage | None:
        return await asyncio.to_thread(self.delete_message, key, idx)

    async def adelete_last_message(self, key: str) -> ChatMessage | None:
        return await asyncio.to_thread(self.delete_last_message, key)

    async def aget_keys(self) -> list[str]:
        return await asyncio.to_thread(self.get_keys)

    def close(self) -> None:
        """Let go of the store; it is closed when nothing else in this process uses it."""
        self._share.close()
