"""Chat histories: both faces of the store keep messages whole, in order and apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.storage.chat_store import BaseChatStore, SimpleChatStore
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus

from integrations.llama_index.doubles import assistant, calling, user
from llama_index.memory.mnemoloom import MnemoloomChatBuffer, MnemoloomChatStore

ACTIVE, ARCHIVED = MessageStatus.ACTIVE, MessageStatus.ARCHIVED


@pytest.fixture
def chats(folder: Path) -> Iterator[MnemoloomChatStore]:
    made = MnemoloomChatStore(folder, "ann")
    yield made
    made.close()


def run(work: Any) -> Any:
    return asyncio.run(work)


def texts(messages: list[ChatMessage]) -> list[str | None]:
    return [message.content for message in messages]


MESSAGES = [
    user("Hello"),
    calling("search", query="x", deep={"a": [1, None]}),
    ChatMessage(role="tool", content="42", additional_kwargs={"tool_call_id": "1"}),
    assistant("a\0b \ud83d 😀 </s> ü"),
    ChatMessage(role="user", blocks=[ImageBlock(image=b"aGVsbG8=", image_mimetype="image/png"), TextBlock(text="?")]),
    ChatMessage(role="assistant", content=None),
]


def test_it_is_what_llama_index_expects(chats: MnemoloomChatStore) -> None:
    assert isinstance(chats, AsyncDBChatStore)
    assert issubclass(MnemoloomChatBuffer, BaseChatStore)


def test_messages_come_back_whole_and_in_order(chats: MnemoloomChatStore) -> None:
    run(chats.add_messages("k", MESSAGES))
    run(chats.add_message("k", user("last")))
    assert run(chats.get_messages("k")) == [*MESSAGES, user("last")]
    assert run(chats.count_messages("k")) == len(MESSAGES) + 1
    assert run(chats.get_messages("k", limit=2, offset=1)) == MESSAGES[1:3]


def test_what_is_read_is_a_copy(chats: MnemoloomChatStore) -> None:
    run(chats.add_message("k", user("one")))
    [first] = run(chats.get_messages("k"))
    first.blocks.insert(0, TextBlock(text="memory"))
    assert run(chats.get_messages("k")) == [user("one")]


def test_nothing_is_added_without_fuss(chats: MnemoloomChatStore) -> None:
    run(chats.add_messages("k", []))
    run(chats.set_messages("k", []))
    assert run(chats.get_messages("k")) == []
    assert run(chats.get_keys()) == []


def test_keys_and_users_are_apart(chats: MnemoloomChatStore, folder: Path) -> None:
    bob = MnemoloomChatStore(folder, "bob")
    run(chats.add_message("k", user("of ann")))
    run(chats.add_message("l", user("of ann too")))
    run(bob.add_message("k", user("of bob")))
    assert texts(run(bob.get_messages("k"))) == ["of bob"]
    assert (run(chats.get_keys()), run(bob.get_keys())) == (["k", "l"], ["k"])
    run(bob.delete_messages("k"))
    assert texts(run(chats.get_messages("k"))) == ["of ann"]
    bob.close()


def test_the_oldest_are_archived_and_still_there(chats: MnemoloomChatStore) -> None:
    run(chats.add_messages("k", [user(str(i)) for i in range(5)]))
    assert texts(run(chats.archive_oldest_messages("k", 2))) == ["0", "1"]
    assert texts(run(chats.get_messages("k"))) == ["2", "3", "4"]
    assert texts(run(chats.get_messages("k", status=ARCHIVED))) == ["0", "1"]
    assert texts(run(chats.get_messages("k", status=None))) == ["0", "1", "2", "3", "4"]
    assert texts(run(chats.delete_oldest_messages("k", 1))) == ["2"]
    assert run(chats.count_messages("k", status=None)) == 4
    assert run(chats.archive_oldest_messages("k", 0)) == []


def test_setting_replaces_what_was_there_archived_or_not(chats: MnemoloomChatStore) -> None:
    run(chats.add_messages("k", [user(str(i)) for i in range(3)]))
    run(chats.archive_oldest_messages("k", 1))
    run(chats.set_messages("k", [user("new")]))
    assert texts(run(chats.get_messages("k", status=None))) == ["new"]


def test_messages_are_deleted_by_place_or_status(chats: MnemoloomChatStore) -> None:
    run(chats.add_messages("k", [user(str(i)) for i in range(5)]))
    run(chats.archive_oldest_messages("k", 2))
    assert run(chats.delete_message("k", 3)) == user("3")
    assert run(chats.delete_message("k", 17)) is None
    assert run(chats.delete_message("unknown", 0)) is None
    run(chats.delete_messages("k", status=ARCHIVED))
    assert texts(run(chats.get_messages("k", status=None))) == ["2", "4"]
    run(chats.delete_messages("k"))
    assert run(chats.get_messages("k", status=None)) == []


def test_a_history_outlives_the_process(folder: Path) -> None:
    first = MnemoloomChatStore(folder, "ann")
    run(first.add_messages("k", MESSAGES))
    first.close()
    again = MnemoloomChatStore(folder, "ann")
    assert run(again.get_messages("k")) == MESSAGES
    again.close()


def test_llama_indexs_memory_keeps_its_chats_here(chats: MnemoloomChatStore) -> None:
    async def work() -> list[ChatMessage]:
        memory = Memory.from_defaults(session_id="s", token_limit=60, token_flush_size=10, chat_store=chats)
        for i in range(8):
            await memory.aput(user(f"this is question number {i} of the chat"))
            await memory.aput(assistant(f"this is answer number {i} of the chat"))
        return await memory.aget()

    window = run(work())
    everything = run(chats.get_messages("s", status=None))
    assert len(everything) == 16
    assert 0 < len(window) < 16
    assert window == everything[-len(window) :]


def both(folder: Path) -> list[Any]:
    return [SimpleChatStore(), MnemoloomChatBuffer(folder, "ann")]


def test_the_synchronous_face_behaves_like_llama_indexs_own(folder: Path) -> None:
    answers = []
    for store in both(folder):
        got = [store.get_keys(), store.get_messages("k"), store.delete_last_message("k"), store.delete_message("k", 0)]
        store.add_message("k", user("one"))
        store.add_message("k", user("zero"), idx=0)
        store.add_message("k", assistant("two"))
        got += [list(store.get_messages("k")), store.delete_message("k", 1), store.delete_last_message("k")]
        store.set_messages("l", [user("x"), assistant("y")])
        got += [
            list(store.get_messages("l")),
            sorted(store.get_keys()),
            store.delete_messages("l"),
            store.get_messages("l"),
        ]
        answers.append(got)
    assert answers[1] == answers[0]


def test_its_coroutines_do_the_same(folder: Path) -> None:
    store = MnemoloomChatBuffer(folder, "ann")

    async def work() -> list[Any]:
        await store.aset_messages("k", [user("a"), user("b"), user("c")])
        await store.async_add_message("k", user("d"))
        got = [await store.aget_messages("k"), await store.adelete_message("k", 0)]
        got += [await store.adelete_last_message("k"), await store.aget_keys(), await store.adelete_messages("k")]
        return got

    assert run(work()) == [
        [user("a"), user("b"), user("c"), user("d")],
        user("a"),
        user("d"),
        ["k"],
        [user("b"), user("c")],
    ]
    store.close()


def test_a_buffer_of_llama_index_remembers_with_it(folder: Path) -> None:
    store = MnemoloomChatBuffer(folder, "ann")
    ChatMemoryBuffer.from_defaults(chat_store=store, chat_store_key="k").put(user("Hello"))
    again = MnemoloomChatBuffer.from_dict(store.to_dict())
    assert ChatMemoryBuffer.from_defaults(chat_store=again, chat_store_key="k").get() == [user("Hello")]
    store.close()
    again.close()
