"""No async twin does a memory's work on the event loop: neither the disk nor the encoder is met on its thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from integrations.langchain.scripted import calling, model_saying
from langchain_mnemoloom import (
    MemoryContext,
    MnemoloomChatMessageHistory,
    MnemoloomMemory,
    MnemoloomMiddleware,
    MnemoloomRetriever,
    MnemoloomStore,
    MnemoloomVectorStore,
    create_memory_tools,
)
from langchain_mnemoloom.remembering_chat import RememberingChat
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.storage import Store

ANN = MemoryContext(user_id="ann")


class Watched(HashingEmbedder):
    """Notes the threads that it is asked on."""

    def __init__(self, threads: set[int]) -> None:
        super().__init__(64)
        self.threads = threads

    def embed(self, texts: Any, *, query: bool = False) -> Any:
        self.threads.add(threading.get_ident())
        return super().embed(texts, query=query)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads on which a database was read or written, or a text encoded."""
    met: set[int] = set()
    for name in ("reading", "transact"):
        genuine = getattr(Store, name)

        def noted(self: Store, *args: Any, _genuine: Any = genuine, **options: Any) -> Any:
            met.add(threading.get_ident())
            return _genuine(self, *args, **options)

        monkeypatch.setattr(Store, name, noted)
    return met


@pytest.fixture
def memory(threads: set[int]) -> Iterator[Memory]:
    with Memory.open(":memory:", embedder=Watched(threads)) as memory:
        memory.at("users", "ann").remember("I like green tea.", external_id="tea")
        yield memory


async def use_an_agent(memory: Memory) -> None:
    tools = create_memory_tools(memory)
    replies = [
        calling("save_memory", content="Ann likes tea."),
        calling("search_memory", query="tea"),
        calling("update_memory", memory_id=1, content="Ann likes coffee."),
        calling("forget_memory", memory_id=1),
        "Done.",
    ]
    agent = create_agent(
        model_saying(*replies), tools, middleware=[MnemoloomMiddleware(memory)], context_schema=MemoryContext
    )
    await agent.ainvoke({"messages": [HumanMessage("Do I like tea?")]}, context=ANN)


async def use_a_chat(memory: Memory) -> None:
    chat = RememberingChat(memory, model_saying("Yes.", "Yes."))
    await chat.ainvoke("Do I like tea?")
    assert [piece async for piece in chat.astream("Do I like tea?")]


async def use_a_vector_store(memory: Memory) -> None:
    store = MnemoloomVectorStore(memory)
    await store.aadd_texts(["a red boat", "a blue boat"], ids=["a", "b"])
    await store.asimilarity_search("boat")
    await store.asimilarity_search_with_score("boat")
    await store.asimilarity_search_with_relevance_scores("boat")
    await store.asimilarity_search_by_vector([1.0] * 64)
    await store.amax_marginal_relevance_search("boat")
    await store.amax_marginal_relevance_search_by_vector([1.0] * 64)
    await store.aget_by_ids(["a"])
    await store.adelete(["a"])
    await store.adelete(delete_all=True)


async def use_a_retriever(memory: Memory) -> None:
    await MnemoloomRetriever(memory=memory).ainvoke("boat", filter=lambda document: False)


async def use_a_history(memory: Memory) -> None:
    history = MnemoloomChatMessageHistory(memory, "monday")
    await history.aadd_messages([HumanMessage("hello")])
    await history.aget_messages()
    await history.aclear()


async def use_the_old_interface(memory: Memory) -> None:
    for options in ({}, {"k": 2}):
        old = MnemoloomMemory(memory=memory, **options)
        await old.asave_context({"input": "hello"}, {"output": "hi"})
        await old.aload_memory_variables({"input": "hello"})
        await old.aclear()


async def use_a_langgraph_store(memory: Memory) -> None:
    async with MnemoloomStore(memory) as store:
        await store.aput(("a",), "k", {"text": "boat"}, ttl=5)
        await store.aget(("a",), "k")
        await store.asearch(("a",), query="boat")
        await store.alist_namespaces()
        await store.adelete(("a",), "k")


@pytest.mark.parametrize(
    "use",
    [
        use_an_agent,
        use_a_chat,
        use_a_vector_store,
        use_a_retriever,
        use_a_history,
        use_the_old_interface,
        use_a_langgraph_store,
    ],
)
def test_the_async_twins_do_nothing_slow_on_the_loop(memory: Memory, threads: set[int], use: Any) -> None:
    async def scenario() -> int:
        threads.clear()
        await use(memory)
        return threading.get_ident()

    assert asyncio.run(scenario()) not in threads
    assert threads
