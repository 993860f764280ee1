"""A chat model's server that keeps failing is left alone for a while, and asked again after it."""

from __future__ import annotations

import asyncio
import copy

import httpx
import pytest

from mnemoloom import ManualClock
from mnemoloom.cli.chat_model import ChatModel, stream_answer
from mnemoloom.embedders.bounded_http import AsyncBoundedTransport, BoundedTransport, LeftAloneError
from mnemoloom.embedders.breaker import Breaker
from mnemoloom.embedders.endpoint import endpoint
from mnemoloom.embedders.ollama_client import ollama_client
from mnemoloom.errors import ChatModelError, ChatModelUnavailableError
from mnemoloom.testing import OllamaServer, Reply, ServedModel, faults

HELLO = [{"role": "user", "content": "hello"}]
FAULTS = {
    "busy": faults.status(503, "queue full"),
    "drops": faults.drop(),
    "dies midway": faults.die_midway(),
    "falls silent": faults.silence_midway(3.0),
}


@pytest.fixture
def server():
    with OllamaServer(models=[ServedModel(name="tiny")]) as server:
        yield server


def asked(server, clock, *, failures=3):
    """A function that asks the server over one client: the whole answer."""
    place = endpoint(server.url, allow_remote=False)
    breaker = Breaker(failures=failures, cool_down=10.0, clock=clock)
    client = ollama_client(place, patience=0.3, timeout=2.0, longest_answer=1 << 20, breaker=breaker)
    return lambda: "".join(stream_answer(client, place, "tiny", HELLO))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_after_failures_in_a_row_nothing_is_sent_until_a_probe_succeeds(server, fault):
    clock = ManualClock()
    ask = asked(server, clock)
    server.fail(fault, times=None)
    for _ in range(3):
        with pytest.raises(ChatModelError):
            ask()
    sent = len(server.requests)
    with pytest.raises(
        ChatModelUnavailableError, match="is not asked for 10 s more, because it failed again and again"
    ):
        ask()
    assert len(server.requests) == sent
    clock.advance(10.0)
    with pytest.raises(ChatModelError):
        ask()  # the probe
    assert len(server.requests) == sent + 1
    with pytest.raises(ChatModelUnavailableError, match="is not asked"):
        ask()
    server.heal()
    clock.advance(10.0)
    server.say(Reply(pieces=("Hello.",)), Reply(pieces=("Hello.",)))
    assert [ask(), ask()] == ["Hello.", "Hello."]


def test_refusals_and_answers_left_half_read_are_no_failures(server):
    ask = asked(server, ManualClock(), failures=1)
    server.fail(faults.status(404, "model 'tiny' not found"))
    with pytest.raises(ChatModelUnavailableError, match="ollama pull"):
        ask()
    server.say(Reply(pieces=("Hello.",)))
    assert ask() == "Hello."
    server.say(Reply(pieces=("One ", "two ", "three.")), Reply(pieces=("Hello.",)))
    place = endpoint(server.url, allow_remote=False)
    breaker = Breaker(failures=1, cool_down=10.0, clock=ManualClock())
    client = ollama_client(place, patience=0.3, timeout=2.0, longest_answer=1 << 20, breaker=breaker)
    pieces = stream_answer(client, place, "tiny", HELLO)
    assert next(pieces) == "One "
    pieces.close()
    assert "".join(stream_answer(client, place, "tiny", HELLO)) == "Hello."


def test_coroutines_and_callers_without_share_one_breaker(server):
    breaker = Breaker(failures=2, cool_down=10.0, clock=ManualClock())
    server.fail(faults.status(500, "no"), times=None)
    bounds = {"max_bytes": 1000, "seconds": 2.0, "breaker": breaker}

    async def get() -> int:
        async with httpx.AsyncClient(transport=AsyncBoundedTransport(**bounds)) as client:
            return (await client.get(f"{server.url}/api/tags")).status_code

    assert asyncio.run(get()) == 500
    with httpx.Client(transport=BoundedTransport(**bounds)) as client:
        assert client.get(f"{server.url}/api/tags").status_code == 500
        with pytest.raises(LeftAloneError):
            client.get(f"{server.url}/api/tags")
    with pytest.raises(LeftAloneError):
        asyncio.run(get())


def test_the_command_lines_model_has_one_and_a_copy_shares_it(server):
    model = ChatModel("tiny", host=server.url)
    server.fail(faults.drop(), times=None)
    for _ in range(5):
        with pytest.raises(ChatModelUnavailableError, match="broke"):
            list(model.answer(HELLO))
    with pytest.raises(ChatModelUnavailableError, match="is not asked"):
        list(model.answer(HELLO))
    breaker = Breaker(failures=1, cool_down=1.0, clock=ManualClock())
    assert copy.deepcopy(breaker) is breaker
