"""Chat engines with our memory: synchronous, streaming and asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine, SimpleChatEngine
from llama_index.core.schema import TextNode

from integrations.llama_index.doubles import BagEmbedding, bag, scripted, shown, user
from llama_index.memory.mnemoloom import MnemoloomMemory
from llama_index.vector_stores.mnemoloom import MnemoloomRetriever, MnemoloomVectorStore

Remember = Callable[..., MnemoloomMemory]
ENGINES = ["simple", "context", "condense_plus_context"]


def engine(kind: str, llm: Any, memory: MnemoloomMemory, store: MnemoloomVectorStore) -> Any:
    if kind == "simple":
        return SimpleChatEngine.from_defaults(llm=llm, memory=memory, system_prompt="Be kind.")
    retriever = MnemoloomRetriever(store, k=1, embed_model=BagEmbedding())
    make = ContextChatEngine if kind == "context" else CondensePlusContextChatEngine
    return make.from_defaults(retriever=retriever, llm=llm, memory=memory, system_prompt="Be kind.")


@pytest.fixture(autouse=True)
def facts(store: MnemoloomVectorStore) -> None:
    store.add([TextNode(text="Rex is a good name.", embedding=bag("Rex is a good name."))])


def answers(kind: str, way: str, memory: MnemoloomMemory, store: MnemoloomVectorStore, text: str) -> str:
    """What the model was told when a new engine was asked."""
    llm, seen = scripted("An answer.")
    made = engine(kind, llm, memory, store)
    if way == "chat":
        assert str(made.chat(text)) == "An answer."
    elif way == "stream":
        assert "".join(made.stream_chat(text).response_gen)
    elif way == "achat":
        assert str(asyncio.run(made.achat(text))) == "An answer."
    else:

        async def work() -> None:
            response = await made.astream_chat(text)
            assert "".join([piece async for piece in response.async_response_gen()])

        asyncio.run(work())
    return shown(seen[-1])


@pytest.mark.parametrize("way", ["chat", "stream", "achat", "astream"])
@pytest.mark.parametrize("kind", ENGINES)
def test_an_engine_uses_what_another_session_left_and_remembers_question_and_answer(
    remember: Remember, store: MnemoloomVectorStore, kind: str, way: str
) -> None:
    remember(session_id="monday").put(user("My dog is called Rex."))
    memory = remember(session_id="friday")
    told = answers(kind, way, memory, store, "What is my dog called?")
    assert "My dog is called Rex." in told
    assert not any("called Rex" in line for line in told.splitlines() if line.startswith("system:"))
    history = [(message.role.value, message.content) for message in memory.get_all()]
    assert history[0] == ("user", "What is my dog called?")
    assert [role for role, _ in history] == ["user", "assistant"]
    assert len(memory.long_term) == 3


@pytest.mark.parametrize("kind", ENGINES)
def test_an_engine_shows_another_user_nothing(remember: Remember, store: MnemoloomVectorStore, kind: str) -> None:
    remember("ann").put(user("My dog is called Rex."))
    assert "My dog is called Rex" not in answers(kind, "chat", remember("bob"), store, "What is my dog called?")


def test_resetting_an_engine_begins_a_new_history(remember: Remember, store: MnemoloomVectorStore) -> None:
    memory = remember()
    llm, _ = scripted("Fine.", "Fine.")
    made = engine("simple", llm, memory, store)
    made.chat("My dog is called Rex.")
    assert len(made.chat_history) == 2
    made.reset()
    assert made.chat_history == []
    assert len(memory.long_term) == 2
