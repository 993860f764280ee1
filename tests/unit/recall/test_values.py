"""Values in texts: of which kind they are, and when two ways of writing are one value."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.recall.cues import SILENT
from mnemoloom.recall.cues_english import ENGLISH
from mnemoloom.recall.values import Value, stated_values


def found(text: str) -> set[tuple[str, str]]:
    return {(value.kind, value.text) for value in stated_values(text, ENGLISH)}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("It costs $1,200.50 in all", "money", "1200.5"),
        ("about 80 euros a head", "money", "80"),
        ("we got 85 percent", "percent", "85"),
        ("coverage is at 92.5%", "percent", "92.5"),
        ("come at 6:45 pm", "clock", "6:45pm"),
        ("the train leaves at 15:00", "clock", "15:00"),
        ("on April 3", "date", "apr 3"),
        ("see you on Friday", "date", "fri"),
        ("since 2024-05-14", "date", "2024 05 14"),
        ("it began in March 2024", "date", "mar 2024"),
        ("we run 2.10.3", "version", "2.10.3"),
        ("it takes 45 minutes", "duration", "45 minute"),
        ("half an hour", "duration", "half of 1 hour"),
        ("I own 17 chickens", "number", "17"),
        ("I own twelve chickens", "number", "12"),
    ],
)
def test_a_value_is_read_with_its_kind(text: str, kind: str, value: str) -> None:
    assert found(text) == {(kind, value)}


@pytest.mark.parametrize(
    "ways",
    [
        ["$1,200", "$1.2k", "$ 1200.00", "1.2k dollars", "1,200 USD", "1.2 thousand bucks"],
        ["$2 million", "2m dollars", "two million dollars", "£2,000,000"],
        ["50%", "50 percent", "50.0 per cent"],
        ["3pm", "3 pm", "3 p.m.", "3:00 pm", "3:00 P.M."],
        ["noon", "12 pm", "12:00 pm"],
        ["May 14", "may 14th", "14 May", "14th of May"],
        ["May 14th, 2026", "14 May 2026", "14 of May, 2026"],
        ["Sept. 5", "5th of September", "Sep 5"],
        ["an hour", "one hour", "1 hour", "1-hour", "1 hr"],
        ["two weeks", "2 weeks", "2-week"],
        ["90 secs", "90 seconds"],
        ["v2.1", "version 2.1", "Version 2.1"],
        ["seven", "7", "7.0"],
    ],
)
def test_ways_to_write_a_value_are_one_value(ways: list[str]) -> None:
    values = [found(f"I said {way}, you know") for way in ways]
    assert all(value == values[0] for value in values), list(zip(ways, values, strict=True))
    assert len(values[0]) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 pm", "3 am"),
        ("3:00", "3:30"),
        ("May 14", "May 15"),
        ("May 14", "June 14"),
        ("Monday", "Tuesday"),
        ("2 weeks", "2 days"),
        ("5 minutes", "5 months"),
        ("$5", "5%"),
        ("$5k", "$5"),
        ("v2.1", "v2.10"),
        ("1.5", "15"),
    ],
)
def test_different_values_stay_different(one: str, other: str) -> None:
    assert not found(one) & found(other)
    assert found(one)
    assert found(other)


def test_words_that_fit_two_kinds_count_once_as_the_first_kind() -> None:
    assert found("the rent is $700, up 5%, from 3 months at 8 pm on May 2, v1.2.0") == {
        ("money", "700"),
        ("percent", "5"),
        ("duration", "3 month"),
        ("clock", "8pm"),
        ("date", "may 2"),
        ("version", "1.2.0"),
    }


def test_a_value_that_is_said_twice_is_one_value() -> None:
    assert found("seven, and 7 again") == {("number", "7")}


@pytest.mark.parametrize(
    "text", ["", " ", "no values here", "someone", "often", "maybe", "the marching band", "x2y", "atone day after"]
)
def test_a_text_without_values_states_none(text: str) -> None:
    assert found(text) == set()


def test_a_language_without_cues_states_nothing() -> None:
    assert stated_values("$5 at 3 pm", SILENT) == frozenset()


def test_what_stands_behind_twenty_thousand_characters_is_not_read() -> None:
    assert found("x " * 9_990 + "costs $5") == {("money", "5")}
    assert found("x " * 10_000 + "costs $5") == set()


@pytest.mark.parametrize("digits", ["٣٤", "३४", "9" * 400, "0" * 50])
def test_odd_digits_are_read_as_numbers(digits: str) -> None:
    assert {kind for kind, _ in found(f"I own {digits} chickens")} == {"number"}


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_and_names_known_kinds_only(text: str) -> None:
    assert {value.kind for value in stated_values(text, ENGLISH)} <= set(ENGLISH.asked)


# Every alternative of its own, without the shortcut that passes over what no value begins with.
_KINDS = ENGLISH.values.pattern[ENGLISH.values.pattern.index("(?:(?P<") :]
_WORDS = """
$ € 1 12 2024 1,200 . , : - % k m pm a.m. am an one half hour hrs days ms two twelve may march 3rd of sept friday
noon v version percent per cent dollars usd x İ _ 05
"""
_PIECES = st.sampled_from(_WORDS.split())


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(_PIECES, st.sampled_from(["", " ", "-", "\n"])), max_size=12))
def test_passing_over_most_of_a_text_misses_no_value(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece + gap for piece, gap in pieces).lower()
    slow = {(each.lastgroup, each.span()) for each in re.finditer(_KINDS, text)}
    assert {(each.lastgroup, each.span()) for each in ENGLISH.values.finditer(text)} == slow


@given(st.integers(0, 10**9), st.sampled_from(["${}", "{} dollars", "{} USD"]))
def test_an_amount_of_money_is_its_number(amount: int, way: str) -> None:
    assert stated_values(way.format(f"{amount:,}"), ENGLISH) == {Value("money", str(amount))}


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "1",
            ",",
            " ",
            "1,",
            "1.",
            "1 ",
            "1, ",
            "1.1 ",
            "1-",
            "$",
            "$1,",
            "$1",
            "v1.",
            "1:",
            "a ",
            "half an ",
            "may ",
        ),
        *("two ", "version ", "1_", ".,", "1.1.1x ", "3 of may, ", "1,1,1,1,1,1,1,1x", "1% "),
    ],
)
@pytest.mark.parametrize("end", ["", "_x"])
def test_no_text_takes_long_to_read(unit: str, end: str) -> None:
    text = (unit * 20_000)[: 20_000 - len(end)] + end
    start = time.process_time()
    stated_values(text, ENGLISH)
    ENGLISH.update.search(text)
    for pattern in ENGLISH.asked.values():
        pattern.search(text)
    # A search that goes back over the text from each of its places takes more than ten seconds here.
    assert time.process_time() - start < 3.0
