"""Categories that are made from their members alone, and sorted again by sleep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.art import CentredConfig, CentredState, insert, reassign, recentre, remove, resume, state_of
from unit.art.embeddings import grouped_rows

CONFIG = CentredConfig(vigilance=0.4)


def same(one: CentredState, other: CentredState) -> bool:
    arrays = other.arrays()
    return all(np.allclose(array, arrays[name], atol=1e-6) for name, array in one.arrays().items())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 120), st.integers(0, 5), st.data())
def test_a_state_that_was_kept_goes_on_like_one_made_from_its_members(n: int, seed: int, data: st.DataObject) -> None:
    rows, _ = grouped_rows(n + 40, 6, seed=seed)
    kept = CentredState(rows.shape[1])
    cells = insert(kept, rows[:n], CONFIG).cells[:, 0]
    gone = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=n // 2, unique=True)), np.int64)
    remove(kept, rows[gone], cells[gone])
    resume(kept, CONFIG)
    there = np.setdiff1d(np.arange(n), gone)
    made = state_of(rows[there], cells[there], next_id=kept.next_id, config=CONFIG)
    assert same(kept, made)
    assert np.array_equal(insert(kept, rows[n:], CONFIG).cells, insert(made, rows[n:], CONFIG).cells)


def test_a_state_made_from_nothing_takes_its_first_row() -> None:
    state = state_of(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), next_id=7)
    assert (state.size, state.rows) == (0, 0)
    assert insert(state, np.eye(1, 4, dtype=np.float32)).cells.tolist() == [[7, -1]]


@pytest.mark.parametrize("vigilance", [-1.0, 0.35, 1.0])
def test_the_first_row_founds_a_category_whatever_the_vigilance(vigilance: float) -> None:
    state = CentredState(4)
    placed = insert(state, np.eye(3, 4, dtype=np.float32), CentredConfig(vigilance=vigilance))
    assert placed.founded[0]
    assert placed.cells[0].tolist() == [0, -1]
    assert placed.match[0] == -1.0


def test_sleep_from_members_is_sleep_from_the_state() -> None:
    rows, _ = grouped_rows(300, 6, seed=2)
    state = CentredState(rows.shape[1])
    cells = insert(state, rows, CONFIG).cells[:, 0]
    resume(state, CONFIG)
    wanted = reassign(state, rows, cells, CONFIG)
    got = recentre(rows, cells, next_id=state.next_id, config=CONFIG)
    assert np.array_equal(got.cells, wanted.cells)
    assert got.moved == wanted.moved
    assert (got.before, got.after) == (state.size, wanted.state.size)


def test_sleep_also_sorts_what_has_no_category_yet() -> None:
    rows, _ = grouped_rows(200, 6, seed=4)
    state = CentredState(rows.shape[1])
    cells = np.full(200, -1)
    cells[:150] = insert(state, rows[:150], CONFIG).cells[:, 0]
    got = recentre(rows, cells, next_id=state.next_id, config=CONFIG)
    assert (got.cells[:, 0] >= 0).all()
    new = np.setdiff1d(got.cells[:, 0], cells)
    assert (new >= state.next_id).all()
    assert got.next_id > max(got.cells[:, 0])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_sleep_works_with_next_to_nothing(n: int) -> None:
    rows = np.eye(n, 4, dtype=np.float32)
    got = recentre(rows, np.full(n, -1), next_id=3)
    assert got.cells.shape == (n, 2)
    assert (got.before, got.after, got.moved) == (0, n, 0)
