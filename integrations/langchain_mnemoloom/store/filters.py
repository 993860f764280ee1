"""Filters on an item's value, typed as JSON is: true is not 1, "10" is not 10, and what is missing is not less.

A filter is split into a condition that the core can answer and a rest that is looked up in the value itself: the
core compares single values, while LangGraph also asks for whole lists and objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemoloom.errors import FilterError
from mnemoloom.filters import Compare, Filter, Op, conjoin

__all__ = ["ValueFilter", "parse_value_filter"]

_OPERATORS = {"$eq": Op.EQ, "$ne": Op.NE, "$gt": Op.GT, "$gte": Op.GTE, "$lt": Op.LT, "$lte": Op.LTE}
_VALUE = ("metadata", "value")

Path = tuple[str, ...]
Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class ValueFilter:
    """`condition` on the record that holds the value, None for none; `rest`: tests of what lies at a path."""

    condition: Filter | None = None
    rest: tuple[tuple[Path, Test], ...] = ()

    def passes(self, value: Mapping[str, Any]) -> bool:
        """Whether a value that meets the condition meets the rest."""
        return all(test(_at(value, path)) for path, test in self.rest)


def parse_value_filter(given: Mapping[str, Any] | None) -> ValueFilter:
    """Read a filter of LangGraph's `search`: {"color": "red", "size": {"$gte": 3}, "owner": {"name": "Ann"}}.

    All entries must hold. A plain value means `$eq`; an object without operators is matched key by key, and a list
    element by element. None matches what is missing, too. Keys are keys: "a.b" is no path.

    Raises FilterError for another operator, or an operand that cannot be compared.
    """
    if given is not None and not isinstance(given, Mapping):
        raise FilterError(f"a filter must be a dict; got {given!r}")
    conditions: list[Filter] = []
    rest: list[tuple[Path, Test]] = []
    for key, wanted in (given or {}).items():
        for found in _entries((key,), wanted):
            if isinstance(found, Compare):
                conditions.append(found)
            else:
                rest.append(found)
    return ValueFilter(conjoin(*conditions), tuple(rest))


def _entries(path: Path, wanted: Any) -> Iterator[Compare | tuple[Path, Test]]:  # noqa: ANN401
    if not isinstance(path[-1], str):
        raise FilterError(f"a filter's key must be a string; got {path[-1]!r}")
    if not isinstance(wanted, Mapping):
        yield _compared(path, "$eq", wanted)
        return
    operators = [key for key in wanted if isinstance(key, str) and key.startswith("$")]
    if operators and len(operators) < len(wanted):
        raise FilterError(f"the filter on {path[-1]!r} must have operators or keys, not both; got {wanted!r}")
    for operator in operators:
        yield _compared(path, operator, wanted[operator])
    if not operators:
        yield path, lambda value: isinstance(value, Mapping)
        for key, inner in wanted.items():
            yield from _entries((*path, key), inner)


def _compared(path: Path, operator: str, operand: Any) -> Compare | tuple[Path, Test]:  # noqa: ANN401
    if operator not in _OPERATORS:
        raise FilterError(f"filter on {path[-1]!r}: unknown operator {operator}; use one of {', '.join(_OPERATORS)}")
    if not isinstance(operand, (Mapping, list, tuple)):
        return Compare((*_VALUE, *path), _OPERATORS[operator], operand)
    if operator == "$eq":
        return path, lambda value: _fits(value, operand)
    if operator == "$ne":
        return path, lambda value: not _fits(value, operand)
    raise FilterError(f"filter on {path[-1]!r}: {operator} takes a number or a string; got {operand!r}")


def _fits(value: Any, wanted: Any) -> bool:  # noqa: ANN401
    """Whether a JSON value equals another; of an object, every wanted key must fit."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(_fits(value.get(key), inner) for key, inner in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return _is_list(value) and len(value) == len(wanted) and all(map(_fits, value, wanted))
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
