"""Lines are memories: what was put is found by the published formulas, and its anchor is in the chain."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import ConcertProfile, ManualClock, Memory
from mnemoloom.errors import ConfigError, DimensionMismatchError, MetadataError, ValidationError
from mnemoloom.pmll import MemoryLines

if TYPE_CHECKING:
    from conftest import OpenMemory

OpenLines = Callable[..., MemoryLines]


@pytest.fixture
def lines(open_memory: OpenMemory, clock: ManualClock) -> MemoryLines:
    """Lines of a memory without an embedder, whose keys bring vectors of width 2."""
    return MemoryLines(open_memory(":memory:", clock=clock))


def test_a_line_shows_what_was_put_and_the_published_measures(lines: MemoryLines, clock: ManualClock) -> None:
    first = lines.put("the harbour", {"berth": 4}, {"stage": "reflect"}, vector=[1.0, 0.0])
    clock.advance(6 * 3600)
    second = lines.put("the boat", [1.5, 2.0], vector=[0.6, 0.8])
    clock.advance(3 * 3600)
    near, far = lines.query("?", vector=[1.0, 0.0])
    assert (near.key, near.value, near.context) == ("the harbour", {"berth": 4}, {"stage": "reflect"})
    assert (far.key, far.value, far.context) == ("the boat", [1.5, 2.0], {})
    assert (near.anchor, far.anchor) == (first, second)
    assert second == lines.memory.verify().anchor == lines.memory.stats().anchor
    assert near.recency == pytest.approx(math.exp(-1.5), abs=1e-6)
    assert far.recency == pytest.approx(math.exp(-0.5), abs=1e-6)
    assert (near.similarity, far.similarity) == (pytest.approx(1.0), pytest.approx(0.6))
    assert (near.novelty, far.novelty) == (pytest.approx(1.0), pytest.approx(0.4))
    for line in (near, far):
        concert = 0.35 * line.recency + 0.50 * line.similarity + 0.08 * line.novelty
        assert line.weight == pytest.approx(concert)


def test_a_line_below_the_floor_is_not_found(lines: MemoryLines) -> None:
    lines.put("near", 1, vector=[1.0, 0.0])
    lines.put("far", 2, vector=[0.1, 1.0])
    assert [line.key for line in lines.query("?", vector=[1.0, 0.0])] == ["near"]
    wide = MemoryLines(lines.memory, ConcertProfile(floor=-1.0))
    assert [line.key for line in wide.query("?", vector=[1.0, 0.0])] == ["near", "far"]


def test_the_bias_is_the_mean_of_the_values_by_weight(lines: MemoryLines) -> None:
    assert lines.bias_vector("?", width=3, vector=[1.0, 0.0]).tolist() == [0.0, 0.0, 0.0]
    values = {"a": [1.0, 0.0, 2.0], "b": [0.0, 1.0, -1.0], "c": [5, 5, 5]}
    for (key, value), angle in zip(values.items(), (0.1, 0.4, 0.9), strict=True):
        lines.put(key, value, vector=[math.cos(angle), math.sin(angle)])
    lines.put("no numbers", "text", vector=[1.0, 0.0])
    found = {line.key: line.weight for line in lines.query("?", 9, vector=[1.0, 0.0]) if line.key in values}
    by_hand = sum(w * np.asarray(values[key], float) for key, w in found.items()) / sum(found.values())
    np.testing.assert_allclose(lines.bias_vector("?", 9, width=3, vector=[1.0, 0.0]), by_hand)
    with pytest.raises(DimensionMismatchError):
        lines.bias_vector("?", width=2, vector=[1.0, 0.0])
    for width in (0, True, 2.0):
        with pytest.raises(ValidationError, match="width"):
            lines.bias_vector("?", width=width, vector=[1.0, 0.0])  # type: ignore[arg-type]


def test_with_an_embedder_keys_and_questions_are_texts(memory: Memory) -> None:
    lines = MemoryLines(memory)
    memory.remember("The ferry leaves at nine.", metadata={"page": 3})
    lines.put("The harbour of Bergen is deep.", {"depth": 12})
    assert lines.query("The harbour of Bergen", 1)[0].value == {"depth": 12}
    (other,) = [line for line in lines.query("The ferry leaves at nine.") if line.key.startswith("The ferry")]
    assert (other.value, other.context) == ("The ferry leaves at nine.", {"page": 3})


def test_what_cannot_be_a_line_is_refused_and_nothing_is_stored(lines: MemoryLines) -> None:
    for wrong in (lambda: lines.put("key", 1), lambda: lines.query("key")):
        with pytest.raises(ValidationError, match="embedder"):
            wrong()
    with pytest.raises(MetadataError):
        lines.put("key", {1, 2}, vector=[1.0, 0.0])
    assert len(lines.memory) == 0
    with pytest.raises(ConfigError, match="gamma"):
        MemoryLines(lines.memory, ConcertProfile(gamma=0.0))


def test_the_async_twins_do_what_the_others_do(lines: MemoryLines) -> None:
    async def main() -> Any:
        anchor = await lines.aput("key", [2.0], vector=[1.0, 0.0])
        (line,) = await lines.aquery("?", vector=[1.0, 0.0])
        assert line.anchor == anchor == await lines.memory.aanchor(line.id)
        return await lines.abias_vector("?", width=1, vector=[1.0, 0.0])

    assert asyncio.run(main()).tolist() == [2.0]
