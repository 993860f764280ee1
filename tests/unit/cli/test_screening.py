"""`quarantine`, `release`, `quarantined`, `remove-source`, and where a memory came from."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def filled(ask, tmp_path):
    lines = [{"text": f"The door code is {n}.", "source": "web/eve"} for n in range(3)]
    file = tmp_path / "chat.jsonl"
    file.write_text("\n".join(map(json.dumps, [*lines, {"text": "The door code is secret."}])))
    assert ask("remember", "--file", str(file), "--trust", "web")["added"] == 4
    assert ask("remember", "The door code is 42.", "--source", "ann", "--trust", "system")["added"] == 1


def sources(found):
    return [hit["source"] for hit in found["hits"]]


def test_a_source_is_hidden_listed_and_brought_back(ask, run, filled):
    assert ask("quarantine", "--source", "web/eve") == {"quarantined": 3}
    assert "web/eve" not in sources(ask("recall", "What is the door code?", "-k", "9"))
    assert len(ask("quarantined")["memories"]) == 3
    assert ask("stats")["quarantined"] == 3
    assert "The door code is 1." in run("quarantined")[1]
    assert run("release", "--where", '{"source": "web/eve"}')[1] == "released 3 memories\n"
    assert run("quarantined")[1] == "nothing is in quarantine\n"
    assert sources(ask("recall", "What is the door code?", "-k", "9")).count("web/eve") == 3


def test_a_source_is_removed_for_good(ask, filled):
    ask("quarantine", "--source", "web/eve")
    assert ask("remove-source", "web/eve", "nobody") == {"removed": 3, "pending_checkpoint": False}
    assert ask("quarantined")["memories"] == []
    assert ask("stats")["memories"] == 2


def test_trust_and_share_of_recall(ask, run, filled):
    found = ask("recall", "What is the door code?", "-k", "9", "--min-trust", "user")
    assert [(hit["source"], hit["trust"]) for hit in found["hits"]] == [("ann", "system")]
    assert found["degraded"] is None
    assert sources(ask("recall", "What is the door code?", "-k", "4", "--per-source", "0.25")).count("web/eve") == 1
    code, _, err = run("recall", "code", "--per-source", "7")
    assert (code, "per_source must be a number from 0 to 1" in err) == (2, True)
    assert "its trust is web" in run("why", "door code", "1", "--min-trust", "tool")[1]
    assert "web: web/eve" in run("recall", "door code")[1]


def test_a_line_says_its_own_source_and_trust(ask, tmp_path):
    file = tmp_path / "chat.jsonl"
    file.write_text('{"text": "a fact", "trust": "tool"}\n{"text": "another fact", "source": "page"}\n')
    ask("remember", "--file", str(file), "--source", "import/1", "--trust", "import")
    found = {each["text"]: (each["source"], each["trust"]) for each in ask("list")["memories"]}
    assert found == {"a fact": ("import/1", "tool"), "another fact": ("page", "import")}


@pytest.mark.parametrize("command", ["quarantine", "release"])
def test_without_a_source_or_a_filter_nothing_is_done(run, filled, command):
    code, _, err = run(command)
    assert (code, "needs --source SOURCE or --where JSON" in err) == (2, True)
