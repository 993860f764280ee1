"""JSON objects out of the text of a language model, whatever stands around them.

Inside an object `//` and `/* */` comments count as blanks; strings are strings, so that a URL, a brace or an
escaped quote in one is text. Outside an object there is only prose: nothing there hides an object, except
reasoning between `<think>` and `</think>`, which is passed over. Where an object breaks off or breaks a rule, the
fault is reported and reading goes on at the next brace after the broken one's.

Every position is judged at most once for each thing that could be expected there: the time is linear in the length
of the text, whatever the text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from enum import Enum
from typing import Any, NamedTuple

from mnemoloom.errors import TextError

__all__ = ["MAX_DEPTH", "Fault", "FoundObject", "Reading", "read_objects"]

MAX_DEPTH = 100
_LONGEST_NUMBER = 600  # Python may refuse integers of 640 digits and more
_STOP = re.compile(r"\{|<(/?)think(?:ing)?>", re.IGNORECASE)
_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\n\r]*")
_IN_STRING = re.compile(r'(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_STRING_OR_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|/\*.*?\*/|//[^\r\n]*', re.DOTALL)
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|([{\[])|[}\]]', re.DOTALL)


class FoundObject(NamedTuple):
    """An object of the text: its value, and where it stands (characters, end excluded)."""

    value: dict[str, Any]
    start: int
    end: int


class Fault(NamedTuple):
    """What kept something from being an object: where that began, where it broke a rule, and which."""

    start: int
    position: int
    rule: str


class Reading(NamedTuple):
    """The objects of a text and its faults, each in the order of their beginnings."""

    objects: tuple[FoundObject, ...]
    faults: tuple[Fault, ...]


def read_objects(text: str) -> Reading:
    """Find every outermost JSON object in a text; never raises on any text.

    An object inside one that breaks a rule is found by itself. A key that stands twice is a fault, and the last of
    its values is kept. Reasoning that is never closed hides the rest; a `</think>` that nothing opened hides what
    stands before it. Raises TextError if it is not given a str.
    """
    if not isinstance(text, str):
        raise TextError(f"read_objects takes a text; got {type(text).__name__}")
    locator, objects, faults = _Locator(text), list[FoundObject](), list[Fault]()
    at, tagged = 0, False
    while stop := _STOP.search(text, at):
        start, at = stop.span()
        if stop[0] == "{":
            end, broken = locator.locate(start)
            if broken is None:
                found, fault = _decoded(text[start:end], start, end)
                objects += found
                faults += fault
                at = end
            elif not faults or faults[-1].position != broken.position:
                # what is open around a broken place breaks there, too: one fault says it
                faults.append(Fault(start, *broken))
        elif stop[1]:
            if not tagged:  # the prompt had opened the reasoning
                objects, faults, tagged = [], [], True
        else:
            tagged = True
            close = _close_of(text, at)
            if close is None:
                faults.append(Fault(start, len(text), "reasoning must be closed by </think>"))
                break
            at = close
    return Reading(tuple(objects), tuple(faults))


def _close_of(text: str, at: int) -> int | None:
    close = _CLOSE.search(text, at)
    return close.end() if close else None


def _decoded(source: str, start: int, end: int) -> tuple[list[FoundObject], list[Fault]]:
    """The value of a located object, and the faults that do not keep it from being one."""
    if "/" in source:
        source = _STRING_OR_COMMENT.sub(lambda part: part[1] or " ", source)
    if _too_deep(source):
        return [], [Fault(start, end, f"an object may nest {MAX_DEPTH} levels")]
    twice: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            twice.append(next(key for key in counts if counts[key] > 1))
        return made

    value = json.loads(source, object_pairs_hook=unique)
    faults = [Fault(start, end, f"a key must stand once; {key!r} stands twice") for key in twice]
    return [FoundObject(value, start, end)], faults


def _too_deep(source: str) -> bool:
    if source.count("{") + source.count("[") <= MAX_DEPTH:
        return False
    depth = 0
    for part in _STRING_OR_BRACKET.finditer(source):
        if part[0][0] != '"':
            depth += 1 if part[1] else -1
            if depth > MAX_DEPTH:
                return True
    return False


class _Expected(Enum):
    """What may come next inside a container."""

    FIRST = 1  # a member or the end
    MEMBER = 2  # a member: there was a comma
    COMMA = 3  # a comma or the end


class _Break(NamedTuple):
    position: int
    rule: str


_Mark = tuple[str, _Expected, int]


class _Frame(NamedTuple):
    """A container that is open: what closes it, and every place where it was judged."""

    closer: str
    marks: list[_Mark]


class _Locator:
    """Tells where the object at a brace ends, or where it breaks; remembers what it has judged."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._judged: dict[_Mark, int | _Break] = {}  # what becomes of a container, given a place inside it
        self._blanks: dict[int, int | _Break] = {}
        self._line_ends = [found.start() for found in re.finditer(r"[\r\n]", text)]
        self._comment_ends = [found.end() for found in re.finditer(r"(?=\*/)", text)]

    def locate(self, start: int) -> tuple[int, _Break | None]:
        """The end of the object that begins at `start`, or its break."""
        frames, at, expected = [_Frame("}", [])], start + 1, _Expected.FIRST
        while frames:
            place = self._blank(at)
            if isinstance(place, _Break):
                return self._broken(frames, place)
            frame, at = frames[-1], place
            mark = (frame.closer, expected, at)
            known = self._judged.get(mark)
            if isinstance(known, _Break):
                return self._broken(frames, known)
            frame.marks.append(mark)
            closed = known is not None or (expected is not _Expected.MEMBER and self._text[at : at + 1] == frame.closer)
            if closed:
                at, expected = at + 1 if known is None else known, _Expected.COMMA
                self._judged.update(dict.fromkeys(frames.pop().marks, at))
            elif expected is _Expected.COMMA:
                if self._text[at : at + 1] != ",":
                    return self._broken(frames, self._missing(at, f"',' or {frame.closer!r}"))
                at, expected = at + 1, _Expected.MEMBER
            else:
                begun = self._member(at, keyed=frame.closer == "}")
                if isinstance(begun, _Break):
                    return self._broken(frames, begun)
                at, opened = begun
                expected = _Expected.FIRST if opened else _Expected.COMMA
                if opened:
                    frames.append(_Frame(opened, []))
        return at, None

    def _broken(self, frames: list[_Frame], why: _Break) -> tuple[int, _Break]:
        for frame in frames:
            self._judged.update(dict.fromkeys(frame.marks, why))
        return why.position, why

    def _member(self, at: int, *, keyed: bool) -> tuple[int, str] | _Break:
        """Read a key, if there must be one, and a value. The end and "", or where a container begins and its closer."""
        if keyed:
            if self._text[at : at + 1] != '"':
                return self._missing(at, "a key in double quotes")
            colon = self._then(self._string(at))
            if isinstance(colon, _Break):
                return colon
            if self._text[colon : colon + 1] != ":":
                return self._missing(colon, "':' after a key")
            value = self._blank(colon + 1)
            if isinstance(value, _Break):
                return value
            at = value
        first = self._text[at : at + 1]
        if first in ("{", "["):
            return at + 1, "}" if first == "{" else "]"
        end = self._string(at) if first == '"' else self._scalar(at)
        return end if isinstance(end, _Break) else (end, "")

    def _then(self, at: int | _Break) -> int | _Break:
        return at if isinstance(at, _Break) else self._blank(at)

    def _blank(self, at: int) -> int | _Break:
        """Where the blanks and comments that begin at `at` end."""
        passed: list[int] = []
        while (end := self._blanks.get(at)) is None:
            passed.append(at)
            stop = _end_of(_BLANK, self._text, at)
            sign = self._text[stop : stop + 2]
            if sign == "//":
                at = self._after(self._line_ends, stop + 2)
            elif sign != "/*":
                end = stop
                break
            else:
                at = self._after(self._comment_ends, stop + 2) + 2
                if at > len(self._text):
                    end = _Break(stop, "a comment must be closed by */")
                    break
        self._blanks.update(dict.fromkeys(passed, end))
        return end

    def _after(self, places: list[int], at: int) -> int:
        index = bisect_left(places, at)
        return places[index] if index < len(places) else len(self._text)

    def _string(self, at: int) -> int | _Break:
        end = _end_of(_IN_STRING, self._text, at + 1)
        last = self._text[end : end + 1]
        if last == '"':
            return end + 1
        if not last:
            return _Break(end, "a string must be closed")
        return _Break(
            end, "a backslash must begin an escape" if last == "\\" else "a string holds no control characters"
        )

    def _scalar(self, at: int) -> int | _Break:
        if word := _WORD.match(self._text, at):
            return word.end()
        number = _NUMBER.match(self._text, at)
        if number is None:
            return self._missing(at, "a value")
        if number.end() - at > _LONGEST_NUMBER:
            return _Break(at, f"a number may have {_LONGEST_NUMBER} characters")
        if (number[1] or number[2]) and abs(float(number[0])) == float("inf"):
            return _Break(at, "a number must fit into 64-bit floating point")
        return number.end()

    def _missing(self, at: int, wanted: str) -> _Break:
        found = repr(self._text[at]) if at < len(self._text) else "the end of the text"
        return _Break(at, f"expected {wanted}, found {found}")


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    """The end of a match that may be empty, and so never fails."""
    found = pattern.match(text, at)
    return at if found is None else found.end()
