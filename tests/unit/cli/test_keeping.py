"""`list`, `history`, `forget`, `pin`, `move` and `calibrate`, for people and as JSON."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from mnemoloom import Memory

DRAFTS = [
    {"text": "My budget for the trip is $900.", "speaker": "Ann", "time": "2026-03-01"},
    {"text": "We raised the budget for the trip to $1,200.", "speaker": "Ann", "time": "2026-04-11"},
    {"text": "The cat sat on the mat.", "speaker": "Bob", "external_id": "cat", "metadata": {"pet": True}},
    {"text": "A number for a name.", "external_id": "1"},
]
HOW_MUCH = "How much is the budget for the trip?"


@pytest.fixture
def filled(store):
    with Memory.open(store) as memory:
        memory.remember_many(DRAFTS)
    return store


def ids(answer):
    return [record["id"] for record in answer["memories"]]


def test_list_shows_memories_in_the_order_in_which_they_were_remembered(run, ask, filled):
    answer = ask("list")
    assert [record["text"] for record in answer["memories"]] == [draft["text"] for draft in DRAFTS]
    assert answer["more_after_id"] is None
    out = run("list")[1]
    for shown in ("#1  2026-03-01 00:00  Ann", "id cat", "The cat sat on the mat."):
        assert shown in out


def test_a_list_is_cut_and_says_how_it_goes_on(run, ask, filled):
    assert "there are more: --after-id 3" in run("list", "--limit", "3")[1]
    first = ask("list", "--limit", "3")
    rest = ask("list", "--limit", "3", "--after-id", str(first["more_after_id"]))
    assert (ids(first), ids(rest), rest["more_after_id"]) == ([1, 2, 3], [4], None)


def test_list_filters(run, ask, filled):
    assert ids(ask("list", "--where", '{"metadata.pet": true}')) == [3]
    assert ids(ask("list", "--where", '{"time": {"$lt": "2026-04"}}')) == [1]
    assert run("list", "--where", '{"speaker": "Cid"}')[1] == "no memory matches\n"
    assert run("list", "--namespace", "other")[1] == "no memory is here\n"


@pytest.mark.parametrize("options", [["--limit", "-1"], ["--after-id", "-1"], ["--where", "["]])
def test_list_names_the_option_that_is_wrong(run, filled, options):
    code, _, err = run("list", *options)
    assert (code, options[0] in err) == (2, True)


def test_history_shows_the_versions_that_a_question_brings_up(run, ask, filled):
    assert [each["id"] for each in ask("history", "1")["versions"]] == [1]
    assert "--ask" in run("history", "1")[1]
    assert [each["id"] for each in ask("history", "1", "--ask", HOW_MUCH)["versions"]] == [1, 2]
    out = run("history", "2")[1]  # noted, so that nobody has to ask again
    assert out.index("$900") < out.index("$1,200")


def test_forget_removes_what_is_named_or_nothing(run, ask, filled):
    code, _, err = run("forget", "1", "no-such-id")
    assert (code, "no-such-id" in err) == (2, True)
    assert ask("stats")["memories"] == 4
    assert ask("forget", "1", "cat", "1") == {"forgotten": 2}
    assert ids(ask("list")) == [2, 4]
    assert run("forget", "2")[1] == "forgot 1 memory\n"


def test_an_id_of_digits_is_a_number_unless_it_is_said_to_be_the_users_own(ask, filled):
    assert ask("forget", "--own", "1") == {"forgotten": 1}
    assert ids(ask("list")) == [1, 2, 3]
    assert ask("pin", "1")["id"] == 1


def test_pin_and_move_put_a_memory_into_a_tier(run, ask, filled):
    assert ask("pin", "cat") == {"id": 3, "tier": "persistent", "pinned": True}
    assert "pinned" in run("list")[1]
    assert ask("move", "cat", "cold") == {"id": 3, "tier": "cold", "pinned": False}
    assert ask("recall", "cat")["hits"] == []
    assert run("move", "3", "long_term")[1] == "#3 is in the tier long_term\n"
    assert run("pin", "3")[1] == "#3 is pinned\n"


def test_a_tier_that_there_is_not_is_a_usage_error(run, filled):
    with pytest.raises(SystemExit):
        run("move", "3", "warm")


@pytest.mark.parametrize("command", [["pin", "9"], ["move", "nobody", "cold"], ["history", "9"], ["forget", "9"]])
def test_an_unknown_id_is_an_error(run, filled, command):
    code, _, err = run(*command)
    assert (code, "no memory with id" in err) == (2, True)


def test_calibrate_fits_what_recall_then_asks_for(run, ask, filled, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("\ufeffHow much is the budget?\n\n" + "Where is the cat?\n" * 9, encoding="utf-8")
    found = ask("calibrate", "--file", str(questions))
    assert (found["questions"], found["keep"], found["threshold"] > 0) == (10, 0.9, True)
    with Memory.open(filled) as memory:
        assert memory.calibrate(["How much is the budget?"] + ["Where is the cat?"] * 9).threshold == found["threshold"]
    assert f"{found['threshold']:.3f}" in run("calibrate", "--file", str(questions))[1]


def test_calibrate_reads_standard_input(ask, filled, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Where is the cat?\n" * 4)))
    assert ask("calibrate", "--file", "-", "--keep", "0.8")["questions"] == 4


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (b"Where is the cat?\n" * 8, [], "at least 9"),
        (b"Where is the cat?\n", ["--keep", "1"], "keep must be"),
        (b"ok\n\xff\n", [], "line 2 is not UTF-8"),
        (None, [], "cannot be read"),
    ],
)
def test_questions_that_cannot_be_used_are_refused(run, filled, tmp_path, data, options, said):
    questions = tmp_path / "questions.txt"
    if data is not None:
        questions.write_bytes(data)
    code, _, err = run("calibrate", "--file", str(questions), *options)
    assert (code, said in err) == (2, True)


@pytest.mark.parametrize(
    "command",
    [["forget", "1"], ["pin", "1"], ["move", "1", "cold"], ["history", "1"], ["list"], ["history", "1", "--ask", "x"]],
)
def test_no_command_makes_a_store_where_there_is_none(run, store, command):
    code, _, err = run(*command)
    assert (code, "holds no store" in err) == (2, True)
    assert not Path(store).exists()
