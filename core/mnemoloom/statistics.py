"""What a namespace and its store hold, in numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mnemoloom.chain import anchor_of
from mnemoloom.consolidation import Quadrant
from mnemoloom.consolidation.quadrants import WEEK
from mnemoloom.hgns import IndexReport
from mnemoloom.opened import OpenStore
from mnemoloom.recall.live import LiveShelf
from mnemoloom.reembedding import count_waiting
from mnemoloom.sleeping.columns import quadrant_counts
from mnemoloom.storage import gates, memories, repeats
from mnemoloom.storage.store import folder_bytes

__all__ = ["Stats", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts and sizes.

    Those up to `gated` are of this namespace, the rest of the whole store.
    merged: memories that repeat another one, as `sleep` found. quadrants: how many memories lie in each, by stress and
    value.
    gated: how many memories met the write gate, by the reason of its decision; "expected" ones were dropped.
    quarantined: memories of this namespace that are hidden, and not counted among the others.
    index: how its vectors are searched, and the recall that sampled queries measured.
    waiting: texts that the open embedder has not encoded. bytes: of all files. anchor: of the newest log entry.
    """

    memories: int
    tiers: Mapping[str, int]
    speakers: Mapping[str, int]
    sessions: int
    encoded: int
    profile: str
    merged: int
    quadrants: Mapping[Quadrant, int]
    index: IndexReport
    gated: Mapping[str, int]
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
            merged=repeats.count_merged(connection, number),
            quadrants=quadrant_counts(connection, live, shelf, number, now=opened.now(), half_life=WEEK),
            index=shelf.index.report(),
            gated=gates.count_reasons(connection, number),
            namespaces=len(memories.namespaces(connection)),
            encoder=facts.encoder,
            width=facts.width,
            waiting=waiting,
            entries=head,
            anchor=anchor_of(bytes.fromhex(anchor)) if anchor else "",
            bytes=folder_bytes(opened.store.folder),
            sqlite=sqlite3.sqlite_version,
            quarantined=memories.count_isolated(connection, number),
        )
