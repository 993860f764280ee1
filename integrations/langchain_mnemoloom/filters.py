"""Filters as LangChain and LangGraph write them, typed as JSON is: true is not 1, and what is missing is not less.

A filter is split into a condition that the core can answer and a rest that is looked up in the value itself: the
core compares single values, while frameworks also ask for whole lists and objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mnemoloom.errors import FilterError
from mnemoloom.filters import Compare, Filter, Op, conjoin

__all__ = ["COMPARISONS", "EVERY_OPERATOR", "ValueFilter", "parse_value_filter"]

COMPARISONS: Final = {f"${op}": op for op in (Op.EQ, Op.NE, Op.GT, Op.GTE, Op.LT, Op.LTE)}
EVERY_OPERATOR: Final = {f"${op}": op for op in Op}
_OF_LISTS = (Op.IN, Op.NIN, Op.ANY, Op.ALL)

Path = tuple[str, ...]
Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class ValueFilter:
    """`condition` on the record that holds a value, None for none; `rest`: tests of what lies at a path in it."""

    condition: Filter | None = None
    rest: tuple[tuple[Path, Test], ...] = ()

    def passes(self, value: Mapping[str, Any]) -> bool:
        """Whether a value that meets the condition meets the rest."""
        return all(test(_at(value, path)) for path, test in self.rest)


def parse_value_filter(
    given: Mapping[str, Any] | None, *, base: Path, operators: Mapping[str, Op] = COMPARISONS
) -> ValueFilter:
    """Read a filter such as {"color": "red", "size": {"$gte": 3}, "owner": {"name": "Ann"}, "tags": ["a", "b"]}.

    All entries must hold. A plain value means `$eq`; an object without operators is matched key by key, and a list
    element by element; an object below `$eq` or `$ne` stands for itself, whole. None matches what is missing, too.
    Keys are keys: "a.b" is no path, and none begins with "$".

    Parameters
    ----------
    base: where in the record the value lies.
    operators: those that are known.

    Raises FilterError for another operator, an operand that cannot be compared, or one nested without end.
    """
    try:
        return _parsed(given, base, operators)
    except RecursionError as error:
        raise FilterError("a filter must not be nested so deep") from error


def _parsed(given: Mapping[str, Any] | None, base: Path, operators: Mapping[str, Op]) -> ValueFilter:
    if given is not None and not isinstance(given, Mapping):
        raise FilterError(f"a filter must be a dict; got {given!r}")
    conditions: list[Filter] = []
    rest: list[tuple[Path, Test]] = []
    for key, wanted in (given or {}).items():
        for path, found in _entries((key,), wanted, operators):
            if isinstance(found, _Single):
                conditions.append(Compare((*base, *path), found.op, found.operand))
            else:
                rest.append((path, found))
    return ValueFilter(conjoin(*conditions), tuple(rest))


@dataclass(frozen=True, slots=True)
class _Single:
    """A comparison that the core can make."""

    op: Op
    operand: Any


def _entries(path: Path, wanted: Any, operators: Mapping[str, Op]) -> Iterator[tuple[Path, _Single | Test]]:  # noqa: ANN401
    if not isinstance(path[-1], str):
        raise FilterError(f"a filter's key must be a string; got {path[-1]!r}")
    if path[-1].startswith("$"):
        raise FilterError(f"a filter has operators below a key, such as {{'size': {{'$gte': 3}}}}; got {path[-1]!r}")
    if not isinstance(wanted, Mapping):
        yield path, _compared(path, Op.EQ, wanted, whole=False)
        return
    asked = [key for key in wanted if isinstance(key, str) and key.startswith("$")]
    if asked and len(asked) < len(wanted):
        raise FilterError(f"the filter on {path[-1]!r} must have operators or keys, not both; got {wanted!r}")
    for operator in asked:
        if operator not in operators:
            raise FilterError(f"filter on {path[-1]!r}: unknown operator {operator}; use one of {', '.join(operators)}")
        yield path, _compared(path, operators[operator], wanted[operator], whole=True)
    if not asked:
        yield path, lambda value: isinstance(value, Mapping)
        for key, inner in wanted.items():
            yield from _entries((*path, key), inner, operators)


def _compared(path: Path, op: Op, operand: Any, *, whole: bool) -> _Single | Test:  # noqa: ANN401
    if op in _OF_LISTS or not isinstance(operand, (Mapping, list, tuple)):
        return _Single(op, operand)
    if op is Op.EQ:
        return lambda value: _fits(value, operand, whole=whole)
    if op is Op.NE:
        return lambda value: not _fits(value, operand, whole=whole)
    raise FilterError(f"filter on {path[-1]!r}: ${op} takes a single value; got {operand!r}")


def _fits(value: Any, wanted: Any, *, whole: bool) -> bool:  # noqa: ANN401
    """Whether a JSON value equals another; an object that is not to be equal as a `whole` may have further keys."""
    if isinstance(wanted, Mapping):
        keys = isinstance(value, Mapping) and (not whole or set(value) == set(wanted))
        return keys and all(_fits(value.get(key), inner, whole=whole) for key, inner in wanted.items())
    if isinstance(wanted, (list, tuple)):
        same = _is_list(value) and len(value) == len(wanted)
        return same and all(_fits(*pair, whole=whole) for pair in zip(value, wanted, strict=True))
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    return bool(value == wanted)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
