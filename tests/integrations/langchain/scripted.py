"""A chat model that says what the test tells it, with tool calls, streamed or whole, and keeps what it was shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class ScriptedModel(BaseChatModel):
    """`replies` are used once each; an exception is raised, and a function is given what the model is shown."""

    replies: list[Any]
    seen: list[list[BaseMessage]] = []  # noqa: RUF012 - pydantic copies it

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self.bind(**{name: value for name, value in options.items() if name != "tool_choice"})

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Iterator[ChatGenerationChunk]:
        message = self._next(messages)
        for word in str(message.content).split(" ") if message.content else ():
            text = word if not word or message.content.startswith(word) else f" {word}"
            yield ChatGenerationChunk(message=AIMessageChunk(content=text, id=message.id))
        calls = [
            ToolCallChunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            for index, call in enumerate(message.tool_calls)
        ]
        last = AIMessageChunk(content="", id=message.id, tool_call_chunks=calls, chunk_position="last")
        yield ChatGenerationChunk(message=last)

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        self.seen.append(list(messages))
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        reply = reply(messages) if callable(reply) else reply
        return AIMessage(reply) if isinstance(reply, str) else reply


def model_saying(*replies: Any) -> ScriptedModel:
    return ScriptedModel(replies=list(replies), seen=[])


def calling(name: str, content: str = "", /, **arguments: Any) -> AIMessage:
    return AIMessage(content, tool_calls=[{"name": name, "args": arguments, "id": f"call-{name}"}])


def texts_of(messages: Iterable[BaseMessage]) -> list[str]:
    return [str(message.text) for message in messages]
