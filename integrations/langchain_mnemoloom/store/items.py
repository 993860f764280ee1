"""One item as memories of the core, and back.

An item is one memory, its head: the external id is the item's key, the metadata hold the value and the times, and
the text is the first indexed text, so that its vector is the item's first. Every further text is a memory of its
own that names its head and the version that it belongs to. The head of an item that is not indexed is cold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any

from langgraph.store.base import Item, SearchItem, get_text_at_path, tokenize_path

from mnemoloom import Draft, Record, Tier
from mnemoloom.errors import ValidationError

__all__ = ["NOT_INDEXED", "SOURCE", "StoredItem", "head_id", "indexed_texts", "vector_ids"]

SOURCE = "langgraph-store"
NOT_INDEXED = "(not indexed)"  # one text for all, so that an encoder meets it once in a namespace
_LONGEST_KEY = 400
_NEVER = 1 << 62  # microseconds since 1970: what a record can still hold
_MICROS_A_MINUTE = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item as it is kept. Times in microseconds since 1970; `ttl` in minutes, None for ever.

    vectors: how many texts of it are indexed. version: differs between any two writes of an item.
    """

    namespace: tuple[str, ...]
    key: str
    value: Mapping[str, Any]
    created: int
    updated: int
    version: str
    vectors: int
    ttl: float | None = None
    expires: int | None = None

    @property
    def head(self) -> str:
        return head_id(self.key)

    def expired(self, now: int) -> bool:
        return self.expires is not None and self.expires <= now

    def alive_from(self, now: int) -> StoredItem:
        """The same item with its time to live counted from now."""
        return replace(
            self, expires=None if self.ttl is None else round(min(now + self.ttl * _MICROS_A_MINUTE, _NEVER))
        )

    def ids(self) -> list[str]:
        """The external ids of all its memories."""
        return [self.head, *vector_ids(self.head, 1, self.vectors)]

    def drafts(self, texts: Sequence[str]) -> list[Draft]:
        """The memories of an item with these indexed texts."""
        return [self.head_draft(texts[0] if texts else None), *self._further(texts)]

    def head_draft(self, text: str | None) -> Draft:
        """The head; None is the text of an item that is not indexed."""
        return Draft(
            text=NOT_INDEXED if text is None else text,
            external_id=self.head,
            metadata={
                "key": self.key,
                "value": self.value,
                "created": self.created,
                "updated": self.updated,
                "version": self.version,
                "vectors": self.vectors,
                "ttl": self.ttl,
                "expires": self.expires,
            },
            time=self.updated / 1e6,
            tier=Tier.LONG_TERM if self.vectors else Tier.COLD,
            source=SOURCE,
        )

    def _further(self, texts: Sequence[str]) -> list[Draft]:
        return [
            Draft(
                text=text,
                external_id=name,
                metadata={"item": self.head, "version": self.version},
                time=self.updated / 1e6,
                source=SOURCE,
            )
            for name, text in zip(vector_ids(self.head, 1, len(texts)), texts[1:], strict=True)
        ]

    @classmethod
    def from_record(cls, namespace: tuple[str, ...], record: Record) -> StoredItem:
        """Read a head."""
        return cls(namespace=namespace, **record.metadata)

    def as_item(self) -> Item:
        return Item(
            value=dict(self.value),
            key=self.key,
            namespace=self.namespace,
            created_at=_moment(self.created),
            updated_at=_moment(self.updated),
        )

    def as_search_item(self, score: float | None) -> SearchItem:
        return SearchItem(
            namespace=self.namespace,
            key=self.key,
            value=dict(self.value),
            created_at=_moment(self.created),
            updated_at=_moment(self.updated),
            score=score,
        )


def head_id(key: str) -> str:
    """The external id of an item's head: the key itself, or its digest where it is too long."""
    if not isinstance(key, str):
        raise ValidationError(f"the key of an item must be a string; got {key!r}")
    if len(key) <= _LONGEST_KEY:
        return f"={key}"
    return f"#{blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=32).hexdigest()}"


def vector_ids(head: str, start: int, stop: int) -> list[str]:
    """The external ids of an item's further vectors, numbered from `start`."""
    return [f"{number}{head}" for number in range(start, stop)]


def indexed_texts(value: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """The texts at some paths of a value, each once; blank ones are left out.

    Raises ValidationError for a value that is not JSON, or a path that is no string.
    """
    texts: dict[str, None] = {}
    for field in fields:
        if not isinstance(field, str):
            raise ValidationError(f"a path of indexed text must be a string; got {field!r}")
        path: Any = "$" if field in ("$", "") else tokenize_path(field)
        try:
            found = get_text_at_path(value, path)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValidationError(f"the value of an item must be JSON: {error}") from error
        texts |= dict.fromkeys(text for text in found if text.strip())
    return list(texts)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
