"""Filters and queries made by chance: no error but our own, and what a Python model of them selects."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mnemoloom import Config, Draft, Memory
from mnemoloom.errors import FilterError, MetadataError, TextError, ValidationError
from mnemoloom.filters import Filter, matches, parse_filter
from mnemoloom.records import Record
from mnemoloom.trust import TRUST

TERMS = ["violin", "boat", "code", "Oslo", "tea"]
OPERATORS = [
    "AND",
    "OR",
    "NOT",
    "NEAR(",
    "NEAR/2",
    "^",
    "*",
    '"',
    "'",
    ")",
    "(",
    ":",
    "-",
    "+",
    "col:",
    "{",
    "}",
    "--",
    ";",
]
SQL = [
    "' OR 1=1 --",
    "'; DROP TABLE memories; --",
    "\\",
    "%",
    "_",
    "?",
    "?1",
    ":a",
    "@a",
    "$x",
    "x'00'",
    "NULL",
    "rowid",
]
ODD = [
    "\0",
    "\ud800",
    "\udfff",
    "\u202e",
    "\U0001f600",
    "\n",
    "\x1b[2J",
    "é",
    "e\u0301",
    "\u2028",
    "1e999",
    "0x7f",
    "ß",
]
KEYS = ["a", "b", "a.b", "", "$", "'", '"', "]", "\\", "é", "\n", "?", "id", "text", *SQL[:3], "\U0001f600"]
FIELDS = [
    "id",
    "external_id",
    "speaker",
    "session",
    "time",
    "created",
    "tier",
    "pinned",
    "source",
    "trust",
    "text",
    "x",
]
OPS = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$contains",
    "$any",
    "$all",
    "$like",
    "$",
    "",
]
NUMBERS = [0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**30, 0.5, -0.0, 1e308, math.inf, math.nan, True, False]


def a_text(rng: random.Random) -> str:
    return rng.choice(["", " "]).join(rng.choices([*TERMS, *OPERATORS, *SQL, *ODD], k=rng.randint(1, 6)))


def a_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randint(0, 9)
    if kind < 4:
        return rng.choice([*TERMS, *SQL, *ODD, "user", "web", "long_term", "2026-05", "2026-05-14T12:00"])
    if kind < 7:
        return rng.choice(NUMBERS)
    if kind == 7 or depth > 3:
        return rng.choice([None, b"x", object, {1, 2}, "x" * 100_000])
    return [a_value(rng, depth + 1) for _ in range(rng.randint(0, 4))]


def a_filter(rng: random.Random, depth: int = 0) -> Any:
    """A filter in its dict form: mostly a good one, sometimes not."""
    if depth < 4 and rng.random() < 0.3:
        word = rng.choice(["$and", "$or", "$not", "$nor"])
        parts = [a_filter(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        return {word: parts[0] if word == "$not" else parts}
    if rng.random() < 0.01:
        return _deep(rng)
    name = rng.choice(FIELDS) if rng.random() < 0.5 else ".".join(["metadata", *rng.choices(KEYS, k=rng.randint(1, 3))])
    value = a_value(rng)
    if rng.random() < 0.3:
        return {name: value}
    op = rng.choice(OPS)
    return {name: {op: value if op not in ("$in", "$nin", "$any", "$all") or rng.random() < 0.2 else [a_value(rng)]}}


def _deep(rng: random.Random) -> Any:
    found: Any = {"speaker": "Ann"}
    for _ in range(rng.choice([5, 15, 17, 40, 300])):
        found = {"$not": found} if rng.random() < 0.5 else {"$and": [found]}
    return found


def a_draft(rng: random.Random) -> Draft:
    def maybe() -> str | None:
        return rng.choice([None, *TERMS, *SQL])

    metadata = {key: a_value(rng) for key in rng.sample(KEYS, 4)}
    try:
        json.dumps(metadata, allow_nan=False).encode()
    except (TypeError, ValueError):
        metadata = {"a": rng.choice([1, 0.5, "tea", None, True, ["tea", 1], {"b": 2}])}
    return Draft(
        text=f"{rng.choice(TERMS)} {rng.choice(TERMS)} {rng.choice(SQL)}",
        speaker=maybe(),
        session=maybe(),
        source=maybe(),
        trust=rng.choice(TRUST),
        time=rng.choice(["2026-05", "2026-05-14T12:00", 0.5, "2020"]),
        pinned=rng.random() < 0.2,
        metadata=metadata,
    )


@pytest.fixture(scope="module")
def memory() -> Iterator[Memory]:
    rng = random.Random(1)
    with Memory.open(":memory:", config=Config(update_rule=None)) as memory:
        while len(memory) < 60:
            try:
                memory.remember_many([a_draft(rng)])
            except MetadataError:
                continue
        yield memory


def a_view(record: Record) -> dict[str, Any]:
    names = ("id", "external_id", "speaker", "session", "tier", "pinned", "source", "trust")
    view = {name: getattr(record, name) for name in names} | {"metadata": dict(record.metadata)}
    return view | {name: round(getattr(record, name).timestamp() * 1000) for name in ("time", "created")}


def fuzz(memory: Memory, count: int, *, seed: int) -> tuple[int, int]:
    """How many filters and queries were good ones; every other got an error that says so, and nothing else happened."""
    rng, good_filters, good_queries = random.Random(seed), 0, 0
    everything = {query: {hit.id for hit in memory.recall(query, k=1000)} for query in TERMS}
    views = [(record.id, a_view(record)) for record in memory.records()]
    for _ in range(count):
        raw = a_filter(rng)
        try:
            condition = parse_filter(raw)
        except FilterError:
            with pytest.raises(FilterError):
                memory.records(raw)
            with pytest.raises(FilterError):
                memory.recall("tea", where=raw)
            condition = None
        else:
            good_filters += 1
            wanted = {memory_id for memory_id, view in views if matches(condition, view)}
            assert {record.id for record in memory.records(raw)} == wanted, raw
            term = rng.choice(TERMS)
            cold = memory.recall(term, k=1000, where=raw)
            assert {hit.id for hit in cold} == everything[term] & wanted, raw
        good_queries += _asked(memory, a_text(rng), views, condition)
    return good_filters, good_queries


def _asked(memory: Memory, query: str, views: list[tuple[int, dict[str, Any]]], condition: Filter | None) -> bool:
    try:
        found = memory.recall(query, k=1000, where=condition)
    except TextError:
        assert not query.strip() or "\0" in query or any("\ud800" <= c <= "\udfff" for c in query)
        return False
    allowed = {memory_id for memory_id, view in views if matches(condition, view)}
    assert {hit.id for hit in found} <= allowed
    for hit in found:
        assert math.isfinite(hit.score)
        assert abs(sum(hit.parts.values()) - hit.score) <= 1e-9
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    return True


def test_five_hundred_filters_and_queries(memory: Memory) -> None:
    good_filters, good_queries = fuzz(memory, 500, seed=20261120)
    assert good_filters >= 100
    assert good_queries >= 300


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_filters_and_queries(memory: Memory, seed: int) -> None:
    good_filters, good_queries = fuzz(memory, 1000, seed=seed)
    assert good_filters >= 200
    assert good_queries >= 600


@pytest.mark.parametrize(
    "call",
    [
        lambda m, text: m.get(text),
        lambda m, text: m.remember("tea", speaker=text),
        lambda m, text: m.remember("tea", external_id=text),
        lambda m, text: m.at("a", text),
        lambda m, text: m.quarantine(source=text),
        lambda m, text: m.forget_many([text], missing="skip"),
        lambda m, text: m.recall("tea", asker=text),
        lambda m, text: m.recall("tea", as_of=text),
        lambda m, text: m.recall("tea", profile=text),
        lambda m, text: m.history(text),
    ],
)
def test_labels_and_keys_made_by_chance_are_stored_or_refused(call: Callable[[Memory, str], Any]) -> None:
    rng = random.Random(7)
    with Memory.open(":memory:") as memory:
        memory.remember("tea", external_id="own")
        for _ in range(100):
            try:
                call(memory, a_text(rng))
            except (ValidationError, KeyError):
                continue
        assert memory.verify().ok
        assert memory.get("own").text == "tea"
