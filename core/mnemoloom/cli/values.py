"""From words of the command line to values; what cannot be read is refused in the command line's own words."""

from __future__ import annotations

import argparse
import json
from typing import Any

from mnemoloom.clock import to_millis
from mnemoloom.errors import FilterError, ValidationError

__all__ = ["check_time", "key_of", "least_confidence", "read_filter"]

_LONGEST_NUMBER = 100  # digits; no memory has so many, and Python reads no more than 4,300


def key_of(word: str, arguments: argparse.Namespace) -> int | str:
    """The memory that an ID names: digits are its number, unless --own says that IDs are the user's own."""
    number = word.isascii() and word.isdigit() and len(word) <= _LONGEST_NUMBER and not arguments.own
    return int(word) if number else word


def check_time(given: str | None, option: str) -> str | None:
    """A time as it was given. Raises ValidationError unless it is in ISO 8601."""
    try:
        if given is not None:
            to_millis(given)
    except (ValueError, OverflowError, OSError) as error:
        raise ValidationError(
            f"{option} must be a time in ISO 8601, such as 2026-05-14T18:00, 2026-05-14, 2026-05 or 2026; got {given!r}"
        ) from error
    return given


def least_confidence(given: str | None) -> Any:  # noqa: ANN401 - float | Literal["calibrated"] | None
    """A number from 0 to 1, or "calibrated". Raises ValidationError."""
    if given is None or given == "calibrated":
        return given
    try:
        least = float(given)
    except ValueError:
        least = -1.0
    if not 0.0 <= least <= 1.0:
        raise ValidationError(f"--min-confidence must be a number from 0 to 1, or calibrated; got {given!r}")
    return least


def read_filter(given: str | None) -> dict[str, Any] | None:
    """The object of --where. Raises FilterError."""
    if given is None:
        return None
    try:
        value = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise FilterError(f"--where must be a JSON object; got {given!r}") from error
    if not isinstance(value, dict):
        raise FilterError(f"--where must be a JSON object; got {given!r}")
    return value
