"""Engines and agents over Ollama's protocol, on real HTTP: memory, streaming, coroutines, and every way to fail."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.schema import TextNode

from integrations.llama_index.doubles import user
from llama_index.memory.mnemoloom import LlamaIndexEmbedder, MnemoloomMemory
from llama_index.memory.mnemoloom.ollama import (
    BoundedOllama,
    create_ollama_agent,
    create_ollama_chat_engine,
    create_ollama_query_engine,
    ollama_embedding,
)
from llama_index.vector_stores.mnemoloom import MnemoloomRetriever, MnemoloomVectorStore
from mnemoloom.errors import ChatModelError, ChatModelTimeoutError, ChatModelUnavailableError, ConfigError
from mnemoloom.testing import OllamaServer, Reply, ToolCall, faults

Remember = Callable[..., MnemoloomMemory]


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer() as running:
        yield running


def told(server: OllamaServer) -> str:
    """The messages of the last chat request, as text."""
    chats = [request for request in server.requests if request.path == "/api/chat"]
    return json.dumps(json.loads(chats[-1].raw)["messages"], ensure_ascii=False)


def roles(server: OllamaServer) -> list[str]:
    return [message["role"] for message in json.loads(told(server))]


def remembered(memory: MnemoloomMemory) -> list[str]:
    return [record.text for record in memory.long_term.records()]


@pytest.mark.parametrize("way", ["chat", "stream_chat", "achat", "astream_chat"])
def test_a_chat_engine_remembers_across_sessions(server: OllamaServer, remember: Remember, way: str) -> None:
    remember(session_id="monday").put(user("My dog is called Rex."))
    memory = remember(session_id="friday")
    engine = create_ollama_chat_engine(memory, model="tiny", host=server.url, system_prompt="Be kind.")
    server.say("Your dog is called Rex.")

    async def work() -> str:
        if way == "achat":
            return str(await engine.achat("What is my dog called?"))
        response = await engine.astream_chat("What is my dog called?")
        return "".join([piece async for piece in response.async_response_gen()])

    if way == "chat":
        answer = str(engine.chat("What is my dog called?"))
    elif way == "stream_chat":
        answer = "".join(engine.stream_chat("What is my dog called?").response_gen)
    else:
        answer = asyncio.run(work())
    assert answer == "Your dog is called Rex."
    assert roles(server) == ["system", "user"]
    assert "My dog is called Rex." in told(server)
    assert "Rex" not in json.loads(told(server))[0]["content"]
    assert remembered(memory)[1:] == ["What is my dog called?", "Your dog is called Rex."]


def test_a_chat_engine_answers_from_documents_too(
    server: OllamaServer, remember: Remember, store: MnemoloomVectorStore
) -> None:
    encoder = ollama_embedding("tinyemb", host=server.url)
    text = "The ferry to Bergen leaves at nine."
    store.add([TextNode(text=text, embedding=encoder.get_text_embedding(text))])
    retriever = MnemoloomRetriever(store, k=1, embed_model=encoder)
    engine = create_ollama_chat_engine(remember(embedder=None), model="tiny", host=server.url, retriever=retriever)
    server.say("At nine.")
    assert str(engine.chat("When does the ferry leave?")) == "At nine."
    assert text in told(server)


def test_a_query_engine_answers_from_memory(server: OllamaServer, remember: Remember) -> None:
    memory = remember()
    memory.put(user("My dog is called Rex."))
    engine = create_ollama_query_engine(memory.long_term, model="tiny", host=server.url, k=1)
    server.say("Rex.")
    answer = engine.query("What is the dog called?")
    assert str(answer) == "Rex."
    assert "My dog is called Rex." in told(server)
    assert [hit.node.get_content() for hit in answer.source_nodes] == ["My dog is called Rex."]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_query_engine_answers_from_documents_with_coroutines_and_streams(
    server: OllamaServer, store: MnemoloomVectorStore, streaming: bool
) -> None:
    encoder = ollama_embedding("tinyemb", host=server.url)
    texts = ["The ferry to Bergen leaves at nine.", "Tea is served at noon."]
    store.add([TextNode(text=t, embedding=asyncio.run(encoder.aget_text_embedding(t))) for t in texts])
    engine = create_ollama_query_engine(
        store, model="tiny", host=server.url, embed_model="tinyemb", k=1, streaming=streaming
    )

    async def work() -> str:
        response: Any = await engine.aquery("When does the ferry leave?")
        if not streaming:
            return str(response)
        return "".join([piece async for piece in response.async_response_gen()])

    server.say("At nine.", "At nine.")
    assert asyncio.run(work()) == "At nine."
    assert texts[0] in told(server)
    assert texts[1] not in told(server)
    assert str(engine.query("When does the ferry leave?")) == "At nine."


@pytest.mark.parametrize("streaming", [False, True])
def test_an_agent_remembers_and_uses_its_memory_tools(
    server: OllamaServer, remember: Remember, streaming: bool
) -> None:
    async def ask(memory: MnemoloomMemory, text: str) -> str:
        agent = create_ollama_agent(memory, model="tiny", host=server.url, streaming=streaming)
        return str(await agent.run(text))

    server.say(Reply(tool_calls=(ToolCall("save_memory", {"content": "The bike of Ann is red."}),)), "Noted.")
    monday = remember(session_id="monday")
    assert asyncio.run(ask(monday, "My bike is red.")) == "Noted."
    assert remembered(monday) == ["My bike is red.", "The bike of Ann is red.", "Noted."]
    offered = json.loads(server.requests[-1].raw)["tools"]
    assert [tool["function"]["name"] for tool in offered] == [
        "save_memory",
        "search_memory",
        "update_memory",
        "forget_memory",
    ]
    server.say("Red.")
    asyncio.run(ask(remember(session_id="friday"), "What colour is my bike?"))
    assert "The bike of Ann is red." in told(server)
    server.say("No idea.")
    asyncio.run(ask(remember("bob", "friday"), "What colour is my bike?"))
    assert "red" not in told(server)


def test_a_model_without_function_calling_becomes_a_react_agent(server: OllamaServer, remember: Remember) -> None:
    memory = remember()
    server.say("Thought: I can answer without using any more tools.\nAnswer: Hello Ann.")

    async def work() -> str:
        agent = create_ollama_agent(memory, model="tiny", host=server.url, function_calling=False)
        return str(await agent.run("Hello."))

    assert asyncio.run(work()) == "Hello Ann."
    assert remembered(memory) == ["Hello.", "Hello Ann."]


def test_a_memory_is_encoded_by_a_model_of_the_server(server: OllamaServer, remember: Remember) -> None:
    memory = remember(embedder=ollama_embedding("tinyemb", host=server.url))
    memory.put(user("My dog is called Rex."))
    assert memory.long_term.stats().encoder == "llama-index:OllamaEmbedding:tinyemb"
    assert memory.long_term.recall("dog", profile="dense")[0].text == "My dog is called Rex."
    assert isinstance(memory.long_term.embedder, LlamaIndexEmbedder)


def test_an_embedding_server_that_fails_breaks_no_turn(server: OllamaServer, remember: Remember) -> None:
    memory = remember(embedder=ollama_embedding("tinyemb", host=server.url))
    engine = create_ollama_chat_engine(memory, model="tiny", host=server.url)
    server.fail(faults.status(503, "busy"), path="/api/embed", times=None)
    server.say("Fine.")
    assert str(engine.chat("My dog is called Rex.")) == "Fine."
    assert memory.waiting == 2
    server.heal()
    server.say("Again.")
    engine.chat("Hello.")
    assert memory.waiting == 0
    assert remembered(memory) == ["My dog is called Rex.", "Fine.", "Hello.", "Again."]


def test_the_window_is_no_longer_than_the_model_can_read(server: OllamaServer, remember: Remember) -> None:
    memory = remember()
    assert memory.token_limit > 2048
    create_ollama_chat_engine(memory, model="tiny", host=server.url, context_window=2048)
    assert (memory.token_limit, memory.token_flush_size) == (2048, 2048)
    assert server.requests == []


FAULTS: list[tuple[str, Any, type[Exception], str]] = [
    ("refused", faults.status(500, "out of memory"), ChatModelError, "out of memory"),
    ("no such model", faults.status(404, "model 'tiny' not found"), ChatModelUnavailableError, "ollama pull tiny"),
    ("redirect", faults.redirect("http://127.0.0.1:9/"), ChatModelError, "redirect"),
    ("dropped", faults.drop(), ChatModelUnavailableError, "ask again"),
    ("bad json", faults.bad_json(), ChatModelError, "did not answer as Ollama does"),
    ("late", faults.delay(5.0), ChatModelTimeoutError, "too long"),
    ("dies midway", faults.die_midway(), ChatModelUnavailableError, "ask again"),
    ("ends early", faults.end_early(), ChatModelUnavailableError, "broke off in mid-answer; ask again"),
]
STREAM_FAULTS: list[tuple[str, Any, type[Exception], str]] = [
    ("error midway", faults.error_midway(), ChatModelError, "mid-answer"),
    ("silence midway", faults.silence_midway(5.0), ChatModelTimeoutError, "too long"),
]


def fails(engine: Any, way: str) -> None:
    async def work() -> None:
        if way == "achat":
            await engine.achat("My dog is called Rex.")
        else:
            response = await engine.astream_chat("My dog is called Rex.")
            async for _ in response.async_response_gen():
                pass

    if way == "chat":
        engine.chat("My dog is called Rex.")
    elif way == "stream_chat":
        for _ in engine.stream_chat("My dog is called Rex.").response_gen:
            pass
    else:
        asyncio.run(work())


CASES = [(way, *fault) for way in ("chat", "achat", "stream_chat", "astream_chat") for fault in FAULTS]
CASES += [(way, *fault) for way in ("stream_chat", "astream_chat") for fault in STREAM_FAULTS]


# a streaming engine writes its history in a thread of LlamaIndex, which raises the error a second time
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("way", "name", "fault", "error", "says"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_a_model_that_fails_says_so_in_time_and_nothing_of_its_answer_is_remembered(
    server: OllamaServer, remember: Remember, way: str, name: str, fault: Any, error: type[Exception], says: str
) -> None:
    memory = remember(embedder=None)
    engine = create_ollama_chat_engine(memory, model="tiny", host=server.url, request_timeout=0.4)
    server.say("This answer is never complete.")
    server.fail(fault, path="/api/chat")
    started = time.monotonic()
    with pytest.raises(error, match=says):
        fails(engine, way)
    assert time.monotonic() - started < 4
    assert remembered(memory) == ["My dog is called Rex."]
    assert [message.role.value for message in memory.get_all()] == ["user"]
    server.heal()
    assert str(engine.chat("Hello?"))
    assert [message.role.value for message in memory.get_all()] == ["user", "user", "assistant"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat"])
def test_a_server_that_is_not_there_is_told_with_what_to_do(remember: Remember, way: str) -> None:
    with OllamaServer() as gone:
        url = gone.url
    engine = create_ollama_chat_engine(remember(embedder=None), model="tiny", host=url)
    with pytest.raises(ChatModelUnavailableError, match="ollama serve"):
        fails(engine, way)


def test_another_machine_is_asked_only_when_that_is_allowed(remember: Remember) -> None:
    for make in (
        lambda: BoundedOllama("tiny", "http://ollama.example:11434"),
        lambda: ollama_embedding("tinyemb", host="http://ollama.example:11434"),
        lambda: create_ollama_chat_engine(remember(), model="tiny", host="http://ollama.example:11434"),
    ):
        with pytest.raises(ConfigError, match="allow_remote"):
            make()
    assert BoundedOllama("tiny", "http://ollama.example:11434", allow_remote=True).base_url.endswith("11434")


@pytest.mark.parametrize("option", [{"temperatur": 1}, {"client": object()}, {"headers": {"a": "b"}}], ids=str)
def test_an_option_that_would_do_nothing_is_refused(remember: Remember, option: dict[str, Any]) -> None:
    memory = remember(embedder=None)
    for make in (create_ollama_chat_engine, create_ollama_agent):
        with pytest.raises(ConfigError, match=f"no option '{next(iter(option))}'"):
            make(memory, model="tiny", **option)
    with pytest.raises(ConfigError, match=f"no option '{next(iter(option))}'"):
        create_ollama_query_engine(memory.long_term, model="tiny", **option)


def test_a_model_can_be_written_down_and_made_again() -> None:
    model = BoundedOllama("tiny", temperature=0.2, answer_timeout=9.0)
    again = BoundedOllama.from_dict(model.to_dict())
    assert (again.model, again.temperature, again.answer_timeout) == ("tiny", 0.2, 9.0)


def test_the_context_window_can_be_asked_of_the_server(server: OllamaServer) -> None:
    assert BoundedOllama("tiny", server.url, context_window=-1).metadata.context_window == 2048
    with pytest.raises(ChatModelUnavailableError, match="ollama pull unknown"):
        BoundedOllama("unknown", server.url, context_window=-1).get_context_window()
