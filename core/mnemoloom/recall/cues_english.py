"""What the query reader and the update rule listen for in English."""

from __future__ import annotations

import re

from mnemoloom.recall.cues import Cues

__all__ = ["ENGLISH"]

_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_NUMBER_WORDS = "two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
_EVERYDAY = """
angel art bill bob carol chase chip christian dawn dean drew earl eve faith frank gene grace grant grey guy
hall hope iris ivy jack jade jean john joy june lance lily long major mark max may melody miles nick norm
olive page pat penny pierce ray read rich rob rod rose ruby rusty sandy skip summer sunny victor violet ward
will young april august
"""

# at most so many groups: read to the end from each of a thousand full stops, "1.1.1.1…" would take seconds
_COUNT = rf"(?:\d+(?:[.,]\d+){{0,6}}|{'|'.join(_NUMBER_WORDS)})"
_SCALE = r"(?:k|m|bn|thousand|million|billion)"
_MONTH = rf"(?:{'|'.join(f'{month[:3]}(?:{month[3:]})?' if month[3:] else month for month in _MONTHS)}|sept)\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s\d{4}\b)?"
_UNIT = r"(?:milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?)"
_VALUES = {
    "money": rf"[$€£¥]\s?\d[\d,]*(?:\.\d+)?\s?{_SCALE}?\b"
    rf"|\b{_COUNT}\s?{_SCALE}?\s?(?:dollars?|euros?|pounds?|bucks|usd|eur|gbp)\b",
    "percent": rf"\b{_COUNT}\s?(?:%|percent\b|per cent\b)",
    "clock": r"\b\d{1,2}:\d{2}(?:\s?[ap]\.?m\b)?|\b\d{1,2}\s?[ap]\.?m\b|\bnoon\b|\bmidnight\b",
    "date": rf"\b\d{{4}}-\d{{1,2}}-\d{{1,2}}\b|\b{_MONTH}\s{_DAY}\b{_YEAR}|\b{_DAY}\s(?:of\s)?{_MONTH}\b{_YEAR}"
    rf"|\b{_MONTH},?\s\d{{4}}\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    "version": r"\bv\d+(?:\.\d+)*\b|\b\d+\.\d+\.\d+\b|\bversion\s\d+(?:\.\d+)*\b",
    "duration": rf"\b(?:{_COUNT}|an?|one|half an)[\s-]?{_UNIT}\b",
    "number": rf"\b{_COUNT}\b",
}
_BEGINS = r"(?=[$€£¥]|\b[\dadefhjmnostvw])"  # what every value begins with: most of a text is passed over at once
_UNITS = {
    "millisecond": "ms milliseconds",
    "second": "sec secs seconds",
    "minute": "min mins minutes",
    "hour": "hr hrs hours",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years",
}
_PLAIN = (
    {word: str(number) for number, word in enumerate(_NUMBER_WORDS, 2)}
    | {written: unit for unit, ways in _UNITS.items() for written in ways.split()}
    | {"a": "1", "an": "1", "one": "1", "half": "half of", "noon": "12pm", "midnight": "12am", "v": "", "version": ""}
)
_ASKED = {
    "money": r"\b(how much|costs?|priced?|budget|spend|spending|salary|pay|paying|rent|fees?|income|wage|earn(ing)?s?"
    r"|savings?|worth|loan|debt|deposit|bill|bonus|revenue|quote)\b|[$€£]",
    "percent": r"\b(percent(age)?|rate|share|discount|coverage|accuracy|ratio|interest|complet\w+)\b|%",
    "clock": r"\b(when|what time|deadline|schedule[ds]?)\b",
    "date": r"\b(when|(what|which) (day|date|month)|date|deadline|due|schedule[ds]?)\b",
    "version": r"\b(versions?|release)\b",
    "duration": rf"\b(how long|how often|how many {_UNIT}|duration|(?<!what )time|latency)\b",
    "number": r"\b(how (many|old|tall|far|heavy)|weigh\w*|number of|count|score|average|goal|target|limit|size|quota"
    r"|streak|rate|amount)\b",
}

ENGLISH = Cues(
    newest=re.compile(r"\b(now|current|currently|latest|today|still|these days|any ?more|most recent(ly)?)\b"),
    first=re.compile(r"\b(first|original|originally|initial|initially|earliest|used to|before|previous(ly)?)\b"),
    original=re.compile(r"\b(first|original(ly)?|initial(ly)?|earliest|used to|at the start|to begin with)\b"),
    present=re.compile(
        r"^(?=.*(?:\b(?:do|does|is|are|am|which|who|whose)\b|'s\b))"
        r"(?:(?:what|where|who|whose|which|when|how|is|are|am|do|does)\b|.*\?)",
        re.DOTALL,
    ),
    over_time=re.compile(
        r"\b(previous(ly)?|before|between|order|sequence|timeline|history|across|over time|summar(y|i[sz]e)|each"
        r"|compare[ds]?|differ(ed|ent|ence)?|chang(e|ed|es|ing)|progress(ion|ed)?|evol\w+|from .+ to|did|was|were"
        r"|had)\b"
    ),
    asked={kind: re.compile(pattern) for kind, pattern in _ASKED.items()},
    update=re.compile(
        r"\b(now|no longer|any ?more|instead|updat\w+|chang\w+|switch\w+|mov(ed|ing) (to|up|back)|moved|resched\w+"
        r"|postpon\w+|delay\w+|extend\w+|shorten\w+|increas\w+|decreas\w+|reduc\w+|rais(ed|ing)|lower(ed|ing)|rose"
        r"|dropp?(ed|ing)|gr(ew|own)|upgrad\w+|adjust\w+|revis\w+|replac\w+|correct(ed|ion)|actually|improv\w+"
        r"|reached|recent(ly)?|latest|new|newly|turns out|as of|since then|just (got|found|heard|learned))\b"
    ),
    values=re.compile(_BEGINS + "(?:" + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _VALUES.items()) + ")"),
    plain=_PLAIN,
    asks_reply=re.compile(
        r"\b(did you|your (advice|suggestions?|recommendations?|answer)"
        r"|you (recommend|suggest|advis|provid|g[ai]ve|said|say|explain|outlin|told|tell)\w*)\b"
    ),
    me=frozenset({"i", "my", "me", "mine", "myself"}),
    you=frozenset({"you", "your", "yours", "yourself"}),
    months={name: number for number, name in enumerate(_MONTHS, 1)}
    | {name[:3]: number for number, name in enumerate(_MONTHS, 1)}
    | {"sept": 9},
    everyday=frozenset(_EVERYDAY.split()),
)
