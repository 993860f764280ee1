"""Objects are found in any text, with every fault named, in linear time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.errors import TextError
from mnemoloom.pmll import read_objects
from mnemoloom.pmll.reader import MAX_DEPTH

SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=8) | st.text('"\\/*{}[]:,<think>\n ', max_size=12)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
# noise has no whole object of its own, and no tag of reasoning
NOISE = st.text('"\\/*{[]:,ab1-\n e', max_size=30) | st.text(max_size=20).filter(
    lambda text: "}" not in text and "think" not in text.lower()
)
CHUNKS = st.sampled_from(
    ['{"a":', '{"', "{", "}", "[", "]", ",", '"', "\\", "//", "/*", "*/", "\n", "1", "<think>", "</think>"]
)


def values(text: str) -> list[dict[str, Any]]:
    return [found.value for found in read_objects(text).objects]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1} // c', [{"a": 1}]),
        ('/* c */ {"b":2}', [{"b": 2}]),
        ('first {"a":1}, then {"a":2}', [{"a": 1}, {"a": 2}]),
        ('[{"a":1},{"b":2}]', [{"a": 1}, {"b": 2}]),
        ('{"url": "http://example.com/a"}', [{"url": "http://example.com/a"}]),
        ('see http://example.com {"a": 1}', [{"a": 1}]),
        ('{"a": "//", "b": "/*"}', [{"a": "//", "b": "/*"}]),
        (r'{"a": "she said \"{\""}', [{"a": 'she said "{"'}]),
        (r'{"path": "C:\\"} // {"b":1', [{"path": "C:\\"}]),
        ('{"a": "}{", "b": {"c": "{"}}', [{"a": "}{", "b": {"c": "{"}}]),
        ('{ {"a": 1}', [{"a": 1}]),
        ('{"told me {"a": 1}', [{"a": 1}]),
        ('{"a": {"b": 1}, oops', [{"b": 1}]),
        ('{"a": 1, // one }\n /* "b": 3, */ "c": [ {}, {} /* { */ ] }', [{"a": 1, "c": [{}, {}]}]),
        ('{"a": 1//}\r}', [{"a": 1}]),
        ('```json\n{"a": 1}\n```', [{"a": 1}]),
        ('<think>{"a": 1}</think>{"b": 2}', [{"b": 2}]),
        ('<Thinking>{"a": {</thinking>{"b": 2}', [{"b": 2}]),
        ('{"a": 1}</think>{"b": 2}', [{"b": 2}]),
        ('{"a": "<think>b</think>"}', [{"a": "<think>b</think>"}]),
        ("no object here", []),
        ("", []),
    ],
)
def test_these_texts_hold_these_objects(text: str, expected: list[dict[str, Any]]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("use {name} here", 5, "expected a key in double quotes, found 'n'"),
        ('{"a":1,}', 7, "expected a key in double quotes, found '}'"),
        ('{"a" 1}', 5, "expected ':' after a key, found '1'"),
        ('{"a": 1 "b": 2}', 8, "expected ',' or '}', found '\"'"),
        ('{"a": [1 2]}', 9, "expected ',' or ']', found '2'"),
        ('{"a": NaN}', 6, "expected a value, found 'N'"),
        ('{"a": 01}', 7, "expected ',' or '}', found '1'"),
        ('{"a": 1e999}', 6, "a number must fit into 64-bit floating point"),
        ('{"a": ' + "1" * 601 + "}", 6, "a number may have 600 characters"),
        ('{"a": "b', 8, "a string must be closed"),
        ('{"a": "b\n"}', 8, "a string holds no control characters"),
        (r'{"a": "\q"}', 7, "a backslash must begin an escape"),
        ('{"a": 1 /* b}', 8, "a comment must be closed by */"),
        ('{"a": 1', 7, "expected ',' or '}', found the end of the text"),
        ("<think>{}", 9, "reasoning must be closed by </think>"),
        ('{"a":' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH, 6 * MAX_DEPTH + 2, f"an object may nest {MAX_DEPTH} levels"),
    ],
)
def test_a_fault_names_its_position_and_rule(text: str, position: int, rule: str) -> None:
    reading = read_objects(text)
    assert [(fault.position, fault.rule) for fault in reading.faults] == [(position, rule)]
    assert not reading.objects


def test_one_broken_place_is_one_fault_however_deep_it_lies() -> None:
    assert [fault.position for fault in read_objects('{"a": {"b": {"c": ?').faults] == [18]


def test_a_key_that_stands_twice_is_a_fault_and_its_last_value_is_kept() -> None:
    reading = read_objects('{"a": 1, "a": 2}')
    assert [found.value for found in reading.objects] == [{"a": 2}]
    assert "'a' stands twice" in reading.faults[0].rule


def test_where_an_object_stands_is_told() -> None:
    (found,) = read_objects('so: {"a": 1} .').objects
    assert (found.start, found.end) == (4, 12)


@given(NOISE, OBJECTS, NOISE, st.booleans(), st.sampled_from([None, 1]))
def test_any_object_is_found_in_any_noise(
    before: str, value: dict[str, Any], after: str, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    reading = read_objects(f"{before}{text}{after}")
    found = {(each.start, each.end): each.value for each in reading.objects}
    start = len(before)
    # the noise and the beginning of the object may form an object of their own: {"a + {":1}":2}
    overlapping = [place for place in found if place[0] < start < place[1]]
    assert found.get((start, start + len(text))) == value or overlapping


@given(st.lists(OBJECTS, max_size=5), st.text(" \n,;abc", max_size=5))
def test_objects_stay_apart_and_in_order(objects: list[dict[str, Any]], between: str) -> None:
    assert values(between.join(map(json.dumps, objects))) == objects


@given(OBJECTS, st.sampled_from([" /* } */ ", " // }\n", "/***/", "//\r"]))
def test_a_comment_between_any_two_tokens_changes_nothing(value: dict[str, Any], comment: str) -> None:
    text = json.dumps(value, separators=(f"{comment},{comment}", f"{comment}:{comment}"))
    assert values(text) == [value]


@given(st.text() | st.lists(CHUNKS, max_size=40).map("".join))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    for found in read_objects(text).objects:
        json.dumps(found.value, allow_nan=False)


def test_only_a_text_is_read() -> None:
    with pytest.raises(TextError, match="bytes"):
        read_objects(b"{}")  # type: ignore[arg-type]


def calls_for(text: str) -> int:
    """How many functions, Python's and C's, reading a text calls: work that no busy machine changes."""
    count = 0

    def tally(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tally)
    try:
        read_objects(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "{" * n,
        lambda n: '{"a":' * n,
        lambda n: '{"a":[' * n,
        lambda n: '{"a":' * n + "1" + "}" * n,
        lambda n: '{"' * n,
        lambda n: '{"\\"' * n,
        lambda n: '{"a":1,' * n,
        lambda n: '{"x{":1,":2,' + '":1,":2,' * n,
        lambda n: "{/*" * n,
        lambda n: "{//" * n + "\n" + '"a":1,' * n,
        lambda n: "{//{//{\n//" * n,
        lambda n: "{" + "/**/" * n + "{/*" * n,
        lambda n: "<think>" * n,
        lambda n: "<think></think>{" * n,
        lambda n: "{" + ",".join(f'"{i}":1' for i in range(n)) + ',"0":2}',
    ],
)
def test_twice_the_text_is_twice_the_work(make: Callable[[int], str]) -> None:
    assert calls_for(make(1200)) <= 2.2 * calls_for(make(600)) + 100
