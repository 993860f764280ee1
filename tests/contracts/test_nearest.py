"""Nearest is the exact order by cosine, and nothing else; what namespaces hold can be asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from conftest import OpenMemory
from mnemoloom import Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import DimensionMismatchError, EmbedderError, FilterError, ValidationError

TEXTS = [f"{noun} number {number}" for noun in ("the boat", "a kettle", "an old map") for number in range(7)]


def oracle(memory: Memory, query: str, ids: list[int]) -> list[tuple[int, float]]:
    """Ids and cosines by the definition, in float64."""
    row = HashingEmbedder(64).embed([query], query=True)[0].astype(np.float64)
    rows = memory.vectors(ids).astype(np.float64)
    cosines = rows @ row / np.linalg.norm(row)
    return sorted(zip(ids, cosines.tolist(), strict=True), key=lambda pair: (-round(pair[1], 6), pair[0]))


def test_nearest_agrees_with_the_definition(memory: Memory) -> None:
    ids = memory.remember_many(TEXTS)
    found = memory.nearest("the old boat")
    want = oracle(memory, "the old boat", ids)
    assert found.ids.tolist() == [memory_id for memory_id, _ in want]
    assert found.cosines == pytest.approx([cosine for _, cosine in want], abs=1e-6)
    assert memory.nearest("the old boat", 5).ids.tolist() == found.ids[:5].tolist()


def test_a_vector_stands_for_the_query_that_it_encodes(memory: Memory) -> None:
    memory.remember_many(TEXTS)
    row = 3.0 * HashingEmbedder(64).embed(["kettle"], query=True)[0]
    one, other = memory.nearest("kettle"), memory.nearest(vector=row)
    assert one.ids.tolist() == other.ids.tolist()
    assert one.cosines.tolist() == other.cosines.tolist()


def test_equal_texts_have_equal_cosines_in_every_namespace(memory: Memory) -> None:
    for labels, others in (("a",), 0), (("b",), 3), (("c",), 50):
        handle = memory.at(*labels)
        handle.remember_many([f"something else {number}" for number in range(others)])
        handle.remember("a kettle by the stove")
    cosines = {memory.at(label).nearest("the kettle", 1).cosines[0] for label in "abc"}
    assert len(cosines) == 1


def test_filters_and_tiers_hide_memories_and_change_no_cosine(memory: Memory) -> None:
    ids = memory.remember_many({"text": text, "metadata": {"odd": number % 2}} for number, text in enumerate(TEXTS))
    memory.move(ids[1], Tier.COLD)
    everything = dict(zip(*map(np.ndarray.tolist, memory.nearest("boat")), strict=True))
    odd = memory.nearest("boat", where={"metadata.odd": 1})
    assert set(odd.ids.tolist()) == set(ids[3::2])
    assert odd.cosines.tolist() == [everything[each] for each in odd.ids.tolist()]
    assert memory.nearest("boat", where={"tier": "cold"}).ids.tolist() == [ids[1]]


def test_memories_without_a_vector_are_not_near_anything(open_memory: OpenMemory, folder: Path) -> None:
    plain = open_memory(folder)
    plain.remember("a boat")
    assert plain.nearest(vector=[1.0, 0.0]).ids.tolist() == []
    plain.remember("a car", vector=[1.0, 1.0])
    assert plain.nearest(vector=[1.0, 0.0]).ids.tolist() == [2]


def test_nearest_refuses_what_it_cannot_compare(open_memory: OpenMemory, memory: Memory) -> None:
    memory.remember("a boat")
    with pytest.raises(ValidationError, match="one of them"):
        memory.nearest()
    with pytest.raises(ValidationError, match="one of them"):
        memory.nearest("boat", vector=[1.0])
    with pytest.raises(DimensionMismatchError):
        memory.nearest(vector=[1.0, 2.0])
    with pytest.raises(ValidationError, match="k must be"):
        memory.nearest("boat", 0)
    with pytest.raises(FilterError):
        memory.nearest("boat", where={"colour": "red"})
    with pytest.raises(EmbedderError, match="needs an embedder"):
        open_memory(":memory:").nearest("boat")


def test_the_async_twin_finds_the_same(memory: Memory) -> None:
    memory.remember_many(TEXTS)
    found = asyncio.run(memory.anearest("old map", 4, where={"id": {"$gt": 3}}))
    want = memory.nearest("old map", 4, where={"id": {"$gt": 3}})
    assert (found.ids.tolist(), found.cosines.tolist()) == (want.ids.tolist(), want.cosines.tolist())


def test_occupied_namespaces_are_those_that_hold_a_memory_now(memory: Memory) -> None:
    memory.at("a").remember("one")
    memory.at("b").remember("two")
    memory.at("a").forget(1)
    assert memory.namespaces() == [("a",), ("b",)]
    assert memory.namespaces(occupied=True) == asyncio.run(memory.anamespaces(occupied=True)) == [("b",)]


def test_a_memory_shows_its_embedder(memory: Memory, open_memory: OpenMemory, hashing: HashingEmbedder) -> None:
    assert memory.embedder is hashing
    assert memory.at("else").embedder is hashing
    assert open_memory(":memory:").embedder is None
