"""MnemoloomMemory gives an old chain what the classes it replaces gave."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_classic.base_memory import BaseMemory
from langchain_core.documents import Document
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import ValidationError as PydanticError

from langchain_mnemoloom import MnemoloomMemory
from mnemoloom import Memory
from mnemoloom.errors import ValidationError

TURNS = [
    ({"input": "I moved to Oslo in May."}, {"output": "How do you like it?"}),
    ({"input": "My violin is in the red case."}, {"output": "I will remember that."}),
    ({"input": "I like green tea."}, {"output": "So do I."}),
]


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory.open(":memory:") as memory:
        yield memory


def buffer_of(**options: Any) -> Any:
    """The class that is replaced, silent about its deprecation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_classic.memory import ConversationBufferMemory

        return ConversationBufferMemory(**options)


@pytest.mark.parametrize(
    "options",
    [{}, {"return_messages": True}, {"memory_key": "talk", "human_prefix": "Ann", "ai_prefix": "Friend"}],
    ids=str,
)
def test_the_whole_conversation_is_that_of_conversation_buffer_memory(memory: Memory, options: dict[str, Any]) -> None:
    ours, theirs = MnemoloomMemory(memory=memory, **options), buffer_of(**options)
    assert isinstance(ours, BaseMemory)
    for inputs, outputs in TURNS:
        ours.save_context(inputs, outputs)
        theirs.save_context(inputs, outputs)
        assert ours.load_memory_variables({}) == theirs.load_memory_variables({})
    assert ours.memory_variables == theirs.memory_variables
    assert ours.chat_memory.messages == theirs.chat_memory.messages
    ours.clear()
    theirs.clear()
    assert ours.load_memory_variables({}) == theirs.load_memory_variables({})


def test_with_k_the_relevant_memories_of_all_sessions_are_given(memory: Memory) -> None:
    for number, (inputs, outputs) in enumerate(TURNS):
        MnemoloomMemory(memory=memory, session=str(number)).save_context(inputs, outputs)
    text = MnemoloomMemory(memory=memory, k=2).load_memory_variables({"input": "Where is my violin?"})["history"]
    assert "red case" in text
    assert "Oslo" not in text
    assert text.startswith("[begin memories-")
    documents = MnemoloomMemory(memory=memory, k=2, return_docs=True).load_memory_variables({"input": "violin"})
    assert isinstance(documents["history"][0], Document)
    assert documents["history"][0].page_content == "My violin is in the red case."
    assert MnemoloomMemory(memory=memory.at("empty"), k=2).load_memory_variables({"input": "violin"}) == {"history": ""}


def test_the_async_twins_do_the_same(memory: Memory) -> None:
    async def scenario() -> None:
        whole, relevant = MnemoloomMemory(memory=memory), MnemoloomMemory(memory=memory, k=1, return_docs=True)
        await whole.asave_context(*TURNS[0])
        assert await whole.aload_memory_variables({}) == whole.load_memory_variables({})
        question = {"input": "Oslo"}
        assert await relevant.aload_memory_variables(question) == relevant.load_memory_variables(question)
        await whole.aclear()
        assert whole.load_memory_variables({}) == {"history": ""}

    asyncio.run(scenario())


def test_what_was_said_is_chosen_by_key_or_refused(memory: Memory) -> None:
    inputs, outputs = {"question": "q", "context": "c", "history": "old", "stop": ["x"]}, {"answer": "a", "source": "s"}
    chosen = MnemoloomMemory(memory=memory, input_key="question", output_key="answer")
    chosen.save_context(inputs, outputs)
    assert chosen.chat_memory.messages == [HumanMessage("q"), AIMessage("a")]
    MnemoloomMemory(memory=memory, exclude_input_keys=["context"], output_key="source").save_context(inputs, outputs)
    with pytest.raises(ValidationError, match="input_key"):
        MnemoloomMemory(memory=memory).save_context(inputs, {"output": "a"})
    with pytest.raises(ValidationError, match="output_key"):
        MnemoloomMemory(memory=memory, input_key="question").save_context(inputs, outputs)
    assert len(chosen.chat_memory.messages) == 4


def test_settings_that_contradict_each_other_are_refused(memory: Memory) -> None:
    for options in ({"return_messages": True, "k": 3}, {"return_docs": True}, {"keys": 1}, {"k": 0}):
        with pytest.raises((PydanticError, ValueError)):
            MnemoloomMemory(memory=memory, **options)


def test_a_conversation_chain_remembers_with_it(memory: Memory) -> None:
    prompts: list[str] = []

    class Model(GenericFakeChatModel):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            prompts.append(messages[0].text)
            return super()._generate(messages, *args, **kwargs)

    model = Model(messages=iter([AIMessage("Hello."), AIMessage("Oslo.")]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_classic.chains import ConversationChain

        chain = ConversationChain(llm=model, memory=MnemoloomMemory(memory=memory.at("users", "ann")))
        chain.invoke({"input": "I live in Oslo."})
        chain.invoke({"input": "Where do I live?"})
    assert "Human: I live in Oslo.\nAI: Hello.\nHuman: Where do I live?" in prompts[1]


@pytest.mark.parametrize(("options", "nothing"), [({}, ""), ({"return_docs": True}, [])])
def test_an_input_without_words_recalls_nothing(memory: Memory, options: dict[str, Any], nothing: Any) -> None:
    memory.remember("I live in Oslo.")
    relevant = MnemoloomMemory(memory=memory, k=3, **options)
    assert relevant.load_memory_variables({"input": " "}) == {"history": nothing}
    assert asyncio.run(relevant.aload_memory_variables({"input": ""})) == {"history": nothing}
