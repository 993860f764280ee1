"""`BaseMemory` of the old chains, in the place of ConversationBufferMemory and VectorStoreRetrieverMemory.

Needs the extra `langchain-classic`. The interface is deprecated: new programs use `MnemoloomMiddleware`, or
`MnemoloomStore`. As all memories of this kind, it carries texts alone: tool calls of a model are silently lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_classic.base_memory import BaseMemory
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, get_buffer_string
from pydantic import ConfigDict, Field, model_validator

from mnemoloom import Hit, Memory
from mnemoloom.drafts import check_count
from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.rendering import fenced

from .chat_history import MnemoloomChatMessageHistory
from .hits import as_document

__all__ = ["MnemoloomMemory"]

_RUNNING = "stop"  # an input that is for the model and no part of the prompt


class MnemoloomMemory(BaseMemory):
    """A chain's memory: `ConversationChain(llm=…, memory=MnemoloomMemory(memory=memory.at("users", "ann")))`.

    Parameters
    ----------
    memory: the handle on the user's namespace.
    session: names the conversation that is saved.
    k: None gives the chain the whole conversation, as ConversationBufferMemory does; a number gives it the k most
        relevant memories of the user, of all sessions, as VectorStoreRetrieverMemory does.
    memory_key: the variable of the prompt.
    input_key, output_key: which of a chain's inputs and outputs are said; needed where there are several.
    exclude_input_keys: inputs that are not said.
    return_messages: give the conversation as messages. return_docs: give the relevant memories as documents.
    human_prefix, ai_prefix: who speaks, in a conversation given as text.

    Relevant memories given as text are fenced: data between two lines that nobody can guess.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    memory: Memory = Field(exclude=True)
    session: str = "conversation"
    k: int | None = None
    memory_key: str = "history"
    input_key: str | None = None
    output_key: str | None = None
    exclude_input_keys: Sequence[str] = ()
    return_messages: bool = False
    return_docs: bool = False
    human_prefix: str = "Human"
    ai_prefix: str = "AI"

    @model_validator(mode="after")
    def _check(self) -> MnemoloomMemory:
        if self.return_messages and self.k is not None:
            raise ConfigError(
                "return_messages is for the whole conversation (k=None); relevant memories are no dialogue"
            )
        if self.k is not None:
            check_count(self.k, "k", low=1, high=self.memory.limits.k)
        if self.return_docs and self.k is None:
            raise ConfigError("return_docs is for relevant memories; it needs k")
        return self

    @property
    def chat_memory(self) -> MnemoloomChatMessageHistory:
        """The messages of the session."""
        return MnemoloomChatMessageHistory(self.memory, self.session)

    @property
    def memory_variables(self) -> list[str]:
        return [self.memory_key]

    def load_memory_variables(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The conversation so far, or what is relevant to the input."""
        if self.k is None:
            return {self.memory_key: self._conversation(self.chat_memory.messages)}
        question = self._input(inputs)
        return {self.memory_key: self._relevant(self.memory.recall(question, self.k) if question.strip() else ())}

    async def aload_memory_variables(self, inputs: dict[str, Any]) -> dict[str, Any]:
        if self.k is None:
            return {self.memory_key: self._conversation(await self.chat_memory.aget_messages())}
        question = self._input(inputs)
        found = await self.memory.arecall(question, self.k) if question.strip() else ()
        return {self.memory_key: self._relevant(found)}

    def save_context(self, inputs: dict[str, Any], outputs: dict[str, str]) -> None:
        """Remember what was said: the input and the output, both or neither."""
        self.chat_memory.add_messages(self._turn(inputs, outputs))

    async def asave_context(self, inputs: dict[str, Any], outputs: dict[str, str]) -> None:
        await self.chat_memory.aadd_messages(self._turn(inputs, outputs))

    def clear(self) -> None:
        """Forget the messages of this session."""
        self.chat_memory.clear()

    async def aclear(self) -> None:
        await self.chat_memory.aclear()

    def _turn(self, inputs: dict[str, Any], outputs: dict[str, str]) -> list[BaseMessage]:
        said = _only(outputs, self.output_key, "output", usual="output")
        return [HumanMessage(self._input(inputs)), AIMessage(said)]

    def _input(self, inputs: dict[str, Any]) -> str:
        shown = {
            name: value
            for name, value in inputs.items()
            if name not in (self.memory_key, _RUNNING, *self.exclude_input_keys)
        }
        return _only(shown, self.input_key, "input")

    def _conversation(self, messages: list[BaseMessage]) -> list[BaseMessage] | str:
        if self.return_messages:
            return messages
        return get_buffer_string(messages, human_prefix=self.human_prefix, ai_prefix=self.ai_prefix)

    def _relevant(self, found: Iterable[Hit]) -> list[Document] | str:
        hits = list(found)
        if self.return_docs:
            return [as_document(hit) for hit in hits]
        return fenced(hit.record for hit in hits) if hits else ""


def _only(values: dict[str, Any], key: str | None, name: str, *, usual: str | None = None) -> str:
    """The one value that was said."""
    if key is None:
        key = next(iter(values)) if len(values) == 1 else usual
    if key is None or key not in values:
        raise ValidationError(f"which {name} was said? set {name}_key to one of {sorted(values)}")
    return str(values[key])
