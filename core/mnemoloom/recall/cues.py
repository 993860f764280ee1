"""What the query reader and the update rule listen for; each language has a module of its own (`cues_english`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SILENT", "Cues"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cues:
    """Patterns over lower-case text, and words.

    newest, first: the query asks for the present, or for an earlier state.
    original: of these, what asks for the first of several versions.
    present: the query is a question, and asks how things are. over_time: it asks for the past or for a course of
        things, so that no version is the right one.
    asked: for each kind of value, what in a query asks for it. values: what such values look like, a named group
        for each kind. plain: words inside a value to what they are compared as (number words as digits, units in
        one spelling).
    update: what people say when they tell of a change.
    asks_reply: the query asks what the assistant said.
    me, you: pronouns of the one who asks and of the one who answers.
    months: month names and abbreviations to 1–12.
    everyday: names that are also ordinary words; they count as names only with a capital letter.
    """

    newest: re.Pattern[str]
    first: re.Pattern[str]
    original: re.Pattern[str]
    present: re.Pattern[str]
    over_time: re.Pattern[str]
    asked: Mapping[str, re.Pattern[str]]
    values: re.Pattern[str]
    plain: Mapping[str, str]
    update: re.Pattern[str]
    asks_reply: re.Pattern[str]
    me: frozenset[str]
    you: frozenset[str]
    months: Mapping[str, int]
    everyday: frozenset[str]


_NEVER = re.compile(r"(?!)")
SILENT = Cues(
    newest=_NEVER,
    first=_NEVER,
    original=_NEVER,
    present=_NEVER,
    over_time=_NEVER,
    asked={},
    values=_NEVER,
    plain={},
    update=_NEVER,
    asks_reply=_NEVER,
    me=frozenset(),
    you=frozenset(),
    months={},
    everyday=frozenset(),
)
