"""Centred spherical ART."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom.art import CentredConfig, CentredState, Placed, insert, match_rows, reassign, remove
from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError
from unit.art.embeddings import grouped_rows, rand_index

CONFIG = CentredConfig(vigilance=0.6)


def shown(rows: NDArray[np.float32], sizes: list[int], config: CentredConfig = CONFIG) -> tuple[CentredState, Placed]:
    """A state that saw rows in pieces of these sizes, over and over."""
    state, parts, start = CentredState(rows.shape[1]), [], 0
    while start < len(rows):
        step = sizes[len(parts) % len(sizes)]
        parts.append(insert(state, rows[start : start + step], config))
        start += step
    return state, Placed(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def assert_same_state(one: CentredState, other: CentredState) -> None:
    for name, array in one.arrays().items():
        np.testing.assert_allclose(array, other.arrays()[name], rtol=1e-6, atol=1e-6, err_msg=name)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 130), min_size=1, max_size=4), st.integers(0, 3))
def test_rows_shown_one_by_one_in_pieces_or_together_lead_to_the_same_state(sizes: list[int], seed: int) -> None:
    rows, _ = grouped_rows(300, 12, seed=seed)
    whole, placed = shown(rows, [len(rows)])
    pieces, placed_in_pieces = shown(rows, sizes)
    np.testing.assert_array_equal(placed.cells, placed_in_pieces.cells)
    np.testing.assert_array_equal(placed.founded, placed_in_pieces.founded)
    np.testing.assert_allclose(placed.match, placed_in_pieces.match, atol=1e-6)
    assert_same_state(whole, pieces)


def test_streaming_equals_batch_over_thousands_of_rows_too() -> None:
    rows, _ = grouped_rows(6_000, 40, seed=2)
    whole, placed = shown(rows, [len(rows)])
    single, placed_singly = shown(rows, [1])
    np.testing.assert_array_equal(placed.cells, placed_singly.cells)
    assert_same_state(whole, single)


def direct(rows: NDArray[np.float32], config: CentredConfig) -> tuple[list[int], list[int]]:
    """The docstring's formulas row by row, in float64, with lists of members and no sums kept."""
    members: list[list[int]] = []
    prototypes: list[NDArray[np.float64]] = []
    mean, refresh_at, first, second = np.zeros(rows.shape[1]), 1, [], []
    for number, row in enumerate(rows.astype(np.float64)):
        z = row - mean
        z /= np.linalg.norm(z)
        match = [float(z @ p) for p in prototypes]
        if not match or max(match) < config.vigilance:
            members.append([])
            prototypes.append(z)
            match.append(2.0)
        order = sorted(range(len(match)), key=lambda j: -match[j])
        members[order[0]].append(number)
        first.append(order[0])
        second.append(order[1] if len(order) > 1 else -1)
        if number + 1 == refresh_at:
            mean = rows[: number + 1].sum(axis=0, dtype=np.float64) / (number + 1 + config.prior)
            for j, inside in enumerate(members):
                p = (rows[inside].astype(np.float64) - mean).sum(axis=0)
                prototypes[j] = p / np.linalg.norm(p)
            refresh_at += min(refresh_at, max(64, refresh_at // 64))
    return first, second


def test_categories_are_those_of_the_formulas_worked_out_row_by_row() -> None:
    rows, _ = grouped_rows(500, 15, seed=7)
    _, placed = shown(rows, [len(rows)])
    first, second = direct(rows, CONFIG)
    assert placed.cells[:, 0].tolist() == first
    assert placed.cells[:, 1].tolist() == second


def test_sums_counts_and_total_are_those_of_the_members() -> None:
    rows, _ = grouped_rows(400, 9, seed=4)
    state, placed = shown(rows, [37])
    for cell, count, total in zip(state.ids, state.counts, state.sums, strict=True):
        inside = rows[placed.cells[:, 0] == cell]
        assert len(inside) == count
        np.testing.assert_allclose(total, inside.sum(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(state.total, rows.sum(axis=0), rtol=1e-4)
    assert (state.rows, state.counts.sum()) == (400, 400)


def test_groups_are_found_although_all_rows_lean_the_same_way() -> None:
    rows, labels = grouped_rows(1_500, 10, seed=1, lean=2.0)
    state, placed = shown(rows, [len(rows)])
    after = reassign(state, rows, placed.cells[:, 0], CONFIG)
    assert rand_index(labels, after.cells[:, 0]) > 0.95


def test_without_centring_the_same_rows_collapse_into_one_category() -> None:
    rows, _ = grouped_rows(1_500, 10, seed=1, lean=2.0)
    state, _ = shown(rows, [len(rows)], CentredConfig(vigilance=0.6, prior=1e12))
    assert state.counts.max() > 0.9 * len(rows)


def test_the_order_of_arrival_hardly_matters_after_sleep() -> None:
    rows, _ = grouped_rows(1_200, 12, seed=3)
    partitions = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        state, placed = shown(rows[order], [len(rows)])
        partition = np.empty(len(rows), np.int64)
        partition[order] = reassign(state, rows[order], placed.cells[:, 0], CONFIG).cells[:, 0]
        partitions.append(partition)
    assert rand_index(partitions[0], partitions[1]) > 0.95
    assert rand_index(partitions[0], partitions[2]) > 0.95


def test_each_founder_is_told_and_matches_nothing_before_it() -> None:
    rows, _ = grouped_rows(300, 8, seed=6)
    state, placed = shown(rows, [300])
    assert placed.founded.sum() == state.size
    assert (placed.match[placed.founded] < CONFIG.vigilance).all()
    assert (placed.match[~placed.founded] >= CONFIG.vigilance).all()
    assert placed.match[0] == -1.0
    _, first = np.unique(placed.cells[:, 0], return_index=True)
    assert set(first.tolist()) == set(np.flatnonzero(placed.founded).tolist())


def test_orthogonal_rows_at_a_high_vigilance_have_a_category_each() -> None:
    state, placed = shown(np.eye(6, dtype=np.float32), [6], CentredConfig(vigilance=0.99))
    assert placed.cells[:, 0].tolist() == list(range(6))
    assert state.size == 6


def test_the_same_row_again_joins_the_category_of_the_first() -> None:
    row = np.eye(1, 8, dtype=np.float32)
    state, placed = shown(np.repeat(row, 500, axis=0), [7])
    assert state.size == 1
    assert placed.cells[:, 0].tolist() == [0] * 500
    assert placed.cells[:, 1].tolist() == [-1] * 500


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_sleep_and_matching_work_with_few_categories(n: int) -> None:
    rows = np.eye(n, 4, dtype=np.float32)
    state, placed = (
        shown(rows, [1], CentredConfig(vigilance=0.99)) if n else (CentredState(4), insert(CentredState(4), rows))
    )
    after = reassign(state, rows, placed.cells[:, 0])
    assert (after.state.size, after.moved) == (n, 0)
    assert match_rows(after.state, np.ones((2, 4))).shape == (2, n)
    assert (after.cells[:, 1] == -1).all() == (n < 2)


def test_sleep_leaves_the_state_that_came_in_as_it_was() -> None:
    rows, _ = grouped_rows(300, 8, seed=6)
    state, placed = shown(rows, [300])
    before = {name: array.copy() for name, array in state.arrays().items()}
    reassign(state, rows, placed.cells[:, 0], CONFIG)
    for name, array in state.arrays().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_sleep_repeated_comes_to_rest() -> None:
    rows, _ = grouped_rows(1_000, 12, seed=5)
    state, placed = shown(rows, [1_000])
    cells = placed.cells[:, 0]
    for _ in range(10):
        after = reassign(state, rows, cells, CONFIG)
        state, cells = after.state, after.cells[:, 0]
    assert after.moved == 0


def test_sleep_keeps_ids_adds_no_category_and_never_gives_an_id_out_again() -> None:
    rows, _ = grouped_rows(600, 10, seed=8)
    state, placed = shown(rows, [600], CentredConfig(vigilance=0.8))
    after = reassign(state, rows, placed.cells[:, 0], CentredConfig(vigilance=0.8, merge=0.5))
    assert after.state.size < state.size
    assert set(after.state.ids.tolist()) <= set(state.ids.tolist())
    assert after.state.next_id == state.next_id
    stranger = -after.state.prototypes.sum(axis=0, keepdims=True)
    assert insert(after.state, stranger, CentredConfig(vigilance=0.99)).cells[0, 0] == state.next_id


def test_close_categories_become_one_at_sleep() -> None:
    rows, labels = grouped_rows(400, 3, seed=2, noise=0.8)
    strict = CentredConfig(vigilance=0.8, merge=2.0)
    state, placed = shown(rows, [400], strict)
    apart = reassign(state, rows, placed.cells[:, 0], strict)
    merged = reassign(state, rows, placed.cells[:, 0], CentredConfig(vigilance=0.8, merge=0.5))
    assert merged.state.size < apart.state.size
    assert rand_index(labels, merged.cells[:, 0]) > rand_index(labels, apart.cells[:, 0])


def test_each_row_sleeps_in_its_best_category_and_the_next_best_beside_it() -> None:
    rows, _ = grouped_rows(300, 8, seed=6)
    state, placed = shown(rows, [300])
    after = reassign(state, rows, placed.cells[:, 0], CONFIG, passes=30)
    match = match_rows(after.state, rows)
    order = np.argsort(-match, axis=1)
    np.testing.assert_array_equal(after.cells, after.state.ids[order[:, :2]])


def test_removed_members_leave_the_sums_as_if_they_had_never_been() -> None:
    rows, _ = grouped_rows(400, 9, seed=4)
    state, placed = shown(rows, [400])
    remove(state, rows[100:], placed.cells[100:, 0])
    assert state.rows == 100
    for cell, count, total in zip(state.ids, state.counts, state.sums, strict=True):
        inside = rows[:100][placed.cells[:100, 0] == cell]
        assert len(inside) == count
        np.testing.assert_allclose(total, inside.sum(axis=0, initial=0.0), atol=1e-4)


def test_a_category_without_members_goes_at_the_next_sleep() -> None:
    rows, _ = grouped_rows(200, 5, seed=4)
    state, placed = shown(rows, [200])
    gone = placed.cells[:, 0] == placed.cells[0, 0]
    remove(state, rows[gone], placed.cells[gone, 0])
    after = reassign(state, rows[~gone], placed.cells[~gone, 0], CONFIG)
    assert placed.cells[0, 0] not in after.state.ids
    assert (after.state.counts > 0).all()


def test_everything_can_be_removed_and_new_rows_come_in_again() -> None:
    rows, _ = grouped_rows(100, 4, seed=4)
    state, placed = shown(rows, [100])
    remove(state, rows, placed.cells[:, 0])
    empty = reassign(state, rows[:0], placed.cells[:0, 0]).state
    assert (empty.size, empty.rows) == (0, 0)
    assert insert(empty, rows).cells[0, 0] == state.next_id


def test_more_members_than_there_are_cannot_be_removed_and_nothing_changes() -> None:
    rows, _ = grouped_rows(10, 2, seed=4)
    state, placed = shown(rows, [10])
    before = state.copy()
    twice = np.concatenate((rows, rows)), np.concatenate((placed.cells[:, 0], placed.cells[:, 0]))
    with pytest.raises(ValidationError, match="more were removed"):
        remove(state, *twice)
    with pytest.raises(ValidationError, match="there is no category 99"):
        remove(state, rows[:1], np.array([99]))
    assert_same_state(state, before)


def test_a_saved_state_goes_on_as_if_it_had_not_been_saved() -> None:
    rows, _ = grouped_rows(500, 9, seed=4)
    state, _ = shown(rows[:250], [250])
    saved = state.arrays()
    for array in saved.values():
        array.flags.writeable = False
    loaded = CentredState.from_arrays(saved)
    for array in saved.values():
        array.flags.writeable = True
    one, other = insert(state, rows[250:], CONFIG), insert(loaded, rows[250:], CONFIG)
    np.testing.assert_array_equal(one.cells, other.cells)
    for name, array in state.arrays().items():
        np.testing.assert_array_equal(array, loaded.arrays()[name], err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused_and_nothing_changes(value: float) -> None:
    state = CentredState(3)
    with pytest.raises(ValidationError, match="finite"):
        insert(state, np.array([[1.0, 0.0, 0.0], [0.0, value, 0.0]]))
    assert (state.size, state.shown) == (0, 0)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(DimensionMismatchError, match="width 3; got 4"):
        insert(CentredState(3), np.zeros((1, 4)))


@pytest.mark.parametrize("setting", [{"vigilance": 1.5}, {"prior": 0.0}, {"merge": 0.0}])
def test_settings_outside_their_bounds_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"CentredConfig.{next(iter(setting))} must be"):
        CentredConfig(**setting)
