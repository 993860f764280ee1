"""The test server keeps to what was recorded from a real Ollama server: statuses, fields, error texts."""

from __future__ import annotations

import doctest
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mnemoloom.testing
from mnemoloom.errors import ConfigError
from mnemoloom.testing import OllamaServer, Reply, ServedModel, ToolCall

MODELS = [
    ServedModel(name="tiny", capabilities=frozenset({"completion"})),
    ServedModel(name="tinytool"),
    ServedModel(name="deep", capabilities=frozenset({"completion", "thinking"})),
    ServedModel(name="tinyemb", capabilities=frozenset({"embedding"}), context_length=40),
]
HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
LAST = {"model", "created_at", "done", "done_reason", "total_duration", "load_duration"}
LAST |= {"prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"}


class Spoken:
    """An answer as it came over the wire."""

    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()
        self.type = self.headers["content-type"].split(";")[0]

    @property
    def lines(self):
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def json(self):
        [line] = self.lines
        return line


@pytest.fixture
def server():
    with OllamaServer(models=MODELS) as server:
        yield server


@pytest.fixture
def ask(server):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)

    def ask(path, body=None, *, method=None, raw=None):
        data = raw if raw is not None else None if body is None else json.dumps(body)
        connection.request(method or ("GET" if data is None else "POST"), path, data)
        return Spoken(connection.getresponse())

    yield ask
    connection.close()


def chat(**more):
    return {"model": "tiny", "messages": HELLO, **more}


def embed(**more):
    return {"model": "tinyemb", "input": "hi", **more}


REFUSALS = {
    "a body that is missing": ("/api/chat", "", 400, "missing request body"),
    "a body that is no JSON": (
        "/api/chat",
        "{oops",
        400,
        "invalid character 'o' looking for beginning of object key string",
    ),
    "no model": ("/api/chat", {"messages": HELLO}, 400, "model is required"),
    "an unknown model in chat": ("/api/chat", chat(model="nope"), 404, "model 'nope' not found"),
    "an unknown model in generate": (
        "/api/generate",
        {"model": "nope", "prompt": "x"},
        404,
        "model 'nope' not found",
    ),
    "an unknown model in embed": (
        "/api/embed",
        embed(model="nope"),
        404,
        'model "nope" not found, try pulling it first',
    ),
    "an unknown model in show": ("/api/show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
    "thinking": ("/api/chat", chat(think=True), 400, '"tiny" does not support thinking'),
    "chat with an embedding model": ("/api/chat", chat(model="tinyemb"), 400, '"tinyemb" does not support chat'),
    "embeddings of a chat model": (
        "/api/embed",
        embed(model="tiny"),
        501,
        "This server does not support embeddings. Start it with `--embeddings`",
    ),
    "a duration that is none": ("/api/chat", chat(keep_alive="xx"), 400, 'time: invalid duration "xx"'),
    "a format that is none": (
        "/api/chat",
        chat(format="yaml"),
        500,
        'invalid format: "\\"yaml\\""; expected "json" or a valid JSON Schema object',
    ),
    "an option of the wrong type": (
        "/api/chat",
        chat(options={"num_predict": "six"}),
        500,
        'option "num_predict" must be of type integer',
    ),
    "an empty text among others": (
        "/api/embed",
        embed(input=["hi", "there", ""]),
        400,
        "input exceeds maximum context length and cannot be truncated further",
    ),
    "numbers instead of texts": ("/api/embed", embed(input=[1, 2]), 400, "invalid input type"),
    "a text too long to leave whole": (
        "/api/embed",
        embed(input="word " * 50, truncate=False),
        400,
        "the input length exceeds the context length",
    ),
}


@pytest.mark.parametrize(("path", "body", "status", "said"), REFUSALS.values(), ids=REFUSALS)
def test_it_refuses_as_ollama_does(ask, path, body, status, said):
    got = ask(path, raw=body) if isinstance(body, str) else ask(path, body)
    assert (got.status, got.type, got.json) == (status, "application/json", {"error": said})


def test_it_refuses_tools_of_a_model_without(ask):
    got = ask("/api/chat", chat(tools=[TOOL]))
    assert got.status == 400
    assert got.json["error"].endswith("library/tiny:latest does not support tools")


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/api/nothing", 404, "404 page not found"),
        ("GET", "/api/chat", 405, "405 method not allowed"),
        ("GET", "/", 200, "Ollama is running"),
        ("HEAD", "/", 200, ""),
    ],
)
def test_other_paths_and_methods_are_answered_in_plain_text(ask, method, path, status, said):
    got = ask(path, method=method)
    assert (got.status, got.type, got.text) == (status, "text/plain", said)


def test_an_answer_in_one_piece_says_how_long_it_is(server, ask):
    server.say("Good day to you.")
    got = ask("/api/chat", chat(stream=False))
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert int(got.headers["content-length"]) == len(got.text)
    assert set(got.json) == LAST | {"message"}
    assert got.json["message"] == {"role": "assistant", "content": "Good day to you."}
    assert (got.json["done"], got.json["done_reason"]) == (True, "stop")


def test_chat_streams_unless_it_is_told_not_to(server, ask):
    server.say("Good day to you.")
    got = ask("/api/chat", chat())
    assert (got.type, got.headers["transfer-encoding"]) == ("application/x-ndjson", "chunked")
    *parts, last = got.lines
    assert [part["message"]["content"] for part in parts] == ["Good", " day", " to", " you."]
    assert all(set(part) == {"model", "created_at", "message", "done"} and not part["done"] for part in parts)
    assert (set(last), last["message"]["content"]) == (LAST | {"message"}, "")


def test_times_are_written_as_go_writes_them(ask):
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", ask("/api/chat", chat(stream=False)).json["created_at"]
    )


def test_generate_answers_with_response_and_context(server, ask):
    server.say("one two", "one two")
    whole = ask("/api/generate", {"model": "tiny", "prompt": "count", "stream": False}).json
    *parts, last = ask("/api/generate", {"model": "tiny", "prompt": "count"}).lines
    assert set(whole) == set(last) == LAST | {"response", "context"}
    assert whole["response"] == "".join(part["response"] for part in parts) == "one two"
    assert all(isinstance(token, int) for token in last["context"])


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_come_with_ids_and_objects_and_then_the_end(server, ask, stream):
    server.say(Reply(tool_calls=[ToolCall("save_memory", {"n": 0})]))
    first, *rest = ask("/api/chat", chat(model="tinytool", tools=[TOOL], stream=stream)).lines
    [call] = first["message"]["tool_calls"]
    assert call["function"] == {"index": 0, "name": "save_memory", "arguments": {"n": 0}}
    assert re.fullmatch("call_[0-9a-z]{8}", call["id"])
    assert first["message"]["content"] == ""
    if stream:
        [last] = rest
        assert not first["done"]
        assert last["message"] == {"role": "assistant", "content": ""}
    else:
        assert (rest, first["done_reason"]) == ([], "stop")


def test_a_model_that_thinks_says_so_first_unless_it_is_told_not_to(server, ask):
    server.say(Reply("four", thinking="two and two"), Reply("four", thinking="two and two"))
    first, *_ = ask("/api/chat", chat(model="deep")).lines
    assert first["message"] == {"role": "assistant", "content": "", "thinking": "two and two"}
    assert "thinking" not in ask("/api/chat", chat(model="deep", think=False, stream=False)).json["message"]


@pytest.mark.parametrize(("keep_alive", "reason"), [(None, "load"), (60, "load"), ("0s", "unload"), (0, "unload")])
def test_a_chat_without_messages_loads_or_unloads_the_model(ask, keep_alive, reason):
    more = {} if keep_alive is None else {"keep_alive": keep_alive}
    got = ask("/api/chat", {"model": "tiny", "messages": [], **more}).json
    assert set(got) == {"model", "created_at", "message", "done", "done_reason"}
    assert got["done_reason"] == reason
    assert [model["name"] for model in ask("/api/ps").json["models"]] == (["tiny:latest"] if reason == "load" else [])


def test_num_predict_cuts_the_answer(server, ask):
    server.say("one two three four")
    got = ask("/api/chat", chat(stream=False, options={"num_predict": 2, "temperature": None})).json
    assert (got["message"]["content"], got["done_reason"]) == ("one two", "length")


def test_the_models_are_listed_as_ollama_lists_them(ask):
    listed = ask("/api/tags").json["models"]
    assert [model["name"] for model in listed] == ["tiny:latest", "tinytool:latest", "deep:latest", "tinyemb:latest"]
    assert set(listed[0]) == {"name", "model", "modified_at", "size", "digest", "details", "capabilities"}
    assert re.fullmatch("[0-9a-f]{64}", listed[0]["digest"])
    assert listed[3]["capabilities"] == ["embedding"]
    assert ask("/api/version").json == {"version": "0.0.0"}


def test_show_tells_the_context_length_where_clients_look_for_it(ask):
    shown = ask("/api/show", {"model": "tinyemb:latest"}).json
    assert shown["model_info"][shown["model_info"]["general.architecture"] + ".context_length"] == 40
    assert {"modelfile", "parameters", "template", "details", "capabilities", "modified_at", "tensors"} <= set(shown)


def test_a_model_can_be_deleted_and_an_unknown_one_cannot_be_pulled(ask):
    assert ask("/api/delete", {"model": "nope"}, method="DELETE").json == {"error": "model 'nope' not found"}
    assert ask("/api/delete", {"model": "deep"}, method="DELETE").status == 200
    assert ask("/api/chat", chat(model="deep")).status == 404
    assert [line["status"] for line in ask("/api/pull", {"model": "tiny"}).lines] == ["pulling manifest", "success"]
    assert ask("/api/pull", {"model": "deep"}).status == 500


def test_embeddings_have_length_one_and_are_near_for_texts_that_share_words(ask):
    got = ask("/api/embed", embed(input=["a red house", "the red house", "two and two"])).json
    assert set(got) == {"model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"}
    rows = np.array(got["embeddings"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert rows.shape == (3, 64)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_the_same_text_has_the_same_embedding_alone_and_among_others(ask):
    [alone] = ask("/api/embed", embed()).json["embeddings"]
    assert ask("/api/embed", embed(input=["other", "hi"])).json["embeddings"][1] == alone
    np.testing.assert_allclose(ask("/api/embeddings", {"model": "tinyemb", "prompt": "hi"}).json["embedding"], alone)


@pytest.mark.parametrize("empty", [[], "", None])
def test_nothing_to_embed_is_an_answer_without_rows(ask, empty):
    assert ask("/api/embed", embed(input=empty)).json == {"model": "tinyemb", "embeddings": []}


def test_a_smaller_width_is_cut_and_made_length_one_again(ask):
    [whole], [cut] = (ask("/api/embed", embed(**more)).json["embeddings"] for more in ({}, {"dimensions": 4}))
    np.testing.assert_allclose(cut, np.array(whole[:4]) / np.linalg.norm(whole[:4]), atol=1e-6)


@pytest.mark.parametrize("width", [4096, -1, 0, 64])
def test_a_width_that_it_cannot_give_is_silently_ignored(ask, width):
    assert (
        ask("/api/embed", embed(dimensions=width)).json["embeddings"] == ask("/api/embed", embed()).json["embeddings"]
    )


def test_a_text_that_is_too_long_is_cut_unless_it_must_not_be(ask):
    long, same = ask("/api/embed", embed(input=["word " * 50, "word " * 40])).json["embeddings"]
    assert long == same


def test_a_long_answer_is_sent_in_chunks(server, ask):
    server.say("word " * 1000)
    got = ask("/api/chat", chat(stream=False))
    assert (got.headers["transfer-encoding"], got.headers["content-length"]) == ("chunked", None)
    assert got.json["message"]["content"] == "word " * 1000


def test_replies_are_said_in_order_and_then_made_of_the_request(ask):
    with OllamaServer(["one"], otherwise=lambda body: f"{len(body['messages'])} messages") as server:
        server.say("two")
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        said = []
        for _ in range(3):
            connection.request("POST", "/api/chat", json.dumps(chat(stream=False)))
            said.append(json.loads(connection.getresponse().read())["message"]["content"])
        connection.close()
    assert said == ["one", "two", "1 messages"]
    assert server.unsaid == 0


def test_without_a_script_the_model_repeats_the_last_line(ask):
    messages = [{"role": "user", "content": "memories\n\nWhere do I live?"}]
    assert (
        ask("/api/chat", chat(messages=messages, stream=False)).json["message"]["content"]
        == "You said: Where do I live?"
    )
    assert ask("/api/generate", {"model": "tiny", "prompt": "hi", "stream": False}).json["response"] == "You said: hi"


def test_what_clients_sent_can_be_read(server, ask):
    ask("/api/chat", chat())
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/chat", chat())
    assert request.headers["host"] == server.url.removeprefix("http://")


def test_many_clients_are_served_at_once(server):
    server.say(*map(str, range(20)))

    def one(_):
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request("POST", "/api/chat", json.dumps(chat(stream=False)))
        content = json.loads(connection.getresponse().read())["message"]["content"]
        connection.close()
        return content

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(one, range(20)), key=int) == [str(n) for n in range(20)]


def test_a_closed_server_answers_nobody_and_can_be_started_again(server):
    url = server.url
    server.close()
    server.close()
    with pytest.raises(RuntimeError, match="no address"):
        server.url  # noqa: B018
    with pytest.raises(ConnectionError):
        http.client.HTTPConnection(url.removeprefix("http://"), timeout=5).request("GET", "/")
    assert server.start().url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="running already"):
        server.start()


@pytest.mark.parametrize(
    "settings",
    [
        {"name": " "},
        {"name": "x", "capabilities": {"flying"}},
        {"name": "x", "capabilities": set()},
        {"name": "x", "width": 3},
        {"name": "x", "context_length": 0},
    ],
)
def test_a_model_that_cannot_be_is_refused(settings):
    with pytest.raises(ConfigError, match="ServedModel"):
        ServedModel(**settings)


def test_pieces_that_do_not_make_up_the_content_are_refused():
    assert Reply(pieces=("a", "b")).content == "ab"
    with pytest.raises(ValueError, match="make up the content"):
        Reply("abc", pieces=("a", "b"))


@pytest.mark.parametrize("place", [mnemoloom.testing.faults, mnemoloom.testing.ollama.server])
def test_the_examples_in_the_docstrings_run(place):
    outcome = doctest.testmod(place)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_what_a_tests_own_function_raises_is_reported(capsys):
    with OllamaServer(otherwise=lambda body: body["no such field"]) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        connection.request("POST", "/api/chat", json.dumps({"model": "tiny", "messages": HELLO}))
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()
    assert "no such field" in capsys.readouterr().err
