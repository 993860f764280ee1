"""`demo` runs from end to end, with and without a model."""

from __future__ import annotations

import json
import time

import pytest

from mnemoloom import Memory
from mnemoloom.cli import main
from mnemoloom.testing import OllamaServer, ServedModel


@pytest.fixture
def demo(capsys):
    def demo(*options):
        code = main(["demo", *options])
        return code, capsys.readouterr()

    return demo


def test_it_needs_no_model_and_less_than_a_minute(demo, nobody):
    begun = time.monotonic()
    code, captured = demo("--host", nobody)
    assert (code, captured.err) == (0, "")
    assert time.monotonic() - begun < 60
    for shown in ("remembered  88 turns", "12. ", "<- evidence", "of 10 answerable questions", "no Ollama server"):
        assert shown in captured.out
    assert all(len(line) <= 100 for line in captured.out.splitlines())


def test_at_least_eight_of_ten_answers_are_in_the_top_five_without_an_encoder(demo, nobody):
    answer = json.loads(demo("--host", nobody, "--json")[1].out)
    assert len(answer["questions"]) == 12
    assert answer["summary"]["answerable"] == 10
    assert answer["summary"]["found"] >= 8
    assert answer["summary"]["model"] is None


def test_a_store_that_was_asked_for_stays_and_a_second_run_doubles_nothing(demo, nobody, store):
    for _ in range(2):
        demo("--host", nobody, "--store", store, "--namespace", "a/demo", "--embedder", "hashing")
    with Memory.open(store, namespace=("a", "demo"), read_only=True) as memory:
        assert len(memory) == 88
        assert memory.stats().encoder == "hashing/512"


def test_a_reachable_model_phrases_the_answers(demo, server):
    code, captured = demo("--host", server.url)
    assert code == 0
    assert captured.out.count("phrased by tiny:latest: You moved to Oslo.") == 12
    answer = json.loads(demo("--host", server.url, "--json")[1].out)
    assert {question["phrased"] for question in answer["questions"]} == {"You moved to Oslo."}
    assert answer["summary"]["model"] == "tiny:latest"


def test_a_model_that_fails_is_named_once_and_the_demo_goes_on(demo, server):
    code, captured = demo("--host", server.url, "--model", "nope")
    assert code == 0
    assert "ollama pull nope" in captured.out.replace("\n", " ")
    assert len(server.requests) == 1


def test_a_server_without_a_chat_model_says_what_to_pull(demo):
    encoder = ServedModel(name="nomic-embed-text", capabilities=frozenset({"embedding"}))
    with OllamaServer(models=[encoder]) as server:
        assert "ollama pull" in demo("--host", server.url)[1].out.replace("\n", " ")
