"""The hierarchy against a scan of the exact rows, with faiss and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mnemoloom.config import IndexSettings
from mnemoloom.errors import ConfigError, DimensionMismatchError
from mnemoloom.hgns import LEVELS, Hierarchy, hierarchy
from mnemoloom.index import VectorRows
from mnemoloom.storage import read_cache, write_cache
from unit.hgns.rows import encoded_rows, gaussian_rows

WIDTH, COUNT = 384, 3_500
SMALL = {"exact_below": 2_000, "candidates": 100}


@pytest.fixture(params=["cells", "signs"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(hierarchy, "way_to_scan", lambda: request.param)
    return str(request.param)


def index_of(rows: np.ndarray, **settings: object) -> Hierarchy:
    index = Hierarchy(VectorRows(), IndexSettings(**(SMALL | settings)))  # type: ignore[arg-type]
    index.extend(rows)
    return index


def exact_top(rows: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    """Numbers, from 1."""
    return (1 + np.argsort(-(rows @ query), kind="stable")[:k]).tolist()


def recall(index: Hierarchy, rows: np.ndarray, queries: np.ndarray, k: int = 10) -> float:
    found = [set(index.search(query, k).numbers.tolist()) & set(exact_top(rows, query, k)) for query in queries]
    return float(np.mean([len(each) / k for each in found]))


def test_few_rows_are_all_compared() -> None:
    rows = gaussian_rows(300, 32, seed=0)
    found = index_of(rows).search(rows[5], 7)
    assert found.numbers.tolist() == exact_top(rows, rows[5], 7)
    assert (found.read, np.isnan(found.level2).all(), np.isnan(found.level1).all()) == (300, True, True)
    np.testing.assert_array_equal(found.scores, found.level0)


def test_the_index_finds_what_a_scan_finds(way: str) -> None:
    rows = encoded_rows(COUNT, WIDTH, seed=1)
    index, queries = index_of(rows), encoded_rows(120, WIDTH, seed=2)
    assert recall(index, rows, queries) >= 0.995
    report = index.report()
    assert (report.way, report.entries, report.dead) == (way, COUNT, 0)
    assert report.sampled >= 8
    assert report.recall is not None
    assert report.recall >= 0.99


def test_the_probe_mends_what_vectors_without_structure_spoil(way: str) -> None:
    rows, queries = gaussian_rows(COUNT, WIDTH, seed=3), gaussian_rows(120, WIDTH, seed=4)
    blind = index_of(rows, probe_every=10**9, recall=0.5, candidates=30)
    assert recall(blind, rows, queries) < 0.97
    index = index_of(rows, candidates=30)
    assert recall(index, rows, queries) >= 0.99
    report = index.report()
    assert report.way == "exact" or report.candidates > 30
    assert report.recall is not None
    assert report.recall >= 0.99


def test_the_scores_are_exact_and_no_more_rows_are_read_than_are_kept(way: str) -> None:
    rows = encoded_rows(COUNT, WIDTH, seed=5)
    index = index_of(rows)
    for query in encoded_rows(20, WIDTH, seed=6):
        found = index.search(query, 10)
        np.testing.assert_allclose(found.scores, rows[found.numbers - 1] @ query, atol=1e-5)
        np.testing.assert_allclose(found.level1, found.level0, atol=0.01)
        assert (np.diff(found.scores) <= 0).all()
        assert found.read <= 20 + 10  # of a sampled query, its exact answer too


def test_each_choice_of_levels_tells_its_own_scores(way: str) -> None:
    rows, query = encoded_rows(COUNT, WIDTH, seed=7), encoded_rows(1, WIDTH, seed=8)[0]
    index = index_of(rows, probe_every=10**9)
    for _ in range(10):  # the first queries are sampled
        index.search(query, 10)
    exact = index.search(query, 10, levels=(0,))
    for levels in LEVELS:
        found = index.search(query, 10, levels=levels)
        told = [scores for scores in (found.level2, found.level1, found.level0) if not np.isnan(scores).any()]
        assert len(told) == len(levels)
        if 0 in levels:
            np.testing.assert_allclose(found.scores, exact.scores, atol=1e-6)
        np.testing.assert_array_equal(found.scores, told[-1])


def test_an_unknown_choice_of_levels_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"levels must be one of .*; got \(1, 2\)"):
        index_of(gaussian_rows(5, 8, seed=0)).search(gaussian_rows(1, 8, seed=1)[0], 3, levels=(1, 2))


@pytest.mark.parametrize("count", [5, COUNT])
def test_a_query_of_another_width_is_refused(count: int) -> None:
    with pytest.raises(DimensionMismatchError):
        index_of(gaussian_rows(count, 8, seed=0)).search(gaussian_rows(1, 9, seed=1)[0], 3)


@pytest.mark.parametrize("levels", LEVELS)
def test_the_very_first_query_is_answered_in_full_whatever_the_levels(way: str, levels: tuple[int, ...]) -> None:
    rows = encoded_rows(COUNT, 64, seed=29)
    found = index_of(rows).search(rows[11], 10, levels=levels)
    assert found.numbers[0] == 12
    assert len(set(found.numbers.tolist())) == 10
    assert not np.isnan(found.scores).any()


def test_adding_one_at_a_time_equals_adding_at_once(way: str) -> None:
    rows = encoded_rows(COUNT, 64, seed=9)
    whole, grown = index_of(rows), index_of(rows[:0])
    for number, row in enumerate(rows, 1):
        assert grown.add(row) == number
        if number % 500 == 0:
            grown.search(rows[0], 5)
    grown._probe = whole._probe
    queries = encoded_rows(40, 64, seed=10)
    if way == "signs":  # their mean is that of the rows at hand when codes are first made
        assert recall(grown, rows, queries) >= 0.98
        return
    for query in queries:
        np.testing.assert_array_equal(whole.search(query, 10).scores, grown.search(query, 10).scores)


def test_removed_rows_are_never_found_and_recall_stays(way: str) -> None:
    rows, queries = encoded_rows(COUNT + 1_000, WIDTH, seed=11), encoded_rows(60, WIDTH, seed=12)
    index = index_of(rows)
    index.search(queries[0], 10)
    dead = np.random.default_rng(13).permutation(len(rows))[: len(rows) // 5] + 1
    for number in dead.tolist():
        index.remove(number)
    assert index.report().dead == len(dead)
    left = rows.copy()
    left[dead - 1] = 0.0
    assert recall(index, left, queries) >= 0.995
    assert not set(dead.tolist()) & {n for query in queries for n in index.search(query, 50).numbers.tolist()}


def test_compaction_gives_back_the_space_and_changes_no_answer(way: str) -> None:
    rows, queries = encoded_rows(COUNT + 1_000, WIDTH, seed=14), encoded_rows(30, WIDTH, seed=15)
    index = index_of(rows)
    index.search(queries[0], 10)
    before = index.report().bytes
    for number in range(1, 1_100):
        index.remove(number)
    answers = [index.search(query, 10).numbers.tolist() for query in queries]
    assert index.compact() == 1_099
    report = index.report()
    assert (report.dead, report.entries) == (0, len(rows) - 1_099)
    assert report.bytes < 0.9 * before
    assert [index.search(query, 10).numbers.tolist() for query in queries] == answers


def test_gaps_close_by_themselves_when_many_rows_are_gone() -> None:
    rows = encoded_rows(COUNT + 1_500, 64, seed=16)
    index = index_of(rows, compact_at=0.25)
    index.search(rows[0], 10)
    for number in range(1, 1_500):
        index.remove(number)
    index.search(rows[0], 10)
    assert index.report().dead == 0


def test_a_replaced_row_is_found_where_it_is_now(way: str) -> None:
    rows = encoded_rows(COUNT, 64, seed=17)
    index = index_of(rows)
    index.search(rows[0], 5)
    index.replace(77, -rows[3])
    assert index.search(-rows[3], 1).numbers.tolist() == [77]
    assert 77 not in index.search(rows[76], 50).numbers


def test_only_what_is_allowed_is_found(way: str) -> None:
    rows, queries = encoded_rows(COUNT, 64, seed=18), encoded_rows(30, 64, seed=19)
    index, allowed = index_of(rows), np.arange(COUNT + 1) % 2 == 1
    few = np.arange(COUNT + 1) < 40
    for query in queries:
        odd = index.search(query, 10, allowed=allowed)
        assert (odd.numbers % 2 == 1).all()
        assert len(odd.numbers) == 10
        first = index.search(query, 10, allowed=few)
        assert first.numbers.tolist() == exact_top(rows[:39], query, 10)


def test_without_a_fast_scan_every_row_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchy, "way_to_scan", lambda: None)
    rows = encoded_rows(COUNT, 32, seed=20)
    index = index_of(rows)
    assert index.search(rows[8], 5).numbers.tolist() == exact_top(rows, rows[8], 5)
    assert index.report().way == "exact"


def test_equal_rows_beyond_the_candidates_are_no_reason_for_more_of_them() -> None:
    rows = np.repeat(encoded_rows(10, 64, seed=21), 350, axis=0)
    index = index_of(rows, candidates=64)
    for query in rows[::300]:
        index.search(query, 10)
    assert index.report().candidates == 64


def test_what_was_kept_in_a_file_is_mapped_and_answers_alike(way: str, tmp_path: Path) -> None:
    rows, queries = encoded_rows(COUNT, WIDTH, seed=22), encoded_rows(20, WIDTH, seed=23)
    index = index_of(rows)
    for number in range(1, 200):
        index.remove(number)
    answers = [index.search(query, 10) for query in queries]
    again, live = reopened(index, tmp_path)
    assert again.report().recall == index.report().recall
    for query, answer in zip(queries, answers, strict=True):
        np.testing.assert_array_equal(again.search(query, 10).scores, answer.scores)
    assert again.report().bytes < 100 * COUNT  # level 1 is mapped
    again.add(-rows[0])
    assert again.search(-rows[0], 1).numbers.tolist() == [COUNT + 1]
    assert again.report().bytes < 100 * COUNT
    assert live.sum() == COUNT - 199


def test_codes_made_another_way_are_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows, queries = encoded_rows(COUNT, 64, seed=24), encoded_rows(20, 64, seed=25)
    monkeypatch.setattr(hierarchy, "way_to_scan", lambda: "signs")
    index = index_of(rows)
    index.search(rows[0], 10)
    monkeypatch.setattr(hierarchy, "way_to_scan", lambda: "cells")
    again, _ = reopened(index, tmp_path)
    assert recall(again, rows, queries) >= 0.995
    assert again.report().way == "cells"


def test_codes_of_other_rows_are_refused() -> None:
    index = index_of(encoded_rows(COUNT, 16, seed=26))
    index.search(encoded_rows(1, 16, seed=27)[0], 3)
    arrays, facts = index.arrays()
    fewer = index_of(encoded_rows(100, 16, seed=28))
    with pytest.raises(ValueError, match="do not belong to"):
        fewer.restore(np.ones(101, np.bool_), arrays, facts)


def reopened(index: Hierarchy, folder: Path) -> tuple[Hierarchy, np.ndarray]:
    arrays, facts = index.arrays()
    live = index._live.values.copy()
    write_cache(folder, "codes", arrays | {"rows": index.rows.values, "live": live}, facts)  # type: ignore[attr-defined]
    found = read_cache(folder, "codes")
    assert found is not None
    mapped, facts = found
    again = Hierarchy(VectorRows(mapped["rows"]), index.settings)
    again.restore(mapped["live"], mapped, facts)
    return again, live
