"""A question that makes no sense is refused with a typed error, and nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Memory, Tier
from mnemoloom.errors import (
    ConfigError,
    DimensionMismatchError,
    FilterError,
    LoomError,
    StoreClosedError,
    TextError,
    UnknownMemoryError,
    ValidationError,
    VectorError,
)

if TYPE_CHECKING:
    from conftest import Refused

SURROGATE = "half a pair: \ud83d"
Act = Callable[[Memory], object]


@pytest.fixture
def started(memory: Memory) -> Memory:
    """A memory that holds three texts, encoded with 64 numbers."""
    memory.remember_many(
        [{"text": "The violin is in the attic.", "speaker": "Ann", "external_id": "violin"}, "The boat.", "The map."]
    )
    return memory


@pytest.mark.parametrize(
    "query",
    ["", "  ", "a\0b", SURROGATE, "x" * (2 << 20), None, 7, b"bytes"],
    ids=["empty", "blank", "NUL", "surrogate", "2 MiB", "None", "number", "bytes"],
)
def test_a_query_that_is_no_text_is_refused(started: Memory, refused: Refused, query: Any) -> None:
    with refused(started, TextError, "query"):
        started.recall(query)
    with refused(started, TextError, "query"):
        started.why(query, 1)


@pytest.mark.parametrize("k", [0, -1, 1001, True, "5", 2.0, None])
def test_a_count_outside_its_bounds_is_refused(started: Memory, refused: Refused, k: Any) -> None:
    with refused(started, ValidationError, "k must"):
        started.recall("violin", k=k)
    with refused(started, ValidationError, "k must"):
        started.why("violin", 1, k=k)


@pytest.mark.parametrize("expand", [-1, 1001, True, "1"])
def test_a_number_of_neighbours_outside_its_bounds_is_refused(started: Memory, refused: Refused, expand: Any) -> None:
    with refused(started, ValidationError, "expand"):
        started.recall("violin", expand=expand)


@pytest.mark.parametrize("profile", ["dialog", "Dense", " ", 7, object, {"dense": 1.0}], ids=repr)
def test_an_unknown_profile_is_refused(started: Memory, refused: Refused, profile: Any) -> None:
    with refused(started, ConfigError, "profile"):
        started.recall("violin", profile=profile)


@pytest.mark.parametrize(
    "where",
    [
        {"colour": "red"},
        {"metadata": "red"},
        {"metadata.a": {"$like": "x"}},
        {"metadata.a": {"gte": 1}},
        {"speaker": {"$gt": None}},
        {"speaker": 7},
        {"tier": "warm"},
        {"time": "yesterday"},
        {"$nor": []},
        {"$and": []},
        {"metadata.a": float("nan")},
        {"metadata.a": SURROGATE},
        {SURROGATE: "x"},
        {"metadata.a": {"$in": "abc"}},
        "speaker = 'Ann'",
        7,
    ],
    ids=repr,
)
def test_a_filter_with_an_unknown_field_operator_or_operand_is_refused(
    started: Memory, refused: Refused, where: Any
) -> None:
    with refused(started, FilterError):
        started.recall("violin", where=where)
    with refused(started, FilterError):
        started.why("violin", 1, where=where)
    with refused(started, FilterError):
        list(started.records(where))


@pytest.mark.parametrize(
    "options",
    [
        {"speaker": 7},
        {"speaker": SURROGATE},
        {"speaker": ["Ann", 7]},
        {"session": b"x"},
        {"after": "yesterday"},
        {"before": float("nan")},
        {"tier": "warm"},
        {"tier": ["cold", "warm"]},
        {"tier": 7},
        {"tier": [["cold"]]},
    ],
    ids=repr,
)
def test_a_restriction_of_the_wrong_kind_is_refused(started: Memory, refused: Refused, options: dict[str, Any]) -> None:
    with refused(started, FilterError):
        started.recall("violin", **options)
    with refused(started, FilterError):
        started.why("violin", 1, **options)


BAD_ROWS = {
    "NaN": np.full(64, np.nan),
    "infinity": np.full(64, np.inf),
    "zeros": np.zeros(64),
    "nothing": [],
    "a matrix": np.ones((1, 64)),
    "a number": 5.0,
    "words": ["one"] * 64,
    "a string": "1.0",
    "beyond float32": [1e300] * 64,
    "complex": np.ones(64) * 1j,
}


@pytest.mark.parametrize("vector", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_query_vector_that_is_no_row_of_finite_numbers_is_refused(
    started: Memory, refused: Refused, vector: Any
) -> None:
    with refused(started, VectorError, "vector"):
        started.recall("violin", vector=vector)
    with refused(started, VectorError, "vector"):
        started.why("violin", 1, vector=vector)


@pytest.mark.parametrize("width", [1, 63, 65])
def test_a_query_vector_of_another_width_is_refused(started: Memory, refused: Refused, width: int) -> None:
    with refused(started, DimensionMismatchError, f"width 64; got {width}"):
        started.recall("violin", vector=np.ones(width))


UNKNOWN = [4, 0, -1, (1 << 63) - 1, 1 << 63, -(1 << 70), "nobody", "", "a\0b"]


@pytest.mark.parametrize("key", UNKNOWN, ids=repr)
@pytest.mark.parametrize(
    "act",
    [
        lambda memory, key: memory.get(key),
        lambda memory, key: memory.forget(key),
        lambda memory, key: memory.pin(key),
        lambda memory, key: memory.unpin(key),
        lambda memory, key: memory.move(key, Tier.COLD),
    ],
    ids=["get", "forget", "pin", "unpin", "move"],
)
def test_an_unknown_memory_is_named(
    started: Memory, refused: Refused, act: Callable[[Memory, Any], object], key: Any
) -> None:
    with refused(started, UnknownMemoryError, "no memory with id"):
        act(started, key)


@pytest.mark.parametrize("key", [key for key in UNKNOWN if isinstance(key, int)], ids=repr)
def test_why_loses_an_unknown_memory_at_the_namespace(started: Memory, key: int) -> None:
    explanation = started.why("violin", key)
    assert [(stage.name, stage.passed) for stage in explanation.stages] == [("namespace", False)]
    assert (explanation.recalled, explanation.rank, explanation.score) == (False, None, None)


def test_the_memory_of_another_namespace_is_unknown(started: Memory, refused: Refused) -> None:
    other = started.at("other")
    theirs = other.remember("Not for the default namespace.", external_id="theirs")
    for key in (theirs, "theirs"):
        for act in (started.get, started.forget, started.pin):
            with refused(started, UnknownMemoryError):
                act(key)
    assert started.why("namespace", theirs).stages[-1].name == "namespace"
    assert theirs not in started
    assert len(other) == 1


def test_an_external_id_with_half_a_character_is_refused_or_unknown(started: Memory, refused: Refused) -> None:
    with refused(started, LoomError):
        started.get(SURROGATE)
    assert SURROGATE not in started


@pytest.mark.parametrize("key", [True, None, 1.0, (1,), b"violin"], ids=repr)
@pytest.mark.parametrize("verb", ["get", "forget", "pin", "unpin", "why"])
def test_a_key_that_is_neither_id_nor_external_id_is_refused(
    started: Memory, refused: Refused, verb: str, key: Any
) -> None:
    with refused(started, ValidationError, "id"):
        started.why("violin", key) if verb == "why" else getattr(started, verb)(key)


@pytest.mark.parametrize("tier", ["warm", "", 7, None], ids=repr)
def test_a_move_to_an_unknown_tier_is_refused(started: Memory, refused: Refused, tier: Any) -> None:
    with refused(started, ValidationError, "tier"):
        started.move(1, tier)


@pytest.mark.parametrize("options", [{"limit": -1}, {"limit": "x"}, {"after_id": "x"}, {"limit": 1.5}], ids=repr)
def test_a_listing_with_bounds_that_make_no_sense_is_refused(
    started: Memory, refused: Refused, options: dict[str, Any]
) -> None:
    with refused(started, ValidationError):
        list(started.records(**options))


CLOSED: dict[str, Act] = {
    "remember": lambda memory: memory.remember("x"),
    "remember_many": lambda memory: memory.remember_many(["x"]),
    "remember_many of nothing": lambda memory: memory.remember_many([]),
    "recall": lambda memory: memory.recall("x"),
    "why": lambda memory: memory.why("x", 1),
    "get": lambda memory: memory.get(1),
    "records": lambda memory: list(memory.records()),
    "forget": lambda memory: memory.forget(1),
    "pin": lambda memory: memory.pin(1),
    "unpin": lambda memory: memory.unpin("violin"),
    "move": lambda memory: memory.move(1, Tier.COLD),
    "namespaces": lambda memory: memory.namespaces(),
    "reembed": lambda memory: memory.reembed(),
    "stats": lambda memory: memory.stats(),
    "verify": lambda memory: memory.verify(),
    "len": len,
    "in": lambda memory: 1 in memory,
    "another namespace": lambda memory: memory.at("other").recall("x"),
}


@pytest.mark.parametrize("act", CLOSED.values(), ids=CLOSED)
def test_a_closed_memory_refuses_every_verb(started: Memory, folder: Path, act: Act) -> None:
    started.close()
    with pytest.raises(StoreClosedError, match="closed"):
        act(started)


ASYNC_CLOSED: dict[str, Callable[[Memory], Any]] = {
    "aremember": lambda memory: memory.aremember("x"),
    "aremember_many": lambda memory: memory.aremember_many(["x"]),
    "arecall": lambda memory: memory.arecall("x"),
    "awhy": lambda memory: memory.awhy("x", 1),
    "aget": lambda memory: memory.aget(1),
    "arecords": lambda memory: memory.arecords(),
    "aforget": lambda memory: memory.aforget(1),
    "apin": lambda memory: memory.apin(1),
    "aunpin": lambda memory: memory.aunpin(1),
    "amove": lambda memory: memory.amove(1, Tier.COLD),
    "anamespaces": lambda memory: memory.anamespaces(),
    "areembed": lambda memory: memory.areembed(),
    "astats": lambda memory: memory.astats(),
    "averify": lambda memory: memory.averify(),
}


@pytest.mark.parametrize("act", ASYNC_CLOSED.values(), ids=ASYNC_CLOSED)
def test_a_closed_memory_refuses_every_async_verb(started: Memory, act: Callable[[Memory], Any]) -> None:
    started.close()

    async def scenario() -> None:
        await act(started)

    with pytest.raises(StoreClosedError, match="closed"):
        asyncio.run(scenario())


SECRET = "my secret, which is rather long for a label, and nobody else's business"
WRONG: dict[str, Act] = {
    "useful None": lambda memory: memory.useful(None, query="violin"),  # type: ignore[arg-type]
    "useful 1.5": lambda memory: memory.useful(1.5, query="violin"),  # type: ignore[arg-type]
    "useful a flag": lambda memory: memory.useful(True, query="violin"),
    "kinds None": lambda memory: memory.related(1, kinds=None),  # type: ignore[arg-type]
    "kinds 5": lambda memory: memory.related(1, kinds=5),  # type: ignore[arg-type]
    "kinds of lists": lambda memory: memory.related(1, kinds=[[1]]),  # type: ignore[list-item]
    "remember_many None": lambda memory: memory.remember_many(None),  # type: ignore[arg-type]
    "remember_many an array without a dimension": lambda memory: memory.remember_many(np.array(1)),  # type: ignore[arg-type]
    "vectors None": lambda memory: memory.vectors(None),  # type: ignore[arg-type]
    "forget_many None": lambda memory: memory.forget_many(None),  # type: ignore[arg-type]
    "forget_many missing": lambda memory: memory.forget_many([1], missing=np.zeros(2)),  # type: ignore[arg-type]
    "calibrate None": lambda memory: memory.calibrate(None),  # type: ignore[arg-type]
    "past_keys None": lambda memory: memory.verify(past_keys=None),  # type: ignore[arg-type]
    "seal {}": lambda memory: memory.verify(seal={}),  # type: ignore[arg-type]
    "seal 5": lambda memory: memory.verify(seal=5),  # type: ignore[arg-type]
    "fetch 1": lambda memory: memory.short_term(None).fetch(1),  # type: ignore[arg-type]
    "exact": lambda memory: memory.recall("violin", exact=np.zeros(2)),  # type: ignore[arg-type]
    "update": lambda memory: memory.recall("violin", update=np.zeros(2)),  # type: ignore[arg-type]
    "cold": lambda memory: memory.related(1, cold=np.zeros(2)),  # type: ignore[arg-type]
    "encode": lambda memory: memory.remember_many(["x"], encode=np.zeros(2)),  # type: ignore[arg-type]
    "derived": lambda memory: memory.erase({"id": 1}, derived=np.zeros(2)),  # type: ignore[arg-type]
    "asker": lambda memory: memory.recall("violin", asker=np.zeros(2)),  # type: ignore[arg-type]
    "topic": lambda memory: memory.recall("violin", topic=np.array(1.5)),  # type: ignore[arg-type]
    "min_trust": lambda memory: memory.recall("violin", min_trust=np.zeros(2)),  # type: ignore[arg-type]
    "a list as a key": lambda memory: memory.get([SECRET]),  # type: ignore[arg-type]
    "a text as k": lambda memory: memory.recall("violin", k=SECRET),  # type: ignore[arg-type]
    "a text as a time": lambda memory: memory.recall("violin", as_of=SECRET),
    "hits as a topic": lambda memory: memory.recall("violin", topic=memory.recall("violin")),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("act", WRONG.values(), ids=WRONG)
def test_an_argument_of_the_wrong_kind_is_refused_by_a_rule_and_not_quoted(
    started: Memory, refused: Refused, act: Act
) -> None:
    with refused(started, ValidationError, "must|takes|named by"):
        act(started)
    with pytest.raises(ValidationError) as told:
        act(started)
    assert SECRET not in str(told.value)
    assert "attic" not in str(told.value)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (None, {}),
        (5, {}),
        (b"x", {}),
        (":memory:", {"config": {"ttl": 5}}),
        (":memory:", {"config": {}}),
        (":memory:", {"clock": 5}),
        (":memory:", {"read_only": np.zeros(2)}),
        (":memory:", {"durability": np.zeros(2)}),
    ],
    ids=repr,
)
def test_a_store_is_not_opened_with_an_argument_of_the_wrong_kind(path: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="must"):
        Memory.open(path, **options)


def test_a_hit_or_a_record_names_its_memory_wherever_a_key_does(started: Memory) -> None:
    (hit, *_) = started.recall("violin")
    record = started.get(hit)
    assert record.id == hit.id == 1
    assert hit in started
    assert started.vectors([hit, record]).shape == (2, 64)
    assert started.why("violin", hit).memory_id == 1
    assert started.history(record)[0].id == 1
    assert started.related(hit, kinds="episode") == started.related(1, kinds="episode")
    started.useful([hit, record], query="violin")
    made = started.remember("A summary.", derived_from=[hit])
    assert started.forget_many([hit]) == 1
    with pytest.raises(UnknownMemoryError, match="no memory with id 1 in") as told:
        started.get(hit)
    assert "violin" not in str(told.value)
    assert made in started


def test_a_topic_narrows_a_question_as_its_id_does(started: Memory) -> None:
    topics = started.topics()

    def found(topic: Any) -> list[tuple[int, float]]:
        return [(hit.id, hit.score) for hit in started.recall("violin", topic=topic, update=False)]

    assert found(topics[0]) == found(topics[0].id)
    assert found(topics) == found([topic.id for topic in topics])


def test_the_numbers_of_numpy_are_taken_where_numbers_are(started: Memory) -> None:
    near = started.nearest("violin").ids
    assert started.get(near[0]).id == near[0]
    assert started.vectors(near).shape == (3, 64)
    assert [each.id for each in started.records({"id": {"$in": list(near)}})] == sorted(near)
    assert [each.id for each in started.records(after_id=np.int64(1), limit=np.int32(1))] == [2]
    assert len(started.recall("violin", k=np.int64(2), min_confidence=np.float32(0.0), per_source=np.float32(1.0))) == 2
    year = started.remember("A year.", metadata={"year": 2024}, ttl=np.int64(3600), time=np.int64(5))
    assert [each.id for each in started.records({"metadata.year": {"$gt": np.float32(2023.5)}})] == [year]
    started.forget(np.int64(year))
