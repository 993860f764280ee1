"""Growing arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.columns import Column, Table


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=300))
def test_a_column_equals_a_list_behind_its_reserved_row(values: list[int]) -> None:
    column = Column(np.int32)
    for value in values:
        column.append(value)
    assert column.values.tolist() == [0, *values]
    assert len(column) == len(values) + 1


def test_a_column_of_rows_grows_by_rows() -> None:
    column = Column(np.float32, width=3)
    for number in range(200):
        column.append([number, 0, -number])
    assert column.values.shape == (201, 3)
    assert column.values[200].tolist() == [199, 0, -199]


def test_a_view_is_not_changed_by_later_appends() -> None:
    column = Column(np.int64)
    views = []
    for number in range(1, 400):
        column.append(number)
        views.append(column.values)
    for length, view in enumerate(views, start=2):
        assert view.tolist() == list(range(length))


def test_a_read_only_base_is_copied_when_something_is_appended() -> None:
    base = np.arange(5, dtype=np.int64)
    base.flags.writeable = False
    column = Column(np.int64, data=base)
    assert np.shares_memory(column.values, base)
    column.append(9)
    assert column.values.tolist() == [0, 1, 2, 3, 4, 9]
    assert base.tolist() == [0, 1, 2, 3, 4]


def test_a_read_only_base_is_copied_when_something_is_changed() -> None:
    base = np.arange(5, dtype=np.int64)
    base.flags.writeable = False
    column = Column(np.int64, data=base)
    column[2] = 77
    assert column.values.tolist() == [0, 1, 77, 3, 4]
    assert base.tolist() == [0, 1, 2, 3, 4]


def test_a_changed_value_survives_growth() -> None:
    column = Column(np.bool_)
    for _ in range(70):
        column.append(True)
    column[64] = False
    for _ in range(100):
        column.append(True)
    assert np.flatnonzero(~column.values).tolist() == [0, 64]


@given(st.lists(st.integers(0, 9), max_size=150), st.lists(st.integers(0, 9), max_size=150))
def test_extending_by_rows_equals_appending_them_one_by_one(first: list[int], then: list[int]) -> None:
    extended, appended = Column(np.int32), Column(np.int32)
    for rows in (first, then):
        view, before = extended.values, extended.values.tolist()
        extended.extend(np.array(rows, np.int32))
        assert view.tolist() == before
        for row in rows:
            appended.append(row)
    assert extended.values.tolist() == appended.values.tolist()


def test_a_read_only_base_is_copied_when_it_is_extended() -> None:
    base = np.arange(4, dtype=np.int8)
    base.flags.writeable = False
    column = Column(np.int8, data=base)
    column.extend(np.array([7, 8], np.int8))
    assert column.values.tolist() == [0, 1, 2, 3, 7, 8]
    assert base.tolist() == [0, 1, 2, 3]


def test_rows_added_behind_those_of_a_file_leave_the_file_where_it_is() -> None:
    mapped = np.arange(12, dtype=np.float32).reshape(4, 3)
    mapped.flags.writeable = False
    table = Table(np.float32, 3, base=mapped)
    table.append([7, 8, 9])
    table.extend(np.ones((2, 3), np.float32))
    assert len(table) == 7
    assert np.shares_memory(table.blocks[0], mapped)
    assert table.resident_bytes < 64 * 3 * 4
    expected = np.concatenate((mapped, [[7, 8, 9]], np.ones((2, 3))))
    numbers = np.array([6, 0, 4, 3, 0])
    np.testing.assert_array_equal(table.take(numbers), expected[numbers])
    np.testing.assert_array_equal(table[4], expected[4])
    np.testing.assert_array_equal(np.concatenate(table.blocks), expected)


def test_rows_in_one_array_are_copied_once_and_grow_on() -> None:
    mapped = np.zeros((4, 3), np.float32)
    mapped.flags.writeable = False
    table = Table(np.float32, 3, base=mapped)
    table.append([1, 1, 1])
    whole = table.values
    assert np.shares_memory(whole, table.values)
    table.append([2, 2, 2])
    table[0] = [3, 3, 3]
    assert table.values.tolist() == [[3, 3, 3], *[[0, 0, 0]] * 3, [1, 1, 1], [2, 2, 2]]
    assert not mapped.any()


def test_a_row_of_a_file_is_changed_in_memory_alone() -> None:
    mapped = np.zeros((4, 3), np.float32)
    mapped.flags.writeable = False
    table = Table(np.float32, 3, base=mapped)
    table.append([1, 1, 1])
    table[2] = [5, 5, 5]
    table[4] = [6, 6, 6]
    assert table.values[[2, 4]].tolist() == [[5, 5, 5], [6, 6, 6]]
    assert not mapped.any()


def test_a_table_without_a_file_is_one_view() -> None:
    table = Table(np.int8, 2)
    table.extend(np.ones((3, 2), np.int8))
    assert table.values.tolist() == [[0, 0], [1, 1], [1, 1], [1, 1]]
    assert np.shares_memory(table.values, table.blocks[0])
