"""`verify`, `seal`, `prove`, `rekey`, and the key of a signed log, in every command."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from mnemoloom import Memory, read_proof, read_seal
from mnemoloom.cli.app import _COMMANDS, build_parser

KEY, OTHER = b"0123456789abcdef0123", b"another key of mine!!"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_bytes(KEY + b"\n")
    return str(path)


@pytest.fixture
def signed(store: str, key_file: str) -> tuple[str, str]:
    """The options that open a store whose log is signed."""
    with Memory.open(store, key=KEY) as memory:
        memory.remember("I moved to Oslo in May.", speaker="Ann", external_id="oslo")
    return "--key-file", key_file


def test_every_command_takes_a_key_by_file_or_variable_and_never_by_value():
    parser = build_parser()
    for name, *_ in _COMMANDS:
        with pytest.raises(SystemExit):
            parser.parse_args([name, "--key", "secret"])
        shown = next(a for a in parser._subparsers._group_actions[0].choices.items() if a[0] == name)[1].format_help()
        assert "--key-file FILE" in shown
        assert "--key-env NAME" in shown
        assert "--json" in shown


@pytest.mark.parametrize("way", ["file", "variable"])
def test_a_signed_log_is_written_and_verified_with_its_key(run, signed, monkeypatch, way):
    options = signed if way == "file" else ("--key-env", "MY_KEY")
    monkeypatch.setenv("MY_KEY", KEY.decode())
    code, out, err = run("remember", "I like tea.", *options)
    assert (code, err) == (0, "")
    code, out, _ = run("verify", "--json", *options)
    found = json.loads(out)
    assert (code, found["ok"], found["level"], found["memories"]) == (0, True, "keyed", 2)
    code, out, _ = run("verify", *options)
    assert code == 0
    assert "only who has the key could have written this log" in " ".join(out.split())


def test_without_the_key_a_signed_log_is_not_written_and_the_command_line_says_how(run, signed):
    code, out, err = run("remember", "I like tea.")
    assert (code, out) == (2, "")
    assert "--key-file FILE or --key-env NAME" in err
    code, out, _ = run("verify", "--json")
    assert json.loads(out)["level"] == "accident-only"


def test_the_doctor_checks_signatures_with_the_key(run, store, signed):
    code, out, _ = run("doctor", *signed)
    assert (code, "signatures" in out) == (0, True)
    with sqlite3.connect(Path(store) / "store.db") as connection:
        connection.execute("UPDATE tags SET tag = zeroblob(32) WHERE seq = 2")
    connection.close()
    assert run("doctor")[0] == 0
    code, out, _ = run("doctor", "--json", *signed)
    truth = next(check for check in json.loads(out)["checks"] if check["name"] == "truth")
    assert (code, truth["ok"]) == (1, False)
    assert run("verify", *signed)[0] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--key-env", "NO_SUCH_VARIABLE"), "there is no environment variable NO_SUCH_VARIABLE"),
        (("--key-file", "no-such-file"), "the key file no-such-file cannot be read"),
    ],
)
def test_a_key_that_is_not_there_is_named_by_its_place(run, signed, options, said):
    code, _, err = run("stats", *options)
    assert (code, said in err) == (2, True)


def test_a_key_that_cannot_be_one_is_refused_and_not_shown(run, signed, tmp_path):
    for content in (b"short", b"x" * 5000):
        (tmp_path / "bad").write_bytes(content)
        code, out, err = run("stats", "--key-file", str(tmp_path / "bad"))
        assert code == 2
        assert content.decode() not in out + err


def test_a_seal_shows_a_log_that_was_put_back(run, store, signed, tmp_path):
    copy = (Path(store) / "store.db").read_bytes()
    run("remember", "I like tea.", *signed)
    code, out, _ = run("seal", str(tmp_path / "seal.json"), *signed)
    assert (code, "sealed 3 log entries" in out) == (0, True)
    code, out, _ = run("verify", "--seal", str(tmp_path / "seal.json"), "--json", *signed)
    assert (code, json.loads(out)["level"]) == (0, "keyed+seal")
    for path in Path(store).glob("store.db*"):
        path.unlink()
    (Path(store) / "store.db").write_bytes(copy)
    code, out, _ = run("verify", "--seal", str(tmp_path / "seal.json"), *signed)
    assert (code, "cut off or put back" in " ".join(out.split())) == (1, True)


def test_a_seal_on_standard_output_is_one(run, signed, tmp_path):
    (tmp_path / "seal.json").write_text(run("seal", *signed)[1])
    assert read_seal(tmp_path / "seal.json").signed_by(KEY)


def test_a_proof_holds_against_its_seal(run, signed, tmp_path):
    run("seal", str(tmp_path / "seal.json"), *signed)
    code, out, _ = run("prove", "oslo", "--seal", str(tmp_path / "seal.json"), *signed)
    proof = read_proof(out)
    assert (code, proof.text, proof.holds(read_seal(tmp_path / "seal.json"))) == (0, "I moved to Oslo in May.", True)


def test_a_new_key_takes_over_and_the_old_one_finds_the_past(run, signed, tmp_path):
    (tmp_path / "new").write_bytes(OTHER)
    code, out, _ = run("rekey", "--new-key-file", str(tmp_path / "new"), *signed)
    assert (code, "is signed with key" in out) == (0, True)
    assert run("stats", *signed)[0] == 2
    code, out, _ = run("verify", "--json", "--key-file", str(tmp_path / "new"), "--past-key-file", signed[1])
    assert (code, json.loads(out)["level"]) == (0, "keyed")
    assert run("rekey", *signed)[0] == 2


@pytest.mark.parametrize("command", [("verify",), ("seal",), ("quarantined",), ("remove-source", "x")])
def test_no_store_is_made_by_looking_for_one(run, store, command):
    code, _, err = run(*command)
    assert (code, "holds no store" in err) == (2, True)
    assert not Path(store).exists()
