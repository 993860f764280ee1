"""create_ollama_chat over real HTTP: what is sent, what is remembered, and every way to fail."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from integrations.langchain.scripted import calling, model_saying
from langchain_mnemoloom.ollama import create_ollama_chat
from langchain_mnemoloom.recalling import Recollection
from langchain_mnemoloom.remembering_chat import RememberingChat
from mnemoloom.errors import (
    ChatModelError,
    ChatModelTimeoutError,
    ChatModelUnavailableError,
    ConfigError,
    ScopeError,
    ValidationError,
)
from mnemoloom.testing import OllamaServer, Reply, ServedModel, ToolCall, faults

MOVED = "I moved to Oslo in May."
ASKED = "Where did I move?"


@pytest.fixture
def server():
    with OllamaServer(otherwise=lambda _: "You moved to Oslo.") as server:
        yield server


def chat_on(server, memory, **settings):
    return create_ollama_chat(memory, model=settings.pop("model", "tiny"), host=server.url, **settings)


def collected(pieces):
    async def collect():
        return [piece async for piece in pieces]

    return asyncio.run(collect())


WAYS = {
    "invoke": lambda chat, given, **config: chat.invoke(given, config).text,
    "ainvoke": lambda chat, given, **config: asyncio.run(chat.ainvoke(given, config)).text,
    "stream": lambda chat, given, **config: "".join(piece.text for piece in chat.stream(given, config)),
    "astream": lambda chat, given, **config: "".join(piece.text for piece in collected(chat.astream(given, config))),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def ask(request):
    """All four ways to ask; they must agree."""
    return request.param


def remembered(memory):
    return [(record.speaker, record.text) for record in memory.records()]


def test_a_turn_recalls_asks_and_remembers(server, memory, ask):
    memory.remember(MOVED, speaker="user")
    assert ask(chat_on(server, memory), ASKED) == "You moved to Oslo."
    system, asked = server.requests[0].body["messages"]
    assert (system["role"], asked["role"]) == ("system", "user")
    assert json.dumps(MOVED) in asked["content"]
    assert asked["content"].endswith(f"\n\n{ASKED}")
    assert "Oslo" not in system["content"]
    assert remembered(memory) == [("user", MOVED), ("user", ASKED), ("assistant", "You moved to Oslo.")]


def test_the_answer_says_which_model_gave_it(server, memory):
    chat_on(server, memory).invoke(ASKED)
    *_, answer = memory.records()
    assert (answer.source, answer.trust) == ("ollama/tiny", "model")


def test_an_answer_is_streamed_in_pieces(server, memory):
    pieces = [piece for piece in chat_on(server, memory).stream(ASKED) if piece.text]
    assert [piece.text for piece in pieces] == ["You", " moved", " to", " Oslo."]
    assert all(isinstance(piece, AIMessageChunk) for piece in pieces)


def test_invoke_gives_a_message_as_a_chat_model_does(server, memory):
    answer = chat_on(server, memory).invoke(ASKED)
    assert isinstance(answer, AIMessage)
    assert answer.usage_metadata["output_tokens"] == 4


def test_it_is_a_link_of_a_chain(server, memory):
    prompt = ChatPromptTemplate.from_messages([("system", "Answer in {language}."), ("human", "{question}")])
    chain = prompt | chat_on(server, memory, system_prompt="Be brief.") | StrOutputParser()
    assert chain.invoke({"language": "English", "question": ASKED}) == "You moved to Oslo."
    assert [*chain.stream({"language": "English", "question": ASKED})][:2] == ["You", " moved"]
    assert server.requests[0].body["messages"] == [
        {"role": "system", "content": "Be brief.\n\nAnswer in English."},
        {"role": "user", "content": ASKED},
    ]


def test_history_of_the_caller_is_sent_and_only_the_new_turn_is_remembered(server, memory, ask):
    history = [HumanMessage("Hello."), AIMessage("Hello, you."), HumanMessage(ASKED)]
    ask(chat_on(server, memory), history)
    assert [message["content"] for message in server.requests[0].body["messages"]] == ["Hello.", "Hello, you.", ASKED]
    assert remembered(memory) == [("user", ASKED), ("assistant", "You moved to Oslo.")]


def test_a_batch_is_many_turns(server, memory):
    answers = chat_on(server, memory).batch([f"Question {n}?" for n in range(4)], {"max_concurrency": 2})
    assert [answer.text for answer in answers] == ["You moved to Oslo."] * 4
    assert len(memory) == 8


class Move(BaseModel):
    city: str
    year: int


class Moved(TypedDict):
    city: str
    year: int


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (Move, Move(city="Oslo", year=2026)),
        (Moved, {"city": "Oslo", "year": 2026}),
        (Move.model_json_schema(), {"city": "Oslo", "year": 2026}),
    ],
)
def test_a_schema_makes_the_answer_an_object(server, memory, schema, value):
    server.say(*['{"city": "Oslo", "year": 2026}'] * 4)
    chat = chat_on(server, memory, schema=schema)
    assert chat.invoke(ASKED) == value
    assert asyncio.run(chat.ainvoke(ASKED)) == value
    assert list(chat.stream(ASKED)) == [value]
    assert collected(chat.astream(ASKED)) == [value]
    assert server.requests[0].body["format"]["required"] == ["city", "year"]
    assert remembered(memory)[:2] == [("user", ASKED), ("assistant", '{"city": "Oslo", "year": 2026}')]


def test_a_server_that_fills_schemas_itself_is_understood(memory):
    with OllamaServer() as server:
        assert isinstance(chat_on(server, memory, schema=Move).invoke(ASKED), Move)


def test_an_answer_of_another_form_is_an_error_and_leaves_nothing(server, memory):
    server.say("You moved to Oslo.", '{"city": "Oslo"}')
    for way in ("invoke", "ainvoke"):
        chat = chat_on(server, memory, schema=Move)
        with pytest.raises(ChatModelError, match="not answer in the form that was asked for"):
            chat.invoke(ASKED) if way == "invoke" else asyncio.run(chat.ainvoke(ASKED))
    assert len(memory) == 0


def babble(exchange):
    exchange.begin_stream()
    exchange.send_line(["not", "an", "object"])
    exchange.end_stream()


FAILURES = {
    "drop": (faults.drop(), ChatModelUnavailableError, "broke before the answer was complete"),
    "die midway": (faults.die_midway(2), ChatModelUnavailableError, "broke before the answer was complete"),
    "end early": (faults.end_early(2), ChatModelUnavailableError, "broke off in mid-answer"),
    "cut line": (
        faults.bad_json('{"model": "tiny", "message": {"ro'),
        ChatModelUnavailableError,
        "broke off in mid-answer",
    ),
    "error midway": (faults.error_midway("out of memory"), ChatModelError, "in mid-answer: out of memory"),
    "refusal": (faults.status(400, '"tiny" does not support chat'), ChatModelError, '400: "tiny" does not support'),
    "busy": (faults.status(503, "server busy"), ChatModelError, "503: server busy"),
    "bad json": (faults.bad_json(), ChatModelError, "did not answer as Ollama does"),
    "babble": (babble, ChatModelError, "did not answer as Ollama does"),
    "redirect": (faults.redirect("http://127.0.0.1:1/"), ChatModelError, "a redirect, which is not followed"),
    "silence": (faults.silence_midway(10), ChatModelTimeoutError, "waiting too long"),
}


@pytest.mark.parametrize(("fault", "error", "said"), FAILURES.values(), ids=FAILURES)
def test_a_turn_that_fails_is_a_typed_error_and_leaves_nothing(server, memory, ask, fault, error, said):
    chat = chat_on(server, memory, patience=0.5)
    server.fail(fault)
    with pytest.raises(error, match=said) as got:
        ask(chat, ASKED)
    assert type(got.value) is error
    assert len(memory) == 0
    assert ask(chat, ASKED) == "You moved to Oslo."
    assert len(memory) == 2


def test_a_missing_model_says_how_to_get_it(server, memory, ask):
    with pytest.raises(ChatModelUnavailableError, match="ollama pull nope"):
        ask(chat_on(server, memory, model="nope"), ASKED)
    assert len(memory) == 0


def test_no_server_says_how_to_start_it(memory, ask):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ChatModelUnavailableError, match="ollama serve"):
        ask(create_ollama_chat(memory, model="tiny", host=host), ASKED)
    assert len(memory) == 0


def test_a_server_that_dribbles_is_given_up_in_time(server, memory, ask):
    def dribble(exchange):
        exchange.begin_stream()
        while not exchange.wait(0.05):
            exchange.send_line({"model": "tiny", "message": {"role": "assistant", "content": "x"}, "done": False})

    server.fail(dribble)
    with pytest.raises(ChatModelTimeoutError):
        ask(chat_on(server, memory, timeout=0.4), ASKED)
    assert len(memory) == 0


def test_an_empty_answer_is_an_error_and_leaves_nothing(server, memory, ask):
    server.say("")
    with pytest.raises(ChatModelError, match="answered with nothing"):
        ask(chat_on(server, memory), ASKED)
    server.say(Reply(tool_calls=[ToolCall("f")]))
    with pytest.raises(ChatModelError, match="answered with nothing"):
        ask(chat_on(server, memory), ASKED)
    assert len(memory) == 0


def test_an_answer_that_nobody_waits_for_is_not_remembered(server, memory):
    pieces = chat_on(server, memory).stream(ASKED)
    next(pieces)
    pieces.close()
    assert len(memory) == 0


def test_an_error_of_the_reader_is_not_taken_for_the_servers(server, memory):
    with pytest.raises(ValueError, match="mine"):  # noqa: PT012 - the point is where it is raised
        for _ in chat_on(server, memory).stream(ASKED):
            raise ValueError("mine")
    assert len(memory) == 0


def test_a_memory_that_fails_asks_no_model(server, open_memory, folder, ask):
    memory = open_memory(folder)
    memory.close()
    from mnemoloom.errors import StoreClosedError

    with pytest.raises(StoreClosedError):
        ask(chat_on(server, memory), ASKED)
    assert server.requests == []


def test_the_scope_is_filled_in_by_each_call(server, memory, ask):
    chat = chat_on(server, memory, scope=("users", "{user_id}"))
    ask(chat, MOVED, configurable={"user_id": "ann", "thread_id": "t1"})
    ask(chat, ASKED, configurable={"user_id": "ann"})
    ask(chat, ASKED, configurable={"user_id": "bob"})
    told = [request.body["messages"][-1]["content"] for request in server.requests]
    assert json.dumps(MOVED) in told[1]
    assert told[2] == ASKED
    assert [record.session for record in memory.at("users", "ann").records()] == ["t1", "t1", None, None]
    with pytest.raises(ScopeError, match="user_id"):
        ask(chat, ASKED)
    assert len(server.requests) == 3


def test_what_the_caller_sends_along_is_not_recalled_a_second_time(server, memory):
    chat = chat_on(server, memory)
    chat.invoke([HumanMessage(MOVED, id="m1")])
    chat.invoke([HumanMessage(MOVED, id="m1"), AIMessage("Noted."), HumanMessage(ASKED, id="m2")])
    last = server.requests[1].body["messages"][-1]["content"]
    assert json.dumps(MOVED) not in last


def test_the_recollection_can_be_narrowed(server, memory):
    memory.remember_many([f"I moved to city {n}." for n in range(9)])
    chat_on(server, memory, recollection=Recollection(k=2)).invoke(ASKED)
    assert server.requests[0].body["messages"][-1]["content"].count('"text": "I moved') == 2


def test_options_of_the_model_reach_the_server(server, memory):
    chat_on(server, memory, temperature=0.25, num_predict=2, keep_alive="5m").invoke(ASKED)
    body = server.requests[0].body
    assert (body["options"], body["keep_alive"]) == ({"temperature": 0.25, "num_predict": 2}, "5m")


def test_what_a_model_thinks_is_no_part_of_its_answer(memory, ask):
    deep = ServedModel(name="deep", capabilities=frozenset({"completion", "thinking"}))
    with OllamaServer([Reply("Four.", thinking="two and two")], models=[deep]) as server:
        assert ask(chat_on(server, memory, model="deep", reasoning=True), "2 + 2?") == "Four."
    assert remembered(memory) == [("user", "2 + 2?"), ("assistant", "Four.")]


def test_the_key_and_host_of_the_environment_are_not_used(server, memory, ask, monkeypatch):
    monkeypatch.setenv("OLLAMA_API_KEY", "secret-key")
    monkeypatch.setenv("OLLAMA_HOST", "http://192.0.2.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    ask(chat_on(server, memory), ASKED)
    assert "secret-key" not in str(server.requests[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"model": " "},
        {"patience": 0},
        {"timeout": float("inf")},
        {"temperatur": 0.5},
        {"base_url": "http://127.0.0.1:1"},
        {"client_kwargs": {}},
        {"host": "http://192.0.2.1:11434"},
        {"host": "ftp://127.0.0.1"},
        {"scope": ()},
        {"scope": lambda runtime: ("users", "ann")},
        {"user": " "},
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(memory, settings):
    with pytest.raises(ConfigError):
        create_ollama_chat(memory, **{"model": "tiny", **settings})


@pytest.mark.parametrize("given", [{"question": ASKED}, 7, [], " ", [SystemMessage("Be brief.")]])
def test_what_asks_nothing_is_refused(server, memory, ask, given):
    with pytest.raises((ValidationError, NotImplementedError, ValueError)):
        ask(chat_on(server, memory), given)
    assert (server.requests, len(memory)) == ([], 0)


@pytest.mark.parametrize("ask", [RememberingChat.invoke, lambda chat, given: asyncio.run(chat.ainvoke(given))])
def test_a_form_that_a_model_fills_by_calling_a_tool_is_remembered_as_it_was_filled(memory, ask):
    class Place(BaseModel):
        """A place."""

        city: str

    chat = RememberingChat(memory, model_saying(calling("Place", city="Århus")), schema=Place)
    assert ask(chat, ASKED) == Place(city="Århus")
    assert remembered(memory) == [("user", ASKED), ("assistant", '{"city": "Århus"}')]


def test_messages_of_two_threads_that_bear_one_id_are_both_kept(server, memory):
    chat = chat_on(server, memory)
    for thread, text in (("t1", MOVED), ("t2", ASKED)):
        chat.invoke([HumanMessage(text, id="1")], {"configurable": {"thread_id": thread}})
    assert [text for speaker, text in remembered(memory) if speaker == "user"] == [MOVED, ASKED]


@pytest.mark.parametrize("thread", ["t" * 600, " ", 7, "a\0b"])
def test_the_name_of_a_thread_may_be_anything(server, memory, ask, thread):
    ask(chat_on(server, memory), MOVED, configurable={"thread_id": thread})
    assert len({record.session for record in memory.records()} - {None}) == 1


def test_an_answer_that_only_repeats_what_was_recalled_is_given_and_not_remembered(memory, ask):
    memory.remember(MOVED, speaker="user")
    repeat = lambda body: body["messages"][-1]["content"].removesuffix(ASKED).strip()  # noqa: E731
    with OllamaServer(otherwise=repeat) as server:
        assert MOVED in ask(chat_on(server, memory), ASKED)
    assert remembered(memory) == [("user", MOVED), ("user", ASKED)]
