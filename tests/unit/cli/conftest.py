"""An Ollama server with one chat model, a store, and the commands run on it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mnemoloom.cli import main
from mnemoloom.testing import OllamaServer, Reply, ServedModel

ANSWER = Reply(pieces=("You moved ", "to Oslo", "."))
ENCODER = ServedModel(name="nomic-embed-text", capabilities=frozenset({"embedding"}))


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer(otherwise=lambda _: ANSWER, models=[ENCODER, ServedModel(name="tiny")]) as server:
        yield server


@pytest.fixture
def nobody() -> str:
    """The URL of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def store(tmp_path: Any) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def run(store: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command on `store`: exit code, standard output, standard error."""

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, "--store", store, *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def ask(run: Callable[..., tuple[int, str, str]]) -> Callable[..., Any]:
    """Run a command with --json that must succeed: its answer."""

    def ask(command: str, *arguments: str) -> Any:
        code, out, err = run(command, "--json", *arguments)
        assert (code, err) == (0, "")
        return json.loads(out)

    return ask
