"""Time as an argument: the library reads the clock only through these objects."""

from __future__ import annotations

import time
from datetime import date, datetime, timezone
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "from_millis", "to_millis"]


class Clock(Protocol):
    """Anything that knows the time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The computer's clock."""

    def now(self) -> float:
        return time.time()


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

    A datetime or string without a time zone is read as UTC. Raises ValueError, TypeError or
    OverflowError for anything else.
    """
    if isinstance(moment, str):
        # fromisoformat of Python 3.10 does not know the suffix Z
        moment = datetime.fromisoformat(moment[:-1] + "+00:00" if moment.endswith("Z") else moment)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        moment = aware.timestamp()
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        raise TypeError(f"a time must be a datetime, an ISO 8601 string or epoch seconds; got {type(moment).__name__}")
    millis = round(moment * 1000)
    from_millis(millis)  # a time that no calendar can show is refused here, not when it is read
    return millis


def from_millis(millis: int) -> datetime:
    """The aware UTC datetime of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(millis / 1000, tz=timezone.utc)
