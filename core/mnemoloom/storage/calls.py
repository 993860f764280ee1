"""What calls with a key of their own have done: a retry is recognised by its key and does nothing again.

The row is written in the call's own transaction: it is there exactly if the call's memories are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from mnemoloom.errors import CorruptionError, ValidationError
from mnemoloom.storage.vault import locks_of

__all__ = ["answer_of", "keep_answer"]


def answer_of(connection: sqlite3.Connection, namespace: int, key: str, *, drafts: int) -> list[int] | None:
    """The ids that the call with this key returned; None if there was none.

    Raises ValidationError if that call had another number of drafts.
    """
    row = connection.execute(
        "SELECT drafts, ids FROM main.calls WHERE namespace = ? AND key = ?",
        (namespace, locks_of(connection).fixed("calls", "key", namespace, key)),
    ).fetchone()
    if row is None:
        return None
    if row[0] != drafts:
        raise ValidationError(f"idem_key {key!r} belongs to a call with {row[0]} drafts; this one has {drafts}")
    try:
        return [int(memory) for memory in json.loads(row[1])]
    except (ValueError, TypeError) as error:
        raise CorruptionError(f"the answer kept for idem_key {key!r} cannot be read: {error}") from error


def keep_answer(connection: sqlite3.Connection, namespace: int, key: str, ids: Sequence[int]) -> None:
    """Note what the call with this key returns."""
    columns, row = ("namespace", "key", "drafts", "ids"), (namespace, key, len(ids), json.dumps(list(ids)))
    connection.execute("INSERT INTO main.calls VALUES (?, ?, ?, ?)", locks_of(connection).row("calls", columns, row))
