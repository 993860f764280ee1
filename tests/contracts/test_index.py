"""The index behind recall: what hits and stats tell of it, and that no file or setting of it changes an answer."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mnemoloom import Draft, Memory
from mnemoloom.config import Config, IndexSettings
from mnemoloom.errors import ConfigError

WIDTH, COUNT = 64, 1_200
SMALL = IndexSettings(exact_below=500, candidates=120)


def unit_rows(seed: int, count: int) -> np.ndarray:
    basis = np.random.default_rng(0).standard_normal((12, WIDTH))
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, 12)) @ basis + rng.standard_normal((count, WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def drafts(seed: int, count: int = COUNT) -> Iterator[Draft]:
    for i, row in enumerate(unit_rows(seed, count)):
        yield Draft(text=f"note{seed}x{i} of {i % 7}", speaker=("Marta", "Quentin")[i % 2], vector=row)


def opened(path: str | Path, index: IndexSettings = SMALL, **options: object) -> Memory:
    return Memory.open(path, config=Config(index=index), **options)  # type: ignore[arg-type]


def ranked(memory: Memory, rows: np.ndarray) -> list[list[tuple[int, float]]]:
    return [[(hit.id, round(hit.score, 5)) for hit in memory.recall("unheard", 10, vector=row)] for row in rows]


@pytest.fixture(scope="module")
def library() -> Iterator[Memory]:
    with opened(":memory:") as memory:
        memory.remember_many(drafts(1))
        yield memory


def test_hits_tell_how_near_each_level_saw_them(library: Memory) -> None:
    stored = dict(enumerate(unit_rows(1, COUNT), 1))
    for query in unit_rows(2, 12):
        hits = library.recall("unheard", 10, vector=query)
        assert len(hits) == 10
        for hit in hits:
            assert hit.score_l0 == pytest.approx(float(stored[hit.id] @ query), abs=1e-5)
            if hit.score_l1 is not None:
                assert hit.score_l1 == pytest.approx(hit.score_l0, abs=0.03)
            assert (hit.score_l1 is None) == (hit.score_l2 is None)
        assert sum(hit.score_l2 is not None for hit in hits) >= 8


def test_without_the_index_only_the_exact_level_has_a_score(library: Memory) -> None:
    query = unit_rows(3, 1)[0]
    for hit in library.recall("unheard", 10, vector=query, exact=True):
        assert hit.score_l0 is not None
        assert (hit.score_l1, hit.score_l2) == (None, None)
    for hit in library.recall("note1x5", 3, profile="lexical"):
        assert (hit.score_l0, hit.score_l1, hit.score_l2) == (None, None, None)


def test_feedback_changes_neither_parts_nor_confidence_by_the_index() -> None:
    asked, learned = unit_rows(5, 2)
    rows = np.random.default_rng(6).standard_normal((4_000, WIDTH)) / 8
    rows[:600] = learned + rows[:600] / 2
    rows[600:650] = asked + rows[600:650] / 2
    few = IndexSettings(exact_below=500, candidates=20)
    with Memory.open(":memory:", config=Config(index=few, feedback=1.0)) as memory:
        ids = memory.remember_many(Draft(text=f"note {i}", vector=row) for i, row in enumerate(rows))
        for _ in range(8):
            memory.useful(ids[:50], query="unheard", vector=asked)
        found, exact = (memory.recall("unheard", 10, vector=asked, exact=exact) for exact in (False, True))
        assert memory.stats().index.way != "exact"
    assert found.confidence == pytest.approx(exact.confidence, abs=1e-6)
    assert [hit.id for hit in found] == [hit.id for hit in exact]
    for one, other in zip(found, exact, strict=True):
        assert dict(one.parts) == pytest.approx(dict(other.parts), abs=1e-5)


def test_nearest_by_the_index_gives_the_exact_cosines_of_what_a_filter_lets_through(library: Memory) -> None:
    for place, query in enumerate(unit_rows(7, 20)):
        who = None if place % 2 else {"speaker": "Marta"}
        found, exact = (library.nearest(vector=query, k=10, where=who, exact=exact) for exact in (False, True))
        assert len(set(found.ids.tolist()) & set(exact.ids.tolist())) >= 9
        known = dict(zip(*(each.tolist() for each in library.nearest(vector=query, where=who)), strict=True))
        assert found.cosines.tolist() == pytest.approx([known[each] for each in found.ids.tolist()], abs=1e-6)


def test_recall_of_few_memories_compares_every_vector() -> None:
    with opened(":memory:") as memory:
        memory.remember_many(drafts(1, 100))
        assert memory.recall("unheard", 3, vector=unit_rows(2, 1)[0])[0].score_l2 is None
        assert memory.stats().index.way == "exact"


def test_stats_tell_the_recall_of_sampled_queries(library: Memory) -> None:
    for query in unit_rows(4, 20):
        library.recall("unheard", vector=query)
    report = library.stats().index
    assert report.way == "cells"
    assert report.entries == COUNT
    assert report.sampled >= 8
    assert report.recall is not None
    assert report.recall >= 0.99
    assert report.candidates >= 120


@pytest.mark.parametrize("levels", [(2, 0), (0,)])
def test_other_levels_give_the_same_answers(library: Memory, levels: tuple[int, ...]) -> None:
    queries = unit_rows(5, 20)
    with opened(":memory:", IndexSettings(exact_below=500, candidates=120, levels=levels)) as memory:
        memory.remember_many(drafts(1))
        assert ranked(memory, queries) == ranked(library, queries)
        assert memory.stats().index.way == ("exact" if levels == (0,) else "cells")


@pytest.mark.parametrize(
    "settings",
    [
        {"levels": (1, 0)},
        {"levels": "210"},
        {"recall": 1.0},
        {"candidates": 0},
        {"probe_every": 2.5},
        {"compact_at": 0},
    ],
)
def test_a_setting_outside_its_bounds_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"IndexSettings.{next(iter(settings))} must be"):
        IndexSettings(**settings)  # type: ignore[arg-type]


def test_index_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(ConfigError, match="IndexSettings; got dict"):
        Config(index={})  # type: ignore[arg-type]


def test_a_reopened_store_maps_its_rows_and_codes_and_answers_alike(tmp_path: Path) -> None:
    queries = unit_rows(6, 15)
    with opened(tmp_path / "s") as memory:
        memory.remember_many(drafts(1))
        before = ranked(memory, queries)
    with opened(tmp_path / "s") as memory:
        assert ranked(memory, queries) == before
        memory.remember_many(drafts(7, 40))
        grown = ranked(memory, queries)
        with memory._live.reading() as (_, shelf, _number):
            assert shelf.vectors.resident_bytes < 100 * WIDTH * 4  # only what was added since
    with opened(":memory:") as memory:
        memory.remember_many([*drafts(1), *drafts(7, 40)])
        assert ranked(memory, queries) == grown


def test_forgotten_memories_leave_no_code_in_the_cache(tmp_path: Path) -> None:
    with opened(tmp_path / "s") as memory:
        ids = memory.remember_many(drafts(1))
        memory.recall("unheard", vector=unit_rows(2, 1)[0])
        memory.forget_many(ids[::3])
    with opened(tmp_path / "s") as memory:
        memory.recall("unheard", vector=unit_rows(2, 1)[0])
        report = memory.stats().index
        assert (report.entries, report.dead) == (COUNT - len(ids[::3]), 0)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_a_damaged_cache_of_codes_is_made_anew(tmp_path: Path, place: float) -> None:
    queries = unit_rows(8, 10)
    with opened(tmp_path / "s") as memory:
        memory.remember_many(drafts(1))
        before = ranked(memory, queries)
    gc.collect()  # a mapped file can be written to only when nothing maps it, on some systems
    (path,) = (tmp_path / "s" / "cache").glob("shelf-*")
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 0xFF
    path.write_bytes(data)
    with opened(tmp_path / "s") as memory:
        assert ranked(memory, queries) == before


def test_a_reader_with_other_levels_makes_its_own_codes(tmp_path: Path) -> None:
    queries = unit_rows(9, 10)
    with opened(tmp_path / "s") as memory:
        memory.remember_many(drafts(1))
        before = ranked(memory, queries)
    other = IndexSettings(exact_below=500, candidates=120, levels=(2, 0))
    with opened(tmp_path / "s", other, read_only=True) as memory:
        assert ranked(memory, queries) == before
