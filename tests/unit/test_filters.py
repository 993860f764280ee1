"""What filters accept, refuse and mean."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import Any

import pytest

from mnemoloom.errors import FilterError
from mnemoloom.filters import And, Compare, Not, Op, Or, Where, common, conjoin, matches, parse_filter, where
from mnemoloom.records import Tier

ANN = where("speaker").eq("Ann")
OSLO = where("metadata.city").eq("Oslo")
COLD = where("tier").eq(Tier.COLD)

VIEW = {
    "id": 3,
    "speaker": "Ann",
    "session": None,
    "time": 1_000,
    "tier": Tier.COLD,
    "pinned": True,
    "trust": "user",
    "metadata": {
        "city": "Oslo",
        "year": 2020,
        "ratio": 1.0,
        "ok": True,
        "none": None,
        "tags": ["red", "blue", 1, True, None, [2], {"x": 1}],
        "empty": [],
        "home": {"street": "Main", "a.b": 7},
    },
}


def holds(condition: Any) -> bool:
    return matches(condition, VIEW)


@pytest.mark.parametrize(
    ("read", "built"),
    [
        ({"speaker": "Ann"}, ANN),
        ({"speaker": None}, where("speaker").eq(None)),
        ({"speaker": "Ann", "metadata.city": "Oslo"}, ANN & OSLO),
        (
            {"metadata.year": {"$gte": 2020, "$lt": 2024}, "speaker": "Ann"},
            where("metadata.year").gte(2020) & where("metadata.year").lt(2024) & ANN,
        ),
        ({"$or": [{"speaker": "Ann"}, {"metadata.city": "Oslo"}]}, ANN | OSLO),
        ({"$and": [{"speaker": "Ann"}, {"metadata.city": "Oslo"}]}, ANN & OSLO),
        ({"$not": {"speaker": "Ann", "metadata.city": "Oslo"}}, ~(ANN & OSLO)),
        ({"$or": [{"speaker": "Ann"}, OSLO]}, ANN | OSLO),
        ({"tier": {"$in": ["cold", Tier.PERSISTENT]}}, where("tier").is_in([Tier.COLD, "persistent"])),
        ({"metadata.a": {"$ne": 1}}, where("metadata.a").ne(1)),
        ({"metadata.a": {"$gt": 1, "$lte": 2}}, where("metadata.a").gt(1) & where("metadata.a").lte(2)),
        ({"metadata.a": {"$nin": [1]}}, where("metadata.a").not_in([1])),
        ({"metadata.a": {"$exists": False}}, where("metadata.a").exists(False)),
        ({"metadata.a": {"$contains": "x"}}, where("metadata.a").contains("x")),
        ({"metadata.a": {"$any": [1]}}, where("metadata.a").any_of([1])),
        ({"metadata.a": {"$all": [1]}}, where("metadata.a").all_of([1])),
        ({("metadata", "a.b"): 1}, where("metadata", "a.b").eq(1)),
        ({"metadata.a.b": 1}, where("metadata", "a", "b").eq(1)),
    ],
)
def test_a_dict_reads_as_the_filter_the_builder_makes(read, built):
    assert parse_filter(read) == built


def test_none_and_an_empty_dict_restrict_nothing():
    assert parse_filter(None) is None
    assert parse_filter({}) is None
    assert matches(None, VIEW)


def test_a_filter_reads_as_itself():
    assert parse_filter(ANN) is ANN


def test_a_list_for_a_plain_value_says_to_use_in():
    with pytest.raises(FilterError, match=r'use \{"\$in": \[…\]\}'):
        parse_filter({"speaker": ["Ann", "Bob"]})


def test_an_unknown_field_is_named_with_the_allowed_ones_and_a_hint():
    with pytest.raises(FilterError, match="'city'") as caught:
        parse_filter({"city": "Oslo"})
    for word in ("speaker", "session", "time", "created", "tier", "pinned", "trust", "metadata.NAME"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "refused",
    [
        {"metadata": {"city": "Oslo"}},
        {"metadata": 1},
        {"speaker.name": "Ann"},
        {"text": "x"},
        {"": 1},
        {3: 1},
        {None: 1},
        {(): 1},
        {("metadata", 3): 1},
        {"$nor": [{"speaker": "Ann"}]},
        {"$or": []},
        {"$and": []},
        {"$or": {"speaker": "Ann"}},
        {"$or": [{}]},
        {"$and": [None]},
        {"$not": {}},
        {"$not": [{"speaker": "Ann"}]},
        {"$or": [{"speaker": "Ann"}] * 1001},
        {"metadata.a": {}},
        {"metadata.a": {"gte": 1}},
        {"metadata.a": {"$regex": "x"}},
        {"metadata.a": {"$gt": 1, "b": 2}},
        {"metadata.a": {3: 2}},
        {"metadata.a": {"$eq": {"b": 1}}},
        {"metadata.a": {"$eq": [1]}},
        {"metadata.a": {"$ne": {1}}},
        {"metadata.a": {"$in": [[1]]}},
        {"metadata.a": {"$in": [{"b": 1}]}},
        {"metadata.a": {"$in": "abc"}},
        {"metadata.a": {"$in": {"a": 1}}},
        {"metadata.a": {"$all": 1}},
        {"metadata.a": {"$in": [0] * 1001}},
        {"metadata.a": {"$gt": None}},
        {"metadata.a": {"$gt": True}},
        {"metadata.a": {"$exists": 1}},
        {"metadata.a": b"x"},
        {"metadata.a": object()},
        {"metadata.a": datetime(2020, 1, 1, tzinfo=timezone.utc)},
        {"metadata.a": float("nan")},
        {"metadata.a": {"$lt": float("inf")}},
        {"metadata.a": 2**63},
        {"metadata.a": -(2**63) - 1},
        {"metadata.a": "\0"},
        {"metadata.a": "\ud800"},
        {"metadata.a": "x" * 65_537},
        {"metadata.a": "é" * 32_769},
        {"metadata.\0": 1},
        {"metadata.\ud800": 1},
        {"metadata." + ".".join("a" * 17): 1},
        {"speaker": 1},
        {"speaker": "\0"},
        {"speaker": {"$gt": None}},
        {"speaker": {"$contains": None}},
        {"speaker": {"$all": ["Ann"]}},
        {"id": "3"},
        {"id": True},
        {"id": 3.0},
        {"id": None},
        {"id": 2**63},
        {"id": {"$contains": 3}},
        {"pinned": 1},
        {"pinned": None},
        {"pinned": {"$gt": False}},
        {"tier": "warm"},
        {"tier": None},
        {"tier": 1},
        {"tier": {"$gt": "cold"}},
        {"time": "yesterday"},
        {"time": None},
        {"time": True},
        {"time": float("nan")},
        {"time": 1e300},
        {"time": {"$in": ["soon"]}},
        [],
        "speaker",
        3,
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_breaks_a_rule_is_refused_as_a_filter_error(refused):
    with pytest.raises(FilterError):
        parse_filter(refused)


@pytest.mark.parametrize(
    "make",
    [
        lambda: where(),
        lambda: where("metadata"),
        lambda: where("city"),
        lambda: where("metadata.city", "x"),
        lambda: where("metadata", 3),
        lambda: Compare("speaker", Op.EQ, "Ann"),
        lambda: Compare(("speaker",), "is", "Ann"),
        lambda: And(()),
        lambda: Or(()),
        lambda: And((ANN, {"speaker": "Ann"})),
        lambda: Not(None),
        lambda: Or(tuple(where("metadata.a").eq(n) for n in range(2001))),
    ],
)
def test_a_filter_built_wrongly_is_refused(make):
    with pytest.raises(FilterError):
        make()


def test_filters_nest_sixteen_deep_and_no_deeper():
    condition = ANN
    for _ in range(16):
        condition = ~condition
    with pytest.raises(FilterError, match="16"):
        Not(condition)


def test_dicts_nested_too_deep_or_too_wide_are_refused_at_once():
    deep: dict[str, Any] = {"speaker": "Ann"}
    for _ in range(5000):
        deep = {"$and": [deep]}
    wide: dict[str, Any] = {"speaker": "Ann"}
    for _ in range(12):
        wide = {"$or": [wide] * 1000}
    endless: dict[str, Any] = {}
    endless["$not"] = endless
    for hostile in (deep, wide, endless):
        with pytest.raises(FilterError):
            parse_filter(hostile)


def test_combining_with_something_else_is_a_type_error():
    with pytest.raises(TypeError):
        ANN & {"speaker": "Bob"}  # type: ignore[operator]
    with pytest.raises(TypeError):
        ANN | None  # type: ignore[operator]


def test_parts_joined_by_the_same_word_are_one_list():
    assert ((ANN & OSLO) & COLD).parts == (ANN & (OSLO & COLD)).parts == (ANN, OSLO, COLD)
    assert ((ANN | OSLO) | COLD).parts == (ANN, OSLO, COLD)
    assert ((ANN & OSLO) | COLD).parts == (And((ANN, OSLO)), COLD)


def test_filters_are_equal_when_they_mean_the_same_typed_value():
    field = where("metadata.a")
    assert field.eq(1) == field.eq(1.0)
    assert field.eq(1) != field.eq(True)
    assert field.is_in([0]) != field.is_in([False])
    assert len({field.eq(1), field.eq(True), field.eq("1"), field.eq(1.0)}) == 3
    assert And((ANN, OSLO)) != Or((ANN, OSLO))


def test_filters_are_values_that_can_be_copied():
    condition = (ANN & ~OSLO) | where("time").gte(5)
    assert copy.deepcopy(condition) == condition
    with pytest.raises(AttributeError):
        condition.parts = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1970, 1, 2),
        datetime(1970, 1, 2, tzinfo=timezone.utc),
        datetime(1970, 1, 2, 2, tzinfo=timezone(timedelta(hours=2))),
        "1970-01-02",
        "1970-01-02T00:00:00Z",
        86_400,
        86_400.0,
    ],
)
def test_times_are_held_as_milliseconds(moment):
    assert where("time").gte(moment).value == 86_400_000
    assert where("created").is_in([moment]).value == (86_400_000,)


def test_operands_are_held_as_plain_values():
    class Level(IntEnum):
        LOW = 1

    assert type(where("metadata.a").eq(Level.LOW).value) is int
    assert type(where("metadata.a").eq(Tier.COLD).value) is str
    assert type(where("tier").eq(Tier.COLD).value) is str
    assert where("metadata.a").is_in({"x"}).value == ("x",)


@pytest.mark.parametrize(
    "condition",
    [
        where("metadata.ratio").eq(1),
        where("metadata.year").eq(2020.0),
        where("metadata.year").gte(2020) & where("metadata.year").lt(2020.5),
        where("metadata.city").gt("Bergen"),
        where("metadata.city").contains("sl"),
        where("metadata.tags").contains("red"),
        where("metadata.tags").contains(None),
        where("metadata.tags").any_of(["green", "blue"]),
        where("metadata.city").any_of(["Oslo", "Bergen"]),
        where("metadata.tags").all_of(["red", 1.0, True]),
        where("metadata.empty").all_of([]),
        where("metadata.none").eq(None),
        where("metadata.missing").eq(None),
        where("metadata.missing").is_in([None, 1]),
        where("metadata.missing").ne("x"),
        where("metadata.missing").not_in(["x"]),
        where("metadata.city").not_in([]),
        where("metadata.home").exists(),
        where("metadata.home").ne(None),
        where("metadata", "home", "a.b").eq(7),
        where("metadata.none").exists(False),
        where("metadata.city.x").exists(False),
        where("session").eq(None),
        where("external_id").exists(False),
        where("tier").is_in(["cold"]),
        where("tier").eq(Tier.COLD),
        where("pinned").eq(True),
        where("time").eq(1),
        where("id").lt(4),
    ],
)
def test_a_record_matches(condition):
    assert holds(condition)
    assert not holds(~condition)


@pytest.mark.parametrize(
    "condition",
    [
        where("metadata.ok").eq(1),
        where("metadata.ok").eq("true"),
        where("metadata.ratio").eq(True),
        where("metadata.year").eq("2020"),
        where("metadata.year").gt("2019"),
        where("metadata.ok").gte(0),
        where("metadata.missing").lt(5),
        where("metadata.none").lte(5),
        where("metadata.city").contains("OSL"),
        where("metadata.year").contains(2),
        where("metadata.tags").contains("re"),
        where("metadata.tags").contains(2),
        where("metadata.tags").eq("red"),
        where("metadata.tags").is_in(["red"]),
        where("metadata.tags").all_of(["red", "green"]),
        where("metadata.city").all_of(["Oslo"]),
        where("metadata.city").all_of([]),
        where("metadata.tags").any_of([]),
        where("metadata.city").is_in([]),
        where("metadata.tags.0").eq("red"),
        where("metadata.home").eq(None),
        where("metadata.none").ne(None),
        where("speaker").ne("Ann"),
    ],
)
def test_a_record_does_not_match(condition):
    assert not holds(condition)
    assert holds(~condition)


def test_text_is_ordered_by_code_point():
    view = {"metadata": {"a": "\U0001f600"}}
    assert matches(where("metadata.a").gt("\uffff"), view)


def test_conjoin_leaves_out_none():
    assert conjoin() is None
    assert conjoin(None, None) is None
    assert conjoin(None, ANN) is ANN
    assert conjoin(ANN, None, OSLO & COLD) == And((ANN, OSLO, COLD))


def test_common_builds_the_filter_of_the_keyword_arguments():
    assert common() is None
    assert common(speaker="Ann") == ANN
    assert common(speaker=["Ann", "Bob"]) == where("speaker").is_in(["Ann", "Bob"])
    assert common(tier=Tier.COLD) == COLD
    assert common(pinned=False) == where("pinned").eq(False)
    assert common(session="s", tier=("cold",), after="1970-01-02", before=90_000) == And(
        (
            where("session").eq("s"),
            where("tier").is_in([Tier.COLD]),
            where("time").gte(86_400),
            where("time").lt(90_000),
        )
    )


def test_common_with_an_empty_collection_matches_nothing():
    assert not holds(common(speaker=[]))


def test_after_is_included_and_before_is_not():
    assert holds(common(after=1))
    assert not holds(common(before=1))


@pytest.mark.parametrize("wrong", [{"speaker": 3}, {"tier": "warm"}, {"after": "soon"}, {"pinned": 1}, {"session": {}}])
def test_common_refuses_values_of_the_wrong_type(wrong):
    with pytest.raises(FilterError):
        common(**wrong)


@pytest.mark.parametrize(
    ("compared", "method"),
    [
        (lambda field: field == 1, "eq"),
        (lambda field: field != 1, "ne"),
        (lambda field: field > 1, "gt"),
        (lambda field: field >= 1, "gte"),
        (lambda field: field < 1, "lt"),
        (lambda field: field <= 1, "lte"),
    ],
)
def test_a_field_compared_with_a_sign_says_which_method_to_use(compared, method):
    with pytest.raises(FilterError, match=rf"filter on 'metadata\.a': .* use \.{method}\(1\)"):
        compared(where("metadata.a"))


def test_fields_are_equal_by_their_paths():
    assert where("metadata.a") == where("metadata", "a")
    assert where("metadata.a") != where("metadata.b")
    assert len({where("speaker"), where("speaker"), where("session")}) == 2


def test_where_names_every_method_that_compares():
    methods = {name for name in vars(Where) if not name.startswith("_")} - {"path"}
    assert len(methods) == 12
    assert all(f"`{name}`" in where.__doc__ for name in methods)
