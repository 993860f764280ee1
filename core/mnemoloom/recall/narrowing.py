"""Filters on what the shelf knows itself, answered from its columns instead of from the database.

Speaker, session, time and id stand in columns of the shelf, and of the tier whether it is cold. A filter is taken
apart where its parts are joined by "and": what the columns can answer becomes a mask, the rest is left for SQL. The
masks mean what `filters.matches` means for living slots; of the others they say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mnemoloom.filters import And, Compare, Filter, Not, Op, Or, conjoin, matches
from mnemoloom.recall.labels import Labels
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Tier

__all__ = ["narrow"]

Mask = NDArray[np.bool_]

_ORDER: Final[Mapping[Op, np.ufunc]] = {
    Op.GT: np.greater,
    Op.GTE: np.greater_equal,
    Op.LT: np.less,
    Op.LTE: np.less_equal,
}
_SAME, _OTHER = frozenset({Op.EQ, Op.IN, Op.ANY}), frozenset({Op.NE, Op.NIN})
_WARM = {Tier.LONG_TERM.value, Tier.PERSISTENT.value}


def narrow(shelf: Shelf, condition: Filter) -> tuple[Mask | None, Filter | None]:
    """The slots that the columns let through, shape (slots,), and the filter that is left; None restricts nothing."""
    parts = condition.parts if isinstance(condition, And) else (condition,)
    masks, left = [], []
    for part in parts:
        mask = _mask(shelf, part)
        if mask is None:
            left.append(part)
        else:
            masks.append(mask)
    return (reduce(np.logical_and, masks) if masks else None), conjoin(*left)


def _mask(shelf: Shelf, condition: Filter) -> Mask | None:
    """The slots that a filter lets through; None where the columns cannot tell."""
    if isinstance(condition, Not):
        inner = _mask(shelf, condition.part)
        return None if inner is None else ~inner
    if isinstance(condition, (And, Or)):
        join = np.logical_and if isinstance(condition, And) else np.logical_or
        masks = [_mask(shelf, part) for part in condition.parts]
        known = [mask for mask in masks if mask is not None]
        return reduce(join, known) if len(known) == len(masks) and known else None
    return _compared(shelf, condition)


def _compared(shelf: Shelf, condition: Compare) -> Mask | None:
    name = condition.field[0]
    if name == "speaker":
        return _of_labels(condition, *shelf.labelled_speakers())
    if name == "session":
        return _of_labels(condition, *shelf.labelled_sessions())
    if name == "time":
        return _of_numbers(condition, shelf.times.values)
    if name == "id":
        return _of_numbers(condition, shelf.ids.values)
    return _of_tier(condition, shelf.cold.values) if name == "tier" else None


def _of_labels(condition: Compare, labels: Labels, numbers: NDArray[np.int32]) -> Mask:
    if condition.op in _SAME or condition.op in _OTHER:
        found = [number for number in map(labels.find, _wanted(condition)) if number is not None]
        return _turned(np.isin(numbers, found), condition)
    name = condition.field[0]
    held = np.array([matches(condition, {name: label}) for label in labels.all], np.bool_)
    mask: Mask = held[numbers]
    return mask


def _of_numbers(condition: Compare, numbers: NDArray[np.int64]) -> Mask:
    op, value = condition.op, condition.value
    if op is Op.EXISTS:
        return np.full(len(numbers), bool(value))
    if op in _ORDER:
        ordered: Mask = _ORDER[op](numbers, value)
        return ordered
    wanted = [each for each in _wanted(condition) if each is not None]
    return _turned(np.isin(numbers, np.array(wanted, np.int64)), condition)


def _of_tier(condition: Compare, cold: Mask) -> Mask | None:
    if condition.op is Op.EXISTS:
        return np.full(len(cold), bool(condition.value))
    wanted = set(_wanted(condition))
    if wanted & _WARM not in (set(), _WARM):
        return None  # which of the warm ones are pinned the shelf does not know
    return _turned((cold & (Tier.COLD.value in wanted)) | (~cold & bool(wanted & _WARM)), condition)


def _wanted(condition: Compare) -> tuple[Any, ...]:
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)


def _turned(same: Mask, condition: Compare) -> Mask:
    return ~same if condition.op in _OTHER else same
