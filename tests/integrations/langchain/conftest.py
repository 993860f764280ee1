"""Fixtures of the LangChain tests, and what runs the coroutines among the standard suites."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest
import pytest_socket

from langchain_mnemoloom import MnemoloomStore
from mnemoloom import ManualClock
from mnemoloom.embedders import HashingEmbedder


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine on a loop of its own: the standard suites hold some."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True


@pytest.fixture
def no_sockets() -> Iterator[None]:
    """Whoever opens a socket fails; the pair of Unix sockets in which an event loop wakes itself is none."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture
def store(clock: ManualClock) -> Iterator[MnemoloomStore]:
    """An empty store in memory that finds by the words of `text`."""
    with MnemoloomStore.open(
        ":memory:", embedder=HashingEmbedder(64), index={"fields": ["text"]}, clock=clock
    ) as store:
        yield store
