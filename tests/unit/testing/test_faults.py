"""Every way in which the test server can break, as a client sees it."""

from __future__ import annotations

import http.client
import json
import math
import time

import pytest

from mnemoloom.errors import ConfigError
from mnemoloom.testing import OllamaServer, faults

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
EMBED = {"model": "tinyemb", "input": ["one", "two"]}


@pytest.fixture
def server():
    with OllamaServer(otherwise=lambda body: "Good day to you.") as server:
        yield server


def post(server, path, body, *, timeout=10.0):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def chat(server, **more):
    return post(server, "/api/chat", CHAT, **more)


def test_a_delay_is_followed_by_the_right_answer(server):
    server.fail(faults.delay(0.2))
    started = time.monotonic()
    assert chat(server)[0] == 200
    assert time.monotonic() - started >= 0.2


def test_a_status_carries_its_text_and_headers(server):
    server.fail(faults.status(503, "server busy"))
    server.fail(faults.status(502, "<html>", {"content-type": "text/html"}))
    assert chat(server)[::2] == (503, '{"error": "server busy"}')
    status, headers, text = chat(server)
    assert (status, headers["content-type"], text) == (502, "text/html", "<html>")


def test_a_redirect_names_the_place(server):
    server.fail(faults.redirect("http://127.0.0.1:1/"))
    status, headers, _ = chat(server)
    assert (status, headers["location"]) == (307, "http://127.0.0.1:1/")


def test_a_dropped_connection_brings_no_answer(server):
    server.fail(faults.drop())
    with pytest.raises(ConnectionError):
        chat(server)


@pytest.mark.parametrize(
    ("path", "body"), [("/api/chat", CHAT), ("/api/chat", {**CHAT, "stream": False}), ("/api/embed", EMBED)]
)
def test_a_server_that_dies_midway_leaves_half_an_answer(server, path, body):
    server.fail(faults.die_midway())
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        post(server, path, body)


def test_an_error_in_the_stream_comes_after_lines_that_were_right(server):
    server.fail(faults.error_midway("out of memory", after=2))
    status, _, text = chat(server)
    first, second, last = map(json.loads, text.splitlines())
    assert (status, last) == (200, {"error": "out of memory"})
    assert first["message"]["content"] + second["message"]["content"] == "Good day"


def test_a_stream_may_end_before_it_is_done(server):
    server.fail(faults.end_early(after=2))
    assert [json.loads(line)["done"] for line in chat(server)[2].splitlines()] == [False, False]


def test_a_silent_server_keeps_the_connection_open(server):
    server.fail(faults.silence_midway(10))
    with pytest.raises(TimeoutError):
        chat(server, timeout=0.2)


def test_bad_json_is_bad(server):
    server.fail(faults.bad_json())
    status, _, text = chat(server)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.mark.parametrize("width", [3, 200])
def test_a_wrong_width_is_that_of_every_row(server, width):
    server.fail(faults.wrong_width(width))
    rows = json.loads(post(server, "/api/embed", EMBED)[2])["embeddings"]
    assert [len(row) for row in rows] == [width, width]


def test_nan_is_in_the_last_row(server):
    server.fail(faults.not_a_number())
    first, last = json.loads(post(server, "/api/embed", EMBED)[2])["embeddings"]
    assert not any(map(math.isnan, first))
    assert math.isnan(last[0])


def test_faults_come_in_order_as_often_as_they_were_asked_for(server):
    server.fail(faults.status(500, "a"), times=2)
    server.fail(faults.status(501, "b"))
    assert [chat(server)[0] for _ in range(4)] == [500, 500, 501, 200]


def test_a_fault_may_concern_one_path_only(server):
    server.fail(faults.status(500, "a"), path="/api/embed", times=None)
    assert chat(server)[0] == 200
    assert [post(server, "/api/embed", EMBED)[0] for _ in range(2)] == [500, 500]
    server.heal()
    assert post(server, "/api/embed", EMBED)[0] == 200


def test_a_fault_may_be_written_by_the_test(server):
    server.fail(lambda exchange: exchange.send_json(418, {"path": exchange.request.path}))
    assert chat(server)[::2] == (418, '{"path": "/api/chat"}')


def test_a_fault_does_not_use_up_a_reply_that_it_does_not_send(server):
    server.say("first")
    server.fail(faults.status(503, "server busy"))
    chat(server)
    assert server.unsaid == 1


def test_closing_does_not_wait_for_a_fault_to_end():
    started = time.monotonic()
    with OllamaServer() as server:
        server.fail(faults.delay(30))
        with pytest.raises(TimeoutError):
            chat(server, timeout=0.1)
    assert time.monotonic() - started < 5


def test_a_fault_that_never_comes_is_refused(server):
    with pytest.raises(ConfigError, match="times must be at least 1"):
        server.fail(faults.drop(), times=0)
