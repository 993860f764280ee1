"""Filters answered from the shelf's columns, against their meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.filters import And, Compare, Filter, Not, Op, Or, matches, where
from mnemoloom.lexical import Analyzer
from mnemoloom.recall.narrowing import narrow
from mnemoloom.recall.shelf import Shelf, ShelfEntry
from mnemoloom.records import Tier

LABELS = ["Ann", "Bo", "A", "user", "é"]
TIMES = [0.0, 0.5, 1.0, 86_400.0, -1.0]
SAME, LISTS, ORDER = [Op.EQ, Op.NE], [Op.IN, Op.NIN, Op.ANY], [Op.GT, Op.GTE, Op.LT, Op.LTE]

entries = st.lists(
    st.tuples(
        st.none() | st.sampled_from(LABELS), st.none() | st.sampled_from(LABELS), st.sampled_from(TIMES), st.booleans()
    ),
    min_size=1,
    max_size=25,
)


def compared(field: str, ops: list[Op], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Filter]:
    return st.builds(Compare, st.just((field,)), st.sampled_from(ops), values)


def leaves(field: str, values: st.SearchStrategy[Any], single: st.SearchStrategy[Any]) -> st.SearchStrategy[Filter]:
    return (
        compared(field, SAME, single)
        | compared(field, LISTS, st.lists(values, max_size=3))
        | compared(field, [Op.EXISTS], st.booleans())
    )


labels = st.sampled_from([*LABELS, "nobody"])
columns = (
    leaves("speaker", st.none() | labels, st.none() | labels)
    | leaves("session", st.none() | labels, st.none() | labels)
    | compared("speaker", ORDER, labels)
    | compared("session", [Op.CONTAINS], labels)
    | leaves("time", st.sampled_from(TIMES), st.sampled_from(TIMES))
    | compared("time", ORDER, st.sampled_from(TIMES))
    | leaves("id", st.integers(0, 30), st.integers(-1, 30))
    | compared("id", ORDER, st.integers(0, 30))
    | leaves("tier", st.sampled_from([*Tier]), st.sampled_from([*Tier]))
)
other = compared("source", SAME, labels) | compared("pinned", SAME, st.booleans())
filters = st.recursive(
    columns | other,
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=6,
)


def shelved(turns: list[tuple[str | None, str | None, float, bool]]) -> tuple[Shelf, list[dict[str, Any]]]:
    """A shelf, and its memories as a filter sees them; every third warm one is pinned."""
    shelf, views = Shelf(Analyzer()), []
    for number, (speaker, session, time, cold) in enumerate(turns, 1):
        tier = Tier.COLD if cold else Tier.PERSISTENT if number % 3 == 0 else Tier.LONG_TERM
        shelf.add(
            ShelfEntry(
                id=number,
                text="a note",
                speaker=speaker,
                session=session,
                time=round(time * 1000),
                surprise=0.0,
                cold=cold,
                vector=None,
            )
        )
        views.append(
            {
                "id": number,
                "speaker": speaker,
                "session": session,
                "time": round(time * 1000),
                "tier": tier.value,
                "pinned": tier is Tier.PERSISTENT,
                "source": None,
            }
        )
    return shelf, views


@given(turns=entries, condition=filters)
@settings(deadline=None)
def test_the_mask_and_what_is_left_mean_what_the_filter_means(turns: Any, condition: Filter) -> None:
    shelf, views = shelved(turns)
    mask, left = narrow(shelf, condition)
    known = np.ones(len(views) + 1, np.bool_) if mask is None else mask
    got = [bool(known[view["id"]]) and matches(left, view) for view in views]
    assert got == [matches(condition, view) for view in views]


@given(turns=entries, condition=columns)
@settings(deadline=None)
def test_what_the_columns_hold_needs_no_database(turns: Any, condition: Filter) -> None:
    shelf, _ = shelved(turns)
    mask, left = narrow(shelf, condition)
    if isinstance(condition, Compare) and condition.field == ("tier",):
        return  # of the warm tiers the shelf knows only that they are not cold
    assert mask is not None
    assert left is None


def test_a_filter_is_taken_apart_where_its_parts_are_joined_by_and() -> None:
    shelf, _ = shelved([("Ann", "s", 0.0, False), ("Bo", "s", 0.0, False)])
    metadata = where("metadata.city").eq("Oslo")
    mask, left = narrow(shelf, where("speaker").eq("Ann") & metadata & where("time").lt(5))
    assert mask is not None
    assert mask.tolist()[1:] == [True, False]
    assert left == metadata
    assert narrow(shelf, where("speaker").eq("Ann") | metadata)[0] is None


@pytest.mark.parametrize("tiers", [["long_term"], ["persistent"], ["persistent", "cold"]])
def test_which_warm_tier_it_is_the_database_must_say(tiers: list[str]) -> None:
    condition = where("tier").is_in(tiers)
    assert narrow(shelved([(None, None, 0.0, False)])[0], condition) == (None, condition)
