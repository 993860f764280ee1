"""Promises that are easy to break unnoticed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mnemoloom import Memory, Tier
from mnemoloom.config import Config
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import VectorError
from mnemoloom.ports import Rows
from mnemoloom.storage import store as store_module


def crowded(rng: np.random.Generator, near: int, far: int) -> tuple[np.ndarray, list[dict[str, object]]]:
    """A query's vector, and memories of which the first `near` are nearest to it."""
    query = rng.standard_normal(32)
    vectors = [query + 0.1 * rng.standard_normal(32) for _ in range(near)]
    vectors += [rng.standard_normal(32) for _ in range(far)]
    return query, [{"text": f"memory {n}", "vector": vector} for n, vector in enumerate(vectors)]


def test_forgotten_neighbours_do_not_crowd_out_the_living() -> None:
    query, drafts = crowded(np.random.default_rng(0), 600, Config().index.exact_below + 100)
    with Memory.open(":memory:") as memory:
        ids = memory.remember_many(drafts)
        for forgotten in ids[:600]:
            memory.forget(forgotten)
        quick = memory.recall("anything", vector=query, profile="dense")
        exact = memory.recall("anything", vector=query, profile="dense", exact=True)
        assert [hit.id for hit in quick] == [hit.id for hit in exact]
        assert len(quick) == 5


def test_cold_neighbours_do_not_crowd_out_the_warm() -> None:
    query, drafts = crowded(np.random.default_rng(1), Config().index.exact_below + 500, 50)
    for draft in drafts[: Config().index.exact_below + 500]:
        draft["tier"] = Tier.COLD
    with Memory.open(":memory:") as memory:
        memory.remember_many(drafts)
        quick = memory.recall("anything", vector=query, profile="dense")
        exact = memory.recall("anything", vector=query, profile="dense", exact=True)
        assert [hit.id for hit in quick] == [hit.id for hit in exact]
        assert len(quick) == 5


def test_a_store_stays_where_it_is_when_the_process_changes_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        with Memory.open(tmp_path / name / "ann") as memory:
            memory.remember(f"the secret of {name}")
    monkeypatch.chdir(tmp_path / "x")
    with Memory.open("./ann") as memory:
        os.chdir(tmp_path / "y")
        with memory._opened.store.reading():  # takes the first connection, so that get() needs a second
            assert memory.get(1).text == "the secret of x"


def test_a_log_that_cannot_be_moved_does_not_fail_the_write_that_is_stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_CHECKPOINT_BYTES", 1)

    class Failing:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection

        def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
            if "wal_checkpoint" in statement:
                raise sqlite3.OperationalError("disk I/O error")
            return self._connection.execute(statement, *values)

        def __getattr__(self, name: str) -> object:
            return getattr(self._connection, name)

    with Memory.open(folder) as memory:
        store = memory._opened.store
        store._checkpoint_at = 0
        store._connection = Failing(store._connection)  # type: ignore[assignment]
        assert memory.remember("it is stored") in {record.id for record in memory.records()}
        assert store._connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)


def test_a_cache_forgets_the_words_of_what_is_forgotten(folder: Path) -> None:
    notes = [{"text": f"note {n} about the garden", "speaker": "Ann", "session": f"s{n // 9}"} for n in range(600)]
    secret = {"text": "the zanzibarquartz is under the stairs", "speaker": "Quisling", "session": "zzsecret"}
    with Memory.open(folder) as memory:
        *_, hidden = memory.remember_many([*notes, secret])
    cache = folder / "cache"
    assert any(b"zanzibarquartz" in path.read_bytes() for path in cache.iterdir())
    with Memory.open(folder) as memory:
        memory.forget(hidden)
    for word in (b"zanzibarquartz", b"Quisling", b"zzsecret"):
        assert not any(word in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    with Memory.open(folder) as memory:
        assert memory.recall("garden")
        again = memory.remember(**secret)
        assert memory.recall("zanzibarquartz")[0].id == again


def test_a_filter_that_names_the_cold_tier_asks_for_it() -> None:
    with Memory.open(":memory:") as memory:
        memory.remember("a cold fact", tier=Tier.COLD)
        assert memory.recall("fact", where={"tier": "cold"})
        assert memory.recall("fact", where={"tier": {"$in": ["cold", "long_term"]}})
        assert not memory.recall("fact", where={"tier": {"$ne": "cold"}})


def test_a_vector_too_short_to_have_a_direction_is_refused() -> None:
    with Memory.open(":memory:") as memory:
        with pytest.raises(VectorError, match="shorter"):
            memory.remember("x", vector=[1e-35] * 4)
        assert len(memory) == 0


def test_of_two_new_drafts_with_one_external_id_the_first_stays_or_the_last_replaces() -> None:
    drafts = [{"text": "first", "external_id": "x"}, {"text": "second", "external_id": "x"}]
    for existing, text in (("skip", "first"), ("replace", "second")):
        with Memory.open(":memory:") as memory:
            one, other = memory.remember_many(drafts, existing=existing)
            assert one == other
            assert memory.get("x").text == text


def test_pages_of_records_continue_where_the_last_one_ended() -> None:
    with Memory.open(":memory:") as memory:
        ids = memory.remember_many([f"note {n}" for n in range(25)])
        seen: list[int] = []
        while page := [record.id for record in memory.records(after_id=seen[-1] if seen else 0, limit=10)]:
            seen += page
        assert seen == ids


def test_a_handle_says_where_it_is_what_encodes_and_whether_it_was_closed(
    tmp_path: Path, hashing: HashingEmbedder
) -> None:
    memory = Memory.open(tmp_path / "ann", embedder=hashing)
    assert (memory.folder, memory.embedder, memory.closed) == ((tmp_path / "ann").resolve(), hashing, False)
    memory.at("bo").close()
    assert memory.closed
    with Memory.open(":memory:") as kept_nowhere:
        assert (kept_nowhere.folder, kept_nowhere.embedder) == (None, None)


def test_texts_can_be_kept_without_asking_the_embedder_and_encoded_later() -> None:
    class Counting(HashingEmbedder):
        asked = 0

        def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
            self.asked += len(texts)
            return super().embed(texts, query=query)

    embedder = Counting(64)
    with Memory.open(":memory:", embedder=embedder) as memory:
        [kept] = memory.remember_many(["green tea"], encode=False)
        assert embedder.asked == 0
        assert not memory.vectors([kept]).any()
        assert [hit.id for hit in memory.recall("tea")] == [kept]
        assert memory.stats().waiting == 1
        assert memory.reembed() == 1
        assert memory.vectors([kept]).any()
