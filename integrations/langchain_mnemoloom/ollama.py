"""Chats and agents on a local Ollama server that remember."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph

from mnemoloom import Memory

from .chat_ollama import ollama_chat_model
from .middleware import MnemoloomMiddleware
from .recalling import Recollection
from .remembering_chat import RememberingChat
from .scope import PER_USER, MemoryContext, Scope
from .tools import create_memory_tools

__all__ = ["create_ollama_agent", "create_ollama_chat"]


def create_ollama_chat(
    memory: Memory,
    *,
    model: str,
    schema: Any = None,  # noqa: ANN401 - a pydantic class, a TypedDict or a JSON Schema
    system_prompt: str | None = None,
    scope: tuple[str, ...] | None = None,
    recollection: Recollection | None = None,
    session: str | None = None,
    user: str = "user",
    assistant: str = "assistant",
    host: str = "http://127.0.0.1:11434",
    patience: float = 120.0,
    timeout: float = 600.0,
    allow_remote: bool = False,
    **options: Any,  # noqa: ANN401 - those of ChatOllama
) -> RememberingChat:
    """A chain that recalls, asks a model of an Ollama server, and remembers the turn when it is complete.

    >>> chat = create_ollama_chat(memory, model="llama3.2")  # doctest: +SKIP
    >>> chat.invoke("Where did I move?").text  # doctest: +SKIP

    `memory` is used as it is, unless a `scope` says whose memories each call may use. The other parameters are those
    of `RememberingChat`, and `host`, `patience`, `timeout`, `allow_remote` and `options` those of
    `ollama_chat_model`. A turn that fails leaves nothing in memory.

    Raises
    ------
    ConfigError: a setting that cannot be. From a call: ChatModelUnavailableError if there is no server or no such
        model, or the connection broke; ChatModelTimeoutError; ChatModelError; and what the memory raises.
    """
    llm = ollama_chat_model(model, host=host, patience=patience, timeout=timeout, allow_remote=allow_remote, **options)
    return RememberingChat(
        memory,
        llm,
        schema=schema,
        system_prompt=system_prompt,
        scope=scope,
        recollection=recollection,
        session=session,
        user=user,
        assistant=assistant,
    )


def create_ollama_agent(
    memory: Memory,
    *,
    model: str,
    tools: Sequence[BaseTool] = (),
    memory_tools: bool = True,
    system_prompt: str | None = None,
    scope: Scope = PER_USER,
    recollection: Recollection | None = None,
    middleware: Sequence[AgentMiddleware[Any, Any, Any]] = (),
    context_schema: type[Any] | None = MemoryContext,
    checkpointer: Any = None,  # noqa: ANN401 - whatever create_agent takes
    store: Any = None,  # noqa: ANN401
    response_format: Any = None,  # noqa: ANN401
    host: str = "http://127.0.0.1:11434",
    patience: float = 120.0,
    timeout: float = 600.0,
    allow_remote: bool = False,
    **options: Any,  # noqa: ANN401 - those of ChatOllama
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """An agent on a model of an Ollama server, with `MnemoloomMiddleware` and tools for its own memory.

    >>> agent = create_ollama_agent(memory, model="llama3.2")  # doctest: +SKIP
    >>> agent.invoke({"messages": "I moved to Oslo."}, context=MemoryContext(user_id="ann"))  # doctest: +SKIP

    Parameters
    ----------
    tools: the agent's other tools.
    memory_tools: whether it may save, search, correct and forget memories itself; the model must support tools.
    scope: whose memories a run may use; a run that does not name its user is refused.
    middleware: stands inside of the memory's: it sees what was recalled.
    system_prompt, context_schema, checkpointer, store, response_format: as in `create_agent`.
    recollection: how much is recalled; the rest as in `create_ollama_chat`.

    Raises
    ------
    ConfigError: a setting that cannot be. From a run: ScopeError, and what `create_ollama_chat` tells.
    """
    llm = ollama_chat_model(model, host=host, patience=patience, timeout=timeout, allow_remote=allow_remote, **options)
    settings = recollection or Recollection()
    remembering = MnemoloomMiddleware(
        memory,
        scope=scope,
        tools=create_memory_tools(memory, scope=scope) if memory_tools else (),
        **{setting.name: getattr(settings, setting.name) for setting in fields(settings)},
    )
    return create_agent(
        llm,
        list(tools),
        system_prompt=system_prompt,
        middleware=[remembering, *middleware],
        context_schema=context_schema,
        checkpointer=checkpointer,
        store=store,
        response_format=response_format,
    )
