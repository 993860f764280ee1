"""A memory block for LlamaIndex's own `Memory`: keeps what leaves the chat window, and brings back what matters."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.memory import BaseMemoryBlock

from llama_index.memory.mnemoloom.long_term import Certainty, LongTerm
from llama_index.memory.mnemoloom.messages import draft_of, question_of, recalled_text, said
from llama_index.memory.mnemoloom.users import UserId, check_user
from llama_index.vector_stores.mnemoloom.embeddings import as_embedder
from llama_index.vector_stores.mnemoloom.sharing import Share, share
from mnemoloom import Draft, Memory
from mnemoloom.embedders.spec import from_spec
from mnemoloom.errors import ValidationError
from mnemoloom.ports import Embedder
from mnemoloom.rendering import estimated_tokens

__all__ = ["MnemoloomMemoryBlock"]

_CHECKED_AT_MOST = 100  # messages of the window that are compared with what was recalled


class MnemoloomMemoryBlock(BaseMemoryBlock[list[ChatMessage]]):
    """One user's long-term memory as a block.

    `Memory` hands a block only what overflows its window; `MnemoloomMemory` remembers every message at once. What is
    recalled comes as a message of the user, fenced, and never enters a system message. A message that is put twice
    is kept once.

    Parameters
    ----------
    path: a folder, ":memory:", or an open `Memory`, which lends its store.
    user_id: whose memory this is, a string, a whole number or a UUID.
    embedder: one of the core, its specification such as "hashing:256", or a LlamaIndex embedding model. Without
        one, recall goes by words, names and dates.
    k, token_limit: how many memories, and how many tokens, at most. min_confidence, min_trust: as in
        `Memory.recall`.
    across_sessions: whether a session sees what other sessions of the user have left.

    Raises
    ------
    ValidationError, StoreError, EmbedderMismatchError, ConfigError
    """

    name: str = "mnemoloom"
    path: str = Field(description="The folder of the store.")
    user_id: str = Field(description="Whose memory this is.")
    k: int = Field(default=8, ge=1)
    token_limit: int = Field(default=2_000, ge=1)
    min_confidence: Certainty | None = None
    min_trust: str | None = None
    across_sessions: bool = True

    _share: Share = PrivateAttr()
    _long_term: LongTerm = PrivateAttr()

    def __init__(
        self,
        path: str | Path | Memory,
        user_id: UserId,
        *,
        embedder: Embedder | BaseEmbedding | str | None = None,
        **fields: Any,  # noqa: ANN401 - those above, and those of BaseMemoryBlock
    ) -> None:
        found = from_spec(embedder) if isinstance(embedder, str) else as_embedder(embedder)
        user = check_user(user_id)
        opened = share(path, namespace=("users", user), embedder=found)
        super().__init__(path=opened.path, user_id=user, **fields)  # type: ignore[call-arg]
        self._share = opened
        self._long_term = LongTerm(
            opened.memory,
            k=self.k,
            token_limit=self.token_limit,
            min_confidence=self.min_confidence,
            min_trust=self.min_trust,
        )

    @property
    def long_term(self) -> Memory:
        """The user's memory: to look, forget or pin."""
        return self._share.memory

    async def aput(
        self, messages: list[ChatMessage], from_short_term_memory: bool = False, session_id: str | None = None
    ) -> None:
        """Remember what the user and the assistant said. The messages are left as they are; no fault is raised."""
        if from_short_term_memory and not self.accept_short_term_memory:
            return
        session = session_id or next((_session_of(message) for message in messages if _session_of(message)), None)
        drafts = [draft_of(message, session=session or "unnamed") for message in messages]
        await self._long_term.remember([_keyed(draft) for draft in drafts if draft is not None])

    async def _aput(self, messages: list[ChatMessage]) -> None:
        await self.aput(messages)

    async def _aget(
        self,
        messages: list[ChatMessage] | None = None,
        session_id: str | None = None,
        **block_kwargs: Any,  # noqa: ANN401, ARG002 - LlamaIndex's signature
    ) -> list[ChatMessage]:
        if not self.across_sessions and session_id is None:
            raise ValidationError("a block with across_sessions=False needs the session_id of the memory it serves")
        window = messages or []
        known = [text for message in window[-_CHECKED_AT_MOST:] if (text := said(message))]
        found = await self._long_term.recall(
            question_of(None, window), where=None if self.across_sessions else {"session": session_id}, known=known
        )
        return [ChatMessage(role=MessageRole.USER, content=recalled_text(found))] if found else []

    async def atruncate(self, content: list[ChatMessage], tokens_to_truncate: int) -> list[ChatMessage] | None:
        """Leave out the last memories until so many tokens are saved; None if none would be left."""
        if not content:
            return None
        *lines, end = (content[0].content or "").rstrip().split("\n")
        saved = 0
        while saved < tokens_to_truncate and lines and lines[-1].startswith("{"):
            saved += estimated_tokens(lines.pop() + "\n")
        if not lines or not lines[-1].startswith("{"):
            return None
        return [ChatMessage(role=content[0].role, content="\n".join([*lines, end, "", ""]))]

    def close(self) -> None:
        """Let go of the store; it is closed when nothing else in this process uses it."""
        self._share.close()


def _session_of(message: ChatMessage) -> str | None:
    found = message.additional_kwargs.get("session_id")
    return found if isinstance(found, str) else None


def _keyed(draft: Draft) -> Draft:
    """The same draft under a name of its own, so that putting it again changes nothing."""
    parts = "\0".join((draft.session or "", draft.speaker or "", draft.text))
    return replace(draft, external_id=f"message-{blake2b(parts.encode(), digest_size=16).hexdigest()}")
