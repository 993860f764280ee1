"""What README shows is run: every Python block as it stands, every command it names is a command."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    *("demo", "remember", "recall", "why", "history", "list", "forget", "pin", "move", "calibrate", "chat", "stats"),
    *("verify", "seal", "prove", "rekey", "quarantine", "release", "quarantined", "remove-source"),
    *("topics", "related", "export", "import", "backup", "doctor", "repair", "reembed"),
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


def test_every_promise_names_tests_that_are_there() -> None:
    table = README.split("| promise | its test, under `tests/` |")[1].split("\n\n")[0]
    for row in table.strip().splitlines()[1:]:
        named = re.findall(r"`([a-z_/]+\.py)`", row.split("|")[2])
        assert named, row
        assert all((ROOT / "tests" / name).is_file() for name in named), row


def test_what_the_readme_links_to_is_in_the_source_distribution(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [built] = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        held = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    linked = set(re.findall(r"\]\(([^)#:]+)\)", README))
    assert len(linked) >= 5
    assert linked <= held
