"""Finding items: by key, by filter, by meaning; below a prefix of labels, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from langgraph.store.base import ListNamespacesOp, SearchOp
from numpy.typing import NDArray

from mnemoloom import Memory, where
from mnemoloom.filters import Filter, conjoin

from ..filters import ValueFilter, parse_value_filter
from .items import StoredItem, head_id
from .labels import Labels, matches_all, starts_with

__all__ = ["HEADS", "Found", "Reader"]

HEADS = where("metadata", "key").exists()
_FURTHER = where("metadata", "item").exists()
_VALUE = ("metadata", "value")
_GROWTH = 4  # how many more vectors are looked up when those before made too few items
_KEYS = 1_000  # a filter's list holds no more


class Found(NamedTuple):
    """An item and the cosine of its best vector with the query; None without a query."""

    item: StoredItem
    score: float | None


class _Ranks(NamedTuple):
    """Vectors of several namespaces, best first: cosines, places in the list of namespaces, ids; each (n,)."""

    cosines: NDArray[np.float64]
    places: NDArray[np.int64]
    ids: NDArray[np.int64]

    def cut(self, start: int, stop: int) -> _Ranks:
        return _Ranks(self.cosines[start:stop], self.places[start:stop], self.ids[start:stop])


class Reader:
    """Reads the items below one namespace of the core.

    Parameters
    ----------
    by_meaning: whether queries are encoded; else they are ignored.
    omit_expired: hide what has expired and is not removed yet.
    """

    def __init__(self, memory: Memory, root: Labels, *, by_meaning: bool, omit_expired: bool) -> None:
        self._memory, self._root = memory, root
        self._by_meaning, self._omit_expired = by_meaning, omit_expired

    def at(self, labels: Labels) -> Memory:
        """The handle that holds the items of a namespace. Raises NamespaceError for more labels than the core has."""
        return self._memory.at(*self._root, *labels)

    def get(self, labels: Labels, keys: Iterable[str], *, now: int) -> dict[str, StoredItem]:
        """Those of the keys that exist."""
        return {key: item for key, item in self.stored(labels, keys).items() if not self._hidden(item, now)}

    def stored(self, labels: Labels, keys: Iterable[str]) -> dict[str, StoredItem]:
        """Those of the keys that exist, expired ones included."""
        return {item.key: item for item in self._heads(labels, list(dict.fromkeys(map(head_id, keys)))).values()}

    def namespaces(self) -> list[Labels]:
        """Every namespace that holds an item, sorted."""
        size = len(self._root)
        known = self._memory.namespaces(occupied=True)
        return sorted(labels[size:] for labels in known if labels[:size] == self._root and len(labels) > size)

    def list_namespaces(self, op: ListNamespacesOp, *, now: int) -> list[Labels]:
        """One page of the namespaces that meet the conditions, cut to a depth."""
        matching = [labels for labels in self.namespaces() if matches_all(labels, op.match_conditions or ())]
        if self._omit_expired:
            shown = conjoin(HEADS, self._unexpired(now))
            matching = [labels for labels in matching if any(self.at(labels).records(shown, limit=1))]
        if op.max_depth is not None:
            matching = sorted({labels[: op.max_depth] for labels in matching})
        return matching[op.offset : op.offset + op.limit]

    def search(self, op: SearchOp, *, now: int) -> list[Found]:
        """One page of the items below a prefix: by cosine if there is a query, else the newest first."""
        value_filter = parse_value_filter(op.filter, base=_VALUE)
        below = [labels for labels in self.namespaces() if starts_with(labels, op.namespace_prefix)]
        if self._by_meaning and op.query and op.query.strip():
            return self._page_by_meaning(op, op.query, below, value_filter, now)
        found = [item for labels in below for item in self._matching(labels, value_filter, now)]
        found.sort(key=lambda item: (-item.updated, item.namespace, item.key))
        return [Found(item, None) for item in found[op.offset : op.offset + op.limit]]

    def _matching(self, labels: Labels, value_filter: ValueFilter, now: int) -> Iterator[StoredItem]:
        condition = conjoin(HEADS, value_filter.condition, self._unexpired(now) if self._omit_expired else None)
        for record in self.at(labels).records(condition):
            item = StoredItem.from_record(labels, record)
            if value_filter.passes(item.value):
                yield item

    def _page_by_meaning(
        self, op: SearchOp, query: str, below: Sequence[Labels], value_filter: ValueFilter, now: int
    ) -> list[Found]:
        ranks = self._ranks(query, below, value_filter.condition)
        best: dict[tuple[Labels, str], Found] = {}
        start, size = 0, op.offset + op.limit
        while start < len(ranks.ids) and len(best) < op.offset + op.limit:
            stop = _end_of_ties(ranks.cosines, start + size)
            chunk = ranks.cut(start, stop)
            for found in self._items_of(chunk, below, value_filter, now):
                best.setdefault((found.item.namespace, found.item.key), found)  # the first is the best: max-pooling
            start, size = stop, _GROWTH * size
        return list(best.values())[op.offset : op.offset + op.limit]

    def _ranks(self, query: str, below: Sequence[Labels], condition: Filter | None) -> _Ranks:
        """Every vector that may matter, best first. Further vectors do not hold the value, so they all may."""
        shown = None if condition is None else condition | _FURTHER
        nearest = [self.at(labels).nearest(query, where=shown) for labels in below]
        cosines = np.concatenate([np.empty(0), *(each.cosines for each in nearest)])
        ids = np.concatenate([np.empty(0, np.int64), *(each.ids for each in nearest)])
        places = np.repeat(np.arange(len(nearest)), [len(each.ids) for each in nearest])
        order = np.lexsort((ids, places, -cosines))
        return _Ranks(cosines[order], places[order], ids[order])

    def _items_of(self, ranks: _Ranks, below: Sequence[Labels], value_filter: ValueFilter, now: int) -> list[Found]:
        """The items of a stretch of vectors, best first; equal ones by namespace and key."""
        found: list[Found] = []
        for place in np.unique(ranks.places):
            own = ranks.places == place
            cosines = dict(zip(ranks.ids[own].tolist(), ranks.cosines[own].tolist(), strict=True))
            found += self._items_at(below[place], cosines, value_filter, now)
        return sorted(found, key=lambda each: (-(each.score or 0.0), each.item.namespace, each.item.key))

    def _items_at(
        self, labels: Labels, cosines: dict[int, float], value_filter: ValueFilter, now: int
    ) -> Iterator[Found]:
        heads: dict[str, StoredItem] = {}
        vectors: list[tuple[str, str, float]] = []  # head, version, cosine
        ids = list(cosines)
        for start in range(0, len(ids), _KEYS):
            for record in self.at(labels).records({"id": {"$in": ids[start : start + _KEYS]}}):
                if "key" in record.metadata:
                    item = StoredItem.from_record(labels, record)
                    heads[item.head] = item
                    vectors.append((item.head, item.version, cosines[record.id]))
                else:
                    vectors.append((record.metadata["item"], record.metadata["version"], cosines[record.id]))
        wanted = list({head for head, _, _ in vectors} - set(heads))
        heads |= self._heads(labels, wanted, value_filter.condition)
        for head, version, cosine in vectors:
            of = heads.get(head)
            # a writer that was killed may have left vectors of an older version behind
            if of and of.version == version and value_filter.passes(of.value) and not self._hidden(of, now):
                yield Found(of, cosine)

    def _heads(self, labels: Labels, heads: Sequence[str], condition: Filter | None = None) -> dict[str, StoredItem]:
        found = {}
        for start in range(0, len(heads), _KEYS):
            asked = where("external_id").is_in(heads[start : start + _KEYS])
            for record in self.at(labels).records(conjoin(asked, condition)):
                found[str(record.external_id)] = StoredItem.from_record(labels, record)
        return found

    def _hidden(self, item: StoredItem, now: int) -> bool:
        return self._omit_expired and item.expired(now)

    def _unexpired(self, now: int) -> Filter:
        expires = where("metadata", "expires")
        return expires.exists(False) | expires.gt(now)


def _end_of_ties(cosines: NDArray[np.float64], stop: int) -> int:
    """The first place from `stop` on where the cosine changes, so that equal items are ordered as one group."""
    while 0 < stop < len(cosines) and cosines[stop] == cosines[stop - 1]:
        stop += 1
    return min(stop, len(cosines))
