"""Agents, end to end and offline: session 1 is used in session 2, a second user sees nothing, contexts survive."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.workflow import Context, JsonSerializer

from integrations.llama_index.doubles import calling, scripted, shown
from llama_index.memory.mnemoloom import MnemoloomMemory, create_memory_tools
from llama_index.memory.mnemoloom.agents import RememberingAgent, RememberingReActAgent

Remember = Callable[..., MnemoloomMemory]
Told = list[list[ChatMessage]]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def function_agent(llm: MockFunctionCallingLLM) -> FunctionAgent:
    return FunctionAgent(tools=[add], llm=llm, system_prompt="Be kind.")


def quiet_agent(llm: MockFunctionCallingLLM) -> FunctionAgent:
    return FunctionAgent(tools=[add], llm=llm, system_prompt="Be kind.", streaming=False)


def react_agent(llm: MockFunctionCallingLLM) -> ReActAgent:
    return ReActAgent(tools=[add], llm=llm, system_prompt="Be kind.", streaming=False)


def workflow(llm: MockFunctionCallingLLM) -> AgentWorkflow:
    return AgentWorkflow(agents=[function_agent(llm)])


KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "FunctionAgent": (function_agent, "{}"),
    "FunctionAgent without streaming": (quiet_agent, "{}"),
    "ReActAgent": (react_agent, "Thought: I can answer without using any more tools.\nAnswer: {}"),
    "AgentWorkflow": (workflow, "{}"),
}


def asked(make: Callable[[Any], Any], form: str, memory: MnemoloomMemory, text: str, answer: str) -> Told:
    """One run of a new agent; what its model was told."""
    llm, seen = scripted(form.format(answer))

    async def work() -> None:
        result = await make(llm).run(user_msg=text, memory=memory)
        assert str(result) == answer

    asyncio.run(work())
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_what_session_one_left_is_used_in_session_two_and_by_nobody_else(remember: Remember, kind: str) -> None:
    make, form = KINDS[kind]
    asked(make, form, remember("ann", "one"), "My dog is called Rex.", "What a name!")
    [told] = asked(make, form, remember("ann", "two"), "What is my dog called?", "Rex.")
    assert "My dog is called Rex." in shown(told)
    systems = [message.content or "" for message in told if message.role.value == "system"]
    assert not any("Rex" in content for content in systems)
    [told] = asked(make, form, remember("bob", "two"), "What is my dog called?", "I do not know.")
    assert "Rex" not in shown(told)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_remembered_of_a_run_is_the_question_and_the_answer(remember: Remember, kind: str) -> None:
    make, form = KINDS[kind]
    memory = remember()
    asked(make, form, memory, "My dog is called Rex.", "What a name!")
    found = [(record.speaker, record.text) for record in memory.long_term.records()]
    assert found == [("user", "My dog is called Rex."), ("assistant", "What a name!")]


def test_tool_calls_and_results_are_history_but_no_memories(remember: Remember) -> None:
    memory = remember()
    llm, _ = scripted(calling("add", a=2, b=40), "It is 42.")

    async def work() -> None:
        await function_agent(llm).run(user_msg="What is 2 + 40?", memory=memory)

    asyncio.run(work())
    assert [message.role.value for message in memory.get_all()] == ["user", "assistant", "tool", "assistant"]
    assert [record.text for record in memory.long_term.records()] == ["What is 2 + 40?", "It is 42."]


def test_the_thoughts_of_a_react_agent_between_tools_are_not_remembered(remember: Remember) -> None:
    memory = remember()
    llm, seen = scripted(
        'Thought: I need a tool.\nAction: add\nAction Input: {"a": 2, "b": 40}',
        "Thought: I can answer without using any more tools.\nAnswer: It is 42.",
    )

    async def work() -> None:
        await react_agent(llm).run(user_msg="What is 2 + 40?", memory=memory)

    asyncio.run(work())
    assert len(seen) == 2
    assert [record.text for record in memory.long_term.records()] == ["What is 2 + 40?", "It is 42."]


def test_an_agent_with_memory_tools_keeps_what_it_chooses(remember: Remember) -> None:
    memory = remember()
    llm, seen = scripted(calling("save_memory", content="The bike of Ann is red."), "Noted.")

    async def work() -> None:
        agent = FunctionAgent(tools=create_memory_tools(memory), llm=llm)
        await agent.run(user_msg="My bike is red, keep that.", memory=memory)

    asyncio.run(work())
    assert "The bike of Ann is red." in [record.text for record in memory.long_term.records()]
    assert "Remembered as memory" in shown(seen[1])


def test_a_streaming_agent_streams(remember: Remember) -> None:
    llm, _ = scripted("What a name!")
    memory = remember()

    async def work() -> list[str]:
        handler = function_agent(llm).run(user_msg="My dog is called Rex.", memory=memory)
        pieces = [event.delta async for event in handler.stream_events() if isinstance(event, AgentStream)]
        await handler
        return pieces

    assert "".join(asyncio.run(work()))
    assert len(memory.get_all()) == 2


def test_a_model_that_fails_leaves_the_question_and_nothing_of_an_answer(remember: Remember) -> None:
    def fails(messages: Any, **_: Any) -> ChatMessage:
        raise ConnectionError("the model is gone")

    memory = remember()
    llm = MockFunctionCallingLLM(response_generator=fails, is_chat_model=True)

    async def work() -> None:
        with pytest.raises(Exception, match="the model is gone"):
            await quiet_agent(llm).run(user_msg="My dog is called Rex.", memory=memory)

    asyncio.run(work())
    assert [record.text for record in memory.long_term.records()] == ["My dog is called Rex."]


def test_a_context_that_is_used_again_keeps_the_memory(remember: Remember) -> None:
    memory = remember()
    llm, seen = scripted("What a name!", "Rex.", "Still Rex.")

    async def work() -> None:
        agent = function_agent(llm)
        context = Context(agent)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            await agent.run(user_msg="My dog is called Rex.", memory=memory, ctx=context)
            await agent.run(user_msg="What is my dog called?", ctx=context)
            written = json.dumps(context.to_dict(serializer=JsonSerializer()))
        other = function_agent(llm)
        again = Context.from_dict(other, json.loads(written), serializer=JsonSerializer())
        await other.run(user_msg="And now?", ctx=again)

    asyncio.run(work())
    assert [len([m for m in told if m.role.value == "user"]) for told in seen] == [1, 2, 3]
    assert len(memory.get_all()) == 6


def test_a_context_written_down_is_continued_by_another_process(folder: Path) -> None:
    async def first() -> str:
        memory = MnemoloomMemory(folder, "ann", embedder="hashing:64", session_id="s")
        llm, _ = scripted("What a name!")
        agent = function_agent(llm)
        context = Context(agent)
        await agent.run(user_msg="My dog is called Rex.", memory=memory, ctx=context)
        written = json.dumps(context.to_dict())
        memory.close()
        return written

    async def second(written: str) -> list[ChatMessage]:
        llm, seen = scripted("Rex.")
        agent = function_agent(llm)
        context = Context.from_dict(agent, json.loads(written))
        await agent.run(user_msg="What is my dog called?", ctx=context)
        memory = await context.store.get("memory")
        assert isinstance(memory, MnemoloomMemory)
        assert memory.long_term.embedder is not None
        memory.close()
        return seen[0]

    told = asyncio.run(second(asyncio.run(first())))
    assert [m.content for m in told][1:] == ["My dog is called Rex.", "What a name!", "What is my dog called?"]


def test_what_is_written_down_is_settings_and_no_content(remember: Remember) -> None:
    memory = remember(k=3, min_confidence=0.25, across_sessions=False, token_limit=999)
    memory.put(ChatMessage(role="user", content="a secret"))
    written = memory.to_dict()
    assert "secret" not in json.dumps(written)
    again = MnemoloomMemory.from_dict(written)
    assert again.to_dict() == written
    assert again.get_all() == memory.get_all()
    again.close()


@pytest.mark.parametrize("kind", [RememberingAgent, RememberingReActAgent])
def test_an_agent_with_a_memory_of_its_own_needs_not_be_told_of_it(remember: Remember, kind: Any) -> None:
    form = "{}" if kind is RememberingAgent else "Thought: I can answer.\nAnswer: {}"

    def ask(memory: MnemoloomMemory, text: str, answer: str) -> str:
        llm, seen = scripted(form.format(answer))

        async def work() -> None:
            agent = kind(memory=memory, tools=[add], llm=llm, streaming=False)
            assert str(await agent.run(text)) == answer

        asyncio.run(work())
        return shown(seen[0])

    ask(remember(session_id="one"), "My dog is called Rex.", "Fine.")
    assert "Rex" in ask(remember(session_id="two"), "my dog?", "Rex.")
    assert "Rex" not in ask(remember("bob", "two"), "my dog?", "No idea.")


def test_another_memory_can_still_be_passed_to_it(remember: Remember) -> None:
    own, other = remember("ann"), remember("bob")
    llm, _ = scripted("Fine.")

    async def work() -> None:
        agent = RememberingAgent(memory=own, tools=[add], llm=llm, streaming=False)
        await agent.run(user_msg="Hello.", memory=other)

    asyncio.run(work())
    assert (len(own.get_all()), len(other.get_all())) == (0, 2)
