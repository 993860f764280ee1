"""What goes to the terminal."""

from __future__ import annotations

import io
import sys

import pytest

from mnemoloom.cli.progress import progress_bar
from mnemoloom.cli.screen import Screen, emit, visible

PLAIN = Screen(width=40, styled=False, unicode=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ąß 🐝", "plain ąß 🐝"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\x0ab"),
        ("\u202eabc", "\\u202eabc"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_what_could_disguise_itself_is_shown_as_a_code(text, shown):
    assert visible(text) == shown


def test_what_is_kept_stays():
    assert visible("a\nb\x07", keep="\n") == "a\nb\\x07"


@pytest.mark.parametrize(("share", "bar"), [(0, "    "), (0.5, "██  "), (1, "████"), (7, "████"), (-1, "    ")])
def test_a_bar_fills_its_share(share, bar):
    assert PLAIN.bar(share, cells=4) == bar


def test_a_terminal_without_blocks_gets_a_bar_of_letters():
    assert Screen(width=40, styled=False, unicode=False).bar(0.5, cells=4) == "##.."


def test_values_are_aligned_and_wrapped():
    shown = PLAIN.columns([("a", "one"), ("long name", "two " * 10)])
    assert shown.split("\n") == [
        "  a          one",
        "  long name  two two two two two two two",
        "             two two two",
    ]


def test_only_a_styled_screen_writes_colour_codes():
    assert PLAIN.bold("x") == PLAIN.dim("x") == "x"
    assert Screen(width=40, styled=True, unicode=True).bold("x") == "\x1b[1mx\x1b[0m"


def test_json_is_ascii_where_nothing_else_can_be_shown(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "latin-1"))
    emit({"text": "złoty"})
    assert raw.getvalue() == b'{"text": "z\\u0142oty"}\n'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("as_json", "stream", "shown"), [(False, Terminal, True), (True, Terminal, False)])
def test_progress_is_for_people_at_a_terminal(monkeypatch, as_json, stream, shown):
    from argparse import Namespace

    monkeypatch.setattr(sys, "stderr", stream())
    with progress_bar(Namespace(json=as_json), "working") as move:
        assert (move is not None) is shown
        if move:
            move(1, 2)
            move(2, 2)
            assert "working" in sys.stderr.getvalue()


def test_progress_into_a_file_is_silent(monkeypatch):
    from argparse import Namespace

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar(Namespace(json=False), "working") as move:
        assert move is None
