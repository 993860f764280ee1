"""What a `filter` argument of a vector store or retriever means: a dict, a filter of the core, or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document

from mnemoloom.errors import FilterError
from mnemoloom.filters import Filter

from .filters import EVERY_OPERATOR, ValueFilter, parse_value_filter

__all__ = ["DocumentFilter", "FilterArgument", "parse_document_filter"]

FilterArgument = Mapping[str, Any] | Filter | Callable[[Document], bool] | None


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """`condition` for the core; `keeps` decides about the documents that meet it, None keeps them all."""

    condition: Filter | None
    keeps: Callable[[Document], bool] | None


def parse_document_filter(given: FilterArgument) -> DocumentFilter:
    """Read a filter.

    A dict is about the metadata, as `parse_value_filter` says, with every operator of the core ($in, $contains, …).
    A filter of the core (`mnemoloom.where("time").gte(…)`) is about any field. A function is asked about each
    document, best first, until there are enough. Raises FilterError for anything else.
    """
    if given is None or isinstance(given, Filter):
        return DocumentFilter(given, None)
    if callable(given):
        return DocumentFilter(None, given)
    if not isinstance(given, Mapping):
        raise FilterError(f"a filter must be a dict, a filter of mnemoloom or a function of a document; got {given!r}")
    parsed: ValueFilter = parse_value_filter(given, base=("metadata",), operators=EVERY_OPERATOR)
    return DocumentFilter(
        parsed.condition, (lambda document: parsed.passes(document.metadata)) if parsed.rest else None
    )
