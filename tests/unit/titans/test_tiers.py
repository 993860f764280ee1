"""The short-term window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.errors import ValidationError
from mnemoloom.titans import Window, fetch, peek, pop, push, rewind


def window_of(*ids: int, size: int = 10) -> Window:
    return push(Window.empty(size), list(ids))[0]


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(0, 8))
def test_the_window_holds_exactly_the_last_n_and_what_leaves_is_told(ids: list[int], size: int) -> None:
    window, model, left, model_left = Window.empty(size), [], [], []
    for each in ids:
        window, gone = push(window, each)
        left += gone.tolist()
        model = [kept for kept in model if kept != each] + [each]
        while len(model) > size:
            model_left.append(model.pop(0))
    assert window.ids.tolist() == model
    assert left == model_left


@given(st.lists(st.integers(0, 20), max_size=30), st.lists(st.integers(0, 20), max_size=30), st.integers(0, 12))
def test_many_pushed_together_leave_the_window_of_one_after_another(a: list[int], b: list[int], size: int) -> None:
    start = push(Window.empty(size), a)[0]
    together = push(start, b)[0]
    singly = start
    for each in b:
        singly = push(singly, each)[0]
    assert together.ids.tolist() == singly.ids.tolist()


def test_peek_tells_the_newest_and_takes_nothing() -> None:
    window = window_of(3, 1, 2)
    assert (peek(window), peek(window), len(window.ids)) == (2, 2, 3)


def test_pop_takes_the_newest_first_and_leaves_the_window_that_came_in() -> None:
    window = window_of(3, 1, 2)
    after, newest = pop(window)
    assert (newest, after.ids.tolist(), window.ids.tolist()) == (2, [3, 1], [3, 1, 2])
    after, newest = pop(after)
    assert newest == 1


def test_an_empty_window_has_nothing_to_peek_at_or_pop() -> None:
    empty = Window.empty(4)
    assert peek(empty) is None
    assert pop(empty) == (empty, None)
    assert fetch(empty) == list(rewind(empty)) == []


def test_a_window_of_size_zero_holds_nothing() -> None:
    window, left = push(Window.empty(0), [1, 2])
    assert (window.ids.tolist(), left.tolist()) == ([], [1, 2])


def test_fetch_gives_all_oldest_first_and_of_those_with_one_key_the_newest() -> None:
    window, keys = window_of(1, 2, 3, 4), {1: "home", 3: "home", 4: "job"}
    assert fetch(window) == [1, 2, 3, 4]
    assert fetch(window, keys) == [2, 3, 4]
    assert fetch(window, keys, newest_overrides=False) == [1, 2, 4]
    assert window.ids.tolist() == [1, 2, 3, 4]


def test_an_id_without_a_key_is_never_taken_for_a_key() -> None:
    assert fetch(window_of(1, 2), {1: 2}) == [1, 2]


@pytest.mark.parametrize(("depth", "wanted"), [(None, [4, 3, 2, 1]), (0, []), (2, [4, 3]), (9, [4, 3, 2, 1])])
def test_rewind_goes_back_as_far_as_asked(depth: int | None, wanted: list[int]) -> None:
    assert list(rewind(window_of(1, 2, 3, 4), depth)) == wanted
    assert list(rewind(window_of(1, 2, 3, 4), depth, newest_first=False)) == wanted[::-1]


def test_rewind_passes_a_hundred_thousand_entries_without_recursion() -> None:
    window = push(Window.empty(100_000), np.arange(100_000))[0]
    assert list(rewind(window)) == list(range(99_999, -1, -1))


def test_rewind_ends_when_there_is_nothing_left() -> None:
    steps = rewind(window_of(7))
    assert next(steps) == 7
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.parametrize("depth", [-1, 1.5, True])
def test_a_depth_that_is_no_count_is_refused(depth: object) -> None:
    with pytest.raises(ValidationError, match="depth must be"):
        rewind(window_of(1), depth)


@pytest.mark.parametrize("size", [-1, 2.0, True])
def test_a_size_that_is_no_count_is_refused(size: object) -> None:
    with pytest.raises(ValidationError, match="size must be"):
        Window.empty(size)
