"""Values that a text states: amounts, percentages, times, dates, durations, versions, numbers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mnemoloom.recall.cues import Cues

__all__ = ["Value", "stated_values"]

_LONGEST = 20_000  # characters that are read: what stands behind them is no statement that a question asks about
_REMEMBERED = 1024  # texts: the same few memories answer most questions
_SCALES = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "million": 1_000_000, "bn": 10**9, "billion": 10**9}
_AMOUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?(k|m|bn|thousand|million|billion)?\b")
_WORD = re.compile(r"[a-z]+")
_SPACE = re.compile(r"[\s-]+")
_CLOCK_MARKS = re.compile(r"[\s.]|:00(?=[\s.]*[a-z])")
_DATE_WORDS = re.compile(r"\d+|[a-z]{3,}")  # without "of", "th" and the like


class Value(NamedTuple):
    """A value of a kind, however it was written: "$1,200" and "1.2k dollars" are both money 1200.

    Amounts, times, dates, durations and versions are compared by what they say, as far as that needs no arithmetic:
    "3 p.m." is "3pm", "14th of May" is "May 14" and "an hour" is "1 hour", but "60 minutes" is none of these.
    """

    kind: str
    text: str


def stated_values(text: str, cues: Cues) -> frozenset[Value]:
    """The values in a text, each once; where two kinds fit the same words, the kind that the cues name first."""
    return _stated(text[:_LONGEST], cues)


@lru_cache(maxsize=_REMEMBERED)
def _stated(text: str, cues: Cues) -> frozenset[Value]:
    found = cues.values.finditer(text.lower())
    return frozenset(_value(each.lastgroup or "", each[0], cues) for each in found)


def _value(kind: str, written: str, cues: Cues) -> Value:
    plain = _WORD.sub(lambda word: cues.plain.get(word[0], word[0]), written)
    if kind in ("money", "percent", "number"):
        amount = _AMOUNT.search(plain)
        if amount:
            number = float(amount[1].replace(",", "")) * _SCALES.get(amount[2] or "", 1)
            return Value(kind, f"{number:.10g}")
    if kind == "clock":
        plain = _CLOCK_MARKS.sub("", plain)
    if kind == "date":
        words = _DATE_WORDS.findall(plain)
        plain = " ".join(sorted((word[:3] if word.isalpha() else word for word in words), key=str.isdigit))
    return Value(kind, _SPACE.sub(" ", plain).strip(" ."))
