"""create_ollama_agent over real HTTP: an agent whose memory outlives threads, and that keeps users apart."""

from __future__ import annotations

import asyncio
import json

import pytest
from langchain.agents.middleware import AgentMiddleware
from langchain.tools import tool
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from langchain_mnemoloom.ollama import create_ollama_agent
from langchain_mnemoloom.recalling import Recollection
from langchain_mnemoloom.scope import MemoryContext
from mnemoloom.errors import ChatModelError, ChatModelTimeoutError, ChatModelUnavailableError, ConfigError, ScopeError
from mnemoloom.testing import OllamaServer, Reply, ServedModel, ToolCall, faults

ANN, BOB = MemoryContext(user_id="ann"), MemoryContext(user_id="bob")
TEA, ASKED = "I like green tea with ginger.", "Which tea do I like?"


def answer_from_memory(body):
    """A model that answers with the first memory it is shown, if there is one."""
    asked = [message["content"] for message in body["messages"] if message["role"] == "user"][-1]
    lines = asked.splitlines()
    return json.loads(lines[1])["text"] if lines[0].startswith("[begin memories-") else "I do not know."


@pytest.fixture
def server():
    with OllamaServer(otherwise=answer_from_memory) as server:
        yield server


def agent_on(server, memory, **settings):
    return create_ollama_agent(memory, model=settings.pop("model", "tiny"), host=server.url, **settings)


def inputs(text):
    return {"messages": [HumanMessage(text)]}


def invoke(agent, text, *, who=ANN, thread="t1"):
    config = {"configurable": {"thread_id": thread}}
    return agent.invoke(inputs(text), config, context=who)["messages"][-1].text


def ainvoke(agent, text, *, who=ANN, thread="t1"):
    config = {"configurable": {"thread_id": thread}}
    return asyncio.run(agent.ainvoke(inputs(text), config, context=who))["messages"][-1].text


def stream(agent, text, *, who=ANN, thread="t1"):
    config = {"configurable": {"thread_id": thread}}
    pieces = agent.stream(inputs(text), config, context=who, stream_mode="messages")
    return "".join(piece.text for piece, _ in pieces if piece.type == "AIMessageChunk")


def astream(agent, text, *, who=ANN, thread="t1"):
    async def collect():
        config = {"configurable": {"thread_id": thread}}
        pieces = agent.astream(inputs(text), config, context=who, stream_mode="messages")
        return "".join([piece.text async for piece, _ in pieces if piece.type == "AIMessageChunk"])

    return asyncio.run(collect())


@pytest.fixture(params=[invoke, ainvoke, stream, astream], ids=lambda way: way.__name__)
def ask(request):
    """All four ways to ask; they must agree."""
    return request.param


def remembered(memory, user):
    return [(record.speaker, record.text) for record in memory.at("users", user).records()]


def test_memory_of_one_thread_answers_in_another_and_nobody_else_sees_it(server, memory, ask):
    agent = agent_on(server, memory, checkpointer=InMemorySaver())
    assert ask(agent, TEA, who=ANN, thread="t1") == "I do not know."
    assert ask(agent, ASKED, who=ANN, thread="t2") == TEA
    assert ask(agent, ASKED, who=BOB, thread="t3") == "I do not know."
    assert "ginger" not in json.dumps(server.requests[-1].body)
    assert remembered(memory, "bob") == [("user", ASKED), ("assistant", "I do not know.")]


def test_memory_outlives_the_process(server, open_memory, folder, ask):
    first = open_memory(folder)
    ask(agent_on(server, first), TEA)
    first.close()
    assert ask(agent_on(server, open_memory(folder)), ASKED) == TEA


def test_the_model_saves_and_searches_with_tools(server, memory, ask):
    agent = agent_on(server, memory, checkpointer=InMemorySaver())
    server.say(Reply(tool_calls=[ToolCall("save_memory", {"content": "Ann is allergic to nuts."})]), "I noted that.")
    assert ask(agent, "Please keep my allergy in mind.", thread="t1") == "I noted that."
    server.say(Reply(tool_calls=[ToolCall("search_memory", {"query": "allergic nuts"})]), "You cannot eat nuts.")
    assert ask(agent, "May I have the cake?", thread="t2") == "You cannot eat nuts."
    *_, found = server.requests[-1].body["messages"]
    assert found["role"] == "tool"
    assert "Ann is allergic to nuts." in found["content"]
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in server.requests[0].body["tools"]}
    assert {"save_memory", "search_memory", "forget_memory"} <= set(offered)
    assert not any("user" in name for each in offered.values() for name in each["properties"])


def test_the_tools_of_the_caller_run_beside_those_of_memory(server, memory, ask):
    @tool
    def brew(kind: str) -> str:
        """Brew tea."""
        return f"a cup of {kind} tea"

    server.say(Reply("One moment.", [ToolCall("brew", {"kind": "green"})]), "Here you are.")
    agent = agent_on(server, memory, tools=[brew])
    assert ask(agent, "Tea, please.").endswith("Here you are.")
    assert server.requests[1].body["messages"][-1]["content"] == "a cup of green tea"
    assert remembered(memory, "ann") == [("user", "Tea, please."), ("assistant", "Here you are.")]


FAILURES = {
    "drop": (faults.drop(), ChatModelUnavailableError, "broke before the answer was complete"),
    "die midway": (faults.die_midway(2), ChatModelUnavailableError, "broke before the answer was complete"),
    "end early": (faults.end_early(2), ChatModelUnavailableError, "broke off in mid-answer"),
    "error midway": (faults.error_midway("out of memory"), ChatModelError, "in mid-answer: out of memory"),
    "busy": (faults.status(503, "server busy"), ChatModelError, "503: server busy"),
    "bad json": (faults.bad_json(), ChatModelError, "did not answer as Ollama does"),
    "silence": (faults.silence_midway(10), ChatModelTimeoutError, "waiting too long"),
}


@pytest.mark.parametrize(("fault", "error", "said"), FAILURES.values(), ids=FAILURES)
def test_a_model_that_fails_loses_what_it_said_and_nothing_that_the_user_said(server, memory, ask, fault, error, said):
    agent = agent_on(server, memory, patience=0.5)
    server.fail(fault)
    with pytest.raises(error, match=said):
        ask(agent, TEA)
    assert remembered(memory, "ann") == [("user", TEA)]
    assert ask(agent, ASKED) == TEA


def test_a_missing_model_says_how_to_get_it(server, memory, ask):
    with pytest.raises(ChatModelUnavailableError, match="ollama pull nope"):
        ask(agent_on(server, memory, model="nope"), ASKED)


def test_a_model_without_tools_is_named_and_does_without_when_it_is_told_to(memory):
    plain = ServedModel(name="plain", capabilities=frozenset({"completion"}))
    with OllamaServer(["Hello."], models=[plain]) as server:
        with pytest.raises(ChatModelError, match="does not support tools"):
            invoke(agent_on(server, memory, model="plain"), "Hi")
        assert invoke(agent_on(server, memory, model="plain", memory_tools=False), "Hi") == "Hello."


def test_a_run_without_a_user_asks_no_model(server, memory):
    with pytest.raises(ScopeError, match="user_id"):
        agent_on(server, memory).invoke(inputs(TEA))
    assert server.requests == []


def test_an_answer_may_have_a_form(server, memory):
    class Tea(BaseModel):
        kind: str

    server.say(Reply(tool_calls=[ToolCall("Tea", {"kind": "green"})]))
    result = agent_on(server, memory, response_format=Tea).invoke(inputs(ASKED), context=ANN)
    assert result["structured_response"] == Tea(kind="green")


def test_other_middleware_sees_what_was_recalled(server, memory):
    shown = []

    class Watch(AgentMiddleware):
        def wrap_model_call(self, request, handler):
            shown.append(request.messages[-1].text)
            return handler(request)

    memory.at("users", "ann").remember(TEA, speaker="user")
    agent = agent_on(server, memory, middleware=[Watch()], recollection=Recollection(k=1), system_prompt="Be kind.")
    agent.invoke(inputs(ASKED), context=ANN)
    assert json.dumps(TEA) in shown[0]
    assert server.requests[0].body["messages"][0]["content"].startswith("Be kind.\n\n")


@pytest.mark.parametrize("settings", [{"model": ""}, {"temperatur": 1}, {"host": "http://192.0.2.1"}, {"scope": "x"}])
def test_settings_that_cannot_be_are_refused_at_once(memory, settings):
    with pytest.raises(ConfigError):
        create_ollama_agent(memory, **{"model": "tiny", **settings})
