"""Fixtures shared by all tests: a folder, a clock, an encoder, and memories that are closed at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from mnemoloom import ManualClock, Memory
from mnemoloom.embedders import HashingEmbedder

OpenMemory = Callable[..., Memory]
Refused = Callable[..., AbstractContextManager[None]]
StartPython = Callable[..., subprocess.Popen[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--torture-scale", type=float, default=1.0, help="multiply the sizes of the tests under -m torture"
    )


def pytest_configure() -> None:
    # before any library is imported that reads it: no test asks a model hub
    os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that need a real Ollama server, unless there is one."""
    if os.environ.get("OLLAMA_TEST_URL"):
        return
    left_out = [item for item in items if item.get_closest_marker("ollama")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("ollama")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "store"


@pytest.fixture
def clock() -> ManualClock:
    """Stands at noon of 2026-05-14, UTC."""
    return ManualClock(datetime(2026, 5, 14, 12, tzinfo=timezone.utc))


@pytest.fixture
def hashing() -> HashingEmbedder:
    """An encoder that needs no model; width 64."""
    return HashingEmbedder(64)


@pytest.fixture
def open_memory() -> Iterator[OpenMemory]:
    """`Memory.open`, whose handles are closed when the test ends."""
    opened: list[Memory] = []

    def open_one(path: str | Path, **options: Any) -> Memory:
        opened.append(Memory.open(path, **options))
        return opened[-1]

    yield open_one
    for memory in reversed(opened):
        memory.close()


@pytest.fixture
def memory(open_memory: OpenMemory, folder: Path, clock: ManualClock, hashing: HashingEmbedder) -> Memory:
    """An empty memory in `folder`, with the manual clock and the hashing encoder."""
    return open_memory(folder, clock=clock, embedder=hashing)


@pytest.fixture
def refused() -> Refused:
    """`with refused(memory, Error, match=…)`: the block raises that error, and the store stays as it was."""

    @contextmanager
    def check(memory: Memory, error: type[BaseException], match: str | None = None) -> Iterator[None]:
        before = memory.stats().entries, memory.stats().anchor, len(memory)
        with pytest.raises(error, match=match):
            yield
        assert (memory.stats().entries, memory.stats().anchor, len(memory)) == before

    return check


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """`start_python(*arguments)`: a process of this Python that can import mnemoloom; killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, *map(str, arguments)]
        started.append(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        with process:  # closes its pipes, and waits for its end
            pass
