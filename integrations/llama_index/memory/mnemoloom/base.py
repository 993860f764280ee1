"""LlamaIndex's `Memory` with a long-term memory behind it: every message is on disk, every question recalls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializationInfo, model_serializer
from llama_index.core.memory import BaseMemoryBlock, InsertMethod
from llama_index.core.memory import Memory as LlamaIndexMemory
from llama_index.core.storage.chat_store.base_db import MessageStatus

from llama_index.memory.mnemoloom.blocking import blocking
from llama_index.memory.mnemoloom.chat_store import MnemoloomChatStore
from llama_index.memory.mnemoloom.long_term import Certainty, LongTerm
from llama_index.memory.mnemoloom.messages import draft_of, question_of, with_recalled
from llama_index.memory.mnemoloom.users import UserId, check_user
from llama_index.vector_stores.mnemoloom.embeddings import as_embedder
from llama_index.vector_stores.mnemoloom.sharing import Share, share
from mnemoloom import Memory
from mnemoloom.embedders.spec import from_spec
from mnemoloom.filters import Filter, Not, conjoin, where
from mnemoloom.ports import Embedder

__all__ = ["MnemoloomMemory"]

_KEPT = (
    "path",
    "user_id",
    "session_id",
    "embedder",
    "k",
    "recall_token_limit",
    "min_confidence",
    "min_trust",
    "across_sessions",
    "token_limit",
    "token_flush_size",
    "chat_history_token_ratio",
)

# of each event loop, by path, user and session; a lock lasts as long as somebody holds it or waits for it
_Locks = WeakValueDictionary[tuple[str, str, str], asyncio.Lock]
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Locks] = WeakKeyDictionary()


class MnemoloomMemory(LlamaIndexMemory):
    """A chat's memory that lasts: the history of the session, and what the user's other sessions have left.

    ```python
    memory = MnemoloomMemory.from_defaults(path="./ann", user_id="ann", session_id="monday")
    await agent.run("I moved to Oslo.", memory=memory)      # pass it on every run
    ```

    What the user and the assistant say is remembered as soon as it is put; system messages, tool calls and a ReAct
    agent's thoughts are not. `get` recalls what fits its input, or else the last message of the user, and puts it,
    fenced as data, before that message; it is never stored, and never enters a system message. What the window shows
    anyway is not recalled. When the encoder fails, the chat goes on without.

    It can be written down and made again (`to_dict`, `from_dict`, `Context.to_dict`): the folder holds the content.
    `reset` and `set` concern the history of the session alone; `long_term` is the handle with which to forget.

    Parameters
    ----------
    path: a folder, ":memory:", or an open `Memory`, which lends its store.
    user_id: whose memory this is, a string, a whole number or a UUID; nobody else's is ever shown.
    session_id: which chat; without one, a new one.
    embedder: one of the core, its specification such as "hashing:256", or a LlamaIndex embedding model. Only a
        specification is written down. Without one, recall goes by words, names and dates.
    k, recall_token_limit: how many memories, and how many tokens of them, a prompt gets at most.
    min_confidence, min_trust: as in `Memory.recall`; across_sessions: whether other sessions of the user are recalled.
    Everything else: as in LlamaIndex's `Memory`. Other memory blocks work beside it, but are not written down.

    Raises
    ------
    ValidationError, StoreError, EmbedderMismatchError, ConfigError
    """

    path: str = Field(description="The folder of the store.")
    user_id: str = Field(description="Whose memory this is.")
    embedder: str | None = Field(default=None, description="The embedder in one word, if it has one.")
    k: int = Field(default=8, ge=1)
    recall_token_limit: int = Field(default=2_000, ge=1)
    min_confidence: Certainty | None = None
    min_trust: str | None = None
    across_sessions: bool = True

    _share: Share = PrivateAttr()
    _chats: MnemoloomChatStore = PrivateAttr()
    _long_term: LongTerm = PrivateAttr()

    def __init__(
        self,
        path: str | Path | Memory,
        user_id: UserId,
        *,
        embedder: Embedder | BaseEmbedding | str | None = None,
        **fields: Any,  # noqa: ANN401 - those above and those of LlamaIndex's Memory
    ) -> None:
        found = from_spec(embedder) if isinstance(embedder, str) else as_embedder(embedder)
        user = check_user(user_id)
        opened = share(path, namespace=("users", user), embedder=found)
        chats = MnemoloomChatStore(opened.path, user)
        defaults = {"token_limit": 30_000, "token_flush_size": 3_000}
        super().__init__(
            **defaults
            | fields
            | {
                "path": opened.path,
                "user_id": user,
                "embedder": embedder if isinstance(embedder, str) else None,
                "sql_store": chats,
            }
        )
        self._share, self._chats = opened, chats
        self._long_term = LongTerm(
            opened.memory,
            k=self.k,
            token_limit=self.recall_token_limit,
            min_confidence=self.min_confidence,
            min_trust=self.min_trust,
        )

    @classmethod
    def class_name(cls) -> str:
        return "MnemoloomMemory"

    @classmethod
    def from_defaults(  # type: ignore[override]
        cls,
        session_id: str | None = None,
        chat_history: list[ChatMessage] | None = None,
        *,
        path: str | Path | Memory,
        user_id: UserId,
        embedder: Embedder | BaseEmbedding | str | None = None,
        memory_blocks: list[BaseMemoryBlock[Any]] | None = None,
        tokenizer_fn: Callable[[str], list[Any]] | None = None,
        insert_method: InsertMethod = InsertMethod.SYSTEM,
        **fields: Any,  # noqa: ANN401 - those of the class
    ) -> MnemoloomMemory:
        """The same as the constructor; a `chat_history` replaces that of the session.

        `insert_method` concerns other memory blocks; what is recalled here never enters a system message.
        """
        given = {"session_id": session_id, "memory_blocks": memory_blocks, "tokenizer_fn": tokenizer_fn}
        memory = cls(
            path,
            user_id,
            embedder=embedder,
            insert_method=insert_method,
            **fields,
            **{name: value for name, value in given.items() if value is not None},
        )
        if chat_history is not None:
            memory.set(chat_history)
        return memory

    @property
    def long_term(self) -> Memory:
        """The user's memory: to look, forget or pin."""
        return self._share.memory

    @property
    def waiting(self) -> int:
        """How many messages could not be remembered yet; they are tried again with the next one."""
        return self._long_term.waiting

    async def aget(
        self,
        input: str | ChatMessage | None = None,  # noqa: A002 - LlamaIndex's name
        **block_kwargs: Any,  # noqa: ANN401
    ) -> list[ChatMessage]:
        """The window of the chat, with what the question recalls before the last words of the user."""
        history = await super().aget(input=input, **block_kwargs)
        question = question_of(input, history)
        if question is None:
            return history
        found = await self._long_term.recall(
            question,
            where=await asyncio.to_thread(self.beyond_window),
            count_tokens=lambda text: len(self.tokenizer_fn(text)),
        )
        return with_recalled(history, found)

    async def aput(self, message: ChatMessage) -> None:
        await self.aput_messages([message])

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        # the history first: `beyond_window` relies on it
        await self._chats.add_messages(self.session_id, messages)
        await self._remember(messages)
        await self._manage_queue()

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Put another history in place of the session's; what it says and the old one did not is remembered."""
        old = Counter(map(_content, await self._chats.get_messages(self.session_id, status=None)))
        await self._chats.set_messages(self.session_id, messages)
        new = []
        for message in messages:
            content = _content(message)
            if old[content]:
                old[content] -= 1
            else:
                new.append(message)
        await self._remember(new)

    # -- the same for callers without a loop ----------------------------------------------------------

    def get(
        self,
        input: str | ChatMessage | None = None,  # noqa: A002 - LlamaIndex's name
        **block_kwargs: Any,  # noqa: ANN401
    ) -> list[ChatMessage]:
        return blocking(self.aget(input=input, **block_kwargs))

    def get_all(self, status: MessageStatus | None = None) -> list[ChatMessage]:
        return blocking(self.aget_all(status=status))

    def put(self, message: ChatMessage) -> None:
        blocking(self.aput(message))

    def put_messages(self, messages: list[ChatMessage]) -> None:
        blocking(self.aput_messages(messages))

    def set(self, messages: list[ChatMessage]) -> None:
        blocking(self.aset(messages))

    def reset(self) -> None:
        blocking(self.areset())

    def close(self) -> None:
        """Let go of the store; it is closed when nothing else in this process uses it."""
        self._chats.close()
        self._share.close()

    async def _remember(self, messages: list[ChatMessage]) -> None:
        drafts = [draft_of(message, session=self.session_id) for message in messages]
        await self._long_term.remember([draft for draft in drafts if draft is not None])

    def beyond_window(self) -> Filter | None:
        """Lets through what the window does not show: other sessions, and what has left the window of this one.

        Record numbers rise, and a message's number in the history is lower than in the long-term memory.
        """
        first = self._chats.first_active(self.session_id)
        ours = where("session").eq(self.session_id)
        shown = None if first is None else conjoin(ours, where("id").gte(first))
        hidden = None if shown is None else Not(shown)
        return hidden if self.across_sessions else conjoin(ours, hidden)

    async def _manage_queue(self) -> None:
        """One at a time: two that run beside one another would archive the same messages twice."""
        locks = _locks.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        async with locks.setdefault((self.path, self.user_id, self.session_id), asyncio.Lock()):
            await super()._manage_queue()

    @model_serializer(mode="plain")
    def _written_down(self, info: SerializationInfo) -> dict[str, Any]:  # noqa: ARG002
        kept = {name: getattr(self, name) for name in _KEPT}
        return {"class_name": self.class_name(), "insert_method": self.insert_method.value, **kept}


def _content(message: ChatMessage) -> str:
    return f"{message.role.value}\0{message.model_dump_json(exclude={'role'})}"
