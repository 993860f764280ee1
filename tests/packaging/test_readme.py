"""What README shows is run: every Python block as it stands, every command it names is a command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    *("demo", "remember", "recall", "why", "history", "list", "forget", "pin", "move", "calibrate", "chat", "stats"),
    *("export", "import", "doctor", "reembed"),
]


def test_there_are_examples_to_run() -> None:
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_runs_as_it_stands(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named_in_the_readme_and_has_help(command: str) -> None:
    assert re.search(rf"`{command}`|mnemoloom {command}\b", README)
    done = subprocess.run([sys.executable, "-m", "mnemoloom", command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--json" in done.stdout
