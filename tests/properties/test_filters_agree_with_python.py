"""The SQL of a filter selects exactly the records that `matches` matches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.filters import And, Compare, Filter, Not, Op, Or, matches, parse_filter, where
from mnemoloom.records import Tier
from mnemoloom.storage.filter_sql import compile_filter

TABLE = """CREATE TABLE memories (
    id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, payload INTEGER NOT NULL, external_id TEXT, speaker TEXT,
    session TEXT, time INTEGER NOT NULL, metadata TEXT NOT NULL, tier TEXT NOT NULL, pinned INTEGER NOT NULL,
    created INTEGER NOT NULL, source TEXT, trust TEXT NOT NULL, expires INTEGER
) STRICT"""
COLUMNS = ("external_id", "speaker", "session", "time", "tier", "pinned", "created", "source", "trust", "expires")

WORDS = [
    "",
    "a",
    "A",
    "ab",
    "b",
    "1",
    "true",
    "null",
    "é",
    "\u0065\u0301",
    "Ω",
    "\U0001f600",
    "\uffff",
    'x"y',
    "%",
    "a\nb",
]
KEYS = [
    "a",
    "b",
    "a.b",
    "",
    '"',
    "$",
    "]",
    "[0]",
    "0",
    "'",
    "\\",
    "é",
    "\U0001f600",
    "id",
    "key",
    "metadata",
    "\n",
    "?",
]
NUMBERS = [
    0,
    1,
    -1,
    2,
    1.0,
    -0.0,
    0.5,
    1.5,
    0.1 + 0.2,
    0.3,
    2**53,
    2**53 + 1,
    2.0**53,
    2**63 - 1,
    -(2**63),
    2.0**63,
    1e300,
]

scalars = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(WORDS)
# metadata may come from elsewhere with integers that SQLite keeps as floats
stored_scalars = scalars | st.sampled_from([2**63, 2**64, -(10**20), 10**400])
stored_values = st.recursive(
    stored_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=6,
)
words = st.sampled_from(WORDS)
moments = st.integers(-3, 3).map(lambda step: step * 500)
records = st.fixed_dictionaries(
    {
        "external_id": st.none() | words,
        "speaker": st.none() | words,
        "session": st.none() | words,
        "time": moments,
        "metadata": st.dictionaries(st.sampled_from(KEYS), stored_values, max_size=5),
        "tier": st.sampled_from([*Tier]),
        "pinned": st.booleans(),
        "created": moments,
        "source": st.none() | words,
        "trust": words,
        "expires": st.none() | moments,
    }
)

SAME, LISTS, ORDER = [Op.EQ, Op.NE], [Op.IN, Op.NIN, Op.ANY], [Op.GT, Op.GTE, Op.LT, Op.LTE]
paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(lambda keys: ("metadata", *keys))


def compared(fields: st.SearchStrategy[tuple[str, ...]], ops: list[Op], values: st.SearchStrategy[Any]) -> Any:
    return st.builds(Compare, fields, st.sampled_from(ops), values)


def field_of(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from(names).map(lambda name: (name,))


def comparisons_on(fields: Any, values: Any, *, orders: Any = None) -> Any:
    either = compared(fields, SAME, values) | compared(fields, LISTS, st.lists(values, max_size=4))
    either |= compared(fields, [Op.EXISTS], st.booleans())
    return either if orders is None else either | compared(fields, ORDER, orders)


texts = field_of("external_id", "speaker", "session", "source", "trust")
in_metadata = comparisons_on(paths, scalars, orders=words | st.sampled_from(NUMBERS)) | compared(
    paths, [Op.CONTAINS], scalars
)
in_metadata |= compared(paths, [Op.ANY, Op.ALL], st.lists(scalars, max_size=3))
ids = st.integers(1, 4) | st.sampled_from([0, 2**63 - 1, -(2**63)])
comparisons = st.one_of(
    in_metadata,
    in_metadata,
    comparisons_on(texts, st.none() | words, orders=words) | compared(texts, [Op.CONTAINS], words),
    comparisons_on(field_of("id"), ids, orders=ids),
    comparisons_on(
        field_of("time", "created", "expires"),
        moments.map(lambda ms: ms / 1000),
        orders=moments.map(lambda ms: ms / 1000),
    ),
    comparisons_on(field_of("tier"), st.sampled_from([*Tier, "cold"])),
    comparisons_on(field_of("pinned"), st.booleans()),
)
filters = st.recursive(
    comparisons,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts)))
        | inner.map(Not)
    ),
    max_leaves=6,
)


@contextmanager
def table_of(views: list[dict[str, Any]]) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        for number, view in enumerate(views, 1):
            metadata = json.dumps(
                view["metadata"], sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
            )
            columns = [metadata if name == "metadata" else view[name] for name in COLUMNS]
            columns = [value.value if isinstance(value, Tier) else value for value in columns]
            connection.execute(
                "INSERT INTO memories (id, namespace, payload, metadata, external_id, speaker, session, time, tier,"
                " pinned, created, source, trust, expires) VALUES (?, 7, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, metadata, *columns),
            )
        yield connection


def selected(connection: sqlite3.Connection, condition: Filter) -> list[int]:
    sql, parameters = compile_filter(condition)
    query = "".join(("SELECT id FROM memories WHERE namespace = ? AND (", sql, ") ORDER BY id"))
    return [row[0] for row in connection.execute(query, (7, *parameters))]


def matched(views: list[dict[str, Any]], condition: Filter) -> list[int]:
    return [number for number, view in enumerate(views, 1) if matches(condition, {"id": number, **view})]


def assert_agreement(views: list[dict[str, Any]], *conditions: Filter) -> None:
    with table_of(views) as connection:
        for condition in conditions:
            assert selected(connection, condition) == matched(views, condition)


def record(**fields: Any) -> dict[str, Any]:
    plain = {"time": 0, "created": 0, "tier": Tier.LONG_TERM, "pinned": False, "trust": "user", "metadata": {}}
    plain["expires"] = None
    return dict.fromkeys(("external_id", "speaker", "session", "source")) | plain | fields


@settings(max_examples=600, deadline=None)
@given(views=st.lists(records, min_size=1, max_size=5), conditions=st.lists(filters, min_size=1, max_size=5))
def test_sql_selects_exactly_the_records_that_match(views, conditions):
    assert_agreement(views, *conditions)


@st.composite
def stored_and_asked(draw):
    """A record and comparisons that aim at a value it holds."""
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4))
    stored = draw(stored_values)
    metadata = stored
    for key in reversed(keys):
        metadata = {key: metadata}
    near = [stored] if not isinstance(stored, (list, dict)) else list(stored)
    near = [
        each for each in near if not isinstance(each, (list, dict)) and not (type(each) is int and abs(each) > 2**62)
    ]
    values = scalars | st.sampled_from(near) if near else scalars
    path = st.just(("metadata", *keys))
    ordered = values.filter(lambda value: value is not None and not isinstance(value, bool))
    condition = draw(
        comparisons_on(path, values, orders=ordered)
        | compared(path, [Op.CONTAINS], values)
        | compared(path, [Op.ANY, Op.ALL], st.lists(values, max_size=4))
    )
    return record(metadata=metadata), condition


@settings(max_examples=800, deadline=None)
@given(stored_and_asked())
def test_sql_agrees_on_values_under_any_key(pair):
    view, condition = pair
    assert_agreement([view], condition, ~condition)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_found_by_itself(real, integer):
    views = [record(metadata={"n": real}), record(metadata={"n": integer}), record(metadata={"n": [integer, real]})]
    field = where("metadata.n")
    with table_of(views) as connection:
        assert 1 in selected(connection, field.eq(real) & field.gte(real) & field.lte(real))
        assert 2 in selected(connection, field.eq(integer) & field.gte(integer) & field.lte(integer))
        assert selected(connection, field.all_of([real, integer]) & field.contains(real)) == [3]
        assert 1 not in selected(connection, field.ne(real) | field.gt(real) | field.lt(real))


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
def test_any_text_serves_as_key_and_as_value(key, value):
    views = [record(metadata={key: {key: value}}, speaker=value), record(metadata={"other": value}, speaker="other")]
    deep = where("metadata", key, key)
    assert_agreement(views, deep.eq(value), deep.contains(value[1:]), deep.gt(value[:1]), where("speaker").lte(value))


def nested(depth: int, width: int) -> Filter:
    condition: Filter = where("metadata", *"abcdefgh").all_of(["x"])
    for level in range(depth):
        kind = (And, Or)[level % 2]
        condition = kind((*(where("speaker").eq(str(place)) for place in range(width - 1)), condition))
    return condition


def negated(depth: int) -> Filter:
    condition: Filter = where("metadata", *"abcdefgh").any_of(["x", None])
    for _ in range(depth):
        condition = Not(condition)
    return condition


@pytest.mark.parametrize(
    "condition",
    [
        nested(16, 1),
        nested(16, 2),
        nested(16, 249),
        nested(16, 33),
        negated(16),
        Or(tuple(where("speaker").eq(str(place)) for place in range(4000))),
        And(tuple(where("metadata", "tags").contains("x") for _ in range(2000))),
        And(tuple(where("metadata", *"abcdefghijklmnop").any_of(["x", None]) for _ in range(235))),
        Or(tuple(Not(where("metadata", "a").any_of([None, True, 1, "x"])) for _ in range(2000))),
        where("metadata", *"abcdefghijklmnop").eq(1),
        where("metadata.a").is_in(["x" * 65_536] * 1000),
        where("metadata.a").all_of(list(range(1000))),
    ],
    ids=lambda condition: type(condition).__name__,
)
def test_the_largest_filters_stay_within_the_limits_of_sqlite(condition):
    views = [record(speaker="1", metadata={"a": 1, "tags": ["x"]}), record(metadata={"a": list(range(1000))})]
    assert_agreement(views, condition)


@pytest.mark.parametrize("injected", ["'; DROP TABLE memories; --", '"] || 1=1 --', "?", ":name", "$.a", "%s", "{}"])
def test_no_key_or_operand_reaches_the_text_of_the_sql(injected):
    condition = where("metadata", injected, injected).eq(injected) | where("speaker").contains(injected)
    plain = where("metadata", "k", "k").eq("v") | where("speaker").contains("v")
    assert compile_filter(condition)[0] == compile_filter(plain)[0]
    assert_agreement([record(speaker=injected), record(metadata={injected: {injected: injected}})], condition)


@pytest.mark.parametrize("stored", [None, True, 1, "a", [], {}, [1], ["a", [1]], "[1]", '{"b": 1}'])
def test_a_path_through_something_else_than_an_object_is_missing(stored):
    conditions = [where("metadata.a.b").exists(), where("metadata.a.b").eq(None), where("metadata.a.0").eq(1)]
    views = [record(metadata={"a": stored})]
    assert_agreement(views, *conditions)
    assert [matched(views, condition) for condition in conditions] == [[], [1], []]


DICT_OPS = {op: f"${op.value}" for op in Op}


def as_dict(condition: Filter) -> dict[Any, Any]:
    if isinstance(condition, Compare):
        value = condition.value
        if condition.field[0] in ("time", "created", "expires") and condition.op is not Op.EXISTS:
            value = [ms / 1000 for ms in value] if isinstance(value, tuple) else value / 1000
        return {condition.field: {DICT_OPS[condition.op]: list(value) if isinstance(value, tuple) else value}}
    if isinstance(condition, Not):
        return {"$not": as_dict(condition.part)}
    return {"$and" if isinstance(condition, And) else "$or": [as_dict(part) for part in condition.parts]}


def without_lone_parts(condition: Filter) -> Filter:
    if isinstance(condition, Compare):
        return condition
    if isinstance(condition, Not):
        return Not(without_lone_parts(condition.part))
    parts = tuple(without_lone_parts(part) for part in condition.parts)
    return parts[0] if len(parts) == 1 else type(condition)(parts)


@settings(deadline=None)
@given(filters)
def test_the_dict_form_reads_as_the_built_filter(condition):
    assert parse_filter(as_dict(condition)) == without_lone_parts(condition)
