"""A seal: what the log was at one moment, in a few lines to keep somewhere else.

A chain cannot show that its end was cut off, or that the whole folder was put back to an older day. A seal that is
kept out of reach of whoever can write the folder shows both.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mnemoloom.chain.anchors import anchor_of, framed
from mnemoloom.chain.keys import key_id_of, key_mark
from mnemoloom.errors import ImportFormatError

__all__ = ["SEAL_FORMAT", "Seal", "fnv1a64", "read_seal"]

SEAL_FORMAT = 1
_HEX = {
    "store_id": r"[0-9a-f]{32}",
    "head": r"[0-9a-f]{64}",
    "root": r"[0-9a-f]{64}",
    "anchor": r"[0-9a-f]{16}",
    "fnv1a64": r"[0-9a-f]{16}",
    "key_id": r"[0-9a-f]{16}",
    "mac": r"[0-9a-f]{64}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The state of a store's log. Digests are in hex.

    seq: entries so far. count: memories then. head: digest of the newest entry. root: of the tree over all entries;
    proofs lead to it. anchor, fnv1a64: PMLL's 16 digits of the head, and the FNV-1a/64 of these 16 characters; they
    are there to be compared by people and older tools, and are no evidence. time: milliseconds since 1970.
    key_id, mac: the key in use, and HMAC-SHA256 over everything else; None without a key.
    """

    format: int
    store_id: str
    seq: int
    count: int
    head: str
    root: str
    anchor: str
    fnv1a64: str
    time: int
    key_id: str | None = None
    mac: str | None = None

    @classmethod
    def of(
        cls, *, store: str, seq: int, count: int, head: bytes, root: bytes, time: int, key: bytes | None = None
    ) -> Seal:
        """The seal of a state, signed if there is a key."""
        anchor = anchor_of(head)
        seal = cls(
            format=SEAL_FORMAT,
            store_id=store,
            seq=seq,
            count=count,
            head=head.hex(),
            root=root.hex(),
            anchor=anchor,
            fnv1a64=fnv1a64(anchor.encode()),
            time=time,
            key_id=None if key is None else key_id_of(key_mark(key, store)),
        )
        return seal if key is None else replace(seal, mac=seal._mac(key))

    def signed_by(self, key: bytes) -> bool:
        """Whether this key signed the seal, as it stands here."""
        return self.mac is not None and hmac.compare_digest(self.mac, self._mac(key))

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, indent=1) + "\n"

    def _mac(self, key: bytes) -> str:
        content = {name: value for name, value in asdict(self).items() if name != "mac"}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hmac.digest(key, framed(("memseal/v2", canonical)), "sha256").hex()


def read_seal(source: Seal | str | Path) -> Seal:
    """The seal in a file. Raises ImportFormatError unless it is one; OSError if it cannot be read."""
    if isinstance(source, Seal):
        return source
    try:
        found = json.loads(Path(source).read_bytes())
    except ValueError as error:
        raise ImportFormatError(f"{source} is no seal: {error}") from error
    if not isinstance(found, dict) or found.keys() != Seal.__dataclass_fields__.keys():
        raise ImportFormatError(f"{source} is no seal: it must have the fields {', '.join(Seal.__dataclass_fields__)}")
    for name, value in found.items():
        if not _fits(name, value):
            raise ImportFormatError(f"{source} is no seal of format {SEAL_FORMAT}: {name} is {value!r}")
    seal = Seal(**found)
    if seal.anchor != seal.head[:16] or seal.fnv1a64 != fnv1a64(seal.anchor.encode()):
        raise ImportFormatError(f"{source} is damaged: its anchor does not belong to its head")
    return seal


def fnv1a64(data: bytes) -> str:
    """FNV-1a/64 in hex: finds typing mistakes, and nothing that was meant."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{value:016x}"


def _fits(name: str, value: Any) -> bool:  # noqa: ANN401 - what JSON may hold
    if name in ("key_id", "mac") and value is None:
        return True
    if name in _HEX:
        return isinstance(value, str) and re.fullmatch(_HEX[name], value) is not None
    if name == "format":
        return type(value) is int and value == SEAL_FORMAT
    return type(value) is int and (value >= 0 or name == "time")
