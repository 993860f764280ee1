"""Values that a text states: amounts, percentages, times, dates, durations, versions, numbers."""

from __future__ import annotations

import re
from typing import NamedTuple

from mnemoloom.recall.cues import Cues

__all__ = ["Value", "stated_values"]

_LONGEST = 20_000  # characters that are read: what stands behind them is no statement that a question asks about
_SCALES = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "million": 1_000_000, "bn": 10**9, "billion": 10**9}
_AMOUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?(k|m|bn|thousand|million|billion)?\b")
_WORD = re.compile(r"[a-z]+")
_SPACE = re.compile(r"[\s-]+")


class Value(NamedTuple):
    """A value of a kind, however it was written: "$1,200" and "1.2k dollars" are both money 1200."""

    kind: str
    text: str


def stated_values(text: str, cues: Cues) -> frozenset[Value]:
    """The values in a text, each once; where two kinds fit the same words, the kind that the cues name first."""
    found = cues.values.finditer(text[:_LONGEST].lower())
    return frozenset(_value(each.lastgroup or "", each[0], cues) for each in found)


def _value(kind: str, written: str, cues: Cues) -> Value:
    plain = _WORD.sub(lambda word: cues.digits.get(word[0], word[0]), written)
    if kind in ("money", "percent", "number"):
        amount = _AMOUNT.search(plain)
        if amount:
            number = float(amount[1].replace(",", "")) * _SCALES.get(amount[2] or "", 1)
            return Value(kind, f"{number:.10g}")
    if kind == "date":
        plain = _WORD.sub(lambda word: word[0][:3] if len(word[0]) > 2 else "", plain).replace(",", "")
    return Value(kind, _SPACE.sub(" ", plain).strip(" ."))
