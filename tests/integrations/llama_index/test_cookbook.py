"""Every notebook of the cookbook runs as it stands, against a server that speaks Ollama's protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mnemoloom.rendering import unfenced
from mnemoloom.testing import OllamaServer, Reply, ToolCall

COOKBOOK = Path(__file__).parents[3] / "cookbook"
RUNNER = Path(__file__).parent / "run_notebook.py"
NOTEBOOKS = sorted(COOKBOOK.glob("llama_index_*.ipynb"))


def last_words(body: Mapping[str, Any]) -> str:
    """What was asked, without the memories before it."""
    return unfenced(str(body["messages"][-1]["content"])).splitlines()[-1]


def model(body: Mapping[str, Any]) -> str | Reply:
    """Answers from what it was told, and from nothing else."""
    told = json.dumps(body["messages"], ensure_ascii=False)
    asked = last_words(body)
    if body["messages"][-1]["role"] == "tool":
        return f"Done: {asked}"
    if "remember that I only travel by train" in asked:
        return Reply(tool_calls=(ToolCall("save_memory", {"content": "Ann only travels by train."}),))
    if "money left in June" in asked:
        return Reply(tool_calls=(ToolCall("budget_left", {"month": "June"}),))
    if "Lisbon?" in asked and "only travel" in told:
        return "By train, as you only travel by train."
    if "thunderstorm" in asked:
        return "Keep Rex inside." if "Rex" in told else "I know of no dog."
    if asked.startswith("Answer:"):  # a question to the documents
        return "At ten." if "leaves at ten" in told else "I do not know."
    return "I see."


def run(notebook: Path, tmp_path: Path) -> str:
    with OllamaServer(otherwise=model) as server:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OLLAMA_HOST": server.url,
            "OLLAMA_MODEL": "tiny",
            "OLLAMA_EMBED_MODEL": "tinyemb",
            "TMPDIR": str(tmp_path),
        }
        done = subprocess.run(
            [sys.executable, str(RUNNER), str(notebook)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_documents_are_found_by_words_kept_and_refreshed(tmp_path: Path) -> None:
    lines = run(COOKBOOK / "llama_index_documents.ipynb", tmp_path).splitlines()
    by_mode = {line.split()[0]: line for line in lines[:4]}
    for mode in ("sparse", "hybrid"):
        assert by_mode[mode].split("('")[1].startswith("heating"), mode
    assert lines[4] == "['ferry', 'wifi']"
    assert lines[5] == "{'ferry': True, 'keys': False, 'heating': False, 'wifi': False}"
    assert lines[6] == "At ten."


def test_a_chat_remembers_across_sessions_and_keeps_users_apart(tmp_path: Path) -> None:
    said = run(COOKBOOK / "llama_index_chat.ipynb", tmp_path)
    assert "Keep Rex inside." in said
    assert "[begin memories-" in said
    assert "\n[]\n" in said
    assert "is recalled for 'Lisbon'" in said or "is not recalled for 'Lisbon'" in said
    assert "I fly to Lisbon" not in said.rsplit("memory ", 1)[-1].splitlines()[-1]


def test_an_agent_uses_its_memory_and_its_context_survives(tmp_path: Path) -> None:
    said = run(COOKBOOK / "llama_index_agent.ipynb", tmp_path)
    assert "'Ann only travels by train.'" in said
    assert "By train, as you only travel by train." in said
    assert "budget_left {'month': 'June'} -> 300 euros" in said
    assert "MnemoloomMemory ann friday" in said
    assert said.rstrip().endswith("[]")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_the_output_of_a_run(notebook: Path) -> None:
    document = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_each_notebook_has_a_test() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["llama_index_agent", "llama_index_chat", "llama_index_documents"]
