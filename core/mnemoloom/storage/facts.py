"""Facts about the whole store: who it is, which encoder its vectors come from, how wide they are."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import CorruptionError
from mnemoloom.storage.vault import locks_of

__all__ = ["CALLER", "StoreFacts", "read_fact", "read_facts", "read_store_id", "write_fact"]

CALLER = "caller"  # the encoder of vectors that the caller brought along


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Who the store is and how its vectors were made.

    store_id: 32 hex digits. encoder: whose vectors it holds; width: how wide they are.
    token_width: numbers in a token code. projection: mean and directions of a learned token projection,
    stacked (1 + w, D); None for the seeded one. unfinished: the last payload that has
    its codes by a projection learned anew, None when all have.
    """

    store_id: str
    encoder: str | None
    width: int | None
    token_width: int | None
    projection: NDArray[np.float32] | None
    unfinished: int | None

    @property
    def projection_digest(self) -> str | None:
        """Names the learned projection; None for the seeded one."""
        return None if self.projection is None else blake2b(self.projection.tobytes(), digest_size=16).hexdigest()

    def usable(self, encoder: str | None) -> bool:
        """Whether vectors of this encoder can be compared with the store's."""
        return encoder is not None and encoder in (self.encoder, CALLER)


def read_facts(connection: sqlite3.Connection) -> StoreFacts:
    """The store's facts. Raises CorruptionError if they are damaged."""
    found = dict(connection.execute("SELECT key, value FROM meta"))
    try:
        return StoreFacts(
            store_id=found["store_id"].decode(),
            encoder=found["encoder"].decode() if "encoder" in found else None,
            width=int(found["width"]) if "width" in found else None,
            token_width=int(found["token_width"]) if "token_width" in found else None,
            projection=_projection(found.get("projection")),
            unfinished=int(found["unfinished"]) if "unfinished" in found else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise CorruptionError(f"table meta of the store is damaged: {error!r}") from error


def read_store_id(connection: sqlite3.Connection) -> str:
    """Who the store is; it stands in the clear in an encrypted one, too. Raises CorruptionError."""
    try:
        return (read_fact(connection, "store_id") or b"").decode()
    except (UnicodeDecodeError, AttributeError) as error:
        raise CorruptionError(f"table meta of the store is damaged: {error!r}") from error


def read_fact(connection: sqlite3.Connection, key: str) -> bytes | None:
    """One fact, None if it is not known."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def write_fact(connection: sqlite3.Connection, key: str, value: bytes | None) -> None:
    """Set a fact, or forget it with None."""
    if value is None:
        connection.execute("DELETE FROM main.meta WHERE key = ?", (key,))
    else:
        connection.execute(
            "INSERT INTO main.meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            locks_of(connection).row("meta", ("key", "value"), (key, value)),
        )


def _projection(stored: bytes | None) -> NDArray[np.float32] | None:
    if stored is None:
        return None
    rows = int.from_bytes(stored[:4], "little")
    return np.frombuffer(stored, "<f4", offset=4).reshape(rows, -1)
