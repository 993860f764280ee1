"""Putting memories into quarantine and letting them out again, in one transaction each."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from mnemoloom.chain import Signer
from mnemoloom.filters import Filter
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.looking import matching_ids
from mnemoloom.storage import Store, quarantine
from mnemoloom.storage.ancestry import with_derived
from mnemoloom.storage.lineage import without_hidden_origins

__all__ = ["isolate", "release"]


def isolate(
    store: Store,
    live: LiveShelf,
    signer: Signer,
    condition: Filter,
    *,
    derived: bool,
    sources: Collection[str],
    now: int,
) -> int:
    """Put the memories that fit into quarantine, with what was derived from them; how many went there now.

    sources: what was derived from these goes there, too, whatever has become of its origins.
    """

    def work(connection: sqlite3.Connection) -> list[int]:
        number = live.number(connection)
        found = [] if number is None else matching_ids(connection, number, condition, isolated=None).tolist()
        found = with_derived(connection, number or 0, found, sources=sources) if derived else found
        new = sorted(set(found) - quarantine.isolated(connection, found))
        quarantine.isolate(connection, number or 0, new, now=now, signer=signer)
        return new

    return len(store.transact(work, publish=lambda gone: live.publish(gone=gone), abandon=live.abandon))


def release(
    store: Store,
    live: LiveShelf,
    signer: Signer,
    condition: Filter,
    *,
    derived: bool,
    sources: Collection[str],
    now: int,
) -> int:
    """Let the memories in quarantine that fit out of it, with what was derived from them; how many came out.

    What was also derived from others that stay in quarantine stays there with them, unless it fits itself.
    """

    def work(connection: sqlite3.Connection) -> int:
        number = live.number(connection)
        named = [] if number is None else matching_ids(connection, number, condition, isolated=None).tolist()
        found = with_derived(connection, number or 0, named, sources=sources) if derived else named
        held = without_hidden_origins(connection, quarantine.isolated(connection, found), named=named)
        quarantine.release(connection, number or 0, held, now=now, signer=signer)
        return len(held)

    # the shelf is made anew: its slots stand in the order of ids
    return store.transact(work, publish=lambda count: live.abandon() if count else None, abandon=live.abandon)
