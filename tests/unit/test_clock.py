"""Time as an argument."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom import ManualClock, SystemClock
from mnemoloom.clock import from_millis, last_millis, to_millis


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(100)
    assert clock.now() == clock.now() == 100.0
    clock.advance(2.5)
    assert clock.now() == 102.5
    clock.advance(-50)
    assert clock.now() == 52.5


def test_a_manual_clock_starts_at_a_datetime() -> None:
    assert ManualClock(datetime(1970, 1, 2, tzinfo=timezone.utc)).now() == 86_400.0


def test_the_system_clock_tells_the_computers_time() -> None:
    before = time.time()
    assert before <= SystemClock().now() <= time.time()


@pytest.mark.parametrize(
    "moment",
    [
        "2024-05-14T12:00:00Z",
        "2024-05-14T12:00:00",
        "2024-05-14T14:00:00+02:00",
        datetime(2024, 5, 14, 12),
        datetime(2024, 5, 14, 14, tzinfo=timezone(timedelta(hours=2))),
        1_715_688_000,
        1_715_688_000.0,
    ],
)
def test_a_moment_can_be_told_in_several_ways(moment: datetime | str | float) -> None:
    assert to_millis(moment) == 1_715_688_000_000


def test_a_date_alone_is_its_midnight_in_utc() -> None:
    assert from_millis(to_millis("2024-05-14")) == datetime(2024, 5, 14, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("span", "first", "after"),
    [
        ("2024", (2024, 1, 1), (2025, 1, 1)),
        ("2024-02", (2024, 2, 1), (2024, 3, 1)),
        ("2023-12", (2023, 12, 1), (2024, 1, 1)),
        ("2024-05-14", (2024, 5, 14), (2024, 5, 15)),
        (date(2024, 5, 14), (2024, 5, 14), (2024, 5, 15)),
    ],
)
def test_a_day_month_or_year_has_a_first_and_a_last_millisecond(
    span: str | date, first: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    assert from_millis(to_millis(span)) == datetime(*first, tzinfo=timezone.utc)
    assert from_millis(last_millis(span) + 1) == datetime(*after, tzinfo=timezone.utc)


@pytest.mark.parametrize("moment", ["2024-05-14T12:00:00Z", "2024-05-14T00:00", datetime(2024, 5, 14), 1_715_688_000])
def test_the_last_millisecond_of_a_moment_is_the_moment(moment: datetime | str | float) -> None:
    assert last_millis(moment) == to_millis(moment)


def test_the_last_year_of_the_calendar_has_an_end() -> None:
    assert from_millis(last_millis("9999")).year == 9999


@pytest.mark.parametrize("moment", [True, None, b"2024", [2024], object()])
def test_what_is_no_moment_is_refused_by_type(moment: object) -> None:
    with pytest.raises(TypeError, match="a time must be a datetime"):
        to_millis(moment)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "moment",
    [
        "yesterday",
        "",
        "2024-13-01",
        "2024-13",
        "2024-00",
        "0000",
        "2024-5",
        "24",
        "2024-02-30",
        float("nan"),
        float("inf"),
        1e18,
        -1e18,
    ],
)
def test_a_moment_that_no_calendar_shows_is_refused(moment: str | float) -> None:
    with pytest.raises((ValueError, OverflowError, OSError)):
        to_millis(moment)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
def test_moments_survive_to_the_millisecond(moment: datetime) -> None:
    told = from_millis(to_millis(moment.replace(tzinfo=timezone.utc)))
    assert abs(told - moment.replace(tzinfo=timezone.utc)) <= timedelta(milliseconds=1)
    assert to_millis(told) == to_millis(moment)


@given(st.integers(-60_000_000_000_000, 250_000_000_000_000))
def test_every_millisecond_survives(millis: int) -> None:
    assert to_millis(from_millis(millis)) == millis
