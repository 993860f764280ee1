"""A message history: what is added comes back as it was, of this session and this user alone."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_mnemoloom import MnemoloomChatMessageHistory
from mnemoloom import Memory
from mnemoloom.errors import ValidationError

MESSAGES: list[BaseMessage] = [
    SystemMessage("You are kind."),
    HumanMessage("My violin is in the red case.", name="Ann", id="m1"),
    AIMessage(
        "",
        tool_calls=[{"name": "look", "args": {"n": 1 << 80, "deep": [[[[{"a": None}]]]]}, "id": "c"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    ),
    ToolMessage("x" * 200_000, tool_call_id="c", artifact={"rows": [1, 2]}),
    ToolMessage("bytes \0 and \ud800", tool_call_id="d", status="error"),
    HumanMessage([{"type": "text", "text": "And this? "}, {"type": "image", "url": "https://x.org/a.png"}, "tail"]),
    HumanMessage([{"type": "image", "url": "https://x.org/b.png"}]),
    AIMessage("That is a cello. 🎻", response_metadata={"model": "m"}, additional_kwargs={"k": [1]}),
    ChatMessage("aside", role="critic"),
    HumanMessage("  "),
]


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory.open(":memory:", namespace=("users", "ann")) as memory:
        yield memory


def test_every_kind_of_message_comes_back_as_it_was(memory: Memory) -> None:
    history = MnemoloomChatMessageHistory(memory, "monday")
    assert isinstance(history, BaseChatMessageHistory)
    assert history.messages == []
    history.add_messages(MESSAGES)
    assert history.messages == MESSAGES
    history.add_user_message("And now?")
    history.add_message(AIMessage("Nothing."))
    assert history.messages == [*MESSAGES, HumanMessage("And now?"), AIMessage("Nothing.")]
    assert "Human: And now?" in str(history)


def test_the_async_twins_do_the_same(memory: Memory) -> None:
    async def scenario() -> None:
        history = MnemoloomChatMessageHistory(memory, "monday")
        await history.aadd_messages(MESSAGES)
        assert await history.aget_messages() == history.messages == MESSAGES
        await history.aclear()
        assert await history.aget_messages() == []

    asyncio.run(scenario())


def test_sessions_and_users_are_apart(memory: Memory) -> None:
    monday, tuesday = (MnemoloomChatMessageHistory(memory, session) for session in ("monday", "tuesday"))
    bobs = MnemoloomChatMessageHistory(memory.at("users", "bob"), "monday")
    for history in (monday, tuesday, bobs):
        history.add_user_message("hello")
    memory.remember("something else", session="monday")
    monday.clear()
    assert (len(monday.messages), len(tuesday.messages), len(bobs.messages)) == (0, 1, 1)
    assert len(memory) == 2


def test_what_was_said_is_recalled_and_tool_output_is_not(memory: Memory) -> None:
    MnemoloomChatMessageHistory(memory, "monday").add_messages(
        [*MESSAGES, ToolMessage("the violin of the tool", tool_call_id="e"), SystemMessage("a violin rule")]
    )
    hits = memory.recall("Where is the violin?", 10)
    assert [hit.text for hit in hits if "violin" in hit.text] == ["My violin is in the red case."]
    assert hits[0].speaker == "Ann"


def test_a_message_that_cannot_be_kept_leaves_the_others_out_too(memory: Memory) -> None:
    history = MnemoloomChatMessageHistory(memory, "monday")
    with pytest.raises(ValidationError):
        history.add_messages([HumanMessage("one"), HumanMessage("x" * (2 << 20))])
    assert history.messages == []
    for session in ("", " ", None):
        with pytest.raises(ValidationError, match="session"):
            MnemoloomChatMessageHistory(memory, session)  # type: ignore[arg-type]


def test_a_history_survives_its_process(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "s") as memory:
        MnemoloomChatMessageHistory(memory, "monday").add_messages(MESSAGES)
    with Memory.open(tmp_path / "s") as memory:
        assert MnemoloomChatMessageHistory(memory, "monday").messages == MESSAGES


def test_runnable_with_message_history_uses_it(memory: Memory) -> None:
    from langchain_core.runnables.history import RunnableWithMessageHistory

    seen: list[Any] = []

    class Model(GenericFakeChatModel):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(list(messages))
            return super()._generate(messages, *args, **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain deprecates this class: that is why there is a migration page
        chain = RunnableWithMessageHistory(
            Model(messages=iter([AIMessage("Hello Ann."), AIMessage("You are Ann.")])),
            lambda session_id: MnemoloomChatMessageHistory(memory, session_id),
        )
    config: Any = {"configurable": {"session_id": "monday"}}
    chain.invoke([HumanMessage("I am Ann.")], config)
    chain.invoke([HumanMessage("Who am I?")], config)
    assert [message.text for message in seen[1]] == ["I am Ann.", "Hello Ann.", "Who am I?"]
    assert len(MnemoloomChatMessageHistory(memory, "monday").messages) == 4


@pytest.mark.parametrize("more", [{"when": object()}, {"deep": None}])
def test_a_message_that_is_not_json_is_refused_and_leaves_nothing(memory: Memory, more: dict[str, Any]) -> None:
    if "deep" in more:
        for _ in range(20_000):
            more = {"deep": more}
    history = MnemoloomChatMessageHistory(memory, "monday")
    with pytest.raises(ValidationError, match="must be JSON"):
        history.add_messages([HumanMessage("one"), HumanMessage("two", additional_kwargs=more)])
    assert history.messages == []


@pytest.mark.parametrize("name", [" ", "a\0", "\ud800", "n" * 600])
def test_the_name_of_a_speaker_may_be_anything(memory: Memory, name: str) -> None:
    history = MnemoloomChatMessageHistory(memory, "monday")
    history.add_messages([HumanMessage("one", name=name)])
    assert [message.name for message in history.messages] == [name]
    assert [record.speaker for record in memory.records()] == ["user"]
