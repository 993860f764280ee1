from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mnemoloom.embedders import checked
from mnemoloom.embedders.checking import checked_tokens
from mnemoloom.errors import EmbedderAnswerError
from mnemoloom.ports import TokenVectors


def check(rows, *, count=2, width=None):
    return checked(rows, count=count, identity="acme/1", width=width)


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2, 3], [4, 5, 6]],
        np.arange(1, 7, dtype=np.float64).reshape(2, 3),
        np.asfortranarray(np.arange(1, 7, dtype=np.float16).reshape(2, 3)),
        np.arange(1, 13, dtype=np.int64).reshape(2, 6)[:, ::2] // 2 + 1,
    ],
)
def test_good_rows_become_contiguous_float32(rows):
    got = check(rows, width=3)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, np.asarray(rows))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[[1.0]], [[2.0]]], r"shape \(2, 1, 1\)"),
        (7.0, r"shape \(\)"),
        ([[1.0]], "2 texts, 1 rows"),
        ([[1.0, 2.0], [3.0]], "ragged"),
        ([[1.0, 2.0], [3.0, float("nan")]], "row 1 with NaN"),
        ([[1.0, float("-inf")], [3.0, 1.0]], "row 0 with NaN, infinity"),
        ([[1.0, 2.0], [0.0, -0.0]], "row 1 with only zeros"),
        ([[1.0, 2.0], [1e-60, 0.0]], "row 1 with only zeros"),
        ([[1.0, 2.0], [1e30, 0.0]], "row 1 with .* too large"),
        ([[1.0, 2.0], [1e300, 0.0]], "row 1 with .* too large"),
        ([["a", "b"], ["c", "d"]], "must answer with numbers"),
        ([[None, 1.0], [1.0, 1.0]], "must answer with numbers"),
        ([[True], [True]], "must answer with numbers"),
        ([[1j], [1j]], "must answer with numbers"),
        ([[], []], "width 1; got 0"),
        (None, "must answer with numbers"),
    ],
)
def test_bad_rows_are_refused_with_the_embedder_and_the_fault(rows, fault):
    with pytest.raises(EmbedderAnswerError, match=f"acme/1 .*{fault}"):
        check(rows)


def test_another_width_is_refused():
    with pytest.raises(EmbedderAnswerError, match="width 4; got 3"):
        check([[1, 2, 3], [4, 5, 6]], width=4)


@pytest.mark.parametrize(
    ("rows", "width", "shape"), [([], None, (0, 0)), ([], 5, (0, 5)), (np.zeros((0, 3)), 3, (0, 3))]
)
def test_no_texts_have_no_rows(rows, width, shape):
    assert check(rows, count=0, width=width).shape == shape


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=4), elements=st.floats(width=64)))
def test_whatever_passes_can_be_divided_by_its_length(rows):
    try:
        got = check(rows, count=len(rows))
    except EmbedderAnswerError:
        return
    unit = got / np.linalg.norm(got, axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, rtol=1e-3)


def test_good_token_vectors_become_float32():
    entries = [TokenVectors(("a", "b"), np.ones((2, 3))), TokenVectors((), np.zeros((0, 3)))]
    got = checked_tokens(entries, count=2, identity="acme/1")
    assert [entry.words for entry in got] == [("a", "b"), ()]
    assert [entry.vectors.shape for entry in got] == [(2, 3), (0, 3)]
    assert {entry.vectors.dtype for entry in got} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([], "tokens of 1 texts; got 0"),
        ([TokenVectors(("a",), np.ones((2, 3)))], "one vector a token"),
        ([TokenVectors(("a",), np.ones(1))], "one vector a token"),
        ([TokenVectors(("a",), np.full((1, 2), np.nan))], "NaN or infinity"),
    ],
)
def test_token_vectors_that_cannot_be_used_are_refused(entries, fault):
    with pytest.raises(EmbedderAnswerError, match=fault):
        checked_tokens(entries, count=1, identity="acme/1")
