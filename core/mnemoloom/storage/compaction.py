"""Giving back what forgetting left empty: pages in the middle of the database, and payloads that no memory uses."""

from __future__ import annotations

import sqlite3

from mnemoloom.storage.store import Store

__all__ = ["collect_payloads", "compact"]

_WORTH_PAGES = 16  # fewer free pages are soon used again
_WORTH_SHARE = 0.02
_REWRITE_SHARE = 0.1  # where so many pages are free, others are half empty, which only writing all of it anew mends
_REWRITE_BYTES = 512 << 20  # SQLite keeps a copy in memory meanwhile
_INCREMENTAL = 2
_PRAGMAS = ("PRAGMA freelist_count", "PRAGMA page_count", "PRAGMA page_size", "PRAGMA auto_vacuum")


def collect_payloads(connection: sqlite3.Connection, namespace: int) -> int:
    """Remove the payloads of a namespace that belong to no memory; how many that were."""
    return connection.execute(
        "DELETE FROM main.payloads WHERE namespace = ? "
        "AND NOT EXISTS (SELECT 1 FROM memories WHERE payload = payloads.id)",
        (namespace,),
    ).rowcount


def compact(store: Store) -> bool:
    """Move the log into the database, and shrink it where enough is empty; False while a reader holds an older state.

    Readers go on with what they see. A large store shrinks page by page; one that was made before it could is rewritten
    once.
    Raises StorageFailure: the disk is full, and nothing has changed.
    """
    if store.folder is None:
        return True
    with store.settled() as connection:
        free, pages, size, mode = (_number(connection, pragma) for pragma in _PRAGMAS)
        if free >= max(_WORTH_PAGES, _WORTH_SHARE * pages):
            small = pages * size <= _REWRITE_BYTES
            if mode != _INCREMENTAL or (free >= _REWRITE_SHARE * pages and small):
                store.rewrite()
            else:
                connection.executescript("PRAGMA incremental_vacuum")  # execute would stop after the first page
    return store.checkpoint(patient=False)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(pragma).fetchone()[0])
