"""Whatever was remembered, LangChain's models are shown it as data, and never in a system message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, SystemMessage

from hostile.texts import HOSTILE, judge
from integrations.langchain.scripted import calling, model_saying
from langchain_mnemoloom import (
    MemoryContext,
    MnemoloomMiddleware,
    MnemoloomRetriever,
    MnemoloomVectorStore,
    Recollection,
    create_memory_tools,
)
from langchain_mnemoloom.classic import MnemoloomMemory
from langchain_mnemoloom.remembering_chat import RememberingChat
from mnemoloom import Draft, Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import EmbedderUnavailableError

QUESTION = "What was that about zqx?"
ANN = MemoryContext(user_id="ann")


@pytest.fixture(scope="module")
def memory() -> Iterator[Memory]:
    with Memory.open(":memory:") as memory:
        ann = memory.at("users", "ann")
        ann.remember_many(Draft(text=text, speaker="Eve", trust="web") for text in HOSTILE)
        yield memory


def told(messages: list[BaseMessage]) -> list[str]:
    """The texts that the messages show as data; nothing of them stands in a system message."""
    assert not any("zqx" in str(message.content) for message in messages if isinstance(message, SystemMessage))
    return [text for message in messages for text in judge(str(message.text), texts=[*HOSTILE, QUESTION, "Well."])]


def test_a_block_of_all_of_them(memory: Memory) -> None:
    block = Recollection(k=1000, max_tokens=None, min_trust="web").block(memory.at("users", "ann"), "zqx")
    assert sorted(judge(block)) == sorted(HOSTILE)
    assert Recollection(k=1000, min_trust="user").block(memory.at("users", "ann"), "zqx") == ""


def test_an_agent_with_middleware_and_tools(memory: Memory) -> None:
    model = model_saying(calling("search_memory", query="zqx", k=50), "Well.")
    middleware = MnemoloomMiddleware(memory, k=1000, max_tokens=None, tools=create_memory_tools(memory))
    agent = create_agent(model, middleware=[middleware], context_schema=MemoryContext, system_prompt="Be kind.")
    agent.invoke({"messages": QUESTION}, context=ANN)
    first, second = model.seen
    assert len(told(first)) == len(HOSTILE)
    assert len(told(second)) == len(HOSTILE) + 50


def test_a_chat_that_remembers(memory: Memory) -> None:
    model = model_saying("Well.")
    chat = RememberingChat(
        memory.at("users", "ann"), model, recollection=Recollection(k=1000, max_tokens=None), system_prompt="Be kind."
    )
    chat.invoke(QUESTION)
    assert len(told(model.seen[0])) >= len(HOSTILE)


def test_the_memory_of_the_old_chains(memory: Memory) -> None:
    found = MnemoloomMemory(memory=memory.at("users", "ann"), k=100).load_memory_variables({"input": "zqx"})
    assert len(judge(found["history"])) == 100


def test_documents_know_their_source_and_go_with_it() -> None:
    with Memory.open(":memory:", embedder=HashingEmbedder(64)) as memory:
        store = MnemoloomVectorStore(memory)
        store.add_texts(["The code is 0000."], source="web/eve", trust="web")
        store.add_documents([Document("The code is 4711.")], trust="system")
        asyncio.run(store.aadd_texts(["The code is 1111."], source="web/eve", trust="web"))
        found = MnemoloomRetriever(memory=memory).invoke("What is the code?", min_trust="user")
        assert [(each.page_content, each.metadata["trust"]) for each in found] == [("The code is 4711.", "system")]
        assert memory.remove_source("web/eve").count == 2
        assert [each.page_content for each in store.similarity_search("code", k=5)] == ["The code is 4711."]


def test_documents_say_that_the_encoder_was_down() -> None:
    class Down(HashingEmbedder):
        def embed(self, texts: Any, *, query: bool = False) -> Any:
            if query:
                raise EmbedderUnavailableError("no server")
            return super().embed(texts, query=query)

    with Memory.open(":memory:", embedder=Down(64)) as memory:
        memory.remember("The code is 4711.")
        [found] = MnemoloomRetriever(memory=memory).invoke("What is the code?")
        assert "no server" in found.metadata["degraded"]
