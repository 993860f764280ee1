"""`remember`: one text, and files that can be loaded again."""

from __future__ import annotations

import io
import json
import sys

import pytest

from mnemoloom import Memory

ANN = {"text": "I moved to Oslo in May.", "speaker": "Ann", "session": "s1", "time": "2026-05-14T10:00:00+00:00"}
BOB = {"text": "Lovely!", "speaker": "Bob", "session": "s1"}


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="lines.jsonl"):
        path = tmp_path / name
        path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines), "utf-8")
        return str(path)

    return write


def texts(store):
    with Memory.open(store, read_only=True) as memory:
        return [record.text for record in memory.records()]


def test_a_text_is_remembered_with_all_that_was_said_about_it(ask, store):
    options = ["--speaker", "Ann", "--session", "s1", "--time", "2026-05-14", "--metadata", '{"city": "Oslo"}']
    answer = ask("remember", "I moved.", *options, "--id", "m1")
    with Memory.open(store, read_only=True) as memory:
        record = memory.get("m1")
    assert answer == {"id": record.id, "added": 1, "skipped": 0}
    assert (record.text, record.speaker, record.session) == ("I moved.", "Ann", "s1")
    assert (record.time.isoformat(), record.metadata) == ("2026-05-14T00:00:00+00:00", {"city": "Oslo"})


def test_for_people_it_says_the_number(run):
    assert run("remember", "I moved.") == (0, "remembered as #1\n", "")


def test_the_same_text_without_an_id_is_another_event(ask, store):
    assert ask("remember", "ok")["id"] != ask("remember", "ok")["id"]
    assert texts(store) == ["ok", "ok"]


def test_the_same_id_with_the_same_content_is_known_already(ask, run):
    first = ask("remember", "I moved.", "--id", "m1")
    assert ask("remember", "I moved.", "--id", "m1") == {"id": first["id"], "added": 0, "skipped": 1}
    assert run("remember", "I moved.", "--id", "m1")[1] == f"known already, as #{first['id']}\n"


def test_the_same_id_with_other_content_replaces(ask, store):
    ask("remember", "I live in Oslo.", "--id", "home")
    assert ask("remember", "I live in Bergen.", "--id", "home")["added"] == 1
    assert texts(store) == ["I live in Bergen."]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either a TEXT or --file"),
        (["x", "--file", "y"], "either a TEXT or --file"),
        (["--file", "y", "--speaker", "Ann"], "--speaker belongs to a TEXT"),
        (["x", "--metadata", "{"], "--metadata must be a JSON object"),
        (["x", "--metadata", "[1]"], "metadata must be an object"),
        (["x", "--time", "yesterday"], "time must be"),
        ([" "], "text must not be empty"),
        (["--file", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_remembered_is_refused(run, arguments, said):
    code, out, err = run("remember", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_is_remembered_in_its_order(ask, store, write):
    assert ask("remember", "--file", write(ANN, "\n", BOB)) == {"added": 2, "skipped": 0}
    assert texts(store) == [ANN["text"], BOB["text"]]


def test_loading_a_file_again_adds_nothing(ask, store, write):
    file = write(ANN, BOB, BOB, ANN | {"id": "a"})
    assert ask("remember", "--file", file) == {"added": 4, "skipped": 0}
    assert ask("remember", "--file", file) == {"added": 0, "skipped": 4}
    assert texts(store) == [ANN["text"], BOB["text"], BOB["text"], ANN["text"]]


def test_equal_lines_are_separate_events_however_their_keys_are_ordered(ask, store, write):
    file = write('{"text": "ok", "speaker": "Bob"}\n', '{"speaker":"Bob","text":"ok","session":null}\n')
    assert ask("remember", "--file", file)["added"] == 2
    assert ask("remember", "--file", file)["skipped"] == 2


def test_lines_that_were_appended_to_a_file_are_added(ask, store, write):
    ask("remember", "--file", write(ANN))
    assert ask("remember", "--file", write(ANN, BOB)) == {"added": 1, "skipped": 1}


def test_an_own_id_with_other_content_replaces_and_the_rest_stays(ask, store, write):
    ask("remember", "--file", write({"text": "I live in Oslo.", "id": "home"}, BOB))
    assert ask("remember", "--file", write({"text": "I live in Bergen.", "id": "home"}, BOB, ANN)) == {
        "added": 2,
        "skipped": 1,
    }
    assert texts(store) == [BOB["text"], "I live in Bergen.", ANN["text"]]


def test_a_file_larger_than_a_batch_arrives_whole(ask, store, write):
    lines = [{"text": f"Event number {n}."} for n in range(600)]
    assert ask("remember", "--file", write(*lines)) == {"added": 600, "skipped": 0}
    assert texts(store) == [line["text"] for line in lines]


def test_a_bad_line_is_named_and_a_rerun_goes_on(run, ask, store, write):
    lines = [{"text": f"Event number {n}."} for n in range(300)]
    broken = write(*lines[:280], '{"text": 7}\n', *lines[280:])
    code, out, err = run("remember", "--file", broken)
    assert (code, out) == (2, "")
    assert f"{broken} line 281: text must be a string" in err
    assert len(texts(store)) == 256  # the batch before
    assert ask("remember", "--file", write(*lines)) == {"added": 44, "skipped": 256}
    assert texts(store) == [line["text"] for line in lines]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json\n", "line 2"),
        ("[1]\n", "must be an object; got list"),
        ('{"text": "x", "colour": "red"}\n', "no field 'colour'"),
        ('{"speaker": "Ann"}\n', "text must not be empty"),
        ('{"text": "x", "id": 7}\n', "id must be a string"),
        ('{"text": "x", "metadata": [1]}\n', "metadata must be an object"),
        ('{"text": "x", "metadata": {"n": NaN}}\n', "finite"),
        ('{"text": "x", "time": "soon"}\n', "time must be"),
        ('{"text": "x", "id": "a"}\n', "id 'a' is that of line 1 already"),
        ("[" * 100_000 + "\n", "line 2"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named(run, write, line, said):
    code, _, err = run("remember", "--file", write({"text": "y", "id": "a"}, line))
    assert code == 2
    assert "line 2" in err
    assert said in err


def test_bytes_that_are_not_utf8_are_named(run, tmp_path):
    path = tmp_path / "latin.jsonl"
    path.write_bytes('{"text": "blåbær"}\n'.encode("latin-1"))
    code, _, err = run("remember", "--file", str(path))
    assert code == 2
    assert "line 1" in err


def test_a_byte_order_mark_is_no_part_of_the_first_line(ask, tmp_path):
    path = tmp_path / "bom.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ANN).encode())
    assert ask("remember", "--file", str(path))["added"] == 1


def test_a_dash_reads_standard_input(ask, store, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ANN).encode())))
    assert ask("remember", "--file", "-") == {"added": 1, "skipped": 0}
    assert texts(store) == [ANN["text"]]


def test_a_gate_keeps_what_says_little_cold_and_stats_tell_of_it(ask, run, write, store):
    said = ("Wow, that is great!", "I bought a kettle in Oslo for {} crowns.")
    path = write(*({"text": said[i % 2].format(i), "speaker": "Ann", "session": "s1"} for i in range(120)))
    assert ask("remember", "--file", path, "--gate", "0.7")["added"] == 120
    found = ask("stats")
    assert found["tiers"]["cold"] == found["gated"]["expected"] >= 20
    assert "write gate" in run("stats")[1]
    assert len(texts(store)) == 120


def test_a_gate_of_no_budget_is_refused(run):
    code, _, err = run("remember", "I moved.", "--gate", "0.2")
    assert code != 0
    assert "Gate.budget must be the share of turns to write" in err
