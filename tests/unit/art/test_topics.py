"""What a category is about."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.art import CentredConfig, CentredState, insert, keywords, reassign, representatives, statistics
from mnemoloom.errors import ValidationError
from unit.art.embeddings import grouped_rows

DOG, CAKE, WALK, PARK, VET = range(5)
MEMBERS = np.array([0, 0, 1, 1, 2, 2, 3, 4, 4])
WORDS = np.array([DOG, PARK, DOG, WALK, DOG, VET, CAKE, CAKE, WALK])
CELLS = np.array([4, 4, 4, 9, 9])


def test_keywords_are_frequent_inside_and_rare_elsewhere() -> None:
    named = keywords(CELLS, MEMBERS, WORDS, keep=2)
    assert named[4][0] == DOG
    assert named[9][0] == CAKE
    assert named[4] == (DOG, PARK)
    assert keywords(CELLS, MEMBERS, WORDS)[9] == (CAKE, WALK)


def test_words_that_tell_a_category_equally_well_come_by_their_number() -> None:
    assert keywords(np.array([1, 2]), np.array([0, 0, 1]), np.array([7, 3, 5])) == {1: (3, 7), 2: (5,)}


def test_without_words_there_are_no_keywords() -> None:
    nothing = np.zeros(0, np.int64)
    assert keywords(nothing, nothing, nothing) == {}
    assert keywords(CELLS, nothing, nothing) == {}


def test_the_representative_is_the_member_nearest_to_the_prototype() -> None:
    rows, _ = grouped_rows(200, 6, seed=3)
    state = CentredState(32)
    placed = insert(state, rows, CentredConfig(vigilance=0.4))
    after = reassign(state, rows, placed.cells[:, 0], passes=4)
    cells = after.cells[:, 0]
    for cell, (member, coherence) in representatives(after.state, rows, cells).items():
        prototype = after.state.prototypes[after.state.ids.tolist().index(cell)]
        inside = np.flatnonzero(cells == cell)
        centred = rows[inside] - after.state.mean
        cosines = centred @ prototype / np.linalg.norm(centred, axis=1)
        assert member == inside[cosines.argmax()]
        assert coherence == pytest.approx(cosines.mean(), abs=1e-5)


def test_preferred_members_represent_before_all_others() -> None:
    rows = np.array([[1, 0, 0], [0.9, 0.1, 0], [1, 0.1, 0.1], [0, 1, 0], [0.1, 1, 0]], np.float32)
    state = CentredState(3)
    cells = insert(state, rows, CentredConfig(vigilance=0.5)).cells[:, 0]
    nearest = representatives(state, rows, cells)
    others = np.ones(5, np.bool_)
    others[[member for member, _ in nearest.values()]] = False
    preferred = representatives(state, rows, cells, prefer=others)
    for cell, (member, coherence) in preferred.items():
        assert others[member]
        assert cells[member] == cell
        assert coherence == nearest[cell][1]


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_representatives_and_statistics_work_with_few_categories(n: int) -> None:
    rows = np.eye(n, 4, dtype=np.float32)
    state = CentredState(4)
    cells = insert(state, rows, CentredConfig(vigilance=0.99)).cells[:, 0]
    assert len(representatives(state, rows, cells)) == n
    figures = statistics(state)
    assert (figures.categories, figures.members, figures.single) == (n, n, n)
    assert figures.effective == pytest.approx(n)


def test_statistics_tell_how_uneven_the_categories_are() -> None:
    rows = np.repeat(np.eye(2, 6, dtype=np.float32), (9, 1), axis=0)
    state = CentredState(6)
    insert(state, rows, CentredConfig(vigilance=0.5))
    figures = statistics(state)
    assert (figures.categories, figures.largest, figures.single, figures.mean_size) == (2, 9, 1, 5.0)
    assert figures.largest_share == 0.9
    assert 1.0 < figures.effective < 2.0


def test_a_member_of_a_category_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="not among"):
        representatives(CentredState(2), np.ones((1, 2), np.float32), np.array([0]))
