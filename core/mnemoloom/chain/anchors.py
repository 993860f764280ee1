"""Digests of what is stored and of what was done, chained.

    item  = BLAKE2b-256(key = salt, LP(fields of the memory, vector bytes))
    entry = BLAKE2b-256(person = "memlog2", LP("memlog/v2", previous entry, seq, op, namespace, memory, time, item))

LP frames every field with its length, so that no two different records give the same bytes. The salt
is random and goes when the memory goes: afterwards the digest cannot confirm a guess of the text, and
the chain still verifies. Without a key the chain shows accidents; whoever can write the file can
compute it again; tags with a key (`keys`) show what was meant, too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

__all__ = ["GENESIS", "SALT_BYTES", "Entry", "Field", "anchor_of", "entry_digest", "framed", "item_digest"]

GENESIS = bytes(32)
SALT_BYTES = 16
_NONE = struct.pack("<I", 0xFFFFFFFF)
_LOG = b"memlog/v2"
_LENGTH = struct.Struct("<I").pack
_INTEGER = struct.Struct("<Iq").pack
_FLOAT = struct.Struct("<Id").pack
_TWO_INTEGERS = struct.Struct("<IqIq").pack
_ENTRIES = blake2b(digest_size=32, person=b"memlog2")  # copying it costs half of making a new one

Field = bytes | str | int | float | None


class Entry(NamedTuple):
    """One line of the log, without its digests."""

    seq: int
    op: str
    namespace: int
    memory: int
    time: int


def item_digest(salt: bytes, fields: tuple[Field, ...]) -> bytes:
    """The 32-byte digest of a memory's fields under its 16-byte salt."""
    try:
        data = _framed_item(fields)
    except (ValueError, TypeError, AttributeError, struct.error):  # not the fields of a memory, or damaged ones
        data = framed(fields)
    return blake2b(data, digest_size=32, key=salt).digest()


def entry_digest(previous: bytes, entry: Entry | tuple[Any, ...], item: bytes) -> bytes:
    """The 32-byte digest of a log entry after `previous` (`GENESIS` before the first)."""
    seq, op, namespace, memory, time = entry
    pack, name = _entry_frame(len(previous), op, len(item))
    # framed((_LOG, previous, seq, op, namespace, memory, time, item)), put together at once
    head = pack(
        9, _LOG, len(previous), previous, 8, seq, len(name), name, 8, namespace, 8, memory, 8, time, len(item), item
    )
    hasher = _ENTRIES.copy()
    hasher.update(head)
    return hasher.digest()


def anchor_of(entry: bytes) -> str:
    """PMLL's 16-hex anchor of an entry: for people to compare, never for verification."""
    return entry[:8].hex()


def framed(fields: tuple[Field, ...]) -> bytes:
    """The fields as bytes, each behind its length; no two different tuples give the same."""
    parts: list[bytes] = []
    for value in fields:
        if type(value) is str:
            data = value.encode()
            parts += (_LENGTH(len(data)), data)
        elif value is None:
            parts.append(_NONE)
        elif type(value) is int:
            parts.append(_INTEGER(8, value))
        elif type(value) is float:
            parts.append(_FLOAT(8, value))
        elif type(value) is bytes:
            parts += (_LENGTH(len(value)), value)
        else:
            raise TypeError(f"a field is a text, a number, bytes or nothing; got {type(value).__name__}")
    return b"".join(parts)


def _framed_item(fields: tuple[Any, ...]) -> bytes:
    """As `framed`, for the fields of a memory in their order (chain.proof names them), in half the time."""
    (
        store, namespace, text, pointer, variant, vector, tokens, encoder, external_id, speaker,
        session, time, metadata, tier, pinned, created, source, trust, surprise,
    ) = fields  # fmt: skip
    words, extra = text.encode(), metadata.encode()
    return b"".join((
        _labels(store, namespace), _LENGTH(len(words)), words, _LENGTH(len(pointer)), pointer,
        _LENGTH(len(variant)), variant, _NONE if vector is None else _LENGTH(len(vector)), vector or b"",
        _NONE if tokens is None else _LENGTH(len(tokens)), tokens or b"", _labels(encoder),
        _NONE if external_id is None else _framed_text(external_id), _labels(speaker, session), _INTEGER(8, time),
        _LENGTH(len(extra)), extra, _labels(tier), _TWO_INTEGERS(8, pinned, 8, created),
        _labels(source, trust), _FLOAT(8, surprise),
    ))  # fmt: skip


@lru_cache(maxsize=512)
def _labels(*values: str | None) -> bytes:
    """Fields that many memories share."""
    return b"".join(_NONE if value is None else _framed_text(value) for value in values)


def _framed_text(value: str) -> bytes:
    data = value.encode()
    return _LENGTH(len(data)) + data


@lru_cache(maxsize=64)
def _entry_frame(previous: int, op: str, item: int) -> tuple[Callable[..., bytes], bytes]:
    name = op.encode()
    return struct.Struct(f"<I9sI{previous}sIqI{len(name)}sIqIqIqI{item}s").pack, name
