"""The parser and the edge: exit codes, error lines, JSON errors, and a quick and quiet start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mnemoloom
from mnemoloom.cli import app, main

COMMANDS = (
    *("demo", "remember", "recall", "why", "history", "list", "forget", "pin", "move", "calibrate", "chat", "stats"),
    *("topics", "related", "export", "import", "doctor", "reembed", "sleep"),
)
ROOT = str(Path(mnemoloom.__file__).parents[1])


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def test_help_from_the_module_is_quiet_and_names_every_command():
    done = python("-W", "error", "-m", "mnemoloom", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(command in done.stdout for command in COMMANDS)


def test_importing_the_command_imports_no_optional_library():
    heavy = "ollama", "httpx", "torch", "sentence_transformers", "faiss", "tqdm", "langchain_core", "llama_index"
    program = f"import sys, mnemoloom.cli; print([name for name in {heavy!r} if name in sys.modules])"
    assert python("-W", "error", "-c", program).stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["frobnicate"])
    assert ended.value.code == 2


def test_an_error_is_one_line_and_exit_code_2(run):
    code, out, err = run("recall", "anything")
    assert (code, out) == (2, "")
    assert err.startswith("mnemoloom: ")
    assert err.count("\n") == 1


def test_with_json_an_error_is_also_an_object(run):
    code, out, err = run("stats", "--json")
    error = json.loads(out)["error"]
    assert code == 2
    assert error["type"] == "NotAStoreError"
    assert "holds no store" in error["message"]
    assert "holds no store" in err


def test_asking_makes_no_store(run, store):
    run("recall", "anything")
    run("reembed", "--embedder", "hashing")
    assert not Path(store).exists()


def test_an_interrupt_is_exit_code_130(run, monkeypatch):
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "import_module", interrupted)
    assert run("stats") == (130, "", "")


def test_a_closed_pipe_is_quiet(tmp_path):
    store = str(tmp_path / "store")
    main(["demo", "--store", store, "--host", "http://127.0.0.1:9", "--json"])
    program = f"import sys; from mnemoloom.cli import main; sys.exit(main(['stats', '--store', {store!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()  # before it prints anything
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


def test_labels_may_hold_a_slash_when_given_one_by_one(ask):
    ask("remember", "The plan is a/b.", "--label", "users", "--label", "a/b")
    assert ask("stats", "--label", "users", "--label", "a/b")["namespace"] == ["users", "a/b"]
    assert ask("stats", "--namespace", "users/a/b")["memories"] == 0


def test_namespaces_do_not_see_each_other(ask):
    ask("remember", "I keep bees.", "--namespace", "users/ann")
    assert [hit["text"] for hit in ask("recall", "bees", "--namespace", "users/ann")["hits"]] == ["I keep bees."]
    assert ask("recall", "bees", "--namespace", "users/bob")["hits"] == []


def test_an_empty_label_is_refused(run):
    code, _, err = run("remember", "x", "--namespace", "a//b")
    assert code == 2
    assert "label of a namespace" in err


def test_an_unknown_embedder_is_refused(run):
    code, _, err = run("remember", "x", "--embedder", "magic")
    assert code == 2
    assert "magic" in err
