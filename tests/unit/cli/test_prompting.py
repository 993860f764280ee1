"""What a chat model is told: memories stand in the user's message, as data."""

from __future__ import annotations

from mnemoloom import Memory
from mnemoloom.cli.prompting import prompt


def test_memories_stand_in_the_message_of_the_user_and_never_in_the_system():
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    with Memory.open(":memory:") as memory:
        memory.remember("I keep bees.")
        messages = prompt("What do I keep?", memory.records(), history)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "bees" not in messages[0]["content"]
    assert "bees" in messages[-1]["content"]
    assert messages[-1]["content"].endswith("\n\nWhat do I keep?")
