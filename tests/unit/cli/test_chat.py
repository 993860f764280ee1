"""`chat` against a loopback server: what is sent, what is remembered, and every way to fail."""

from __future__ import annotations

import io
import json
import sys

import pytest

from mnemoloom import Memory
from mnemoloom.cli.chat import Conversation
from mnemoloom.cli.chat_model import ChatModel, installed_models
from mnemoloom.errors import ChatModelError, ChatModelTimeoutError, ChatModelUnavailableError, ConfigError
from mnemoloom.testing import Reply, faults

QUESTION = [{"role": "user", "content": "hello"}]


def model(server, **settings):
    return ChatModel(settings.pop("model", "tiny"), host=getattr(server, "url", server), **settings)


@pytest.fixture
def chat(run, server, monkeypatch):
    def chat(*lines, options=(), name="tiny"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return run("chat", "--model", name, "--host", server.url, *options)

    return chat


def remembered(store):
    with Memory.open(store, read_only=True) as memory:
        return [(record.speaker, record.text) for record in memory.records()]


def babble(exchange):
    exchange.begin_stream()
    exchange.send_line(["not", "an", "object"])
    exchange.end_stream()


drop, end_early, fail_midway = faults.die_midway(), faults.end_early(), faults.error_midway("out of memory")
refuse = faults.status(400, '"tinyemb" does not support chat')
redirect = faults.redirect("http://example.invalid/")


def test_an_answer_comes_piece_by_piece(server):
    assert list(model(server).answer(QUESTION)) == ["You moved ", "to Oslo", "."]
    assert server.requests[0].body["messages"] == QUESTION
    assert server.requests[0].body["stream"] is True


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (drop, ChatModelUnavailableError, "broke before the answer was complete"),
        (end_early, ChatModelUnavailableError, "broke off in mid-answer"),
        (fail_midway, ChatModelError, "in mid-answer: out of memory"),
        (refuse, ChatModelError, "does not support chat"),
        (babble, ChatModelError, "did not answer as Ollama does"),
        (redirect, ChatModelError, "a redirect, which is not followed"),
    ],
)
def test_a_failing_server_is_a_typed_error_that_says_so(server, fault, error, said):
    server.fail(fault)
    with pytest.raises(error, match=said):
        list(model(server).answer(QUESTION))


def test_a_missing_model_says_how_to_get_it(server):
    with pytest.raises(ChatModelUnavailableError, match="ollama pull nope"):
        list(model(server, model="nope").answer(QUESTION))


def test_no_server_says_how_to_start_it(nobody):
    with pytest.raises(ChatModelUnavailableError, match="ollama serve"):
        list(model(nobody).answer(QUESTION))


def test_a_server_that_falls_silent_is_given_up(server):
    server.fail(faults.silence_midway(10))
    with pytest.raises(ChatModelTimeoutError, match="too long"):
        list(model(server, patience=0.2).answer(QUESTION))


def test_another_machine_is_refused():
    with pytest.raises(ConfigError, match="this machine"):
        model("http://192.0.2.1:11434")


def test_a_key_is_sent_to_nobody(server, monkeypatch):
    monkeypatch.setenv("OLLAMA_API_KEY", "secret")
    monkeypatch.setenv("OLLAMA_HOST", "http://192.0.2.1:1")
    list(model(server).answer(QUESTION))
    assert "secret" not in str(server.requests[0])


def test_models_that_only_embed_are_not_offered(server):
    assert installed_models(server.url, timeout=5) == ["tiny:latest"]


def test_both_sides_of_a_turn_are_remembered(chat, store):
    code, out, err = chat("Where did I move?", options=["--session", "s1"])
    assert (code, out, err) == (0, "You moved to Oslo.\n", "")
    with Memory.open(store, read_only=True) as memory:
        turns = [(record.speaker, record.text, record.session, record.source) for record in memory.records()]
    assert turns == [
        ("user", "Where did I move?", "s1", None),
        ("assistant", "You moved to Oslo.", "s1", "ollama/tiny"),
    ]


def test_memories_are_sent_with_the_question_as_data(chat, server, store):
    with Memory.open(store) as memory:
        memory.remember("I moved to Oslo in May.", speaker="user")
    chat("Where did I move?")
    *_, last = server.requests[0].body["messages"]
    assert last["role"] == "user"
    assert '"text": "I moved to Oslo in May."' in last["content"]
    assert last["content"].endswith("\n\nWhere did I move?")


def test_the_turns_before_are_sent_along(chat, server):
    chat("One.", "Two.")
    assert [message["content"] for message in server.requests[1].body["messages"][1:3]] == [
        "One.",
        "You moved to Oslo.",
    ]


def test_the_user_may_have_a_name(chat, store):
    chat("Hello.", options=["--user-name", "Ann"])
    assert remembered(store) == [("Ann", "Hello."), ("assistant", "You moved to Oslo.")]


def test_a_session_is_named_by_its_start(chat, store):
    chat("Hello.")
    with Memory.open(store, read_only=True) as memory:
        [session] = {record.session for record in memory.records()}
    assert session[:2] == "20"


@pytest.mark.parametrize("fault", [drop, end_early, fail_midway, refuse, babble])
def test_a_turn_that_fails_leaves_nothing_and_the_chat_goes_on(chat, server, store, fault):
    server.fail(fault)
    check_that_only_the_second_turn_is_kept(chat, store)


def test_a_turn_without_an_answer_leaves_nothing_and_the_chat_goes_on(chat, server, store):
    server.say("")
    check_that_only_the_second_turn_is_kept(chat, store)


def check_that_only_the_second_turn_is_kept(chat, store):
    code, out, err = chat("First.", "Second.")
    assert code == 2
    assert err.startswith("\nmnemoloom: ")
    assert out.endswith("You moved to Oslo.\n")
    assert remembered(store) == [("user", "Second."), ("assistant", "You moved to Oslo.")]


def test_an_answer_that_nobody_waits_for_is_not_remembered(server, store):
    with Memory.open(store) as memory:
        conversation = Conversation(memory, model(server), user="user", session="s")
        pieces = conversation.say("Where did I move?")
        next(pieces)
        pieces.close()
        assert len(memory) == 0


def test_quit_ends_the_chat_and_blank_lines_are_nothing(chat, server):
    assert chat("", "  ", "/quit", "Hello.")[0] == 0
    assert server.requests == []


def test_memories_shows_what_was_recalled_and_other_commands_explain(chat, store):
    with Memory.open(store) as memory:
        memory.remember("I moved to Oslo in May.", speaker="user")
    out = chat("/memories", "Where did I move?", "/memories", "/frobnicate")[1]
    assert "nothing was recalled" in out
    assert "I moved to Oslo in May." in out
    assert "commands: /memories" in out


def test_with_json_a_turn_is_a_line(chat, store):
    code, out, _ = chat("One.", "Where did I move in Oslo?", options=["--json", "--session", "s"])
    first, second = map(json.loads, out.splitlines())
    assert (code, first["user"], first["assistant"], first["memories"]) == (0, "One.", "You moved to Oslo.", [])
    assert "You moved to Oslo." in [hit["text"] for hit in second["memories"]]


def test_with_json_a_turn_that_fails_is_a_line_too(chat):
    code, out, err = chat("One.", name="nope", options=["--json"])
    error = json.loads(out)["error"]
    assert (code, error["type"]) == (2, "ChatModelUnavailableError")
    assert "ollama pull nope" in err


def test_the_answer_of_a_model_cannot_move_the_cursor(chat, server):
    server.say(Reply(pieces=("\x1b[2J", "first\nsecond")))
    assert chat("Hello.")[1] == "\\x1b[2Jfirst\nsecond\n"


def test_a_blank_model_name_is_refused(chat):
    assert chat("Hello.", name=" ")[0] == 2
