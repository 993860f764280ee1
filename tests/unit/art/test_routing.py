"""Looking only where the categories point."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.art import CentredConfig, CentredState, insert, lists_of, match_rows, reassign, route
from mnemoloom.errors import ValidationError
from unit.art.embeddings import grouped_rows

CONFIG = CentredConfig(vigilance=0.4)


def test_the_lists_hold_each_memory_under_both_of_its_categories() -> None:
    cells = np.array([[7, 3], [3, -1], [9, 7]])
    lists = lists_of(cells, np.array([3, 5, 7, 9]))
    under = [lists.members[lists.starts[j] : lists.starts[j + 1]].tolist() for j in range(4)]
    assert under == [[0, 1], [], [0, 2], [2]]
    assert lists.size == 3


def test_single_categories_make_lists_too() -> None:
    assert lists_of(np.array([3, 3, 5]), np.array([3, 5])).starts.tolist() == [0, 2, 3]


def test_a_category_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no category 4"):
        lists_of(np.array([[3, 4]]), np.array([3, 5]))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_no_more_than_the_share_is_looked_at_and_nothing_twice(share: float) -> None:
    rows, _ = grouped_rows(500, 12, seed=1)
    state = CentredState(32)
    placed = insert(state, rows, CONFIG)
    found = route(state, lists_of(placed.cells, state.ids), rows[3], share=share)
    assert len(found) == len(set(found.tolist())) == int(share * 500)


def test_the_nearest_categories_come_first() -> None:
    rows, _ = grouped_rows(500, 12, seed=1)
    state = CentredState(32)
    placed = insert(state, rows, CONFIG)
    lists = lists_of(placed.cells[:, 0], state.ids)
    order = state.ids[np.argsort(-match_rows(state, rows[3:4])[0])]
    found = placed.cells[route(state, lists, rows[3], share=1.0), 0]
    assert [int(cell) for cell in dict.fromkeys(found.tolist())] == order.tolist()


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_routing_works_with_few_categories(n: int) -> None:
    rows = np.eye(n, 4, dtype=np.float32)
    state = CentredState(4)
    placed = insert(state, rows, CentredConfig(vigilance=0.99))
    assert state.size == n
    assert sorted(route(state, lists_of(placed.cells, state.ids), np.ones(4), share=1.0).tolist()) == list(range(n))


def test_most_of_the_exact_neighbours_are_found_in_a_fifth_of_the_memories() -> None:
    rows, _ = grouped_rows(3_000, 40, seed=5, noise=1.0)
    stored, queries = rows[:2_900], rows[2_900:]
    state = CentredState(32)
    placed = insert(state, stored, CONFIG)
    after = reassign(state, stored, placed.cells[:, 0], CONFIG)
    lists = lists_of(after.cells, after.state.ids)
    kept = 0
    for query in queries:
        exact = set(np.argsort(-(stored @ query))[:10].tolist())
        kept += len(exact & set(route(after.state, lists, query, share=0.2).tolist()))
    assert kept / 1_000 > 0.95


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_outside_its_bounds_is_refused(share: float) -> None:
    state = CentredState(2)
    with pytest.raises(ValidationError, match=r"share must be in \(0, 1\]"):
        route(state, lists_of(np.zeros((0, 2), np.int64), state.ids), np.ones(2), share=share)
