"""Coroutines leave the event loop free, and many may run at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery

from integrations.llama_index.doubles import bag, user
from llama_index.memory.mnemoloom import MnemoloomChatStore, MnemoloomMemory
from llama_index.vector_stores.mnemoloom import MnemoloomRetriever, MnemoloomVectorStore

SLOW = 0.3  # seconds
FREE = 0.1  # seconds that the loop may stand still meanwhile


async def longest_stall(work: Awaitable[Any]) -> float:
    """Seconds between two beats of the loop, at worst, while something else is awaited."""
    worst, done = 0.0, False

    async def beat() -> None:
        nonlocal worst
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0.02)
    await work
    done = True
    await heart
    return worst


def slowed(function: Callable[..., Any]) -> Callable[..., Any]:
    def work(*args: Any, **kwargs: Any) -> Any:
        time.sleep(SLOW)
        return function(*args, **kwargs)

    return work


FILTERS = MetadataFilters(filters=[MetadataFilter(key="a", value="x")])
NODE = TextNode(id_="n", text="tea", embedding=bag("tea"))
STORE_CALLS: dict[str, Callable[[MnemoloomVectorStore], Awaitable[Any]]] = {
    "async_add": lambda store: store.async_add([NODE]),
    "aquery": lambda store: store.aquery(VectorStoreQuery(query_embedding=bag("tea"))),
    "aget_nodes": lambda store: store.aget_nodes(),
    "adelete": lambda store: store.adelete("d"),
    "adelete_nodes": lambda store: store.adelete_nodes(["n"], FILTERS, anything=1),
    "aclear": lambda store: store.aclear(),
}


@pytest.mark.parametrize("name", STORE_CALLS)
def test_a_coroutine_of_the_vector_store_leaves_the_loop_free(
    store: MnemoloomVectorStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = store.client
    for verb in ("remember_many", "recall", "records"):
        monkeypatch.setattr(memory, verb, slowed(getattr(memory, verb)))
    started = time.perf_counter()
    assert asyncio.run(longest_stall(STORE_CALLS[name](store))) < FREE
    assert time.perf_counter() - started > SLOW


def test_memory_and_chat_store_leave_the_loop_free(
    remember: Callable[..., MnemoloomMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = remember()
    for handle in (memory.long_term, memory._chats._share.memory):
        for verb in ("remember_many", "recall", "records"):
            monkeypatch.setattr(handle, verb, slowed(getattr(handle, verb)))

    async def work() -> None:
        await memory.aput(user("My dog is called Rex."))
        await memory.aget()
        await memory.aset([user("Hello.")])
        await memory.areset()

    assert asyncio.run(longest_stall(work())) < FREE


def test_a_hundred_retrievals_at_once_leave_the_loop_free(store: MnemoloomVectorStore) -> None:
    memory = store.client.at("users", "ann")
    memory.remember_many([f"fact number {i} about tea and dogs" for i in range(500)])
    retriever = MnemoloomRetriever(memory, k=10)
    retriever.retrieve("tea")

    async def many() -> None:
        found = await asyncio.gather(*(retriever.aretrieve(f"fact number {i}") for i in range(100)))
        assert all(len(each) == 10 for each in found)

    assert min(asyncio.run(longest_stall(many())) for _ in range(5)) < FREE


def test_one_object_serves_several_loops(store: MnemoloomVectorStore) -> None:
    chats = MnemoloomChatStore(store.client, "ann")

    async def work(i: int) -> int:
        await store.async_add([NODE.model_copy(update={"id_": f"n{i}"})])
        await chats.add_message("k", user(str(i)))
        return await chats.count_messages("k")

    assert [asyncio.run(work(i)) for i in range(3)] == [1, 2, 3]
    assert len(store.get_nodes()) == 3
    chats.close()
