"""Which memories may answer: conditions on a record's fields and its metadata, as frozen values.

Values are typed as JSON types them and never mix: true is not 1, "1" is not 1, but 1 is 1.0. Text is
ordered by code point. A null field and a missing one are the same: only `eq None` (or a list with None)
and `exists False` match them, and so do the negations `ne` and `nin`, which are exactly "not eq", "not in".

`matches` is the meaning of a filter; the store's SQL gives the same answer. Two bounds come from SQLite:
integers outside 64 bits in metadata are compared as floats, and SQLite's own reader turns the digits of a
float into its bits, so neighbours in the last of 17 digits may be taken for one another where it rounds.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from reprlib import Repr
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np

from .clock import to_millis
from .errors import FilterError
from .records import Tier

__all__ = [
    "And",
    "Compare",
    "Filter",
    "Not",
    "Op",
    "Or",
    "Where",
    "common",
    "conjoin",
    "matches",
    "parse_filter",
    "where",
]

_MAX_VALUES = 1_000  # in one list
_MAX_DEPTH = 16  # And, Or and Not inside one another; also the keys of one metadata path
_MAX_STEPS = 4_000  # path segments of all comparisons: keeps the SQL under SQLite's 1 MB and 32,766 parameters
_MAX_TEXT = 64 * 1024  # bytes of UTF-8
_INT64 = 2**63

_messages = Repr()
_messages.maxstring = 80
_brief = _messages.repr

Scalar: TypeAlias = str | int | float | bool | datetime | None


class Op(str, Enum):
    """How a field is compared with its operand."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    NIN = "nin"
    EXISTS = "exists"
    CONTAINS = "contains"
    ANY = "any"
    ALL = "all"

    def __str__(self) -> str:
        return self.value


_ORDER: Final[Mapping[Op, Callable[[Any, Any], bool]]] = {
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
    Op.LT: operator.lt,
    Op.LTE: operator.le,
}
_LISTS: Final = frozenset({Op.IN, Op.NIN, Op.ANY, Op.ALL})
_SAME: Final = frozenset({Op.EQ, Op.NE, Op.IN, Op.NIN, Op.ANY, Op.EXISTS})


class _Kind(Enum):
    """What a field holds, in the words of a message."""

    INTEGER = "an integer"
    TEXT = "a string or None"
    TIME = "a datetime, an ISO 8601 string or epoch seconds"
    TIER = "one of " + ", ".join(repr(tier.value) for tier in Tier)
    FLAG = "True or False"
    JSON = "a string, a finite number of at most 64 bits, True, False or None"


_FIELDS: Final[Mapping[str, _Kind]] = {
    "id": _Kind.INTEGER,
    "external_id": _Kind.TEXT,
    "speaker": _Kind.TEXT,
    "session": _Kind.TEXT,
    "time": _Kind.TIME,
    "created": _Kind.TIME,
    "tier": _Kind.TIER,
    "pinned": _Kind.FLAG,
    "source": _Kind.TEXT,
    "trust": _Kind.TEXT,
    "expires": _Kind.TIME,
}
_OPERATORS: Final[Mapping[_Kind, frozenset[Op]]] = {
    _Kind.INTEGER: _SAME | _ORDER.keys(),
    _Kind.TEXT: frozenset(Op) - {Op.ALL},
    _Kind.TIME: _SAME | _ORDER.keys(),
    _Kind.TIER: _SAME,
    _Kind.FLAG: _SAME,
    _Kind.JSON: frozenset(Op),
}


class _Combinable:
    """`&`, `|` and `~` between filters."""

    __slots__ = ()

    def __and__(self, other: Filter) -> And:
        return And((self, other)) if isinstance(other, _Combinable) else NotImplemented  # type: ignore[arg-type]

    def __or__(self, other: Filter) -> Or:
        return Or((self, other)) if isinstance(other, _Combinable) else NotImplemented  # type: ignore[arg-type]

    def __invert__(self) -> Not:
        return Not(self)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Compare(_Combinable):
    """One field compared with one operand.

    Parameters
    ----------
    field: `("speaker",)`, or `("metadata", key, …)`.
    op: an `Op` or its name.
    value: the operand; a collection of them for in, nin, any and all. Once built, lists are tuples and
        times are integer milliseconds since 1970.

    Raises FilterError for an unknown field or operator, and an operand of the wrong type or size.
    """

    field: tuple[str, ...]
    op: Op
    value: Any

    def __post_init__(self) -> None:
        path = _checked_path(self.field)
        op = _checked_op(self.op, path)
        object.__setattr__(self, "field", path)
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "value", _checked_operand(path, op, self.value))

    @property
    def steps(self) -> int:
        return len(self.field)

    @property
    def depth(self) -> int:
        return 0

    @property
    def _identity(self) -> tuple[Any, ...]:
        # True == 1 in Python, but not in a filter
        value = tuple(map(_typed, self.value)) if self.op in _LISTS else _typed(self.value)
        return self.field, self.op, value

    def __eq__(self, other: object) -> bool:
        return self._identity == other._identity if isinstance(other, Compare) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity)


@dataclass(frozen=True, slots=True)
class _Junction(_Combinable):
    """Parts joined by one word; a part joined by the same word is taken apart."""

    parts: tuple[Filter, ...]
    steps: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        parts = _flattened(type(self), self.parts)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "steps", sum(part.steps for part in parts))
        object.__setattr__(self, "depth", _deeper(parts))


class And(_Junction):
    """Every part matches."""

    __slots__ = ()


class Or(_Junction):
    """At least one part matches."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Not(_Combinable):
    """The part does not match."""

    part: Filter
    steps: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        (part,) = _flattened(Not, (self.part,))
        object.__setattr__(self, "steps", part.steps)
        object.__setattr__(self, "depth", _deeper((part,)))


Filter: TypeAlias = Compare | And | Or | Not


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """A field waiting for its comparison; made by `where`.

    It has methods in place of operators: `==` and the like raise FilterError, because what Python makes of them
    (`a == 1 and b == 2`, `1 < a < 3`) would not be a filter.
    """

    path: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return self.path == other.path if isinstance(other, Where) else self._refuse("==", "eq", other)

    def __ne__(self, other: object) -> bool:
        return self.path != other.path if isinstance(other, Where) else self._refuse("!=", "ne", other)

    def __gt__(self, other: object) -> bool:
        return self._refuse(">", "gt", other)

    def __ge__(self, other: object) -> bool:
        return self._refuse(">=", "gte", other)

    def __lt__(self, other: object) -> bool:
        return self._refuse("<", "lt", other)

    def __le__(self, other: object) -> bool:
        return self._refuse("<=", "lte", other)

    def __hash__(self) -> int:
        return hash(self.path)

    def _refuse(self, sign: str, method: str, other: object) -> NoReturn:
        shown = _brief(other) if isinstance(other, (int, float)) else "…"
        raise FilterError(f"filter on {_named(self.path)}: {sign} makes no filter; use .{method}({shown})")

    def eq(self, value: Scalar) -> Compare:
        return Compare(self.path, Op.EQ, value)

    def ne(self, value: Scalar) -> Compare:
        return Compare(self.path, Op.NE, value)

    def gt(self, value: Scalar) -> Compare:
        return Compare(self.path, Op.GT, value)

    def gte(self, value: Scalar) -> Compare:
        return Compare(self.path, Op.GTE, value)

    def lt(self, value: Scalar) -> Compare:
        return Compare(self.path, Op.LT, value)

    def lte(self, value: Scalar) -> Compare:
        return Compare(self.path, Op.LTE, value)

    def is_in(self, values: Collection[Scalar]) -> Compare:
        """Match a value equal to one of `values`; an empty collection matches nothing."""
        return Compare(self.path, Op.IN, values)

    def not_in(self, values: Collection[Scalar]) -> Compare:
        return Compare(self.path, Op.NIN, values)

    def exists(self, present: bool = True) -> Compare:
        """Match a value that is there and not null, or, with False, one that is not."""
        return Compare(self.path, Op.EXISTS, present)

    def contains(self, value: Scalar) -> Compare:
        """Match a string with this substring (case matters), or an array with this element."""
        return Compare(self.path, Op.CONTAINS, value)

    def any_of(self, values: Collection[Scalar]) -> Compare:
        """Match an array with at least one of `values`, or anything that `is_in` matches."""
        return Compare(self.path, Op.ANY, values)

    def all_of(self, values: Collection[Scalar]) -> Compare:
        """Match an array that has every one of `values`; every array has all of none."""
        return Compare(self.path, Op.ALL, values)


def where(*path: str) -> Where:
    """Name a field: `where("metadata.city")`, or `where("metadata", "a.b")` for keys with dots.

    A method compares it: `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `is_in`, `not_in`, `exists`, `contains`, `any_of`,
    `all_of`. Filters are joined by `&` and `|`, and turned round by `~`:
    `where("speaker").eq("Ann") & ~where("metadata.year").lt(2020)`.

    Raises FilterError for a field that no record has.
    """
    return Where(_checked_path(_split(path[0]) if len(path) == 1 else path))


def parse_filter(value: Filter | Mapping[Any, Any] | None) -> Filter | None:
    """Read a filter from its dict form; None and {} restrict nothing and give None.

    `{"speaker": "Ann", "metadata.year": {"$gte": 2020}, "$or": [{…}, {…}], "$not": {…}}`: all entries
    must match, and a plain value means `$eq`. A key may also be a tuple of path segments, for metadata
    keys with dots. Raises FilterError for anything else.
    """
    if value is None or isinstance(value, Filter):
        return value
    if isinstance(value, Mapping) and not value:
        return None
    return _parsed(value, 0)


def conjoin(*filters: Filter | None) -> Filter | None:
    """Give the filter that all of `filters` make together, where None restricts nothing."""
    given = [part for part in filters if part is not None]
    return _joined(And, given) if given else None


def common(
    *,
    speaker: str | Collection[str] | None = None,
    session: str | Collection[str] | None = None,
    after: datetime | str | float | None = None,
    before: datetime | str | float | None = None,
    tier: Tier | str | Collection[Tier | str] | None = None,
    source: str | Collection[str] | None = None,
    trust: str | Collection[str] | None = None,
    external_id: str | Collection[str] | None = None,
    pinned: bool | None = None,
) -> Filter | None:
    """Give the filter of recall's keyword arguments; None restricts nothing.

    A collection allows any of its values, an empty one allows nothing. `after` is included in the span of
    time and `before` is not; a day, month or year ("2026-05") stands for its beginning in both.
    """
    fields = {
        "speaker": speaker,
        "session": session,
        "tier": tier,
        "source": source,
        "trust": trust,
        "external_id": external_id,
        "pinned": pinned,
    }
    parts: list[Filter] = [
        Compare((name,), Op.EQ if isinstance(value, (str, bool)) else Op.IN, value)
        for name, value in fields.items()
        if value is not None
    ]
    if after is not None:
        parts.append(where("time").gte(after))
    if before is not None:
        parts.append(where("time").lt(before))
    return conjoin(*parts)


def asks_for(condition: Filter | None, name: str, value: str) -> bool:
    """Whether a filter names a value of a record's field outright, not under a negation."""
    if isinstance(condition, (And, Or)):
        return any(asks_for(part, name, value) for part in condition.parts)
    if not isinstance(condition, Compare) or condition.field != (name,):
        return False
    named = condition.value if condition.op in (Op.IN, Op.ANY) else (condition.value,)
    return condition.op in (Op.EQ, Op.IN, Op.ANY) and value in named


def matches(condition: Filter | None, view: Mapping[str, Any]) -> bool:
    """Say whether a record matches.

    Parameters
    ----------
    view: the record's fields by name; `time`, `created` and `expires` in integer milliseconds since 1970, `metadata`
        as the JSON object it was stored as. A field left out counts as null.
    """
    if condition is None:
        return True
    if isinstance(condition, And):
        return all(matches(part, view) for part in condition.parts)
    if isinstance(condition, Or):
        return any(matches(part, view) for part in condition.parts)
    if isinstance(condition, Not):
        return not matches(condition.part, view)
    return _holds(condition.op, _stored(condition.field, view), condition.value)


def _holds(op: Op, stored: object, operand: object) -> bool:
    if op is Op.NE:
        return not _holds(Op.EQ, stored, operand)
    if op is Op.NIN:
        return not _holds(Op.IN, stored, operand)
    if op is Op.EXISTS:
        return (stored is not None) is operand
    if op in _ORDER:
        (kind, value), (operand_kind, bound) = _typed(stored), _typed(operand)
        return kind == operand_kind and _ORDER[op](value, bound)
    if op is Op.CONTAINS and isinstance(stored, str):
        return isinstance(operand, str) and operand in stored
    return _holds_elements(op, stored, set(map(_typed, operand if isinstance(operand, tuple) else (operand,))))


def _holds_elements(op: Op, stored: object, wanted: set[tuple[str, Any]]) -> bool:
    elements = set(map(_typed, stored)) if isinstance(stored, (list, tuple)) else None
    if op is Op.ALL:
        return elements is not None and wanted <= elements
    if op is Op.CONTAINS or (op is Op.ANY and elements is not None):
        return elements is not None and not wanted.isdisjoint(elements)
    return _typed(stored) in wanted


def _stored(path: tuple[str, ...], view: Mapping[str, Any]) -> object:
    value: object = view.get(path[0])
    for key in path[1:]:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    # SQLite has no booleans, so a row says 0 or 1
    return bool(value) if path == ("pinned",) and value is not None else value


def _typed(value: object) -> tuple[str, Any]:
    """Pair a value with its JSON type, so that equal pairs are equal values; containers equal no operand."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, (int, float)):
        return "number", _as_stored_number(value)
    # an enum of strings hashes by its name, not by its text
    return ("text", str.__str__(value)) if isinstance(value, str) else ("container", None)


def _as_stored_number(value: int | float) -> int | float:
    if isinstance(value, float) or -_INT64 <= value < _INT64:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _split(name: object) -> tuple[Any, ...]:
    if not isinstance(name, str):
        raise FilterError(f"a filter's field must be a string; got {_brief(name)}")
    return tuple(name.split("."))


def _named(path: Iterable[str]) -> str:
    return _brief(".".join(path))


def _checked_path(path: object) -> tuple[str, ...]:
    if not isinstance(path, (tuple, list)) or not path or not all(isinstance(key, str) for key in path):
        raise FilterError(
            f"a filter's field must be a tuple of strings, such as ('metadata', 'city'); got {_brief(path)}"
        )
    if path[0] == "metadata" and len(path) > 1:
        if len(path) - 1 > _MAX_DEPTH:
            raise FilterError(f"a filter's metadata path must have at most {_MAX_DEPTH} keys; got {len(path) - 1}")
        return tuple(_checked_text(_named(path), key) for key in path)
    if path[0] in _FIELDS and len(path) == 1:
        return (str.__str__(path[0]),)
    raise FilterError(
        f"filters know no field {_brief(path) if '.' in ''.join(path) else _named(path)}; "
        f"the fields are {', '.join(_FIELDS)}, "
        f"and metadata.NAME for your own metadata"
    )


def _checked_op(op: object, path: tuple[str, ...]) -> Op:
    try:
        known = Op(op)
    except ValueError:
        names = ", ".join(f"${each}" for each in Op)
        raise FilterError(
            f"filter on {_named(path)}: unknown operator {_brief(op)}; the operators are {names}"
        ) from None
    kind = _FIELDS.get(path[0], _Kind.JSON)
    if known not in _OPERATORS[kind]:
        names = ", ".join(f"${each}" for each in Op if each in _OPERATORS[kind])
        raise FilterError(f"filter on {_named(path)}: ${known} does not apply to this field; it takes {names}")
    return known


def _told(value: object) -> str:
    """What an operand is, without what it says: it may be private."""
    if value is None or isinstance(value, (bool, float)):
        return repr(value)
    if isinstance(value, int):
        return _brief(value) if value.bit_length() < 256 else f"an integer of {value.bit_length()} bits"
    kind = type(value).__name__
    return f"a {kind} of length {len(value)}" if isinstance(value, Collection) else f"a {kind}"


def _checked_operand(path: tuple[str, ...], op: Op, value: object) -> object:
    name, kind = f"{_named(path)}: ${op}", _FIELDS.get(path[0], _Kind.JSON)
    if op is Op.EXISTS:
        if not isinstance(value, bool):
            raise FilterError(f"filter on {name} takes True or False; got {_told(value)}")
        return value
    if op in _LISTS:
        return tuple(_checked_scalar(name, kind, each) for each in _checked_list(name, value))
    if isinstance(value, Mapping):
        raise FilterError(f"filter on {name} cannot compare with an object; name a key inside it; got {_told(value)}")
    if isinstance(value, Collection) and not isinstance(value, (str, bytes)):
        raise FilterError(
            f'filter on {name} takes one value; for any of several, use {{"$in": […]}}; got {_told(value)}'
        )
    operand = _checked_scalar(name, kind, value)
    if op in _ORDER and (operand is None or isinstance(operand, bool)):
        raise FilterError(f"filter on {name} takes a number or a string; got {_told(value)}")
    if op is Op.CONTAINS and kind is _Kind.TEXT and operand is None:
        raise FilterError(f"filter on {name} takes a string; got None")
    return operand


def _checked_list(name: str, values: object) -> Collection[Any]:
    if not isinstance(values, Collection) or isinstance(values, (str, bytes, Mapping)):
        raise FilterError(f"filter on {name} takes a list of values; got {_told(values)}")
    if len(values) > _MAX_VALUES:
        raise FilterError(f"filter on {name} takes at most {_MAX_VALUES} values; got {len(values)}")
    return values


def _checked_scalar(name: str, kind: _Kind, value: object) -> str | int | float | None:
    if kind is _Kind.TIME:
        return _checked_time(name, value)
    if kind is _Kind.TIER and isinstance(value, str) and value in [*Tier]:
        return Tier(value).value
    if kind is _Kind.FLAG and isinstance(value, bool):
        return value
    if kind is _Kind.INTEGER and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return _checked_integer(name, int(value))
    if kind is _Kind.TEXT and (value is None or isinstance(value, str)):
        return value if value is None else _checked_text(name, value)
    if kind is _Kind.JSON and (value is None or isinstance(value, (str, bool, int, float, np.integer, np.floating))):
        return _checked_json(name, value)
    raise FilterError(f"filter on {name} takes {kind.value}; got {_told(value)}")


def _checked_json(
    name: str, value: str | float | np.integer[Any] | np.floating[Any] | bool | None
) -> str | int | float | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _checked_text(name, value)
    if isinstance(value, (int, np.integer)):
        return _checked_integer(name, int(value))
    if not math.isfinite(value):
        raise FilterError(f"filter on {name} takes a finite number; got {_told(value)}")
    return float(value)


def _checked_integer(name: str, value: int) -> int:
    if not -_INT64 <= value < _INT64:
        raise FilterError(f"filter on {name} takes integers of at most 64 bits; got one of {value.bit_length()} bits")
    return int(value)


def _checked_time(name: str, value: object) -> int:
    try:
        return _checked_integer(name, to_millis(value))  # type: ignore[arg-type]  # it says what it cannot read
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise FilterError(f"filter on {name} takes {_Kind.TIME.value}; got {_told(value)}") from error


def _checked_text(name: str, value: str) -> str:
    if "\0" in value:
        raise FilterError(f"filter on {name}: a string must not hold NUL; got {_told(value)}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise FilterError(f"filter on {name}: a string must not hold a lone surrogate; got {_told(value)}") from error
    if size > _MAX_TEXT:
        raise FilterError(f"filter on {name}: a string must have at most {_MAX_TEXT} bytes of UTF-8; got {size}")
    return str.__str__(value)


def _flattened(kind: type[_Combinable], parts: Iterable[Filter]) -> tuple[Filter, ...]:
    """Check the parts one by one, so that a filter too large is refused before it is built."""
    flat: list[Filter] = []
    steps = 0
    for part in parts:
        if not isinstance(part, Filter):
            raise FilterError(f"{kind.__name__} joins filters; got {_told(part)}")
        steps += part.steps
        if steps > _MAX_STEPS:
            raise FilterError(f"a filter must name at most {_MAX_STEPS} path segments in all its comparisons")
        flat.extend(part.parts if isinstance(part, _Junction) and isinstance(part, kind) else (part,))
    if not flat:
        raise FilterError(f"{kind.__name__} must join at least one filter; got none")
    return tuple(flat)


def _deeper(parts: tuple[Filter, ...]) -> int:
    depth = 1 + max(part.depth for part in parts)
    if depth > _MAX_DEPTH:
        raise FilterError(f"filters nest at most {_MAX_DEPTH} deep; got {depth}")
    return depth


def _joined(kind: type[And] | type[Or], parts: Iterable[Filter]) -> Filter:
    flat = _flattened(kind, parts)
    return flat[0] if len(flat) == 1 else kind(flat)


def _parsed(value: object, level: int) -> Filter:
    if isinstance(value, Filter):
        return value
    if not isinstance(value, Mapping) or not value:
        raise FilterError(f"a filter must be a dict with at least one condition; got {_told(value)}")
    if level > _MAX_DEPTH:
        raise FilterError(f"filters nest at most {_MAX_DEPTH} deep; this one goes deeper")
    return _joined(And, _entries(value, level))


def _entries(conditions: Mapping[Any, Any], level: int) -> Iterator[Filter]:
    for key, value in conditions.items():
        if key in ("$and", "$or"):
            if not isinstance(value, (list, tuple)) or not 0 < len(value) <= _MAX_VALUES:
                raise FilterError(f"{key} takes a list of 1 to {_MAX_VALUES} filters; got {_told(value)}")
            yield _joined(And if key == "$and" else Or, (_parsed(part, level + 1) for part in value))
        elif key == "$not":
            yield Not(_parsed(value, level + 1))
        elif isinstance(key, str) and key.startswith("$"):
            raise FilterError(f"a filter combines conditions with $and, $or and $not; got {_brief(key)}")
        else:
            yield from _comparisons(_checked_path(key if isinstance(key, tuple) else _split(key)), value)


def _comparisons(path: tuple[str, ...], value: object) -> Iterator[Filter]:
    if not isinstance(value, Mapping):
        yield Compare(path, Op.EQ, value)
        return
    if not value:
        raise FilterError(f'filter on {_named(path)} needs an operator, such as {{"$eq": …}}; got {{}}')
    for name, operand in value.items():
        # "gte" without its $ is a mistake, or an object to compare with
        known = isinstance(name, str) and name.startswith("$")
        yield Compare(path, _checked_op(name[1:] if known else repr(name), path), operand)
