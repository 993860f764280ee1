"""OllamaEmbedder against a server that speaks the recorded protocol, and breaks it on demand."""

from __future__ import annotations

import gc
import json
import threading
import time

import numpy as np
import pytest

from mnemoloom.embedders import OllamaEmbedder
from mnemoloom.errors import (
    ConfigError,
    EmbedderAnswerError,
    EmbedderError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    TextError,
)
from mnemoloom.ports import Embedder, TokenEmbedder
from mnemoloom.testing import faults
from mnemoloom.testing.ollama.embeddings import dense_rows

WIDTH = 16  # of the server's model
TEXTS = ["Ann moved to Oslo", "Bob has a cat", "the harbour at night", "two and two", "five"]


def embedder_for(server, **settings) -> OllamaEmbedder:
    return OllamaEmbedder(settings.pop("model", "tinyemb"), host=server.url, **settings)


def answering(rows):
    return lambda exchange: exchange.send_json(200, {"model": "tinyemb", "embeddings": rows})


def sending(status, text, headers=None):
    return lambda exchange: exchange.send_text(status, text, headers)


def test_it_is_an_embedder_without_token_vectors(server):
    assert isinstance(embedder_for(server), Embedder)
    assert not isinstance(embedder_for(server), TokenEmbedder)


def test_each_text_gets_its_row_in_order(server):
    rows = embedder_for(server).embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_allclose(rows, dense_rows(TEXTS, WIDTH), atol=1e-7)


def test_batching_changes_no_row(server):
    whole = embedder_for(server).embed(TEXTS)
    batched = embedder_for(server, batch_size=2).embed(TEXTS)
    np.testing.assert_array_equal(whole, batched)
    assert [len(request.body["input"]) for request in server.requests] == [5, 2, 2, 1]


def test_no_texts_are_no_request(server):
    assert embedder_for(server).embed([]).shape == (0, 0)
    assert embedder_for(server, dimensions=4).embed([]).shape == (0, 4)
    assert server.requests == []


def test_the_model_options_are_sent_only_when_set(server):
    embedder_for(server).embed(["a"])
    embedder_for(server, dimensions=8, keep_alive="10m").embed(["a"])
    plain, full = (request.body for request in server.requests)
    assert plain == {"model": "tinyemb", "input": ["a"]}
    assert full == {"model": "tinyemb", "input": ["a"], "dimensions": 8, "keep_alive": "10m"}


def test_prompts_go_before_questions_and_memories(server):
    embedder = embedder_for(server, query_prompt="query: ", memory_prompt="passage: ")
    embedder.embed(["a"], query=True)
    embedder.embed(["a"])
    assert [request.body["input"] for request in server.requests] == [["query: a"], ["passage: a"]]


@pytest.mark.parametrize(
    ("settings", "identity"),
    [
        ({}, "ollama/tinyemb"),
        ({"dimensions": 8}, "ollama/tinyemb@8"),
        ({"query_prompt": "query: "}, "ollama/tinyemb"),
        ({"memory_prompt": "passage: "}, "ollama/tinyemb#passage: "),
    ],
)
def test_the_identity_names_whatever_changes_stored_vectors(server, settings, identity):
    assert embedder_for(server, **settings).identity == identity


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u2003"])
def test_a_blank_text_is_refused_by_its_index_and_nothing_is_sent(server, blank):
    with pytest.raises(TextError, match=r"texts\[2\] is blank"):
        embedder_for(server, batch_size=1).embed(["a", "b", blank])
    assert server.requests == []


def test_one_string_instead_of_a_list_is_refused(server):
    with pytest.raises(TextError, match="got one string"):
        embedder_for(server).embed("Ann moved")


def test_no_server_is_unavailable_and_the_message_says_how_to_start_one(free_port):
    embedder = OllamaEmbedder("tinyemb", host=f"http://127.0.0.1:{free_port}")
    with pytest.raises(
        EmbedderUnavailableError, match=rf"127\.0\.0\.1:{free_port}; start it with `ollama serve`"
    ) as got:
        embedder.embed(["a"])
    assert isinstance(got.value, ConnectionError)
    assert got.value.__cause__ is not None


def test_a_missing_model_is_unavailable_and_the_message_says_how_to_pull_it(server):
    with pytest.raises(EmbedderUnavailableError, match="run: ollama pull nope"):
        embedder_for(server, model="nope").embed(["a"])


def test_a_404_of_another_kind_of_server_is_not_called_a_missing_model(server):
    server.fail(sending(404, "404 page not found", {"content-type": "text/plain"}))
    with pytest.raises(EmbedderError, match="answered 404: 404 page not found") as got:
        embedder_for(server).embed(["a"])
    assert not isinstance(got.value, EmbedderUnavailableError)


@pytest.mark.parametrize("status", [400, 500, 501, 503])
def test_a_refusal_keeps_its_status_and_text(server, status):
    server.fail(faults.status(status, "no such luck"))
    with pytest.raises(EmbedderError, match=f"ollama/tinyemb at http://127.* answered {status}: no such luck"):
        embedder_for(server).embed(["a"])


def test_a_long_refusal_is_cut(server):
    server.fail(faults.status(500, "x" * 100_000))
    with pytest.raises(EmbedderError) as got:
        embedder_for(server).embed(["a"])
    assert len(str(got.value)) < 400


def test_a_slow_server_times_out(server):
    server.fail(faults.delay(10))
    with pytest.raises(EmbedderTimeoutError, match=r"no answer within 0\.2 s") as got:
        embedder_for(server, timeout=0.2).embed(["a"])
    assert isinstance(got.value, TimeoutError)


def test_a_server_that_dribbles_its_answer_times_out(server):
    def dribble(exchange):
        exchange.begin(200, {"content-length": "1000"})
        while not exchange.wait(0.05):
            exchange.write(b" ")

    server.fail(dribble)
    started = time.monotonic()
    with pytest.raises(EmbedderTimeoutError):
        embedder_for(server, timeout=0.4).embed(["a"])
    assert time.monotonic() - started < 5


def test_a_dropped_connection_is_unavailable(server):
    server.fail(faults.drop())
    with pytest.raises(EmbedderUnavailableError, match=r"the connection to http://127.* broke"):
        embedder_for(server).embed(["a"])


def test_a_connection_dropped_inside_the_answer_is_unavailable(server):
    server.fail(faults.die_midway())
    with pytest.raises(EmbedderUnavailableError, match="broke"):
        embedder_for(server).embed(["a"])


@pytest.mark.parametrize(
    "text",
    [
        '{"model": "tinyemb", "embeddings": [[0.1, 0.2',
        "",
        "[]",
        "7",
        '{"model": "tinyemb"}',
        '{"error": "unexpected EOF"}',
        '{"embeddings": [["a"]]}',
        '{"embeddings": [[null]]}',
        '{"embeddings": ' + "[" * 100_000,
        "<html>a proxy's login page</html>",
    ],
)
def test_an_answer_that_is_not_ollamas_is_a_wrong_answer(server, text):
    server.fail(sending(200, text))
    with pytest.raises(EmbedderAnswerError, match="did not answer as /api/embed does"):
        embedder_for(server).embed(["a"])


def test_an_error_page_of_another_shape_is_still_our_error(server):
    server.fail(sending(500, '["not an object"]'))
    with pytest.raises(EmbedderError):
        embedder_for(server).embed(["a"])


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([[1.0, 0.0]], "2 texts, 1 rows"),
        ([[1.0, 0.0]] * 3, "2 texts, 3 rows"),
        ([], "must answer with one row a text"),
        ([[1.0, 0.0], [1.0]], "ragged rows"),
        ([[1.0, 0.0], [float("nan"), 0.0]], "row 1 with NaN"),
        ([[float("inf"), 0.0], [1.0, 0.0]], "row 0 with NaN, infinity"),
        ([[1.0, 0.0], [0.0, 0.0]], "row 1 with only zeros"),
        ([[], []], "width 1; got 0"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(server, rows, fault):
    server.fail(answering(rows))
    with pytest.raises(EmbedderAnswerError, match=fault):
        embedder_for(server).embed(["a", "b"])


def test_a_width_that_changes_between_batches_is_refused(server):
    server.fail(answering([[1.0, 1.0]]))
    server.fail(answering([[1.0, 1.0, 1.0]]))
    with pytest.raises(EmbedderAnswerError, match="width 2; got 3"):
        embedder_for(server, batch_size=1).embed(["a", "b"])


def test_a_width_that_changes_between_calls_is_refused(server):
    embedder = embedder_for(server)
    embedder.embed(["a"])
    server.fail(answering([[1.0, 2.0]]))
    with pytest.raises(EmbedderAnswerError, match="width 16; got 2"):
        embedder.embed(["a"])


def test_a_width_that_the_server_silently_ignores_is_noticed(server):
    with pytest.raises(EmbedderAnswerError, match="width 4096; got 16"):
        embedder_for(server, dimensions=4096).embed(["a"])


def test_the_embedder_works_again_after_a_failure(server):
    embedder = embedder_for(server)
    server.fail(faults.drop())
    with pytest.raises(EmbedderUnavailableError):
        embedder.embed(["a"])
    assert embedder.embed(["a"]).shape == (1, WIDTH)


def test_a_redirect_is_not_followed(server, new_server):
    elsewhere = new_server()
    server.fail(faults.redirect(f"{elsewhere.url}/api/embed"))
    with pytest.raises(EmbedderError, match="answered 307: a redirect, which is not followed"):
        embedder_for(server).embed(["a"])
    assert elsewhere.requests == []


def test_an_answer_without_end_is_cut_off(server, monkeypatch):
    monkeypatch.setattr("mnemoloom.embedders.ollama.LONGEST_ANSWER", 10_000)
    server.fail(sending(200, json.dumps({"embeddings": [[1.0] * 10_000]})))
    with pytest.raises(EmbedderAnswerError, match="longer than 10000 bytes"):
        embedder_for(server).embed(["a"])


def test_a_compressed_answer_is_refused_unread(server):
    server.fail(sending(200, "bomb", {"content-encoding": "gzip"}))
    with pytest.raises(EmbedderAnswerError, match="compressed"):
        embedder_for(server).embed(["a"])
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_proxies_of_the_environment_are_not_used(server, free_port, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert embedder_for(server).embed(["a"]).shape == (1, WIDTH)


def test_the_host_of_the_environment_is_not_used(server, free_port, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", f"http://127.0.0.1:{free_port}")
    assert embedder_for(server).embed(["a"]).shape == (1, WIDTH)


@pytest.mark.parametrize("allow_remote", [False, True])
def test_the_api_key_of_the_environment_is_not_sent_in_clear(server, monkeypatch, allow_remote):
    monkeypatch.setenv("OLLAMA_API_KEY", "secret-key")
    embedder_for(server, allow_remote=allow_remote).embed(["a"])
    assert "authorization" not in server.requests[0].headers
    assert "secret-key" not in str(server.requests[0])


def test_the_api_key_of_the_environment_is_sent_to_the_remote_host_that_was_allowed(monkeypatch):
    import httpx

    from mnemoloom.embedders.bounded_http import BoundedTransport

    seen = []

    def answer(transport, request):
        seen.append((str(request.url), request.headers["authorization"]))
        return httpx.Response(200, json={"model": "tinyemb", "embeddings": [[1.0, 2.0]]})

    monkeypatch.setenv("OLLAMA_API_KEY", "secret-key")
    monkeypatch.setattr(BoundedTransport, "handle_request", answer)
    OllamaEmbedder("tinyemb", host="https://ollama.example", allow_remote=True).embed(["a"])
    assert seen == [("https://ollama.example/api/embed", "Bearer secret-key")]


def test_another_machine_needs_permission():
    with pytest.raises(ConfigError, match="allow_remote=True"):
        OllamaEmbedder("tinyemb", host="https://ollama.example")
    assert OllamaEmbedder("tinyemb", host="https://ollama.example", allow_remote=True).identity == "ollama/tinyemb"


def test_sending_texts_unencrypted_to_another_machine_warns():
    with pytest.warns(UserWarning, match="unencrypted to http://ollama.example:11434"):
        OllamaEmbedder("tinyemb", host="http://ollama.example:11434", allow_remote=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": " "},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"batch_size": 0},
        {"dimensions": 0},
    ],
)
def test_settings_outside_their_bounds_are_refused(server, settings):
    with pytest.raises(ConfigError, match="OllamaEmbedder"):
        embedder_for(server, **settings)


def test_threads_share_one_embedder(server):
    embedder, rows = embedder_for(server), {}
    threads = [threading.Thread(target=lambda n=n: rows.update({n: embedder.embed([f"text {n}"])})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(
        np.concatenate([rows[n] for n in range(8)]), embedder.embed([f"text {n}" for n in range(8)])
    )


def test_a_forgotten_embedder_leaves_no_open_connection(server, recwarn):
    embedder_for(server).embed(["a"])
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
