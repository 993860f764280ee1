"""What a `filter` argument of a vector store or retriever means: a dict, a filter of the core, or a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document

from mnemoloom.errors import FilterError
from mnemoloom.filters import Filter, Not, Or, conjoin, matches

from .filters import EVERY_OPERATOR, parse_value_filter

__all__ = ["DocumentFilter", "FilterArgument", "parse_document_filter"]

FilterArgument = Mapping[str, Any] | Filter | Callable[[Document], bool] | None
Metadata = Mapping[str, Any]

_JUNCTIONS = ("$and", "$or", "$not")
_FIELD = "metadata."


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """`condition` for the core; `keeps` decides about the documents that meet it, None keeps them all."""

    condition: Filter | None
    keeps: Callable[[Document], bool] | None


def parse_document_filter(given: FilterArgument) -> DocumentFilter:
    """Read a filter.

    A dict is about the metadata, as `parse_value_filter` says, with every operator of the core ($in, $contains, …);
    {"$or": [{…}, {…}]}, {"$and": [{…}, {…}]} and {"$not": {…}} join such dicts, and nest.
    A filter of the core (`mnemoloom.where("time").gte(…)`) is about any field. A function is asked about each
    document, best first, until there are enough. Raises FilterError for anything else.
    """
    if given is None or isinstance(given, Filter):
        return DocumentFilter(given, None)
    if callable(given):
        return DocumentFilter(None, given)
    if not isinstance(given, Mapping):
        raise FilterError(f"a filter must be a dict, a filter of mnemoloom or a function of a document; got {given!r}")
    if not given:
        return DocumentFilter(None, None)
    try:
        parsed = _parsed(given)
    except RecursionError as error:
        raise FilterError("a filter must not be nested so deep") from error
    rest = parsed.rest
    return DocumentFilter(parsed.condition, None if rest is None else lambda document: rest(document.metadata))


@dataclass(frozen=True, slots=True)
class _Part:
    """What a dict asks of metadata: `condition` lets through all that match, `rest` decides about these."""

    condition: Filter | None
    rest: Callable[[Metadata], bool] | None

    def holds(self, metadata: Metadata) -> bool:
        """Whether metadata match, also those that the condition has not been asked about."""
        return matches(self.condition, {"metadata": metadata}) and (self.rest is None or self.rest(metadata))


def _parsed(given: object) -> _Part:
    if not isinstance(given, Mapping) or not given:
        raise FilterError(f"$and, $or and $not join dicts with at least one condition; got {given!r}")
    plain = {key: value for key, value in given.items() if key not in _JUNCTIONS}
    joined = [_joined(key, value) for key, value in given.items() if key in _JUNCTIONS]
    return _all([*_plain(plain), *joined])


def _plain(given: Mapping[Any, Any]) -> Iterator[_Part]:
    for key in given:
        if isinstance(key, str) and key.startswith(_FIELD):
            raise FilterError(
                f"a filter names the keys of the metadata themselves: {key.removeprefix(_FIELD)!r}, not {key!r}; "
                f"for a key that begins so, and for other fields, use mnemoloom.where"
            )
    if given:
        parsed = parse_value_filter(given, base=("metadata",), operators=EVERY_OPERATOR)
        yield _Part(parsed.condition, parsed.passes if parsed.rest else None)


def _joined(junction: str, given: object) -> _Part:
    if junction == "$not":
        return _none(_parsed(given))
    if not isinstance(given, (list, tuple)) or not given:
        raise FilterError(f"{junction} takes a list of at least one filter; got {given!r}")
    parts = [_parsed(each) for each in given]
    return _all(parts) if junction == "$and" else _any(parts)


def _all(parts: Sequence[_Part]) -> _Part:
    rests = [part.rest for part in parts if part.rest is not None]
    condition = conjoin(*(part.condition for part in parts))
    return _Part(condition, (lambda metadata: all(rest(metadata) for rest in rests)) if rests else None)


def _any(parts: Sequence[_Part]) -> _Part:
    conditions = [part.condition for part in parts if part.condition is not None]
    # a part without a condition may let through anything
    condition = Or(tuple(conditions)) if len(conditions) == len(parts) else None
    if all(part.rest is None for part in parts):
        return _Part(condition, None)
    return _Part(condition, lambda metadata: any(part.holds(metadata) for part in parts))


def _none(part: _Part) -> _Part:
    if part.rest is None and part.condition is not None:
        return _Part(Not(part.condition), None)
    return _Part(None, lambda metadata: not part.holds(metadata))
