"""What a namespace and its store hold, in numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnemoloom.chain import anchor_of
from mnemoloom.opened import OpenStore
from mnemoloom.recall.live import LiveShelf
from mnemoloom.reembedding import count_waiting
from mnemoloom.storage import memories

__all__ = ["Stats", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts and sizes.

    memories, tiers, speakers, sessions, encoded, profile: of this namespace. The rest: of the whole store.
    quarantined: memories of this namespace that are hidden, and not counted among the others.
    waiting: texts that the open embedder has not encoded. bytes: of all files. anchor: of the newest log entry.
    """

    memories: int
    tiers: Mapping[str, int]
    speakers: Mapping[str, int]
    sessions: int
    encoded: int
    profile: str
    namespaces: int
    encoder: str | None
    width: int | None
    waiting: int
    entries: int
    anchor: str
    bytes: int
    sqlite: str
    quarantined: int = 0


def gather(opened: OpenStore, live: LiveShelf) -> Stats:
    """Count what `live` and its store hold."""
    facts, identity = opened.facts(), opened.encoding and opened.encoding.identity
    waiting = count_waiting(opened.store, identity, encode_replies=opened.config.encode_replies) if identity else 0
    with live.reading() as (connection, shelf, number):
        head = memories.log_head(connection)
        anchor = memories.anchor_at(connection, head)
        alive = shelf.alive.values
        return Stats(
            memories=len(shelf),
            tiers=memories.tier_counts(connection, number),
            speakers=dict(shelf.labels().most_common()),
            sessions=len(np.unique(shelf.sessions.values[alive & (shelf.sessions.values > 0)])),
            encoded=int(np.count_nonzero(alive & shelf.has_vector.values)),
            profile=shelf.profile_name(),
            namespaces=len(memories.namespaces(connection)),
            encoder=facts.encoder,
            width=facts.width,
            waiting=waiting,
            entries=head,
            anchor=anchor_of(bytes.fromhex(anchor)) if anchor else "",
            bytes=_size(opened.store.folder),
            sqlite=sqlite3.sqlite_version,
            quarantined=memories.count_isolated(connection, number),
        )


def _size(folder: Path | None) -> int:
    total = 0
    for path in folder.rglob("*") if folder else ():
        with suppress(FileNotFoundError):  # a writer replaces its caches
            total += path.stat().st_size if path.is_file() else 0
    return total
