"""Seals of the log, and proofs that a memory stands in a sealed one."""

from __future__ import annotations

import sqlite3

from mnemoloom.chain import GENESIS, Entry, Proof, Seal, Signer, item_digest
from mnemoloom.chain.merkle import audit_path, tree_root
from mnemoloom.errors import CorruptionError, ValidationError
from mnemoloom.storage.memories import fields_of

__all__ = ["prove_memory", "seal_log"]


def seal_log(connection: sqlite3.Connection, signer: Signer, *, now: int) -> Seal:
    """The seal of the log as it stands."""
    entries = _entries(connection, None)
    (count,) = connection.execute("SELECT count(*) FROM memories").fetchone()
    return Seal.of(
        store=signer.store,
        seq=len(entries),
        count=count,
        head=entries[-1] if entries else GENESIS,
        root=tree_root(entries),
        time=now,
        key=signer.keys[0] if signer.keys else None,
    )


def prove_memory(connection: sqlite3.Connection, memory: int, seal: Seal, *, store: str) -> Proof:
    """The proof that a memory stands in the sealed log, as it stands now.

    Raises ValidationError if the seal is not of this log, or the memory was changed after the seal.
    """
    entries = _entries(connection, seal.seq)
    if seal.store_id != store or len(entries) != seal.seq or tree_root(entries).hex() != seal.root:
        raise ValidationError(f"the seal of {seal.seq} entries is not of this store's log; verify says more")
    row = connection.execute(
        "SELECT seq, op, namespace, memory, time, item FROM log WHERE memory = ? AND seq >= ? AND seq <= ? "
        "ORDER BY seq DESC LIMIT 1",
        (memory, memory, seal.seq),
    ).fetchone()
    salt, fields = fields_of(connection, memory, store=store)
    if row is None or item_digest(salt, fields) != row[5]:
        raise ValidationError(f"memory {memory} was remembered or changed after the seal; seal again")
    entry = Entry(*row[:5])
    previous = entries[entry.seq - 2] if entry.seq > 1 else GENESIS
    return Proof(fields=fields, salt=salt, previous=previous, entry=entry, path=audit_path(entries, entry.seq - 1))


def _entries(connection: sqlite3.Connection, until: int | None) -> list[bytes]:
    """The digests of the log's entries in order. Raises CorruptionError if one is missing."""
    limit = (1 << 62) if until is None else until
    rows = connection.execute("SELECT seq, entry FROM log WHERE seq <= ? ORDER BY seq", (limit,)).fetchall()
    if rows and (rows[0][0] != 1 or rows[-1][0] != len(rows)):
        raise CorruptionError("the log lacks an entry; verify says which")
    if not all(isinstance(row[1], bytes) for row in rows):
        raise CorruptionError("an entry of the log cannot be read; verify says which")
    return [row[1] for row in rows]
