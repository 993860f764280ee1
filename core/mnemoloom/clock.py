"""Time as an argument: the library reads the clock only through these objects."""

from __future__ import annotations

import re
import time
from calendar import monthrange
from datetime import date, datetime, timezone
from typing import Protocol

import numpy as np

__all__ = ["Clock", "ManualClock", "MonotonicClock", "SystemClock", "from_millis", "last_millis", "to_millis"]

_SPAN = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


class Clock(Protocol):
    """Anything that knows the time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> float:
        return time.time()


class MonotonicClock:
    """Seconds since some moment, for measuring spans: nobody can set it, and it never goes backwards."""

    def now(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved; for tests and replays."""

    def __init__(self, start: float | datetime = 0.0) -> None:
        self._now = start.timestamp() if isinstance(start, datetime) else float(start)

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock; a negative value moves it backwards."""
        self._now += seconds


def to_millis(moment: date | str | float) -> int:
    """Milliseconds since 1970 UTC of a datetime or date, an ISO 8601 string or epoch seconds.

    A datetime or string without a time zone is read as UTC. A day, a month ("2026-05") or a year ("2026") is its
    beginning. Raises ValueError, TypeError or OverflowError for anything else.
    """
    if span := _span(moment):
        first, _ = span
        moment = datetime(first.year, first.month, first.day)
    if isinstance(moment, str):
        # fromisoformat of Python 3.10 does not know the suffix Z
        moment = datetime.fromisoformat(moment[:-1] + "+00:00" if moment.endswith("Z") else moment)
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        moment = aware.timestamp()
    if isinstance(moment, bool) or not isinstance(moment, (int, float, np.integer, np.floating)):
        raise TypeError(f"a time must be a datetime, an ISO 8601 string or epoch seconds; got {type(moment).__name__}")
    millis = round(float(moment) * 1000)
    from_millis(millis)  # a time that no calendar can show is refused here, not when it is read
    return millis


def last_millis(moment: date | str | float) -> int:
    """As `to_millis`, but a day, a month or a year is its last millisecond."""
    if span := _span(moment):
        _, last = span
        moment = datetime(last.year, last.month, last.day, 23, 59, 59, 999_000)
    return to_millis(moment)


def _span(moment: object) -> tuple[date, date] | None:
    """The first and the last day of a day, month or year; None of what tells the time of day. Raises ValueError."""
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return moment, moment
    found = _SPAN.fullmatch(moment) if isinstance(moment, str) else None
    if found is None:
        return None
    year, *given = (int(part) for part in found.groups() if part is not None)
    first = date(year, *(*given, 1, 1)[:2])
    month = given[0] if given else 12
    return first, date(year, month, given[1] if len(given) == 2 else monthrange(year, month)[1])


def from_millis(millis: int) -> datetime:
    """The aware UTC datetime of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(millis / 1000, tz=timezone.utc)
