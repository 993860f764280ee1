"""A chain that recalls, asks a chat model, and remembers both sides of the turn once the answer is complete."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig

from mnemoloom import Draft, Memory
from mnemoloom.errors import ChatModelError, ConfigError, ValidationError

from .messages import (
    answer_draft,
    external_id_of,
    human_drafts,
    new_human_messages,
    question_of,
    with_memories,
)
from .naming import label_of
from .recalling import Recollection
from .scope import check_scope, memory_for

__all__ = ["RememberingChat"]


class RememberingChat(Runnable[LanguageModelInput, Any]):
    """Recall, then the prompt, then the model, then remember; a runnable like any other.

    It takes what a chat model takes: a text, messages or a prompt's value. It gives an AIMessage, streamed in
    chunks, or with `schema` the object that the model filled in. What the user said and what was answered are
    remembered together when the answer is complete; a turn that fails, or that nobody waits for, leaves nothing.

    Parameters
    ----------
    memory: whose memories it uses, if there is no `scope`.
    model: a chat model.
    schema: of the answer: a pydantic class, a TypedDict or a JSON Schema.
    system_prompt: put before what the caller sends.
    scope: labels with placeholders such as "{user_id}", which config["configurable"] fills in for each call. A call
        that does not name them is refused.
    recollection: how much is recalled.
    session: the conversation that turns belong to, unless config["configurable"] has a thread_id or session_id.
    user, assistant: the speakers under whom both sides are remembered.

    Raises
    ------
    ConfigError: a setting that cannot be. From a call: ScopeError, ValidationError, ChatModelError if the model says
        nothing or not what the schema asks for, and whatever the model and the memory raise.
    """

    def __init__(
        self,
        memory: Memory,
        model: BaseChatModel,
        *,
        schema: Any = None,  # noqa: ANN401 - whatever the model's with_structured_output takes
        system_prompt: str | None = None,
        scope: tuple[str, ...] | None = None,
        recollection: Recollection | None = None,
        session: str | None = None,
        user: str = "user",
        assistant: str = "assistant",
    ) -> None:
        if not user.strip() or not assistant.strip():
            raise ConfigError(f"user and assistant must be names; got {user!r} and {assistant!r}")
        if callable(scope):
            raise ConfigError("a chat has no runtime to give to a function; its scope must be labels")
        self._memory, self._scope = memory, None if scope is None else check_scope(scope)
        self._model = model
        self._structured = None if schema is None else model.with_structured_output(schema, include_raw=True)
        self._system_prompt, self._session = system_prompt, session
        self._recollection = recollection or Recollection()
        self._user, self._assistant = user, assistant
        self.name = "mnemoloom_chat"

    # -- the runnable -----------------------------------------------------------------------------------

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ANN401
        """The answer; what a model's own invoke takes may be given, too."""
        return self._call_with_config(self._answer, input, config, **kwargs)  # type: ignore[arg-type]  # no run manager

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ANN401
        """The twin of `invoke`."""
        return await self._acall_with_config(self._aanswer, input, config, **kwargs)  # type: ignore[arg-type]  # no run manager

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        """The chunks of the answer as they come; with a schema, the one object."""
        yield from self._transform_stream_with_config(iter([input]), self._pieces, config, **kwargs)  # type: ignore[arg-type]  # no run manager

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncIterator[Any]:
        """The twin of `stream`."""

        async def one() -> AsyncIterator[LanguageModelInput]:
            yield input

        pieces = self._atransform_stream_with_config(one(), self._apieces, config, **kwargs)  # type: ignore[arg-type]  # no run manager
        async for piece in pieces:
            yield piece

    # -- one turn ---------------------------------------------------------------------------------------

    def _answer(
        self,
        given: LanguageModelInput,
        config: RunnableConfig,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        turn = self._turn(given, config)
        shown = turn.shown(self._block(turn, config))
        if self._structured is not None:
            message, value = _filled(self._structured.invoke(shown, config, **kwargs))
        else:
            message = value = self._model.invoke(shown, config, **kwargs)
        turn.memory.remember_many(self._drafts(turn, message))
        return value

    async def _aanswer(
        self,
        given: LanguageModelInput,
        config: RunnableConfig,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        turn = self._turn(given, config)
        shown = turn.shown(await self._ablock(turn, config))
        if self._structured is not None:
            message, value = _filled(await self._structured.ainvoke(shown, config, **kwargs))
        else:
            message = value = await self._model.ainvoke(shown, config, **kwargs)
        await turn.memory.aremember_many(self._drafts(turn, message))
        return value

    def _pieces(
        self,
        inputs: Iterator[LanguageModelInput],
        config: RunnableConfig,
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        given = next(inputs)
        if self._structured is not None:
            yield self._answer(given, config, **kwargs)
            return
        turn, whole = self._turn(given, config), None
        for piece in self._model.stream(turn.shown(self._block(turn, config)), config, **kwargs):
            whole = piece if whole is None else whole + piece
            yield piece
        turn.memory.remember_many(self._drafts(turn, whole))

    async def _apieces(
        self,
        inputs: AsyncIterator[LanguageModelInput],
        config: RunnableConfig,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncIterator[Any]:
        given = await anext(inputs)
        if self._structured is not None:
            yield await self._aanswer(given, config, **kwargs)
            return
        turn, whole = self._turn(given, config), None
        async for piece in self._model.astream(turn.shown(await self._ablock(turn, config)), config, **kwargs):
            whole = piece if whole is None else whole + piece
            yield piece
        await turn.memory.aremember_many(self._drafts(turn, whole))

    # -- what the four share ----------------------------------------------------------------------------

    def _turn(self, given: LanguageModelInput, config: RunnableConfig) -> _Turn:
        messages = _messages(given)
        system = None
        if messages and isinstance(messages[0], SystemMessage):
            system, messages = messages[0], messages[1:]
        if self._system_prompt is not None:
            own = SystemMessage(self._system_prompt)
            system = own if system is None else SystemMessage(f"{own.text}\n\n{system.text}")
        if not question_of(messages):
            raise ValidationError("there is no message of the user with a text to answer")
        mine = self._memory if self._scope is None else memory_for(self._memory, self._scope, config=config)
        told = config.get("configurable") or {}
        session = told.get("thread_id") or told.get("session_id") or self._session
        return _Turn(mine, messages, system, None if session is None else label_of(session))

    def _block(self, turn: _Turn, config: RunnableConfig) -> str:
        return self._recollection.block(
            turn.memory, turn.question, asker=self._user, visible=turn.visible, config=config
        )

    async def _ablock(self, turn: _Turn, config: RunnableConfig) -> str:
        return await self._recollection.ablock(
            turn.memory, turn.question, asker=self._user, visible=turn.visible, config=config
        )

    def _drafts(self, turn: _Turn, message: AIMessage | None) -> list[Draft]:
        place = {"session": turn.session, "thread": turn.session}
        asked = human_drafts(new_human_messages(turn.messages), speaker=self._user, **place)
        answer = None if message is None else answer_draft(message, speaker=self._assistant, **place)
        if answer is not None:
            return [*asked, answer]
        if message is None or not str(message.text).strip():
            raise ChatModelError("the model answered with nothing; ask again")
        return asked  # an answer that only repeats what was recalled is none to remember


class _Turn(NamedTuple):
    """What one call is about."""

    memory: Memory
    messages: list[BaseMessage]
    system: SystemMessage | None
    session: str | None

    @property
    def question(self) -> str:
        return question_of(self.messages)

    @property
    def visible(self) -> list[str]:
        return [name for message in self.messages if (name := external_id_of(message, self.session))]

    def shown(self, block: str) -> list[BaseMessage]:
        """The messages for the model."""
        if block:
            messages, system = with_memories(self.messages, self.system, block)
            return [system, *messages]
        return [*([self.system] if self.system is not None else []), *self.messages]


def _messages(given: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return convert_to_messages([("human", given)])
    if isinstance(given, Sequence):
        return convert_to_messages(given)
    raise ValidationError(f"a chat takes a text, messages or the value of a prompt; got {type(given).__name__}")


def _filled(result: Any) -> tuple[AIMessage, Any]:  # noqa: ANN401 - what include_raw gives
    raw, value, error = result["raw"], result["parsed"], result["parsing_error"]
    if error is not None or value is None:
        raise ChatModelError(f"the model did not answer in the form that was asked for: {raw.text[:200]!r}") from error
    return _as_said(raw), value


def _as_said(raw: AIMessage) -> AIMessage:
    """The answer with its text; a model that fills a form by calling a tool has put it into the call."""
    if not raw.tool_calls:
        return raw
    filled = json.dumps(raw.tool_calls[0]["args"], ensure_ascii=False)
    return raw.model_copy(update={"content": filled, "tool_calls": []})
