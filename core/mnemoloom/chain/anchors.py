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
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

__all__ = ["GENESIS", "SALT_BYTES", "Entry", "Field", "anchor_of", "entry_digest", "framed", "item_digest"]

GENESIS = bytes(32)
SALT_BYTES = 16
_NONE = struct.pack("<I", 0xFFFFFFFF)
_LOG = b"memlog/v2"
_LENGTH = struct.Struct("<I").pack
_INTEGER = struct.Struct("<Iq").pack
_FLOAT = struct.Struct("<Id").pack

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
    return blake2b(framed(fields), digest_size=32, key=salt).digest()


def entry_digest(previous: bytes, entry: Entry, item: bytes) -> bytes:
    """The 32-byte digest of a log entry after `previous` (`GENESIS` before the first)."""
    seq, op, namespace, memory, time = entry
    name = op.encode()
    # framed((_LOG, previous, seq, op, namespace, memory, time, item)), put together at once
    pack = _entry_frame(len(previous), len(name), len(item)).pack
    head = pack(
        9, _LOG, len(previous), previous, 8, seq, len(name), name, 8, namespace, 8, memory, 8, time, len(item), item
    )
    return blake2b(head, digest_size=32, person=b"memlog2").digest()


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


@lru_cache(maxsize=64)
def _entry_frame(previous: int, op: int, item: int) -> struct.Struct:
    return struct.Struct(f"<I9sI{previous}sIqI{op}sIqIqIqI{item}s")
