"""Reading the whole truth once: the pages of the database, the chain of the log, the digest of every memory."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mnemoloom.chain import GENESIS, Entry, Seal, anchor_of, entry_digest
from mnemoloom.chain.keys import entry_tag, key_id_of, key_mark
from mnemoloom.storage.failures import take_damage
from mnemoloom.storage.keys import REKEY
from mnemoloom.storage.memories import every_item

__all__ = ["VerifyReport", "verify_store"]

_LOG = """
SELECT l.seq, l.op, l.namespace, l.memory, l.time, l.item, l.entry, t.tag
FROM log l LEFT JOIN tags t ON t.seq = l.seq ORDER BY l.seq
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What verify() found.

    ok: nothing is damaged. problem: the first damage, named by place, else None. broken_at: the log entry where the
    chain breaks first, if it does.
    level: how strong the evidence is. "accident-only": whoever can write the file could have computed the chain
    again. "keyed": only who has the key could. With "+seal": also, nothing up to the seal was cut off or put back to
    an older state.
    key_id: the key under which the log is kept. anchor: PMLL's 16 hex digits of the newest entry.
    """

    ok: bool
    problem: str | None
    entries: int
    memories: int
    anchor: str
    level: str = "accident-only"
    key_id: str | None = None
    broken_at: int | None = None


class _Broken(NamedTuple):
    seq: int
    problem: str


def verify_store(
    connection: sqlite3.Connection, *, store: str, keys: Iterable[bytes] = (), seal: Seal | None = None
) -> VerifyReport:
    """Check database pages, the chain of the log, its signatures as far as keys are given, and every memory."""
    chain = _Chain(store, {key_mark(key, store): key for key in keys}, seal)
    pages = _pages(connection)
    for row in connection.execute(_LOG):
        chain.follow(Entry(*row[:5]), *row[5:])
    chain.end(connection)
    broken = chain.broken
    problem = pages or (broken.problem if broken else None) or _truth(connection, chain.items, store)
    return VerifyReport(
        ok=problem is None,
        problem=problem,
        entries=chain.seq,
        memories=len(chain.items),
        anchor=anchor_of(chain.head),
        level=chain.level,
        key_id=None if chain.mark is None else key_id_of(chain.mark),
        broken_at=broken.seq if broken else None,
    )


class _Chain:
    """Follows the log entry by entry and remembers the first break."""

    def __init__(self, store: str, keys: dict[bytes, bytes], seal: Seal | None) -> None:
        self._store, self._keys, self._seal = store, keys, seal
        self.seq, self.head = 0, GENESIS
        self.mark: bytes | None = None  # of the key under which the log is kept from here on
        self.items: dict[int, bytes] = {}
        self.broken: _Broken | None = None

    @property
    def level(self) -> str:
        base = "keyed" if self.mark in self._keys else "accident-only"
        return f"{base}+seal" if self._seal is not None else base

    def follow(self, entry: Entry, item: bytes, stored: bytes, tag: bytes | None) -> None:
        """Take the next entry, with the digests stored for it."""
        if entry.seq != self.seq + 1:
            self._break(self.seq + 1, f"log entry {self.seq + 1} is missing")
        if entry_digest(self.head, entry, item) != stored:
            self._break(entry.seq, f"log entry {entry.seq} does not follow from the one before it")
        self._check_tag(entry, item, stored, tag)
        if self._seal is not None and entry.seq == self._seal.seq and stored.hex() != self._seal.head:
            self._break(entry.seq, f"log entry {entry.seq} is not the one that was sealed")
        self.seq, self.head = entry.seq, stored
        if entry.op == "forget":
            self.items.pop(entry.memory, None)
        elif entry.op == REKEY:
            self.mark = item
        else:
            self.items[entry.memory] = item

    def end(self, connection: sqlite3.Connection) -> None:
        """Check what only the whole log can show."""
        if self._keys and self.mark not in self._keys:
            kept = "no key" if self.mark is None else f"key {key_id_of(self.mark)}"
            self._break(self.seq, f"the log is kept under {kept}, and not under the one given")
        stray = connection.execute(
            "SELECT min(seq) FROM tags WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.seq = tags.seq)"
        ).fetchone()[0]
        if stray is not None:
            self._break(stray, f"log entry {stray} is signed, but missing")
        if self._seal is not None:
            for problem in self._against(self._seal):
                self._break(self.seq, problem)

    def _check_tag(self, entry: Entry, item: bytes, stored: bytes, tag: bytes | None) -> None:
        marks = [mark for mark in (self.mark, item if entry.op == REKEY else None) if mark is not None]
        if len(tag or b"") != 32 * len(marks):
            state = "is signed, though no key was in use" if not marks else "is not signed as it must be"
            self._break(entry.seq, f"log entry {entry.seq} {state}")
            return
        for i, mark in enumerate(marks):
            key = self._keys.get(mark)
            found = (tag or b"")[32 * i : 32 * (i + 1)]
            if key is not None and not hmac.compare_digest(found, entry_tag(key, self._store, stored)):
                self._break(entry.seq, f"log entry {entry.seq} was not signed with key {key_id_of(mark)}")

    def _against(self, seal: Seal) -> Iterator[str]:
        if seal.store_id != self._store:
            yield f"the seal is of store {seal.store_id}, and this is {self._store}"
        if self.seq < seal.seq:
            yield f"the log ends at entry {self.seq}, but {seal.seq} were sealed: its end was cut off or put back"
        if self._keys:
            signer = next((key for mark, key in self._keys.items() if key_id_of(mark) == seal.key_id), None)
            if seal.key_id is None:
                yield "the seal is not signed, but a key was given"
            elif signer is None:
                yield f"the seal was signed with key {seal.key_id}, which was not given"
            elif not seal.signed_by(signer):
                yield f"the seal was changed: key {seal.key_id} did not sign it"

    def _break(self, seq: int, problem: str) -> None:
        if self.broken is None:
            self.broken = _Broken(seq, problem)


def _pages(connection: sqlite3.Connection) -> str | None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    return None if found == ["ok"] else f"database pages: {found[0]}"


def _truth(connection: sqlite3.Connection, items: dict[int, bytes], store: str) -> str | None:
    """What is wrong with the memories, also where one of an encrypted store does not open."""
    try:
        return _memories(connection, items, store)
    except sqlite3.OperationalError as error:
        if problem := take_damage(error):
            return problem
        raise


def _memories(connection: sqlite3.Connection, items: dict[int, bytes], store: str) -> str | None:
    living = {row[0] for row in connection.execute("SELECT id FROM memories")}
    if living != items.keys():
        strange = min(living ^ items.keys())
        return f"memory {strange} is {'not in the log' if strange in living else 'in the log, but gone'}"
    readable = set()
    for memory, item in every_item(connection, store=store):
        readable.add(memory)
        if item != items[memory]:
            return f"memory {memory} is not what was logged"
    lost = min(living - readable, default=None)
    return None if lost is None else f"memory {lost} has lost its text or namespace"
