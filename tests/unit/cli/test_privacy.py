"""Spans, erasing and encryption as commands; what they do is tested with the verbs."""

from __future__ import annotations

import pytest

from mnemoloom import Memory, Tier
from mnemoloom.cli import main

KEY = bytes(range(32))
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def filled(store):
    with Memory.open(store) as memory:
        memory.remember_many([{"text": "I keep bees.", "speaker": "Ann"}, {"text": "The cat sat.", "speaker": "Bo"}])
    return store


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY.hex() + "\n")
    return str(path)


def test_a_text_may_have_a_span(ask, store):
    ask("remember", "The code is 1234.", "--ttl", "3600")
    with Memory.open(store, read_only=True) as memory:
        (record,) = memory.records()
        assert (record.expires - record.created).total_seconds() == 3600


def test_a_line_of_a_file_may_have_one_too(ask, store, tmp_path):
    (tmp_path / "lines.jsonl").write_text('{"text": "One.", "ttl": 60}\n{"text": "Two."}\n')
    assert ask("remember", "--file", str(tmp_path / "lines.jsonl"))["added"] == 2
    with Memory.open(store, read_only=True) as memory:
        assert [record.expires is None for record in memory.records()] == [False, True]


def test_a_span_that_is_none_is_refused(run, store):
    code, _, err = run("remember", "One.", "--ttl", "0")
    assert (code, "ttl must be more than 0 seconds" in err) == (2, True)


def test_erase_says_how_many_memories_went(ask, run, filled):
    assert ask("erase", "--where", '{"speaker": "Ann"}') == {"count": 1, "pending_checkpoint": False}
    assert run("erase", "--where", '{"speaker": "Bo"}')[1] == "erased 1 memory\n"
    with Memory.open(filled, read_only=True) as memory:
        assert len(memory) == 0


def test_erase_without_a_filter_is_refused(run, filled):
    code, _, err = run("erase")
    assert (code, "needs a filter" in err) == (2, True)


def test_purge_erases_what_has_ended(ask, store):
    with Memory.open(store) as memory:
        memory.remember("One.")
        memory.remember("Two.", ttl=0.001)
    assert ask("purge") == {"count": 1, "pending_checkpoint": False}
    with Memory.open(store, read_only=True) as memory:
        assert [record.text for record in memory.records()] == ["One."]


def test_a_store_is_encrypted_asked_and_given_another_key(ask, run, filled, key_file, monkeypatch, tmp_path):
    code, out, _ = run("encrypt", "--encryption-key-file", key_file)
    assert (code, "is encrypted" in out) == (0, True)
    code, _, err = run("list")
    assert (code, "--encryption-key-env" in err, "encryption_key" in err) == (2, True, False)
    assert len(ask("list", "--encryption-key-file", key_file)["memories"]) == 2
    monkeypatch.setenv("LOOM_NEW", PASSPHRASE)
    assert ask("rewrap", "--encryption-key-file", key_file, "--new-encryption-key-env", "LOOM_NEW")["encrypted"]
    assert run("list", "--encryption-key-file", key_file)[0] == 2
    assert ask("recall", "bees", "--encryption-key-env", "LOOM_NEW")["hits"]
    assert ask("reembed", "--embedder", "hashing:16", "--encryption-key-env", "LOOM_NEW")["encoded"] == 2
    assert ask("export", str(tmp_path / "bundle"), "--encryption-key-env", "LOOM_NEW")["memories"] == 2


def test_the_doctor_looks_as_far_as_it_can(ask, run, filled, key_file):
    ask("encrypt", "--encryption-key-file", key_file)
    known = {check["name"]: check for check in ask("doctor", "--encryption-key-file", key_file)["checks"]}
    assert known["truth"]["ok"]
    closed = {check["name"]: check for check in ask("doctor")["checks"]}
    assert "truth" not in closed
    assert "what the memories hold was not looked at" in closed["log"]["detail"]
    assert ask("repair")["repaired"]["problem"] is None
    with Memory.open(filled, encryption_key=KEY) as memory:
        memory._opened.store._connection.execute("UPDATE log SET time = time + 1 WHERE seq = 1")
    assert run("doctor")[0] == 1
    assert run("doctor", "--encryption-key-env", "PATH")[0] == 1


def test_a_key_is_destroyed_only_when_that_is_meant(ask, run, filled, key_file):
    ask("encrypt", "--encryption-key-file", key_file)
    code, _, err = run("destroy-key", "--encryption-key-file", key_file)
    assert (code, "--yes" in err) == (2, True)
    assert ask("destroy-key", "--yes", "--encryption-key-file", key_file)["count"] == 2
    with Memory.open(filled, encryption_key=KEY, read_only=True) as memory:
        assert len(memory) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--encryption-key-env", "LOOM_NOWHERE"], "LOOM_NOWHERE is not set"),
        (["--encryption-key-file", "nowhere"], "nowhere cannot be read"),
        ([], "name the key with"),
    ],
)
def test_a_key_that_cannot_be_found_is_named(run, filled, arguments, said, monkeypatch):
    monkeypatch.delenv("LOOM_NOWHERE", raising=False)
    code, _, err = run("encrypt", *arguments)
    assert (code, said in err) == (2, True)
    with Memory.open(filled) as memory:
        assert not memory.encrypted


def test_rewrapping_needs_a_new_key_and_an_encrypted_store(run, filled, key_file):
    assert "name the new key" in run("rewrap", "--encryption-key-file", key_file)[2]
    code, _, err = run("rewrap", "--encryption-key-file", key_file, "--new-encryption-key-file", key_file)
    assert (code, "without encryption" in err, "the command encrypt" in err) == (2, True, True)


def test_a_key_is_never_an_argument(capsys):
    with pytest.raises(SystemExit):
        main(["recall", "--help"])
    assert "--encryption-key-env NAME" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["recall", "bees", "--encryption-key", KEY.hex()])


def test_a_moved_memory_stays_where_it_is_in_an_encrypted_store(ask, filled, key_file):
    ask("encrypt", "--encryption-key-file", key_file)
    assert ask("move", "1", "cold", "--encryption-key-file", key_file)["tier"] == Tier.COLD.value
