"""The same against a real Ollama server, when OLLAMA_TEST_URL names one: what holds for any model that answers.

OLLAMA_TEST_MODEL must support tools (default llama3.2), OLLAMA_TEST_EMBEDDER must embed (default nomic-embed-text).
"""

from __future__ import annotations

import asyncio
import os

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from langchain_mnemoloom.ollama import create_ollama_agent, create_ollama_chat
from langchain_mnemoloom.scope import MemoryContext
from mnemoloom import Memory
from mnemoloom.embedders import OllamaEmbedder
from mnemoloom.errors import ChatModelTimeoutError, ChatModelUnavailableError

pytestmark = pytest.mark.ollama
MODEL = os.environ.get("OLLAMA_TEST_MODEL", "llama3.2")
EMBEDDER = os.environ.get("OLLAMA_TEST_EMBEDDER", "nomic-embed-text")
MOVED, ASKED = "I moved to Oslo in May.", "Where did I move?"


@pytest.fixture
def host():
    return os.environ["OLLAMA_TEST_URL"]


@pytest.fixture
def memory(host, tmp_path):
    with Memory.open(tmp_path / "store", embedder=OllamaEmbedder(EMBEDDER, host=host)) as memory:
        yield memory


def test_a_chat_recalls_answers_and_remembers(host, memory):
    memory.remember(MOVED, speaker="user")
    chat = create_ollama_chat(memory, model=MODEL, host=host, temperature=0)
    whole = chat.invoke(ASKED)
    streamed = "".join(piece.text for piece in chat.stream(ASKED))
    assert whole.text.strip()
    assert streamed.strip()
    assert asyncio.run(chat.ainvoke(ASKED)).text.strip()
    assert [record.speaker for record in memory.records()] == ["user", *["user", "assistant"] * 3]


def test_a_schema_is_filled_in(host, memory):
    class Move(BaseModel):
        city: str

    memory.remember(MOVED, speaker="user")
    chat = create_ollama_chat(memory, model=MODEL, host=host, schema=Move, temperature=0)
    assert isinstance(chat.invoke(ASKED), Move)


def test_an_agent_remembers_from_thread_to_thread_and_keeps_users_apart(host, memory):
    agent = create_ollama_agent(
        memory, model=MODEL, host=host, checkpointer=InMemorySaver(), memory_tools=False, temperature=0
    )
    for who, text, thread in (("ann", MOVED, "t1"), ("ann", ASKED, "t2"), ("bob", ASKED, "t3")):
        config = {"configurable": {"thread_id": thread}}
        inputs = {"messages": [HumanMessage(text)]}
        assert agent.invoke(inputs, config, context=MemoryContext(user_id=who))["messages"][-1].text.strip()
    assert [record.text for record in memory.at("users", "ann").records()][::2] == [MOVED, ASKED]
    assert [record.speaker for record in memory.at("users", "bob").records()] == ["user", "assistant"]


def test_a_model_that_is_not_there_says_how_to_get_it(host, memory):
    with pytest.raises(ChatModelUnavailableError, match="ollama pull no-such-model"):
        create_ollama_chat(memory, model="no-such-model", host=host).invoke(ASKED)


def test_a_model_that_is_too_slow_is_given_up(host, memory):
    with pytest.raises(ChatModelTimeoutError):
        create_ollama_chat(memory, model=MODEL, host=host, timeout=0.001).invoke(ASKED)
    assert len(memory) == 0
