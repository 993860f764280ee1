"""A proof that a memory stood in the log when it was sealed: to be checked with the seal alone, without the store."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import Any

from mnemoloom.chain.anchors import Entry, Field, entry_digest, item_digest
from mnemoloom.chain.merkle import root_by_path
from mnemoloom.chain.seal import Seal
from mnemoloom.errors import ImportFormatError

__all__ = ["FIELDS", "Proof", "read_proof"]

FIELDS = (
    *("store", "namespace", "text", "pointer", "variant", "vector", "tokens", "encoder", "external_id", "speaker"),
    *("session", "time", "metadata", "tier", "pinned", "created", "source", "trust", "surprise"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A memory with all its fields, the entry that logged it, and the path from there to the root of the seal.

    `fields` are those of FIELDS, then names and values of what only some memories have: "expires", in milliseconds.

    It shows what the memory was at that entry, not that it has stayed so or is still there. It holds the memory's
    content and its salt: give it only to somebody who may read the memory.
    """

    fields: tuple[Field, ...]
    salt: bytes
    previous: bytes
    entry: Entry
    path: tuple[bytes, ...]

    @property
    def text(self) -> str:
        return str(self.field("text"))

    def field(self, name: str) -> Field:
        """One of FIELDS or "expires"; namespace and metadata as JSON, vector and tokens as bytes."""
        return self._named().get(name) if name not in FIELDS else self.fields[FIELDS.index(name)]

    def _named(self) -> dict[str, Field]:
        """The fields by name."""
        told, rest = self.fields[: len(FIELDS)], self.fields[len(FIELDS) :]
        return dict(zip(FIELDS, told, strict=True)) | dict(zip(map(str, rest[::2]), rest[1::2], strict=True))

    def holds(self, seal: Seal) -> bool:
        """Whether the sealed log has this memory. Who has the key checks the seal, too: `seal.signed_by(key)`."""
        if self.field("store") != seal.store_id:
            return False
        digest = entry_digest(self.previous, self.entry, item_digest(self.salt, self.fields))
        root = root_by_path(digest, self.entry.seq - 1, seal.seq, self.path)
        return root is not None and hmac.compare_digest(root.hex(), seal.root)

    def to_json(self) -> str:
        content = {
            "fields": {name: _written(value) for name, value in self._named().items()},
            "salt": self.salt.hex(),
            "previous": self.previous.hex(),
            "entry": self.entry._asdict(),
            "path": [node.hex() for node in self.path],
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def read_proof(source: str) -> Proof:
    """The proof that `to_json` wrote. Raises ImportFormatError."""
    try:
        found = json.loads(source)
        entry = Entry(**found["entry"])
        if not (type(entry.op) is str and all(type(entry[i]) is int for i in (0, 2, 3, 4))):
            raise TypeError("an entry is numbers and the name of what was done")
        told = {name: _read(value) for name, value in found["fields"].items()}
        more = [part for name, value in told.items() if name not in FIELDS for part in (name, value)]
        return Proof(
            fields=(*(told[name] for name in FIELDS), *more),
            salt=bytes.fromhex(found["salt"]),
            previous=bytes.fromhex(found["previous"]),
            entry=entry,
            path=tuple(bytes.fromhex(node) for node in found["path"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ImportFormatError(f"this is no proof: {error}") from error


def _written(value: Field) -> Any:  # noqa: ANN401 - JSON
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _read(value: Any) -> Field:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    if value is None or type(value) in (str, int, float):
        field: Field = value
        return field
    raise TypeError(f"a field is a text, a number, bytes or nothing; got {type(value).__name__}")
