"""Verbs that take many memories: all or none, in order, unknown ones refused or skipped."""

import asyncio

import numpy as np
import pytest

from mnemoloom import Memory
from mnemoloom.errors import UnknownMemoryError, ValidationError


@pytest.fixture
def memory():
    with Memory.open(":memory:") as opened:
        yield opened


def test_forget_many_takes_ids_and_external_ids_and_counts_each_once(memory):
    ids = memory.remember_many(["one", {"text": "two", "external_id": "b"}, "three"])
    assert memory.forget_many([ids[0], "b", ids[1]]) == 2
    assert [record.text for record in memory.records()] == ["three"]


def test_forget_many_forgets_nothing_when_one_key_is_unknown(memory):
    ids = memory.remember_many(["one", "two"])
    with pytest.raises(UnknownMemoryError, match="999"):
        memory.forget_many([*ids, 999])
    assert len(memory) == 2


def test_forget_many_skips_unknown_keys_when_told_to(memory):
    ids = memory.remember_many(["one", "two"])
    assert memory.forget_many([ids[0], 999, "nobody"], missing="skip") == 1
    assert memory.forget_many([ids[0]], missing="skip") == 0


def test_forget_many_survives_reopening(tmp_path):
    with Memory.open(tmp_path) as memory:
        ids = memory.remember_many(["one", "two", "three"])
        memory.forget_many(ids[:2])
    with Memory.open(tmp_path) as memory:
        assert [record.text for record in memory.records()] == ["three"]
        assert memory.verify().ok


@pytest.mark.parametrize("keys", ["b", [True], [1.5], [None]])
def test_forget_many_refuses_what_names_no_memory(memory, keys):
    memory.remember("one")
    with pytest.raises(ValidationError):
        memory.forget_many(keys)
    with pytest.raises(ValidationError):
        memory.forget_many([], missing="ignore")


def test_forget_many_cannot_reach_another_namespace(memory):
    theirs = memory.at("other").remember("theirs")
    with pytest.raises(UnknownMemoryError):
        memory.forget_many([theirs])
    assert memory.forget_many([theirs], missing="skip") == 0
    assert len(memory.at("other")) == 1


def test_vectors_come_as_unit_rows_in_the_order_asked(memory):
    first = memory.remember("one", vector=[3.0, 4.0])
    second = memory.remember("two", vector=[0.0, 2.0], external_id="b")
    bare = memory.remember("three")
    rows = memory.vectors(["b", first, bare, second])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0, 1], [0.6, 0.8], [0, 0], [0, 1]], atol=1e-6)
    rows[:] = 0  # a copy: the memory keeps its own
    assert memory.vectors([first])[0, 0] > 0


def test_vectors_of_an_empty_or_unencoded_store_have_a_shape(memory):
    assert memory.vectors([]).shape[0] == 0
    assert len(memory.vectors([memory.remember("one")])) == 1
    with pytest.raises(UnknownMemoryError):
        memory.vectors([12])


def test_the_async_twins_do_the_same(memory):
    async def run():
        ids = await memory.aremember_many([{"text": "one", "vector": [1.0, 0.0]}, "two"])
        rows = await memory.avectors(ids[:1])
        return rows, await memory.aforget_many(ids)

    rows, gone = asyncio.run(run())
    assert rows.tolist() == [[1.0, 0.0]]
    assert gone == 2
