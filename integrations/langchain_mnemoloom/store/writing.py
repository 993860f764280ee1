"""Putting, deleting, keeping alive and removing items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import RLock
from typing import NamedTuple
from uuid import uuid4

from langgraph.store.base import PutOp

from mnemoloom import Draft, Memory, Tier, where
from mnemoloom.config import Config
from mnemoloom.drafts import check_draft
from mnemoloom.errors import ReadOnlyError
from mnemoloom.filters import conjoin

from .items import StoredItem, indexed_texts, vector_ids
from .labels import Labels
from .reading import HEADS, Reader

__all__ = ["Writer"]


class _Change(NamedTuple):
    """What is to happen in one namespace."""

    handle: Memory
    drafts: list[Draft]
    gone: list[str]


class Writer:
    """Writes the items below one namespace of the core, one writer at a time.

    Parameters
    ----------
    fields: the paths whose texts are indexed unless a put names others; None indexes nothing.
    """

    def __init__(
        self,
        memory: Memory,
        reader: Reader,
        *,
        fields: Sequence[str] | None,
        omit_expired: bool,
        now: Callable[[], int],
    ) -> None:
        self._memory, self._reader, self._fields, self._now = memory, reader, fields, now
        self._omit_expired = omit_expired
        self._turn = RLock()

    def put(self, ops: Iterable[PutOp]) -> None:
        """Put and delete; of several for one key the last counts. Each namespace is written in one transaction.

        Everything is checked before anything is written.
        """
        latest: dict[Labels, dict[str, PutOp]] = defaultdict(dict)
        for op in ops:
            latest[tuple(op.namespace)][op.key] = op
        with self._turn:
            now = self._now()
            changes = [self._change(labels, wanted, now) for labels, wanted in latest.items()]
            for change in changes:
                for draft in change.drafts:
                    check_draft(draft, config=Config(limits=self._memory.limits), now=0)
            for change in changes:
                if change.drafts:
                    change.handle.remember_many(change.drafts, encode=_is_indexed(change.drafts))
                if change.gone:
                    change.handle.forget_many(change.gone, missing="skip")

    def refresh(self, items: Iterable[StoredItem]) -> None:
        """Start the time to live of items anew; those that have none, or were changed since, are left alone."""
        living: dict[Labels, list[StoredItem]] = defaultdict(list)
        for item in items:
            if item.ttl is not None:
                living[item.namespace].append(item)
        for labels, read in living.items():
            # a reader beside the writing process reads, and keeps nothing alive
            with self._turn, suppress(ReadOnlyError):
                self._renew(labels, read)

    def sweep(self) -> int:
        """Remove what has expired; how many items that were."""
        removed = 0
        for labels in self._reader.namespaces():
            with self._turn:
                handle = self._reader.at(labels)
                condition = conjoin(HEADS, where("metadata", "expires").lte(self._now()))
                expired = [StoredItem.from_record(labels, record) for record in handle.records(condition)]
                if expired:
                    handle.forget_many([name for item in expired for name in item.ids()], missing="skip")
                removed += len(expired)
        return removed

    def _change(self, labels: Labels, wanted: Mapping[str, PutOp], now: int) -> _Change:
        known = self._reader.stored(labels, wanted)
        drafts: list[Draft] = []
        gone: list[str] = []
        for key, op in wanted.items():
            old = known.get(key)
            if op.value is None:
                gone += old.ids() if old else []
                continue
            texts = self._texts(op)
            kept = old is not None and not (self._omit_expired and old.expired(now))
            item = StoredItem(
                namespace=labels,
                key=key,
                value=dict(op.value),
                created=old.created if old and kept else now,
                updated=max(now, old.updated) if old and kept else now,  # a clock may be put back
                version=uuid4().hex,
                vectors=len(texts),
                ttl=op.ttl,
            ).alive_from(now)
            drafts += item.drafts(texts)
            gone += vector_ids(item.head, max(1, len(texts)), old.vectors) if old else []
        return _Change(self._reader.at(labels), drafts, gone)

    def _texts(self, op: PutOp) -> list[str]:
        if self._fields is None or op.index is False or op.value is None:
            return []
        return indexed_texts(op.value, self._fields if op.index is None else op.index)

    def _renew(self, labels: Labels, read: Sequence[StoredItem]) -> None:
        handle, now = self._reader.at(labels), self._now()
        versions = {item.head: item.version for item in read}
        drafts = []
        for record in handle.records(where("external_id").is_in(list(versions))):
            item = StoredItem.from_record(labels, record)
            if item.ttl is not None and item.version == versions[item.head]:
                drafts.append(item.alive_from(now).head_draft(record.text))
        if drafts:
            handle.remember_many(drafts, encode=_is_indexed(drafts))


def _is_indexed(drafts: Iterable[Draft]) -> bool:
    """Whether any is to be found by meaning; where none is, no encoder is asked."""
    return any(draft.tier is not Tier.COLD for draft in drafts)
