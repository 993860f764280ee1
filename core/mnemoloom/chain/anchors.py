"""Digests of what is stored and of what was done, chained.

    item  = BLAKE2b-256(key = salt, LP(fields of the memory, vector bytes))
    entry = BLAKE2b-256(person = "memlog2", LP("memlog/v2", previous entry, seq, op, namespace, memory, time, item))

LP frames every field with its length, so that no two different records give the same bytes. The salt
is random and goes when the memory goes: afterwards the digest cannot confirm a guess of the text, and
the chain still verifies. Without a key the chain shows accidents; whoever can write the file can
compute it again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

__all__ = ["GENESIS", "SALT_BYTES", "Entry", "anchor_of", "entry_digest", "item_digest"]

GENESIS = bytes(32)
SALT_BYTES = 16
_NONE = struct.pack("<I", 0xFFFFFFFF)
_LENGTH = struct.Struct("<I").pack

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
    return blake2b(_framed(fields), digest_size=32, key=salt).digest()


def entry_digest(previous: bytes, entry: Entry, item: bytes) -> bytes:
    """The 32-byte digest of a log entry after `previous` (`GENESIS` before the first)."""
    fields = ("memlog/v2", previous, entry.seq, entry.op, entry.namespace, entry.memory, entry.time, item)
    return blake2b(_framed(fields), digest_size=32, person=b"memlog2").digest()


def anchor_of(entry: bytes) -> str:
    """PMLL's 16-hex anchor of an entry: for people to compare, never for verification."""
    return entry[:8].hex()


def _framed(fields: tuple[Field, ...]) -> bytes:
    return b"".join([_FRAMED[type(value)](value) for value in fields])


def _framed_bytes(value: bytes) -> bytes:
    return _LENGTH(len(value)) + value


def _framed_text(value: str) -> bytes:
    data = value.encode()
    return _LENGTH(len(data)) + data


def _framed_number(code: str) -> Callable[[int | float], bytes]:
    pack = struct.Struct(f"<I{code}").pack
    return lambda value: pack(8, value)


_FRAMED: dict[type, Callable[..., bytes]] = {
    bytes: _framed_bytes,
    str: _framed_text,
    int: _framed_number("q"),
    float: _framed_number("d"),
    type(None): lambda _: _NONE,
}
