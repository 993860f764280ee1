"""The write gate at work: within one transaction, show it every new turn and put what it drops into the cold tier.

A turn is judged by what was there before it, so that turns which come one by one fare as they do together. Each
speaker's gate is kept in the store, in the same transaction as the turns that it has seen.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from mnemoloom.config import Gate
from mnemoloom.drafts import CheckedDraft
from mnemoloom.errors import CorruptionError, ValidationError
from mnemoloom.recall.shelf import Shelf
from mnemoloom.recall.speakers import is_name
from mnemoloom.records import Tier
from mnemoloom.storage import gates, memories
from mnemoloom.storage.memories import NewMemory
from mnemoloom.titans import Decision, Reason, SpeakerGate, decide, signals_of

__all__ = ["Gatekeeper", "decided"]

_WORD = re.compile(r"[^\W_]+")
_NICKNAME = 3  # letters


def decided(connection: sqlite3.Connection, memory: int) -> Decision | None:
    """What the gate decided when a memory was written; None if it met none. Raises CorruptionError."""
    found = gates.decision_of(connection, memory)
    if found is None:
        return None
    for reason in get_args(Reason):
        if found.reason == reason:
            return Decision(found.write, found.z, found.threshold, reason)
    raise CorruptionError(f"the decision of the write gate about memory {memory} has the reason {found.reason!r}")


class Gatekeeper:
    """The gate of a namespace for the length of a transaction; `shelf` is what was there before it."""

    def __init__(self, connection: sqlite3.Connection, namespace: int, shelf: Shelf, settings: Gate) -> None:
        self._connection, self._namespace, self._shelf, self._settings = connection, namespace, shelf, settings
        self._gates: dict[str | None, SpeakerGate] = {}
        self._last: dict[str | None, str] = {}  # the last turn of a session, among the new ones
        self._labels: set[str] = set()
        self._names: set[str] = set()
        self._named = True  # whether every label is a name
        self._decisions: list[Decision] = []
        for label in shelf.labels():
            self._meet(label)

    def judge(self, draft: CheckedDraft, memory: NewMemory) -> NewMemory:
        """The memory as it is to be written: unchanged, or cold."""
        if memory.speaker is not None:
            self._meet(memory.speaker)
        signals = signals_of(memory.text, memory.surprise, before=self._before(memory), names=self._names)
        gate = self._gate(memory.speaker)
        named = self._named and memory.speaker is not None
        self._gates[memory.speaker], decision = decide(gate, signals, self._settings, named=named, placed=draft.placed)
        self._decisions.append(decision)
        if memory.speaker is not None or memory.session is not None:
            self._last[memory.session] = memory.text
        return memory if decision.write else replace(memory, tier=Tier.COLD.value)

    def keep(self, ids: Sequence[int]) -> None:
        """Write down what was decided about the new memories, given their ids, and the gates after it."""
        gates.keep_decisions(
            self._connection,
            ((memory, gates.StoredDecision(*made)) for memory, made in zip(ids, self._decisions, strict=True)),
        )
        states = {speaker: gate.to_json() for speaker, gate in self._gates.items()}
        gates.keep_gates(self._connection, self._namespace, states)

    def _meet(self, label: str) -> None:
        if label not in self._labels:
            self._labels.add(label)
            self._named = self._named and is_name(label)
            self._names |= {word.lower() for word in (*_WORD.findall(label), label[:_NICKNAME])}

    def _gate(self, speaker: str | None) -> SpeakerGate:
        if speaker not in self._gates:
            numbers = gates.gate_of(self._connection, self._namespace, speaker)
            try:
                self._gates[speaker] = SpeakerGate() if numbers is None else SpeakerGate.from_json(numbers)
            except ValidationError as error:
                raise CorruptionError(f"the write gate of speaker {speaker!r} cannot be read: {error}") from error
        return self._gates[speaker]

    def _before(self, memory: NewMemory) -> str | None:
        """The text of the turn before it in its session."""
        if memory.session is None and memory.speaker is None:
            return None  # it stands alone
        if memory.session in self._last:
            return self._last[memory.session]
        newest = self._shelf.newest_of(memory.session)
        return memories.text_of(self._connection, newest) if newest else None
