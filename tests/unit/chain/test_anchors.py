"""Digests: nothing can change, or move over a boundary, without being seen."""

from __future__ import annotations

import struct
from hashlib import blake2b

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mnemoloom.chain import GENESIS, Entry, anchor_of, entry_digest, item_digest
from mnemoloom.chain.anchors import SALT_BYTES, Field

SALT = bytes(range(SALT_BYTES))
ENTRY = Entry(seq=7, op="remember", namespace=1, memory=7, time=1_700_000_000_000)
ITEM = bytes(range(32))

FIELDS = st.lists(st.one_of(st.none(), st.text(max_size=6), st.binary(max_size=6)), max_size=5).map(tuple)


def framed(fields: tuple[Field, ...]) -> bytes:
    """LP, written out: a little-endian length before every field, and a length that no field has for None."""
    out = b""
    for value in fields:
        if value is None:
            out += b"\xff\xff\xff\xff"
            continue
        if isinstance(value, bytes):
            data = value
        elif isinstance(value, str):
            data = value.encode()
        else:
            data = struct.pack("<q" if isinstance(value, int) else "<d", value)
        out += len(data).to_bytes(4, "little") + data
    return out


def test_an_item_digest_is_the_documented_one() -> None:
    fields: tuple[Field, ...] = ("store", "text", None, b"\x00\x01", -5, 0.25, "")
    assert item_digest(SALT, fields) == blake2b(framed(fields), digest_size=32, key=SALT).digest()


def test_an_entry_digest_is_the_documented_one() -> None:
    fields = ("memlog/v2", GENESIS, 7, "remember", 1, 7, 1_700_000_000_000, ITEM)
    assert entry_digest(GENESIS, ENTRY, ITEM) == blake2b(framed(fields), digest_size=32, person=b"memlog2").digest()


@given(FIELDS, FIELDS)
def test_different_fields_have_different_digests(one: tuple[Field, ...], other: tuple[Field, ...]) -> None:
    as_bytes = [[v.encode() if isinstance(v, str) else v for v in fields] for fields in (one, other)]
    assume(as_bytes[0] != as_bytes[1])
    assert item_digest(SALT, one) != item_digest(SALT, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("ab", ""), ("a", "b")),
        (("ab",), ("a", "b")),
        ((None,), ("",)),
        ((None, ""), ("", None)),
        ((None,), ()),
        (("",), ("", "")),
    ],
)
def test_a_moved_boundary_or_an_absent_field_is_seen(one: tuple[Field, ...], other: tuple[Field, ...]) -> None:
    assert item_digest(SALT, one) != item_digest(SALT, other)


def test_any_single_changed_field_changes_an_item_digest() -> None:
    fields: list[Field] = ["text", b"vector", None, 12, 0.5, "user", ""]
    digests = {item_digest(SALT, tuple(fields))}
    others: list[Field] = ["texts", b"vectos", "", 13, 0.5000000001, "User", "x"]
    for place, value in enumerate(others):
        changed = fields.copy()
        changed[place] = value
        digests.add(item_digest(SALT, tuple(changed)))
    assert len(digests) == len(fields) + 1


def test_the_salt_matters() -> None:
    assert item_digest(SALT, ("a",)) != item_digest(bytes(SALT_BYTES), ("a",))


def test_any_single_changed_field_changes_an_entry_digest() -> None:
    changed = [
        ENTRY._replace(seq=8),
        ENTRY._replace(op="forget"),
        ENTRY._replace(namespace=2),
        ENTRY._replace(memory=8),
        ENTRY._replace(time=ENTRY.time + 1),
    ]
    digests = {entry_digest(GENESIS, entry, ITEM) for entry in [ENTRY, *changed]}
    digests |= {entry_digest(ITEM, ENTRY, ITEM), entry_digest(GENESIS, ENTRY, GENESIS)}
    assert len(digests) == 8


def test_changing_one_entry_changes_every_later_one() -> None:
    entries = [ENTRY._replace(seq=seq, memory=seq) for seq in range(1, 6)]

    def chain(items: list[bytes]) -> list[bytes]:
        head, digests = GENESIS, []
        for entry, item in zip(entries, items, strict=True):
            head = entry_digest(head, entry, item)
            digests.append(head)
        return digests

    honest, altered = chain([ITEM] * 5), chain([ITEM, ITEM, GENESIS, ITEM, ITEM])
    assert honest[:2] == altered[:2]
    assert all(one != other for one, other in zip(honest[2:], altered[2:], strict=True))


def test_the_anchor_is_the_first_sixteen_hex_digits() -> None:
    assert anchor_of(ITEM) == "0001020304050607"
