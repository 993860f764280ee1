"""Verbs that read what is there: get, records, vectors, namespaces, stats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.drafts import check_count, key_of
from mnemoloom.errors import UnknownMemoryError, ValidationError
from mnemoloom.filters import parse_filter
from mnemoloom.recall.looking import matching_ids
from mnemoloom.records import Record
from mnemoloom.statistics import Stats, gather
from mnemoloom.storage import memories
from mnemoloom.verbs.handle import Handle, Key, Where

__all__ = ["ReadingVerbs"]


class ReadingVerbs(Handle):
    """Verbs that read what is there: get, records, vectors, namespaces, stats."""

    def get(self, key: Key) -> Record:
        """One memory. Raises UnknownMemoryError."""
        return self._record(key)

    async def aget(self, key: Key) -> Record:
        return await self._run(self.get, key)

    def records(self, where: Where | None = None, *, after_id: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Memories in the order in which they were remembered, cold ones included; `after_id` continues a listing."""
        condition = parse_filter(where)
        after_id = check_count(after_id, "after_id", low=0)
        if limit is not None:
            limit = check_count(limit, "limit", low=0)
        with self._opened.store.reading() as connection:
            number = self._live.number(connection)
            most = -1 if limit is None else limit
            found = () if number is None else matching_ids(connection, number, condition, after=after_id, limit=most)
        return self._paged([int(each) for each in found])

    async def arecords(self, where: Any = None, **options: Any) -> list[Record]:  # noqa: ANN401
        """As a list: a generator could not leave the thread between two memories."""
        return await self._run(lambda: list(self.records(where, **options)))

    def vectors(self, keys: Iterable[Key]) -> NDArray[np.float32]:
        """The unit vectors of memories, shape (n, d), in the order of the keys; zeros for one without a vector.

        Raises UnknownMemoryError.
        """
        ids = self._ids(keys, missing="refuse")
        with self._live.reading() as (_, shelf, _number):
            slots = [shelf.slot_of(memory) for memory in ids]
            for memory, slot in zip(ids, slots, strict=True):
                if not slot:
                    raise UnknownMemoryError(memory)
            return shelf.vectors.take(np.array(slots, np.int64))

    async def avectors(self, keys: Iterable[Key]) -> NDArray[np.float32]:
        return await self._run(self.vectors, keys)

    def namespaces(self, *, occupied: bool = False) -> list[tuple[str, ...]]:
        """Every namespace of the store that was ever written to; with `occupied`, those that hold a memory now."""
        with self._opened.store.reading() as connection:
            return memories.namespaces(connection, occupied=occupied)

    async def anamespaces(self, *, occupied: bool = False) -> list[tuple[str, ...]]:
        return await self._run(self.namespaces, occupied=occupied)

    def stats(self) -> Stats:
        """Counts, sizes and settings of this namespace and its store."""
        return gather(self._opened, self._live)

    async def astats(self) -> Stats:
        return await self._run(self.stats)

    def __len__(self) -> int:
        with self._live.reading() as (_, shelf, _number):
            return len(shelf)

    def __contains__(self, key: object) -> bool:
        try:
            return bool(self.get(key_of(key)))
        except (UnknownMemoryError, ValidationError):
            return False

    def _paged(self, ids: list[int]) -> Iterator[Record]:
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            with self._opened.store.reading() as connection:
                number = self._live.number(connection)
                found = memories.records(connection, number or 0, page, accessed=self._live.accessed(page))
            yield from (found[memory] for memory in page if memory in found)


_PAGE = 500
