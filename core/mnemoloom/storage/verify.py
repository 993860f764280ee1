"""Reading the whole truth once: the pages of the database, the chain of the log, the digest of every memory."""

from __future__ import annotations

import hmac
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from mnemoloom.chain import GENESIS, Entry, Seal, anchor_of, entry_digest
from mnemoloom.chain.keys import entry_tag, key_id_of, key_mark
from mnemoloom.errors import CorruptionError
from mnemoloom.storage.failures import tells_damage
from mnemoloom.storage.keys import REKEY
from mnemoloom.storage.lineage import DERIVE, ends_of, lineage
from mnemoloom.storage.memories import every_item, item_of
from mnemoloom.storage.quarantine import ISOLATE, RELEASE
from mnemoloom.storage.repeats import MERGE, SEPARATE, merged_pairs

__all__ = ["VerifyReport", "verify_store"]

_LOG = """
SELECT l.seq, l.op, l.namespace, l.memory, l.time, l.item, l.entry, t.tag
FROM log l LEFT JOIN tags t ON t.seq = l.seq ORDER BY l.seq
"""
_UNSIGNED_LOG = "SELECT seq, op, namespace, memory, time, item, entry, NULL FROM log ORDER BY seq"


_TAG_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What verify() found.

    ok: nothing is damaged. problem: the first damage, named by place, else None. broken_at: the log entry where the
    chain breaks first, if it does. damaged: the ids of all memories that are not what was logged, or cannot be read.
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
    damaged: tuple[int, ...] = ()


class _Broken(NamedTuple):
    seq: int
    problem: str


def verify_store(
    connection: sqlite3.Connection,
    *,
    store: str,
    keys: Iterable[bytes] = (),
    seal: Seal | None = None,
    closed: bool = False,
) -> VerifyReport:
    """Check database pages, the chain of the log, its signatures as far as keys are given, and every memory.

    closed: the store is encrypted and its key is not at hand, and memories are only counted.
    """
    chain = _Chain(store, {key_mark(key, store): key for key in keys}, seal)
    pages = _pages(connection)
    signed = connection.execute("SELECT EXISTS (SELECT 1 FROM tags)").fetchone()[0]
    chain.follow(connection.execute(_LOG if signed else _UNSIGNED_LOG))
    chain.end(connection)
    broken = chain.broken
    wrong = _strange_memories(connection, chain.items) if closed else _wrong_memories(connection, chain.items, store)
    problem = (
        pages
        or (broken.problem if broken else None)
        or next(iter(wrong.values()), None)
        or _standing(connection, chain)
    )
    return VerifyReport(
        ok=problem is None,
        problem=problem,
        entries=chain.seq,
        memories=len(chain.items),
        anchor=anchor_of(chain.head),
        level=chain.level,
        key_id=None if chain.mark is None else key_id_of(chain.mark),
        broken_at=broken.seq if broken else None,
        damaged=tuple(wrong),
    )


def _pages(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the pages and indexes of the database; None if nothing is."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    return None if found == ["ok"] else f"database pages: {found[0]}"


def _is_readable(entry: tuple[object, ...], item: object, stored: object, tag: object) -> bool:
    """Whether the fields of a log entry have the types of their columns."""
    whole = isinstance(item, bytes) and len(item) == len(GENESIS) and isinstance(stored, bytes)
    named = isinstance(entry[1], str) and all(isinstance(number, int) for number in (entry[0], *entry[2:]))
    return whole and named and (tag is None or isinstance(tag, bytes))


class _Chain:
    """Follows the log entry by entry and remembers the first break."""

    def __init__(self, store: str, keys: dict[bytes, bytes], seal: Seal | None) -> None:
        self._store, self._keys, self._seal = store, keys, seal
        self.seq, self.head = 0, GENESIS
        self.mark: bytes | None = None  # of the key under which the log is kept from here on
        self.items: dict[int, bytes] = {}
        self.isolated: set[int] = set()
        self.derived: set[tuple[int, int]] = set()
        self.merged: set[tuple[int, int]] = set()
        self.broken: _Broken | None = None

    @property
    def level(self) -> str:
        base = "keyed" if self.mark in self._keys else "accident-only"
        return f"{base}+seal" if self._seal is not None else base

    def follow(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take the entries in order, each with the digests stored for it."""
        head, seq, items = self.head, self.seq, self.items
        sealed = None if self._seal is None else self._seal.seq
        for number, op, namespace, memory, time, item, stored, tag in rows:
            if number != seq + 1:
                self._break(seq + 1, f"log entry {seq + 1} is missing")
            seq, entry = number, (number, op, namespace, memory, time)
            try:
                follows = entry_digest(head, entry, item) == stored
            except (TypeError, AttributeError, struct.error):  # a damaged page may read as anything
                self._break(seq, f"log entry {seq} cannot be read")
                follows = False
            if not follows:
                self._break(seq, f"log entry {seq} does not follow from the one before it")
                if not _is_readable(entry, item, stored, tag):
                    head = stored if isinstance(stored, bytes) else GENESIS
                    continue
            head = stored
            if seq == sealed or op == REKEY or not self._is_signed_as_must_be(stored, tag):
                self._examine(Entry(*entry), item, stored, tag)
            if op == "remember":
                items[memory] = item
            else:
                self._take(op, memory, item)
        self.head, self.seq = head, seq

    def _take(self, op: str, memory: int, item: bytes) -> None:
        """What an entry says of a memory that is there already."""
        if op == "forget":
            self.items.pop(memory, None)
            self.isolated.discard(memory)
        elif op == DERIVE:
            self.derived.add(ends_of(item))
        elif op in (MERGE, SEPARATE):
            (self.merged.add if op == MERGE else self.merged.discard)(ends_of(item))
        elif op != REKEY:
            if op in (ISOLATE, RELEASE):
                (self.isolated.add if op == ISOLATE else self.isolated.discard)(memory)
            self.items[memory] = item

    def _is_signed_as_must_be(self, stored: bytes, tag: object) -> bool:
        """Of an ordinary entry: with the key in use as far as it is known, or not at all where none is."""
        if self.mark is None or not isinstance(tag, bytes):
            return self.mark is None and tag is None
        key = self._keys.get(self.mark)
        if key is None:
            return len(tag) == _TAG_BYTES
        return hmac.compare_digest(tag, entry_tag(key, self._store, stored))

    def _examine(self, entry: Entry, item: bytes, stored: bytes, tag: object) -> None:
        """Check signatures and the seal at an entry, and take note of a new key."""
        self._check_tag(entry, item, stored, tag)
        if self._seal is not None and entry.seq == self._seal.seq and stored.hex() != self._seal.head:
            self._break(entry.seq, f"log entry {entry.seq} is not the one that was sealed")
        if entry.op == REKEY:
            self.mark = item

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
            cut = self.seq < self._seal.seq
            for problem in self._against(self._seal):
                self._break(self.seq + cut, problem)

    def _check_tag(self, entry: Entry, item: bytes, stored: bytes, tag: object) -> None:
        if not (tag is None or isinstance(tag, bytes)):
            self._break(entry.seq, f"the signature of log entry {entry.seq} cannot be read")
            return
        marks = [mark for mark in (self.mark, item if entry.op == REKEY else None) if mark is not None]
        if len(tag or b"") != _TAG_BYTES * len(marks):
            state = "is signed, though no key was in use" if not marks else "is not signed as it must be"
            self._break(entry.seq, f"log entry {entry.seq} {state}")
            return
        for i, mark in enumerate(marks):
            key = self._keys.get(mark)
            found = (tag or b"")[_TAG_BYTES * i : _TAG_BYTES * (i + 1)]
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


def _wrong_memories(connection: sqlite3.Connection, items: dict[int, bytes], store: str) -> dict[int, str]:
    """What is wrong with which memory, by rising id."""
    if _all_as_logged(connection, items, store):
        return {}
    wrong, found = {}, set()
    for memory, item in _present_items(connection, items, store):
        found.add(memory)
        if item is None:
            wrong[memory] = f"memory {memory} cannot be read"
        elif items.get(memory) != item:
            wrong[memory] = f"memory {memory} is not {'what was logged' if memory in items else 'in the log'}"
    if found != items.keys():
        living = {row[0] for row in connection.execute("SELECT id FROM main.memories NOT INDEXED")}
        for memory in (items.keys() | living) - found:
            wrong[memory] = f"memory {memory} is in the log, but gone"
            if memory in living:
                wrong[memory] = f"memory {memory} has lost its text or namespace"
    return dict(sorted(wrong.items()))


def _strange_memories(connection: sqlite3.Connection, items: dict[int, bytes]) -> dict[int, str]:
    """Memories that are not in the log, or in the log alone, by rising id."""
    living = {row[0] for row in connection.execute("SELECT id FROM main.memories NOT INDEXED")}
    return {
        memory: f"memory {memory} is {'not in the log' if memory in living else 'in the log, but gone'}"
        for memory in sorted(living ^ items.keys())
    }


def _standing(connection: sqlite3.Connection, chain: _Chain) -> str | None:
    """Whether the quarantine, the lineage and the repetitions of memories are those of the log."""
    held = {row[0] for row in connection.execute("SELECT memory FROM quarantine")}
    if held != chain.isolated:
        strange = min(held ^ chain.isolated)
        return (
            f"memory {strange} {'is in quarantine' if strange in held else 'left its quarantine'} without a log entry"
        )
    logged = {pair for pair in chain.derived if chain.items.keys() >= set(pair)}
    if (found := lineage(connection)) != logged:
        memory, origin = min(found ^ logged)
        state = "is not in the log" if (memory, origin) in found else "was taken away"
        return f"the link from memory {memory} to its origin {origin} {state}"
    logged = {pair for pair in chain.merged if chain.items.keys() >= set(pair)}
    if (pairs := merged_pairs(connection)) != logged:
        memory, stand_in = min(pairs ^ logged)
        return f"memory {stand_in} {'stands' if (memory, stand_in) in pairs else 'stood'} for {memory} " + (
            "without a log entry" if (memory, stand_in) in pairs else "by the log, and does not any more"
        )
    return None


def _all_as_logged(connection: sqlite3.Connection, items: dict[int, bytes], store: str) -> bool:
    """Whether the database holds the memories that the log tells of, and no others; looks no further than it must."""
    count = 0
    try:
        for memory, item in every_item(connection, store=store):
            if items.get(memory) != item:
                return False
            count += 1
        (living,) = connection.execute("SELECT count(*) FROM memories NOT INDEXED").fetchone()
    except CorruptionError:
        return False
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not tells_damage(error):
            raise
        return False
    return count == len(items) == int(living)


def _present_items(
    connection: sqlite3.Connection, items: dict[int, bytes], store: str
) -> Iterator[tuple[int, bytes | None]]:
    """Every memory that is there and the digest of what it is now; None where it cannot be read."""
    last = 0
    try:
        for last, item in every_item(connection, store=store):
            yield last, item
        return
    except CorruptionError:
        pass
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not tells_damage(error):
            raise
    for memory in sorted(memory for memory in items if memory > last):  # one of these it was
        with suppress(CorruptionError):  # the row is gone, or what it refers to
            yield memory, _item_if_readable(connection, memory, store)


def _item_if_readable(connection: sqlite3.Connection, memory: int, store: str) -> bytes | None:
    try:
        return item_of(connection, memory, store=store)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not tells_damage(error):
            raise
        return None
