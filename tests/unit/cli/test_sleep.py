"""`sleep`, its plan and its undoing, for people and as JSON."""

from __future__ import annotations

import sys

import pytest

from mnemoloom import Memory


@pytest.fixture
def filled(store):
    with Memory.open(store) as memory:
        memory.remember_many({"text": "The boat is in the harbour.", "speaker": "Ann"} for _ in range(3))
        memory.remember_many({"text": f"Box {i} is in cellar {i % 3}.", "speaker": "Ann"} for i in range(30))
    return store


def test_a_plan_changes_nothing_and_the_sleep_does_what_it_says(run, ask, filled):
    plan = ask("sleep", "--plan", "--cold-share", "0.2")
    assert (plan["id"], plan["planned_only"], plan["before"]["merged"]) == (None, True, 0)
    done = ask("sleep", "--cold-share", "0.2")
    assert (done["id"], done["changes"]) == (1, plan["changes"])
    assert done["counts"]["merged"] + done["counts"]["to_cold"] == len(done["changes"]) > 4
    assert ask("stats")["merged"] == done["after"]["merged"]
    assert sum(ask("stats")["quadrants"].values()) == 33
    again = ask("sleep", "--cold-share", "0.2")
    assert (again["id"], again["changes"]) == (None, [])


def test_what_it_changed_is_told_and_taken_back(run, ask, filled):
    code, out, err = run("sleep")
    assert (code, err) == (0, "")
    for shown in (
        "changed (sleep 1; --undo 1 takes it back)",
        "merged #2: says the same as 1",
        "repetitions  2",
        "size",
    ):
        assert shown in out
    hit = ask("recall", "Where is the boat?", "-k", "1")["hits"][0]
    assert len(hit["repeats"]) == 2
    assert "also said" in run("recall", "Where is the boat?", "-k", "1")[1]
    assert ask("sleep", "--undo", "1") == {
        "sleep": 1,
        "moved": 0,
        "separated": 2,
        "left": 0,
        "forgotten": 0,
        "steps": {"topics": 0},
    }
    assert "repeats" not in ask("recall", "Where is the boat?", "-k", "1")["hits"][0]
    code, _, err = run("sleep", "--undo", "1")
    assert (code, "was undone at" in err) == (2, True)
    code, _, err = run("sleep", "--undo", "7")
    assert (code, "no sleep with id 7" in err) == (2, True)
    assert "apart again" in run("sleep")[1] + run("sleep", "--undo", "2")[1]


def test_long_lists_of_changes_are_cut(run, filled):
    assert "more; --json tells of all" in run("sleep", "--plan", "--cold-share", "0.9")[1]


def test_nothing_to_do_is_said(run, filled):
    run("sleep")
    assert "nothing" in run("sleep")[1]
    assert "nothing" in run("sleep", "--plan", "--namespace", "other")[1]


def test_a_bar_moves_for_a_person_in_front_of_it(run, filled, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, _, err = run("sleep")
    assert code == 0
    assert "sleeping" in err


@pytest.mark.parametrize("options", [["--cold-share", "1.5"], ["--duplicates", "0"]])
def test_a_setting_outside_its_bounds_is_refused(run, filled, options):
    code, _, err = run("sleep", *options)
    assert (code, "must be" in err) == (2, True)
