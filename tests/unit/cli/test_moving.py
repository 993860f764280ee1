"""`export`, `import` and `doctor` as commands; what they do is tested with transfer and doctor."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnemoloom import Memory
from mnemoloom.cli import main


@pytest.fixture
def filled(store):
    with Memory.open(store) as memory:
        memory.remember_many([{"text": "I keep bees.", "external_id": "bees"}, "The cat sat."])
    return store


def test_a_namespace_moves_to_another_store(ask, run, filled, tmp_path):
    bundle, other = str(tmp_path / "bundle"), str(tmp_path / "other")
    assert ask("export", bundle)["memories"] == 2
    assert main(["import", bundle, "--store", other]) == 0
    with Memory.open(other, read_only=True) as memory:
        assert [record.text for record in memory.records()] == ["I keep bees.", "The cat sat."]


def test_for_people_the_counts_are_shown(run, filled, tmp_path):
    assert "memories  2" in run("export", str(tmp_path / "bundle"))[1]
    assert "added          2" in run("import", str(tmp_path / "bundle"), "--namespace", "other")[1]


def test_known_ids_are_refused_unless_told_otherwise(ask, run, filled, tmp_path):
    bundle = str(tmp_path / "bundle")
    ask("export", bundle)
    code, _, err = run("import", bundle)
    assert (code, "memories.jsonl line 1" in err) == (2, True)
    assert ask("import", bundle, "--existing", "skip") == {
        "added": 0,
        "replaced": 0,
        "skipped": 2,
        "vectors": 0,
        "encoder": None,
        "links": 0,
    }
    assert ask("import", bundle, "--existing", "replace")["replaced"] == 2


def test_an_export_over_something_is_refused(run, filled, tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "note").write_text("mine")
    code, _, err = run("export", str(tmp_path / "bundle"))
    assert (code, "empty folder" in err) == (2, True)
    assert (tmp_path / "bundle" / "note").read_text() == "mine"


def test_the_doctor_finds_a_good_store_well(run, ask, filled):
    code, out, _ = run("doctor")
    assert code == 0
    assert "this store is well" in out
    assert ask("doctor")["ok"] is True


def test_the_doctor_says_what_is_wrong_with_exit_code_1(run, store):
    code, out, _ = run("doctor")
    assert code == 1
    assert "does not exist" in out
    assert "something is wrong" in out


REPAIRED = {"caches": [], "indexes": False, "leftovers": 0, "problem": None, "damaged": []}


def test_the_doctor_repairs_a_damaged_cache(run, ask, store):
    with Memory.open(store) as memory:
        memory.remember_many([f"Event number {n}." for n in range(600)])
        before = [(hit.id, hit.score) for hit in memory.recall("event 7")]
    [cache] = (Path(store) / "cache").iterdir()
    cache.write_bytes(cache.read_bytes()[:-1])
    assert run("doctor")[0] == 1
    repaired = ask("doctor", "--repair")
    assert (repaired["ok"], repaired["repaired"]) == (True, REPAIRED | {"caches": ["shelf-1"]})
    assert "nothing to repair" in run("doctor", "--repair")[1]
    with Memory.open(store, read_only=True) as memory:
        assert [(hit.id, hit.score) for hit in memory.recall("event 7")] == before
