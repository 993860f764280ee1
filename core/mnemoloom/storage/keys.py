"""The key under which a store's log is kept: from its first entry, or from a rekey entry on.

A rekey entry holds the mark of the new key and is signed with the old key and the new one.
"""

from __future__ import annotations

import sqlite3

from mnemoloom.chain import Signer
from mnemoloom.chain.keys import entry_tag, key_id_of, key_mark
from mnemoloom.errors import ChainKeyError
from mnemoloom.storage.memories import log_change, log_head

__all__ = ["REKEY", "check_log_key", "rekey"]

REKEY = "rekey"


def check_log_key(connection: sqlite3.Connection, signer: Signer, *, writing: bool, where: str) -> bool:
    """Whether a log that is still empty is to begin with the signer's key.

    Raises ChainKeyError if the log is kept under another key, or under none and has begun, or under one that is not
    at hand and it is to be written.
    """
    row = connection.execute("SELECT item FROM log WHERE op = 'rekey' ORDER BY seq DESC LIMIT 1").fetchone()
    mark = row[0] if row else None
    offered = [key_mark(key, signer.store) for key in signer.keys]
    if mark is None and offered and log_head(connection):
        # a forger could have taken the signatures away: only the user can say that there were none
        raise ChainKeyError(f"the log of {where} has begun without a key; open it without one and call rekey(key)")
    if mark is not None and (offered or writing) and mark not in offered:
        what = f"another key, {key_id_of(offered[0])}, was given" if offered else "none was given"
        raise ChainKeyError(f"the log of {where} is kept under key {key_id_of(mark)}, but {what}")
    return mark is None and bool(offered)


def rekey(connection: sqlite3.Connection, signer: Signer, key: bytes, *, now: int) -> None:
    """Log that `key` signs from the next entry on."""
    mark = key_mark(key, signer.store)
    seq = log_change(connection, REKEY, 0, 0, mark, now=now, signer=signer)
    (entry,) = connection.execute("SELECT entry FROM log WHERE seq = ?", (seq,)).fetchone()
    tag = (signer.tag(entry) or b"") + entry_tag(key, signer.store, entry)
    connection.execute("INSERT INTO tags VALUES (?, ?) ON CONFLICT DO UPDATE SET tag = excluded.tag", (seq, tag))
