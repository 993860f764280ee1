"""What a category is about."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.art import CentredConfig, CentredState, insert, keywords, reassign, representatives, statistics, topics
from mnemoloom.errors import ValidationError
from unit.art.embeddings import grouped_rows

WORDS = [["dog", "park"], ["dog", "walk"], ["dog", "vet", "vet"], ["cake", "oven"], ["cake", "walk"]]
CELLS = np.array([4, 4, 4, 9, 9])


def test_keywords_are_frequent_inside_and_rare_elsewhere() -> None:
    named = keywords(CELLS, WORDS, keep=2)
    assert named[4][0] == "dog"
    assert named[9][0] == "cake"
    assert "walk" not in named[4] + named[9]


def test_a_word_said_twice_by_one_member_counts_once_and_ties_go_by_the_alphabet() -> None:
    assert keywords(np.array([1, 2]), [["b", "b", "a"], ["c"]])[1] == ("a", "b")


def test_every_member_needs_its_words() -> None:
    with pytest.raises(ValueError, match="shorter"):
        keywords(CELLS, WORDS[:3])


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


def test_topics_come_largest_first_with_all_that_they_are() -> None:
    rows = np.array([[1, 0, 0], [0.9, 0.1, 0], [1, 0.1, 0.1], [0, 1, 0], [0.1, 1, 0]], np.float32)
    state = CentredState(3)
    cells = insert(state, rows, CentredConfig(vigilance=0.5)).cells[:, 0]
    found = topics(state, rows, cells, WORDS, keep=1)
    assert [(topic.count, topic.keywords) for topic in found] == [(3, ("dog",)), (2, ("cake",))]
    assert [topic.id for topic in found] == [cells[0], cells[3]]
    assert found[0].representative in (0, 1, 2)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_topics_and_statistics_work_with_few_categories(n: int) -> None:
    rows = np.eye(n, 4, dtype=np.float32)
    state = CentredState(4)
    cells = insert(state, rows, CentredConfig(vigilance=0.99)).cells[:, 0]
    assert len(topics(state, rows, cells, [["word"]] * n)) == n
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
