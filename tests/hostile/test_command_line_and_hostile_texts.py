"""A terminal obeys nothing that was remembered, whatever command shows it, and neither does a model."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile.texts import HOSTILE, judge, obeyed
from mnemoloom import Draft, Memory
from mnemoloom.cli import main
from mnemoloom.testing import OllamaServer, Reply, ServedModel

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "store"
    with Memory.open(folder) as memory:
        memory.remember_many(
            Draft(text=text, speaker=text[:400], session="s", source=text[:400], external_id=text[:400])
            for text in HOSTILE
        )
    return folder


@pytest.fixture
def plain_store(tmp_path: Path) -> Path:
    """Without labels: a question takes their words for names."""
    with Memory.open(tmp_path / "plain") as memory:
        memory.remember_many(HOSTILE)
    return tmp_path / "plain"


@pytest.fixture
def run(store: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, "--store", str(store), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


COMMANDS = {
    "recall": ("recall", "zqx", "-k", "1000", "--expand", "1"),
    "list": ("list", "--limit", "1000"),
    "why": ("why", "zqx", "7"),
    "history": ("history", "7"),
    "stats": ("stats",),
    "an error": ("why", "zqx", "\x1b[2Jzqx\x9b31m\u202e"),
    "a filter": ("list", "--where", '{"\\u001b[2J\\u009b": 1}'),
}


@pytest.mark.parametrize("json_too", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_shows_what_a_terminal_obeys(run: Run, command: tuple[str, ...], json_too: bool) -> None:
    _, out, err = run(*command, *(["--json"] if json_too else []))
    assert (out, err) != ("", "")
    joiners = "\u200c\u200d"  # emoji and some scripts need them, and no terminal obeys them
    controls = [c for c in out + err if c in obeyed(c, allowed="\n" + joiners) and not _only_unseen(c)]
    assert controls == []
    if json_too:
        for line in out.splitlines():
            json.loads(line)


def _only_unseen(character: str) -> bool:
    """Blank letters and private ones: unseen, but nothing that moves a cursor or turns a line around."""
    return character in "\u034f\u3164\uffa0\u2800\ufe0f\U000e0100\ue000"


def test_chat_sends_them_as_data_and_shows_an_answer_that_holds_them_harmlessly(
    run: Run, plain_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = Reply(pieces=tuple(HOSTILE[-20:]))
    with OllamaServer(otherwise=lambda _: evil, models=[ServedModel(name="tiny")]) as server:
        monkeypatch.setattr(sys, "stdin", io.StringIO("What of zqx?\n/memories\n"))
        _, out, err = run("chat", "--store", str(plain_store), "--model", "tiny", "--host", server.url)
        sent = server.requests[-1].body["messages"]
    assert judge(sent[-1]["content"])
    assert not any("zqx" in message["content"] for message in sent[:-1])
    assert not [c for c in out + err if obeyed(c) and not _only_unseen(c) and c not in "\u200c\u200d"]
