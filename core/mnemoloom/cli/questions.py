"""The options that `recall` and `why` share."""

from __future__ import annotations

import argparse
import json
from typing import Any

from mnemoloom.errors import FilterError

__all__ = ["question_options"]


def question_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `Memory.recall` and `Memory.why`. Raises FilterError."""
    names = ("k", "profile", "speaker", "session", "after", "before", "tier", "asker")
    return {name: getattr(arguments, name) for name in names} | {"where": _where(arguments.where)}


def _where(given: str | None) -> dict[str, Any] | None:
    if given is None:
        return None
    try:
        value = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise FilterError(f"--where must be a JSON object; got {given!r}") from error
    if not isinstance(value, dict):
        raise FilterError(f"--where must be a JSON object; got {given!r}")
    return value
