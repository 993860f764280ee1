"""Giving back what forgetting left empty: pages in the middle of the database, and payloads that no memory uses."""

from __future__ import annotations

import sqlite3

from mnemoloom.storage.store import Store

__all__ = ["collect_payloads", "compact"]

_WORTH_PAGES = 16  # fewer free pages are soon used again
_WORTH_SHARE = 0.02
_INCREMENTAL = 2


def collect_payloads(connection: sqlite3.Connection, namespace: int) -> int:
    """Remove the payloads of a namespace that belong to no memory; how many that were."""
    return connection.execute(
        "DELETE FROM payloads WHERE namespace = ? AND NOT EXISTS (SELECT 1 FROM memories WHERE payload = payloads.id)",
        (namespace,),
    ).rowcount


def compact(store: Store) -> bool:
    """Move the log into the database, and shrink it where enough is empty; False while a reader holds an older state.

    Readers go on with what they see. A store that was made before it could shrink step by step is rewritten once.
    Raises StorageFailure: the disk is full, and nothing has changed.
    """
    with store.settled() as connection:
        free = _number(connection, "PRAGMA freelist_count")
        if free >= max(_WORTH_PAGES, _WORTH_SHARE * _number(connection, "PRAGMA page_count")):
            if _number(connection, "PRAGMA auto_vacuum") == _INCREMENTAL:
                connection.execute("PRAGMA incremental_vacuum").fetchall()
            else:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("VACUUM")
    return store.folder is None or store.checkpoint(patient=False)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(pragma).fetchone()[0])
