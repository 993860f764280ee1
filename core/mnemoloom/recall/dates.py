"""Dates that a query states outright, and how well a memory's time fits them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DateCue", "date_fit", "read_date"]

_ISO = re.compile(r"\b(\d{4})-(\d{1,2})(?:-(\d{1,2}))?\b")
_NUMBER = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = re.compile(r"\b(19\d{2}|20\d{2})\b")


@dataclass(frozen=True, slots=True)
class DateCue:
    """A date as far as the query names it: a year, a month (of a year), or a day of a month (of a year)."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


def read_date(text: str, months: Mapping[str, int]) -> DateCue | None:
    """The first date in `text`, or None.

    A month's name that is also an everyday word ("may", "march") must begin with a capital letter.
    """
    found = _ISO.search(text)
    if found:
        year, month, day = (int(part) if part else None for part in found.groups())
        return _valid(year, month, day)
    year_found = _YEAR.search(text)
    year = int(year_found[1]) if year_found else None
    for word in re.finditer(r"[^\W\d_]+", text):
        month = months.get(word[0].lower())
        if month is None or (word[0] in ("may", "march", "mar", "sun", "dec", "sep") and word[0].islower()):
            continue
        if word[0] == "May" and re.match(r"\s+(I|we|he|she|they|you|it)\b", text[word.end() :]):
            continue
        return _valid(year, month, _day_beside(text, word.start(), word.end()))
    return DateCue(year=year) if year else None


def date_fit(cue: DateCue, days: NDArray[np.integer[Any]], months: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """How well each memory's time fits, in [0, 1].

    Parameters
    ----------
    days: shape (n,), days since 1970.
    months: shape (n,), 12 · year + month − 1.

    A year fits or not. A month fits with 1, the first half of the next with ½, since people tell what
    happened. A day fits with exp(−days after / 7), from the day before it to a month later.
    """
    if cue.month is None:
        fits: NDArray[np.float64] = (months // 12 == cue.year).astype(np.float64)
        return fits
    if cue.day is None:
        return _month_fit(cue, days, months)
    fit = np.zeros(len(days))
    for near in (-1, 0, 1):  # 31 December fits the 1 January of the next year
        year = np.full(len(days), cue.year) if cue.year else months // 12 + near
        fit = np.maximum(fit, _day_fit(year, cue.month, cue.day, days))
    return fit


def _day_fit(
    year: NDArray[np.integer[Any]], month: int, day: int, days: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    asked_month = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    asked = asked_month.astype("datetime64[D]") + (day - 1)
    after = days - asked.astype(np.int64)
    # 29 February of a common year is no day at all
    real = (asked.astype("datetime64[M]") == asked_month) & (after >= -1) & (after <= 31)
    return np.where(real, np.exp(-np.clip(after, 0, 31) / 7.0), 0.0)


def _month_fit(cue: DateCue, days: NDArray[np.integer[Any]], months: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    since = months - (cue.year * 12 if cue.year else 0) - ((cue.month or 1) - 1)
    if cue.year is None:
        since = since % 12
    day_of_month = days - (months.astype("datetime64[M]") - 1970 * 12).astype("datetime64[D]").astype(np.int64) + 1
    return np.where(since == 0, 1.0, np.where((since == 1) & (day_of_month <= 15), 0.5, 0.0))


def _day_beside(text: str, start: int, end: int) -> int | None:
    after = re.match(rf"\s+(?:the\s+)?{_NUMBER}\b(?!\s*[:%])", text[end:])
    before = re.search(rf"\b{_NUMBER}\s+(?:of\s+)?$", text[:start])
    found = after or before
    return int(found[1]) if found else None


def _valid(year: int | None, month: int | None, day: int | None) -> DateCue | None:
    if month is not None and not 1 <= month <= 12:
        return DateCue(year=year) if year else None
    if day is not None and not 1 <= day <= 31:
        day = None
    return DateCue(year, month, day)
