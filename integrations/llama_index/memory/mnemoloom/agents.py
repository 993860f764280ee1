"""LlamaIndex's agents with their memory built in, so that no run can forget to pass it."""

from __future__ import annotations

from typing import Any

from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.agent.workflow.base_agent import BaseWorkflowAgent
from llama_index.core.bridge.pydantic import PrivateAttr
from workflows.handler import WorkflowHandler

from llama_index.memory.mnemoloom.base import MnemoloomMemory

__all__ = ["RememberingAgent", "RememberingReActAgent"]

_MEMORY_PLACE = 2  # among the positional arguments of `run`


class _Remembering(BaseWorkflowAgent):
    """`run` uses the memory given here, unless it is told another one."""

    _memory: MnemoloomMemory = PrivateAttr()

    def __init__(self, *, memory: MnemoloomMemory, **fields: Any) -> None:  # noqa: ANN401 - those of the agent
        super().__init__(**fields)
        self._memory = memory

    @property
    def memory(self) -> MnemoloomMemory:
        """What this agent remembers with."""
        return self._memory

    def run(self, *args: Any, **kwargs: Any) -> WorkflowHandler:  # noqa: ANN401 - LlamaIndex's signature
        if len(args) <= _MEMORY_PLACE and kwargs.get("memory") is None:
            kwargs["memory"] = self._memory
        return super().run(*args, **kwargs)


class RememberingAgent(_Remembering, FunctionAgent):
    """A FunctionAgent with a memory: `RememberingAgent(memory=…, tools=…, llm=…)`, then `agent.run("…")`."""


class RememberingReActAgent(_Remembering, ReActAgent):
    """A ReActAgent with a memory, for models that cannot call functions."""
