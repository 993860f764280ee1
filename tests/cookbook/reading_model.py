"""A stand-in for the notebooks' model: it answers with what it is shown, which proves what that was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mnemoloom.testing import Reply, ToolCall

__all__ = ["answer"]

UNKNOWN = "I do not know."


def answer(body: Mapping[str, Any]) -> Reply | str:
    """Keep what is to be kept in mind, fill in what has a form, or say the first memory."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return "I will keep it in mind."
    shown = first_memory(last["content"])
    if "keep in mind" in last["content"] and body.get("tools"):
        fact = last["content"].rsplit(": ", 1)[1]
        return Reply(tool_calls=(ToolCall("save_memory", {"content": f"The user says: {fact}"}),))
    if body.get("format"):
        return json.dumps({"city": "Oslo" if "Oslo" in last["content"] else UNKNOWN})
    return shown


def first_memory(content: str) -> str:
    lines = content.splitlines()
    if lines[0].startswith("[begin memories-"):
        return str(json.loads(lines[1])["text"])
    notes = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return notes[0] if notes else UNKNOWN
