"""Whatever was remembered, LlamaIndex's models are shown it as data, and never in a system message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.schema import TextNode

from hostile.texts import HOSTILE, judge
from integrations.llama_index.doubles import user
from llama_index.memory.mnemoloom import MnemoloomMemory, MnemoloomMemoryBlock, create_memory_tools
from llama_index.memory.mnemoloom.ollama import create_ollama_chat_engine, create_ollama_query_engine
from llama_index.vector_stores.mnemoloom import MnemoloomRetriever, MnemoloomVectorStore
from mnemoloom import Draft, Memory
from mnemoloom.testing import OllamaServer, Reply

QUESTION = "What was that about zqx?"
Remember = Callable[..., MnemoloomMemory]


@pytest.fixture(scope="module")
def memory() -> Iterator[Memory]:
    with Memory.open(":memory:") as memory:
        ann = memory.at("users", "ann")
        ann.remember_many(Draft(text=text, speaker="Eve", session="old", trust="web") for text in HOSTILE)
        yield memory


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer(otherwise=lambda _: Reply(pieces=("Well.",))) as server:
        yield server


def told(messages: list[dict[str, Any]]) -> list[str]:
    assert not any("zqx" in message["content"] for message in messages if message["role"] == "system")
    return [text for message in messages for text in judge(message["content"].replace(QUESTION, ""))]


def as_dicts(messages: list[ChatMessage]) -> list[dict[str, Any]]:
    return [{"role": message.role.value, "content": message.content or ""} for message in messages]


def test_a_chats_memory(memory: Memory) -> None:
    chat = MnemoloomMemory(memory, "ann", session_id="new", k=1000, recall_token_limit=10**6)
    assert len(told(as_dicts(chat.get(input="zqx")))) == len(HOSTILE)
    picky = MnemoloomMemory(memory, "ann", session_id="newer", k=1000, min_trust="user")
    assert told(as_dicts(picky.get(input="zqx"))) == []


def test_a_memory_block(memory: Memory) -> None:
    block = MnemoloomMemoryBlock(memory, "ann", k=900, token_limit=10**6)
    found = asyncio.run(block.aget([user(QUESTION)], session_id="new"))
    assert len(told(as_dicts(found))) == len(HOSTILE)


def test_the_tools(memory: Memory) -> None:
    [search] = [
        tool
        for tool in create_memory_tools(memory.at("users", "ann"), k=1000, token_limit=10**6)
        if tool.metadata.name == "search_memory"
    ]
    assert len(judge(str(search.call(query="zqx")))) == len(HOSTILE)


def test_a_query_engine(memory: Memory, server: OllamaServer) -> None:
    shown = 0
    for wanted in HOSTILE[::5]:
        number = re.findall("zqx[0-9]+", wanted)[0]
        engine = create_ollama_query_engine(memory.at("users", "ann"), model="tiny", host=server.url, k=1)
        server.requests.clear()
        engine.query(number)
        if not server.requests:  # an invisible letter behind the word made it another word
            continue
        shown += 1
        messages = server.requests[-1].body["messages"]
        assert all(message["role"] == "user" for message in messages)
        _one_line_of_data(messages[-1]["content"], number)
    assert shown >= 40


def _one_line_of_data(prompt: str, asked: str) -> None:
    """LlamaIndex joins nodes and their metadata into one text, which must come as one text of data."""
    lines = prompt.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("[begin memories-"))
    assert lines[begin + 2] == lines[begin].replace("begin", "end")
    outside = "\n".join(lines[:begin] + lines[begin + 3 :]).replace(asked, "")
    assert "zqx" not in outside


def test_a_chat_engine_with_documents(remember: Remember, store: MnemoloomVectorStore, server: OllamaServer) -> None:
    store.add([TextNode(text=text, embedding=[1.0, float(n)]) for n, text in enumerate(HOSTILE, 1)])

    class Nearest(MnemoloomRetriever):
        def _retrieve(self, query_bundle: Any) -> Any:
            query_bundle.embedding = [1.0, 1.0]
            return super()._retrieve(query_bundle)

    engine = create_ollama_chat_engine(
        remember(embedder=None), model="tiny", host=server.url, retriever=Nearest(store, k=20), system_prompt="Be kind."
    )
    engine.chat(QUESTION)
    messages = server.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "zqx" not in messages[0]["content"]
    _one_line_of_data(messages[-1]["content"].replace(QUESTION, ""), "")
