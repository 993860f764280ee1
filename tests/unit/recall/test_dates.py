"""Dates in queries, and how well a memory's time fits them."""

from __future__ import annotations

import calendar
import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.recall.dates import DateCue, date_fit, read_date
from mnemoloom.recall.languages import CUES

MONTHS = CUES["english"].months
NAMES = list(calendar.month_name)[1:]


def fit(cue: DateCue, *days: date) -> list[float]:
    since = np.array([(day - date(1970, 1, 1)).days for day in days])
    months = np.array([12 * day.year + day.month - 1 for day in days])
    return [float(value) for value in date_fit(cue, since, months)]


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("What happened on 7 May 2023?", DateCue(2023, 5, 7)),
        ("What happened on May 7, 2023?", DateCue(2023, 5, 7)),
        ("What happened on May 7th, 2023?", DateCue(2023, 5, 7)),
        ("the 7th of May 2023", DateCue(2023, 5, 7)),
        ("on the 1st of March", DateCue(None, 3, 1)),
        ("May the 4th be with you", DateCue(None, 5, 4)),
        ("on 2023-05-07 at noon", DateCue(2023, 5, 7)),
        ("in 2023-05", DateCue(2023, 5, None)),
        ("on 2023-5-7", DateCue(2023, 5, 7)),
        ("in 2022", DateCue(2022)),
        ("in May 2023", DateCue(2023, 5)),
        ("in 2023, May", DateCue(2023, 5)),
        ("What did she do in March?", DateCue(None, 3)),
        ("in June", DateCue(None, 6)),
        ("in JUNE", DateCue(None, 6)),
        ("on 12 sept 2021", DateCue(2021, 9, 12)),
        ("on Feb 29", DateCue(None, 2, 29)),
        ("on Dec 3", DateCue(None, 12, 3)),
        ("In the summer of 1999, or 2003?", DateCue(1999)),
        ("between July and August", DateCue(None, 7)),
    ],
)
def test_a_stated_date_is_read_as_far_as_it_goes(text: str, cue: DateCue) -> None:
    assert read_date(text, MONTHS) == cue


@pytest.mark.parametrize(
    "text",
    [
        "Where does Ann live now?",
        "may I ask something",
        "May I ask something?",
        "what may happen",
        "we march on",
        "the band will march at 7",
        "She has 2 dogs and 31 cats",
        "room 12",
        "call 555-1234",
        "it weighs 12345 grams",
        "in 1850",
    ],
)
def test_words_and_numbers_that_are_no_date_are_not_read_as_one(text: str) -> None:
    assert read_date(text, MONTHS) is None


@pytest.mark.parametrize("number", range(1, 13))
def test_every_month_is_known_by_name_and_abbreviation(number: int) -> None:
    name = NAMES[number - 1]
    assert read_date(f"in {name} 2020", MONTHS) == DateCue(2020, number)
    assert read_date(f"in {name[:3]} 2020", MONTHS) == DateCue(2020, number)


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("2023-13-01", DateCue(2023)),
        ("2023-00-01", DateCue(2023)),
        ("2023-05-32", DateCue(2023, 5)),
        ("2023-05-00", DateCue(2023, 5)),
        ("May 45", DateCue(None, 5)),
        ("on the 99th of June 2020", DateCue(2020, 6)),
        ("May 7:30 pm", DateCue(None, 5)),
    ],
)
def test_an_impossible_part_is_left_out(text: str, cue: DateCue) -> None:
    assert read_date(text, MONTHS) == cue


def test_in_a_language_without_month_names_only_digits_count() -> None:
    assert read_date("im Mai 2023", {}) == DateCue(2023)
    assert read_date("am 2023-05-07", {}) == DateCue(2023, 5, 7)


@given(st.text(max_size=40))
def test_any_text_can_be_read_and_fitted(text: str) -> None:
    cue = read_date(text, MONTHS)
    if cue is not None:
        assert all(0.0 <= value <= 1.0 for value in fit(cue, date(2020, 2, 29), date(1969, 12, 31), date(9999, 12, 31)))


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_every_day_is_read_in_every_form(day: date) -> None:
    name = NAMES[day.month - 1]
    for text in (
        day.isoformat(),
        f"{day.day} {name} {day.year}",
        f"{name} {day.day}, {day.year}",
        f"the {day.day}th of {name[:3]} {day.year}",
    ):
        assert read_date(f"What did she do on {text}?", MONTHS) == DateCue(day.year, day.month, day.day), text


def test_a_year_fits_or_not() -> None:
    assert fit(DateCue(2022), date(2021, 12, 31), date(2022, 1, 1), date(2022, 12, 31), date(2023, 1, 1)) == [
        0,
        1,
        1,
        0,
    ]


def test_a_month_of_a_year_fits_fully_and_the_first_half_of_the_next_by_half() -> None:
    days = [date(2023, 4, 30), date(2023, 5, 1), date(2023, 5, 31), date(2023, 6, 15), date(2023, 6, 16)]
    assert fit(DateCue(2023, 5), *days, date(2022, 5, 7)) == [0, 1, 1, 0.5, 0, 0]


def test_a_month_without_a_year_fits_in_every_year() -> None:
    days = [date(1999, 12, 24), date(2023, 12, 1), date(2024, 1, 15), date(2024, 1, 16), date(2024, 11, 30)]
    assert fit(DateCue(None, 12), *days) == [1, 1, 0.5, 0, 0]


def test_a_december_is_followed_by_the_next_january() -> None:
    assert fit(DateCue(2022, 12), date(2023, 1, 10), date(2022, 1, 10)) == [0.5, 0]


@pytest.mark.parametrize("after", [-2, -1, 0, 1, 7, 31, 32])
def test_a_day_fades_by_weeks_for_a_month(after: int) -> None:
    expected = math.exp(-max(after, 0) / 7) if -1 <= after <= 31 else 0.0
    assert fit(DateCue(2023, 5, 7), date(2023, 5, 7) + timedelta(after)) == [pytest.approx(expected)]


def test_a_day_without_a_year_fits_in_every_year() -> None:
    days = [date(2019, 5, 7), date(2020, 5, 14), date(2021, 4, 1)]
    assert fit(DateCue(None, 5, 7), *days) == pytest.approx([1, math.exp(-1), 0])


def test_a_day_without_a_year_reaches_over_new_year() -> None:
    assert fit(DateCue(None, 12, 31), date(2024, 1, 7)) == pytest.approx([math.exp(-1)])
    assert fit(DateCue(None, 1, 1), date(2023, 12, 31)) == pytest.approx([1.0])


def test_the_29th_of_february_fits_in_leap_years_only() -> None:
    cue = DateCue(None, 2, 29)
    assert fit(cue, date(2024, 2, 29), date(2023, 2, 28), date(2023, 3, 1)) == pytest.approx([1, 0, 0])


def test_a_day_that_its_month_does_not_have_fits_nothing() -> None:
    assert fit(DateCue(2023, 2, 30), date(2023, 2, 28), date(2023, 3, 2)) == [0, 0]


def test_times_before_1970_have_months_and_days_too() -> None:
    assert fit(DateCue(1965, 3), date(1965, 3, 31), date(1965, 4, 15), date(1965, 4, 16)) == [1, 0.5, 0]
    assert fit(DateCue(1965), date(1965, 1, 1), date(1964, 12, 31)) == [1, 0]
