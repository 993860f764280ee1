"""Middleware that gives an agent a long-term memory: recall before the model, remember what was said.

Once a turn it recalls what memory holds about the user's message, and shows it to the model with every call of
that turn, in copies of the messages: no state, checkpoint or stream of the agent ever holds it. The user's message is
remembered before the model is asked, so that a model that fails does not lose it; the answer when it is there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, cast

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from mnemoloom import Draft, Memory
from mnemoloom.config import Profile
from mnemoloom.errors import ConfigError
from mnemoloom.filters import Filter

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
from .scope import PER_USER, Scope, check_scope, memory_for

__all__ = ["MnemoloomMiddleware"]

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


class _Turns:
    """What was recalled for the latest turns of all runs; bounded, because a run that fails never says so."""

    def __init__(self, most: int = 256) -> None:
        self._blocks: OrderedDict[Hashable, str] = OrderedDict()
        self._most, self._lock = most, threading.Lock()

    def keep(self, turn: Hashable, block: str) -> str:
        with self._lock:
            self._blocks[turn] = block
            self._blocks.move_to_end(turn)
            while len(self._blocks) > self._most:
                self._blocks.popitem(last=False)
        return block

    def block(self, turn: Hashable) -> str | None:
        with self._lock:
            return self._blocks.get(turn)


class MnemoloomMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Long-term memory for `create_agent`.

    >>> agent = create_agent(
    ...     model, tools, middleware=[MnemoloomMiddleware(memory)], context_schema=MemoryContext
    ... )  # doctest: +SKIP
    >>> agent.invoke({"messages": [...]}, context=MemoryContext(user_id="ann"))  # doctest: +SKIP

    Parameters
    ----------
    memory: any handle on the store; its own namespace does not matter.
    scope: whose memories a run may use: labels, with placeholders such as "{user_id}" that the run fills in, or a
        function of the runtime. A run that does not name its user is refused; there is no default one. On Python 3.10
        LangGraph does not tell coroutines the run's configuration: there `ainvoke` and its like need the context.
    k, max_tokens, count_tokens, min_confidence, min_trust, per_source, expand, profile, where, tags: as in
        `Recollection`: how many memories are recalled, how many tokens they may take up, how sure memory must be, how
        far they must be trusted, how much one source may show, how many neighbours come along, and the tags under
        which callbacks and traces see it.
    remember_user, remember_assistant: whether what they say is remembered.
    user, assistant: the speakers under whom it is.
    tools: further tools for the agent, such as those of `create_memory_tools`.
    name: two of these in one agent need different names.

    An answer is remembered if it has text and calls no tools. Messages are remembered under their thread and id, so
    that a run that is tried again remembers nothing twice, in the session that bears the name of the thread.

    Raises
    ------
    ConfigError, ValidationError: a setting that cannot be. During a run: ScopeError, and whatever memory raises.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        scope: Scope = PER_USER,
        k: int = 6,
        max_tokens: int | None = 1500,
        count_tokens: Callable[[str], int] | None = None,
        min_confidence: float | Literal["calibrated"] | None = None,
        expand: int = 0,
        profile: str | Profile | None = None,
        where: Filter | Mapping[Any, Any] | None = None,
        tags: Sequence[str] = ("mnemoloom",),
        min_trust: str | None = None,
        per_source: float | None = None,
        remember_user: bool = True,
        remember_assistant: bool = True,
        user: str = "user",
        assistant: str = "assistant",
        tools: Sequence[BaseTool] = (),
        name: str | None = None,
    ) -> None:
        super().__init__()
        if not user.strip() or not assistant.strip():
            raise ConfigError(f"user and assistant must be names; got {user!r} and {assistant!r}")
        self._memory, self._scope = memory, check_scope(scope)
        self._recollection = Recollection(
            k=k,
            max_tokens=max_tokens,
            count_tokens=count_tokens,
            min_confidence=min_confidence,
            expand=expand,
            profile=profile,
            where=where,
            tags=tuple(tags),
            min_trust=min_trust,
            per_source=per_source,
        )
        self._remember_user, self._remember_assistant = remember_user, remember_assistant
        self._user, self._assistant = user, assistant
        self.tools, self._name = list(tools), name
        self._turns = _Turns()

    @property
    def name(self) -> str:
        """What the agent calls this middleware."""
        return self._name or type(self).__name__

    # -- once a turn ------------------------------------------------------------------------------------

    def before_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Recall what memory holds about the user's message, then remember the message."""
        mine = self._of(runtime)
        self._turns.keep(_turn(mine, state["messages"], runtime), self._recall(mine, state["messages"], runtime))
        if drafts := self._user_drafts(state["messages"], runtime):
            mine.remember_many(drafts)
        return None

    async def abefore_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """The twin of `before_agent`."""
        mine = self._of(runtime)
        block = await self._arecall(mine, state["messages"], runtime)
        self._turns.keep(_turn(mine, state["messages"], runtime), block)
        if drafts := self._user_drafts(state["messages"], runtime):
            await mine.aremember_many(drafts)
        return None

    # -- with every call of the model -------------------------------------------------------------------

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        """Show the model what was recalled, in a copy of the request."""
        mine = self._of(request.runtime)
        turn = _turn(mine, request.state["messages"], request.runtime)
        block = self._turns.block(turn)
        if block is None:  # the run was interrupted and goes on in another process
            block = self._turns.keep(turn, self._recall(mine, request.messages, request.runtime))
        return handler(_shown(request, block))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> ModelResponse[Any]:
        """The twin of `wrap_model_call`."""
        mine = self._of(request.runtime)
        turn = _turn(mine, request.state["messages"], request.runtime)
        block = self._turns.block(turn)
        if block is None:
            block = self._turns.keep(turn, await self._arecall(mine, request.messages, request.runtime))
        return await handler(_shown(request, block))

    def after_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Remember the answer, if this is one."""
        if drafts := self._answer_drafts(state["messages"], runtime):
            self._of(runtime).remember_many(drafts)
        return None

    async def aafter_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """The twin of `after_model`."""
        if drafts := self._answer_drafts(state["messages"], runtime):
            await self._of(runtime).aremember_many(drafts)
        return None

    # -- what the twins share ---------------------------------------------------------------------------

    def _of(self, runtime: Runtime[Any]) -> Memory:
        """The memory of the run's user."""
        return memory_for(self._memory, self._scope, runtime, config=ensure_config())

    def _recall(self, mine: Memory, messages: Sequence[BaseMessage], runtime: Runtime[Any]) -> str:
        visible = _ids(messages, _thread(runtime))
        return self._recollection.block(mine, question_of(messages), asker=self._user, visible=visible)

    async def _arecall(self, mine: Memory, messages: Sequence[BaseMessage], runtime: Runtime[Any]) -> str:
        visible = _ids(messages, _thread(runtime))
        return await self._recollection.ablock(mine, question_of(messages), asker=self._user, visible=visible)

    def _user_drafts(self, messages: Sequence[BaseMessage], runtime: Runtime[Any]) -> list[Draft]:
        new = new_human_messages(messages) if self._remember_user else []
        return human_drafts(new, speaker=self._user, session=_session(runtime), thread=_thread(runtime))

    def _answer_drafts(self, messages: Sequence[BaseMessage], runtime: Runtime[Any]) -> list[Draft]:
        answer = messages[-1] if messages and self._remember_assistant else None
        if not isinstance(answer, AIMessage):
            return []
        session, thread = _session(runtime), _thread(runtime)
        draft = answer_draft(answer, speaker=self._assistant, session=session, thread=thread)
        return [] if draft is None else [draft]


def _shown(request: ModelRequest[Any], block: str) -> ModelRequest[Any]:
    if not block:
        return request
    messages, system = with_memories(request.messages, request.system_message, block)
    return request.override(messages=cast("list[AnyMessage]", messages), system_message=system)


def _turn(mine: Memory, messages: Sequence[BaseMessage], runtime: Runtime[Any]) -> Hashable:
    """What tells one turn of one user from all others: whose it is, the thread, and the user's latest message."""
    asked = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
    return mine.namespace, _session(runtime), None if asked is None else asked.id or question_of(messages)


def _ids(messages: Sequence[BaseMessage], thread: str | None) -> list[str]:
    return [name for message in messages if (name := external_id_of(message, thread))]


def _thread(runtime: Runtime[Any]) -> str | None:
    """The thread; without a checkpointer there is none."""
    running = runtime.execution_info
    return str(running.thread_id) if running is not None and running.thread_id else None


def _session(runtime: Runtime[Any]) -> str | None:
    """The thread; where there is none, the run stands for itself if it has an id."""
    running = runtime.execution_info
    name = _thread(runtime) or (running.run_id if running is not None else None)
    return label_of(name) if name else None
