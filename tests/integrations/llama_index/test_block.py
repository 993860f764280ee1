"""The block for LlamaIndex's own Memory: keeps what leaves the window, brings back what matters, leaks nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import BaseMemoryBlock, InsertMethod, Memory, VectorMemoryBlock

from integrations.llama_index.doubles import BagEmbedding, BrokenEmbedder, assistant, shown, user
from llama_index.memory.mnemoloom import MnemoloomMemoryBlock
from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore
from mnemoloom import Config
from mnemoloom import Memory as Core
from mnemoloom.errors import EmbedderUnavailableError, ValidationError


@pytest.fixture
def block(folder: Path) -> Iterator[MnemoloomMemoryBlock]:
    made = MnemoloomMemoryBlock(folder, "ann", embedder="hashing:64")
    yield made
    made.close()


def run(work: Any) -> Any:
    return asyncio.run(work)


def texts(block: MnemoloomMemoryBlock) -> list[str]:
    return [record.text for record in block.long_term.records()]


def test_it_is_a_block_of_llama_index(block: MnemoloomMemoryBlock) -> None:
    assert isinstance(block, BaseMemoryBlock)
    assert block.name == "mnemoloom"


@pytest.mark.parametrize("insert_method", list(InsertMethod))
def test_what_overflows_the_window_is_remembered_and_recalled_but_never_as_a_system_message(
    block: MnemoloomMemoryBlock, insert_method: InsertMethod
) -> None:
    async def chat() -> list[ChatMessage]:
        memory = Memory.from_defaults(
            session_id="s", token_limit=120, token_flush_size=20, memory_blocks=[block], insert_method=insert_method
        )
        await memory.aput(user("My dog is called Rex."))
        await memory.aput(assistant("Noted."))
        for i in range(12):
            await memory.aput(user(f"Now let us talk about number {i}, please."))
            await memory.aput(assistant(f"Number {i} it is."))
        await memory.aput(user("What is my dog called?"))
        told = await memory.aget()
        await memory.sql_store._async_engine.dispose()
        return told

    told = run(chat())
    assert "My dog is called Rex." in shown(told)
    assert "system" not in {message.role.value for message in told}
    assert told[0].content is not None
    assert "[begin memories-" in told[0].content


def test_sessions_do_not_pin_one_another_and_can_be_kept_apart(folder: Path) -> None:
    block = MnemoloomMemoryBlock(folder, "ann", across_sessions=False)
    run(block.aput([user("the secret of A")], session_id="A"))
    run(block.aput([user("the secret of B")], session_id="B"))
    for session, other in (("A", "B"), ("B", "A"), ("A", "B")):
        told = shown(run(block.aget([user("what is the secret")], session_id=session)))
        assert f"the secret of {session}" in told
        assert f"the secret of {other}" not in told
    with pytest.raises(ValidationError, match="session_id"):
        run(block.aget([user("secret")]))
    block.close()


def test_users_see_nothing_of_each_other(block: MnemoloomMemoryBlock, folder: Path) -> None:
    bob = MnemoloomMemoryBlock(folder, "bob")
    run(block.aput([user("My dog is called Rex.")], session_id="s"))
    assert run(bob.aget([user("dog Rex")], session_id="s")) == []
    bob.close()


def test_the_messages_given_are_left_as_they_are(block: MnemoloomMemoryBlock) -> None:
    message = user("My dog is called Rex.")
    run(block.aput([message], session_id="s"))
    assert message == user("My dog is called Rex.")
    assert message.additional_kwargs == {}


def test_the_session_may_come_with_the_messages(block: MnemoloomMemoryBlock) -> None:
    run(block.aput([ChatMessage(role="user", content="hello", additional_kwargs={"session_id": "s"})]))
    assert [record.session for record in block.long_term.records()] == ["s"]


def test_what_is_put_twice_is_kept_once(block: MnemoloomMemoryBlock) -> None:
    messages = [user("My dog is called Rex."), assistant("Noted.")]
    run(block.aput(messages, session_id="s"))
    run(block.aput(messages, from_short_term_memory=True, session_id="s"))
    assert texts(block) == ["My dog is called Rex.", "Noted."]


def test_a_block_can_be_told_to_take_nothing_from_the_window(folder: Path) -> None:
    block = MnemoloomMemoryBlock(folder, "ann", accept_short_term_memory=False)
    run(block.aput([user("hello")], from_short_term_memory=True, session_id="s"))
    assert texts(block) == []
    block.close()


def test_nothing_to_ask_or_to_tell_is_an_empty_block(block: MnemoloomMemoryBlock) -> None:
    assert run(block.aget(None)) == []
    assert run(block.aget([assistant("Hi.")])) == []
    assert run(block.aget([user("anything")])) == []


def test_what_the_window_shows_is_not_told_again(block: MnemoloomMemoryBlock) -> None:
    run(block.aput([user("My dog is called Rex.")], session_id="s"))
    assert run(block.aget([user("My dog is called Rex."), user("dog?")])) == []


def test_what_the_window_shows_widens_no_sources_share() -> None:
    with Core.open(":memory:", config=Config(per_source=0.5)) as memory:
        block = MnemoloomMemoryBlock(memory, "ann", k=4)
        block.long_term.remember_many(
            {"text": f"The boat of {n} is blue, blue, blue.", "source": "web/forum"} for n in range(20)
        )
        block.long_term.remember_many(f"A boat, number {n}." for n in range(20))
        window = [*(user(f"Something else, {n}.") for n in range(30)), user("Which boat is blue?")]
        [message] = run(block.aget(window))
        told = [record.text for record in block.long_term.records() if record.text in (message.content or "")]
        assert sorted(text[:5] for text in told) == ["A boa"] * 2 + ["The b"] * 2


def test_a_failing_encoder_breaks_no_turn_and_the_next_put_makes_up_for_it(folder: Path) -> None:
    encoder = BrokenEmbedder()
    block = MnemoloomMemoryBlock(folder, "ann", embedder=encoder)
    encoder.error = EmbedderUnavailableError("down")
    run(block.aput([user("My dog is called Rex.")], session_id="s"))
    assert run(block.aget([user("dog?")])) == []
    encoder.error = None
    run(block.aput([user("Hello.")], session_id="s"))
    assert texts(block) == ["My dog is called Rex.", "Hello."]
    block.close()


def test_a_block_can_be_shortened_memory_by_memory(block: MnemoloomMemoryBlock) -> None:
    run(block.aput([user(f"dog number {i} in the garden") for i in range(5)], session_id="s"))
    content = run(block.aget([user("dog")]))
    whole = content[0].content
    cut = run(block.atruncate(content, 40))
    assert cut is not None
    kept = [line for line in cut[0].content.splitlines() if line.startswith("{")]
    assert 0 < len(kept) < 5
    assert whole.startswith(cut[0].content.rsplit("\n[end", 1)[0])
    assert cut[0].content.rstrip().splitlines()[-1] == whole.rstrip().splitlines()[-1]
    assert run(block.atruncate(content, 10_000)) is None
    assert run(block.atruncate([], 10)) is None


def test_llama_indexs_own_vector_block_keeps_its_texts_in_our_store(folder: Path) -> None:
    store = MnemoloomVectorStore(folder)
    block = VectorMemoryBlock(vector_store=store, embed_model=BagEmbedding(), similarity_top_k=1)

    async def chat() -> str:
        await block.aput([user("My dog is called Rex.")], session_id="s")
        return str(await block.aget([user("What is my dog called?")], session_id="s"))

    assert "Rex" in run(chat())
    assert [node.metadata["session_id"] for node in store.get_nodes()] == ["s"]
    store.close()
