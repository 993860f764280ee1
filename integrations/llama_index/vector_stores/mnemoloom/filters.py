"""LlamaIndex's metadata filters: what they mean, and as much of it as the store can answer by itself.

`matches` is the meaning, that of LlamaIndex's own reference with two additions: filters nest, and values that cannot
be compared do not match. Equality is Python's (1, 1.0 and true are equal); a missing value, like null, matches only
`!=`, `nin` and `is_empty`. `narrowed` says in the core's terms what every match has in common.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from mnemoloom.errors import FilterError
from mnemoloom.filters import And, Compare, Filter, Not, Op, Or

__all__ = ["Narrowed", "any_of", "check_filters", "matches", "narrowed"]

Value: TypeAlias = Any  # of untrusted JSON

_ORDER: Final[Mapping[FilterOperator, tuple[Op, Callable[[Any, Any], bool]]]] = {
    FilterOperator.GT: (Op.GT, operator.gt),
    FilterOperator.GTE: (Op.GTE, operator.ge),
    FilterOperator.LT: (Op.LT, operator.lt),
    FilterOperator.LTE: (Op.LTE, operator.le),
}
_LISTS: Final = frozenset({FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL})
_TEXTS: Final = frozenset({FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE})
_NEGATIONS: Final = {FilterOperator.NE: FilterOperator.EQ, FilterOperator.NIN: FilterOperator.IN}

_NOTHING: Final = Compare(("id",), Op.IN, ())
_AT_MOST = 1_000  # values in one list of a core filter


class Narrowed(NamedTuple):
    """condition: lets through every record that matches; None, all records. exact: it lets through no others."""

    condition: Filter | None
    exact: bool


def check_filters(filters: MetadataFilters | None) -> None:
    """Raise FilterError for an operand that its operator cannot take; TypeError for a text match with no text."""
    for each in filters.filters if filters else ():
        if isinstance(each, MetadataFilters):
            check_filters(each)
        elif each.operator in _LISTS and not isinstance(each.value, (list, str)):
            raise FilterError(f"the filter {each.operator.value!r} on {each.key!r} takes a list; got {each.value!r}")
        elif each.operator in _TEXTS and not isinstance(each.value, str):
            raise TypeError(f"the filter {each.operator.value!r} on {each.key!r} takes a string; got {each.value!r}")


def matches(filters: MetadataFilters | None, metadata: Mapping[str, Value]) -> bool:
    """Whether a node with this metadata matches. Raises TypeError for a text match with what is no text."""
    if filters is None or not filters.filters:
        return True
    found = [
        matches(each, metadata)
        if isinstance(each, MetadataFilters)
        else _holds(each.operator, each.key, metadata.get(each.key), each.value)
        for each in filters.filters
    ]
    if filters.condition == FilterCondition.OR:
        return any(found)
    if filters.condition == FilterCondition.NOT:
        return not any(found)
    return all(found)


def narrowed(filters: MetadataFilters | None) -> Narrowed:
    """What the store can be asked on behalf of `filters`. Raises FilterError for a filter too large."""
    if filters is None or not filters.filters:
        return Narrowed(None, exact=True)
    parts = [narrowed(each) if isinstance(each, MetadataFilters) else _narrowed_leaf(each) for each in filters.filters]
    exact = all(part.exact for part in parts)
    if filters.condition == FilterCondition.OR:
        everything = any(part.condition is None for part in parts)
        return Narrowed(None if everything else _joined(Or, parts), exact)
    if filters.condition == FilterCondition.NOT:
        return _none_of([part for part in parts if part.exact], exact=exact)
    return Narrowed(_joined(And, parts), exact)


def any_of(name: str, values: Sequence[Any]) -> Filter:
    """Let through the records whose field has one of the values, however many they are."""
    if not values:
        return _NOTHING
    chunks = [values[start : start + _AT_MOST] for start in range(0, len(values), _AT_MOST)]
    return _or([Compare((name,), Op.IN, chunk) for chunk in chunks])


# -- the meaning ------------------------------------------------------------------------------------


def _holds(how: FilterOperator, key: str, stored: Value, value: Value) -> bool:
    if how is FilterOperator.IS_EMPTY:
        return stored is None or stored == "" or stored == []
    if how in _NEGATIONS:
        return not _holds(_NEGATIONS[how], key, stored, value)
    if stored is None:
        return False
    if how in _TEXTS:
        return _holds_text(how, key, stored, value)
    try:
        return _compares(how, stored, value)
    except TypeError:  # 3 > "a", "a" in 3: no match
        return False


def _compares(how: FilterOperator, stored: Value, value: Value) -> bool:
    if how in _ORDER:
        return bool(_ORDER[how][1](stored, value))
    if how is FilterOperator.IN:
        return stored in value
    if how is FilterOperator.CONTAINS:
        return _has(stored, value)
    if how is FilterOperator.ANY:
        return any(_has(stored, each) for each in value)
    if how is FilterOperator.ALL:
        return all(_has(stored, each) for each in value)
    return bool(stored == value)


def _has(stored: Value, value: Value) -> bool:
    """An element of a list or a part of a text; an object has no elements."""
    return not isinstance(stored, Mapping) and value in stored


def _holds_text(how: FilterOperator, key: str, stored: Value, value: Value) -> bool:
    if not isinstance(stored, str) or not isinstance(value, str):
        raise TypeError(
            f"the filter {how.value!r} on {key!r} compares strings; got {value!r} and a stored {type(stored).__name__}"
        )
    return value.lower() in stored.lower() if how is FilterOperator.TEXT_MATCH_INSENSITIVE else value in stored


# -- as much as the store can answer ----------------------------------------------------------------


def _narrowed_leaf(leaf: MetadataFilter) -> Narrowed:
    how = leaf.operator
    if how in _NEGATIONS:
        part = _narrowed_leaf(MetadataFilter(key=leaf.key, value=leaf.value, operator=_NEGATIONS[how]))
        return _none_of([part] if part.exact else [], exact=part.exact)
    path = ("metadata", leaf.key)
    if not _is_plain(leaf.key) or not _is_asked_exactly(leaf):
        return Narrowed(None, exact=False)
    if how is FilterOperator.IS_EMPTY:
        empty = [Compare(path, Op.EXISTS, False), Compare(path, Op.EQ, ""), Compare(path, Op.ALL, ())]
        return Narrowed(_or(empty), exact=False)  # every list has all of none
    condition = None if how in _TEXTS else _condition(how, path, leaf.value)
    if condition is None:
        return Narrowed(Compare(path, Op.EXISTS, True), exact=False)
    return Narrowed(condition, exact=True)


def _condition(how: FilterOperator, path: tuple[str, ...], value: Value) -> Filter | None:
    """What `value` asks for in the core's terms; None where these have no words for it."""
    if value is None:
        return _NOTHING if how is FilterOperator.EQ or how in _ORDER else None
    if how in (FilterOperator.ANY, FilterOperator.ALL):
        return _elements(how, path, list(value))
    if how is FilterOperator.IN:
        return None if isinstance(value, str) else _or(_in_chunks(path, [twin for v in value for twin in _equals(v)]))
    if isinstance(value, list):
        return None
    if how is FilterOperator.CONTAINS:
        return _or([Compare(path, Op.CONTAINS, twin) for twin in _equals(value)])
    if how in _ORDER:
        op, holds = _ORDER[how]
        flags = [] if isinstance(value, str) else [flag for flag in (False, True) if holds(flag, value)]
        return _or([Compare(path, op, value), Compare(path, Op.IN, flags)])
    return Compare(path, Op.IN, _equals(value))


def _elements(how: FilterOperator, path: tuple[str, ...], values: list[Value]) -> Filter:
    each = [_or([Compare(path, Op.CONTAINS, twin) for twin in _equals(value)]) for value in values]
    if how is FilterOperator.ANY:
        return _or(each) if each else _NOTHING
    return And(tuple(each)) if each else Compare(path, Op.EXISTS, True)


def _equals(value: Value) -> list[Value]:
    """The JSON values that Python takes for equal; the core tells 1 from true."""
    return [value, bool(value)] if isinstance(value, (int, float)) and value in (0, 1) else [value]


def _in_chunks(path: tuple[str, ...], values: Sequence[Value]) -> list[Filter]:
    return [Compare(path, Op.IN, values[start : start + _AT_MOST]) for start in range(0, len(values) or 1, _AT_MOST)]


def _is_asked_exactly(leaf: MetadataFilter) -> bool:
    return all(map(_is_plain, leaf.value if isinstance(leaf.value, list) else [leaf.value]))


def _is_plain(value: Value) -> bool:
    """Whether a core filter can hold the value."""
    if isinstance(value, str):
        return len(value) <= 10_000 and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, int):
        return value.bit_length() < 54  # beyond, it is no longer equal to what a float rounds to
    return value is None or math.isfinite(value)


def _none_of(parts: Iterable[Narrowed], *, exact: bool) -> Narrowed:
    """Of what must not match, only what is asked exactly can be ruled out; no condition matches everything."""
    ruled_out = list(parts)
    if any(part.condition is None for part in ruled_out):
        return Narrowed(_NOTHING, exact=True)
    return Narrowed(Not(_joined(Or, ruled_out)) if ruled_out else None, exact)  # type: ignore[arg-type]


def _joined(kind: type[And] | type[Or], parts: Iterable[Narrowed]) -> Filter | None:
    given = tuple(part.condition for part in parts if part.condition is not None)
    return kind(given) if len(given) > 1 else (given[0] if given else None)


def _or(conditions: Sequence[Filter]) -> Filter:
    return conditions[0] if len(conditions) == 1 else Or(tuple(conditions))
