"""The statements that write and read memories; each takes a connection and runs inside the caller's transaction.

A memory's id is the sequence number of the log entry that remembered it: it rises, and is never used again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from mnemoloom.chain import GENESIS, Entry, Signer, entry_digest, item_digest
from mnemoloom.chain.anchors import Field
from mnemoloom.clock import from_millis
from mnemoloom.errors import CorruptionError
from mnemoloom.records import Record, Tier
from mnemoloom.storage.vault import locks_of

__all__ = [
    "Change",
    "Inserted",
    "NewMemory",
    "StoredPayload",
    "anchor_at",
    "changes",
    "count_isolated",
    "delete",
    "end_of",
    "every_item",
    "expired",
    "external_ids",
    "fields_of",
    "find",
    "first_end",
    "holds",
    "insert",
    "item_of",
    "label_namespace",
    "link",
    "linked",
    "log_change",
    "log_head",
    "namespace_number",
    "namespaces",
    "payload_vectors",
    "policy_of",
    "records",
    "scan",
    "sources",
    "text_of",
    "tier_counts",
    "touch",
    "unnamed",
    "update_policy",
    "update_vectors",
    "uses",
    "version",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMemory:
    """A checked memory, ready to be written. Times in milliseconds; vector and tokens as bytes.

    variant: empty, or the digest of a vector that the caller brought along.
    """

    text: str
    pointer: bytes
    variant: bytes
    vector: bytes | None
    tokens: bytes | None
    encoder: str | None
    external_id: str | None
    speaker: str | None
    session: str | None
    time: int
    metadata: str
    tier: str
    pinned: bool
    created: int
    source: str | None
    trust: str
    surprise: float
    salt: bytes
    expires: int | None = None


class StoredPayload(NamedTuple):
    """What equal texts share: vector and token codes as bytes, and the encoder that made them."""

    vector: bytes | None
    tokens: bytes | None
    encoder: str | None


class Inserted(NamedTuple):
    """Ids and payloads, in order.

    poorer: numbers of payloads that were there already without the vector that is at hand now; they want an update.
    """

    ids: list[int]
    payloads: list[StoredPayload]
    poorer: list[tuple[int, StoredPayload]]


class Change(NamedTuple):
    """One line of the log, as far as the derived state needs it."""

    seq: int
    op: str
    memory: int


# the columns in the order of the tables
_COLUMNS = (
    *("id", "namespace", "payload", "external_id", "speaker", "session", "time", "metadata", "tier", "pinned"),
    *("created", "source", "trust", "surprise", "salt", "expires"),
)
_PAYLOAD = ("id", "namespace", "pointer", "variant", "text", "vector", "tokens", "encoder")
_ENCODED = ("id", "namespace", "vector", "tokens", "encoder")

_SCAN = """
SELECT m.id, p.text, m.speaker, m.session, m.time, m.surprise, m.tier, p.vector, p.encoder, p.tokens, p.pointer
FROM memories m JOIN payloads p ON p.id = m.payload WHERE m.namespace = ? AND m.id > ? AND m.id <= ?
AND m.id NOT IN (SELECT memory FROM quarantine) ORDER BY m.id
"""
_NEVER = 1 << 62  # ms
_RECORDS = """
SELECT m.id, p.text, m.speaker, m.session, m.time, m.metadata, m.tier, m.pinned, m.created, u.accessed, p.pointer,
       m.external_id, m.source, m.trust, m.surprise, m.expires
FROM memories m JOIN payloads p ON p.id = m.payload LEFT JOIN usage u ON u.memory = m.id
WHERE m.id IN (SELECT value FROM json_each(?)) AND m.namespace = ? AND (m.expires IS NULL OR m.expires > now_ms())
AND (m.id IN (SELECT memory FROM quarantine)) = ?
"""
_SHOWN = """
SELECT id FROM memories WHERE id IN (SELECT value FROM json_each(?)) AND namespace = ?
AND (expires IS NULL OR expires > now_ms()) AND id NOT IN (SELECT memory FROM quarantine)
"""
_USES = """
SELECT m.id, u.accessed, u.active FROM usage u JOIN memories m ON m.id = u.memory WHERE m.namespace = ? AND
"""
_SOURCES = """
SELECT id, source FROM memories WHERE id IN (SELECT value FROM json_each(?)) AND source IS NOT NULL
"""
_OCCUPIED = """
SELECT labels FROM namespaces n WHERE EXISTS (
    SELECT 1 FROM memories m WHERE m.namespace = n.id AND (m.expires IS NULL OR m.expires > now_ms())
    AND m.id NOT IN (SELECT memory FROM quarantine)
) ORDER BY id
"""
_ITEM = """
SELECT m.salt, n.labels, p.text, p.pointer, p.variant, p.vector, p.tokens, p.encoder, m.external_id, m.speaker,
       m.session, m.time, m.metadata, m.tier, m.pinned, m.created, m.source, m.trust, m.surprise, m.expires
FROM memories m JOIN payloads p ON p.id = m.payload JOIN namespaces n ON n.id = m.namespace
"""
_ONE_ITEM = "".join((_ITEM, "WHERE m.id = ?"))
_EVERY_ITEM = """
SELECT m.id, m.salt, m.namespace, p.text, p.pointer, p.variant, p.vector, p.tokens, p.encoder, m.external_id, m.speaker,
       m.session, m.time, m.metadata, m.tier, m.pinned, m.created, m.source, m.trust, m.surprise, m.expires
FROM memories m JOIN payloads p ON p.id = m.payload ORDER BY m.id
"""


def namespace_number(connection: sqlite3.Connection, labels: Sequence[str]) -> int | None:
    """The number of a namespace, or None if nothing was ever written to it."""
    name = locks_of(connection).fixed("namespaces", "labels", 0, _labels(labels))
    row = connection.execute("SELECT id FROM main.namespaces WHERE labels = ?", (name,)).fetchone()
    return row[0] if row else None


def label_namespace(connection: sqlite3.Connection, labels: Sequence[str]) -> int:
    """The number of a namespace, given now if it has none."""
    locks = locks_of(connection)
    name = locks.fixed("namespaces", "labels", 0, _labels(labels))
    connection.execute("INSERT OR IGNORE INTO main.namespaces (labels) VALUES (?)", (name,))
    number: int = connection.execute("SELECT id FROM main.namespaces WHERE labels = ?", (name,)).fetchone()[0]
    locks.admit(number)
    return number


def insert(
    connection: sqlite3.Connection,
    namespace: int,
    labels: Sequence[str],
    memories: Iterable[NewMemory],
    *,
    signer: Signer,
) -> Inserted:
    """Write memories with their payloads and log entries."""
    name, locks = _labels(labels), locks_of(connection)
    seq, head = _head(connection)
    ids, rows, entries, payloads, poorer = [], [], [], [], {}
    for memory in memories:
        seq += 1
        payload, kept = _payload(connection, namespace, memory)
        if memory.vector is not None and kept.encoder != memory.encoder:
            poorer[payload] = StoredPayload(memory.vector, memory.tokens, memory.encoder)
        payloads.append(poorer.get(payload, kept))
        item = _item(signer.store, name, memory, kept)
        head, entry = _entry(head, Entry(seq, "remember", namespace, seq, memory.created), item)
        entries.append(entry)
        rows.append(locks.row("memories", _COLUMNS, _row(seq, namespace, payload, memory)))
        ids.append(seq)
    connection.executemany("INSERT INTO main.memories VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
    _append(connection, entries, signer)
    return Inserted(ids, payloads, list(poorer.items()))


def delete(connection: sqlite3.Connection, namespace: int, memory: int, *, now: int, signer: Signer) -> None:
    """Remove a memory, and its payload if no other memory shares it."""
    (payload,) = connection.execute("SELECT payload FROM memories WHERE id = ?", (memory,)).fetchone()
    connection.execute("DELETE FROM main.memories WHERE id = ?", (memory,))
    connection.execute(
        "DELETE FROM main.payloads WHERE id = ? AND NOT EXISTS (SELECT 1 FROM memories WHERE payload = ?)",
        (payload, payload),
    )
    log_change(connection, "forget", namespace, memory, bytes(32), now=now, signer=signer)


def update_policy(
    connection: sqlite3.Connection,
    namespace: int,
    memory: int,
    *,
    tier: Tier,
    pinned: bool,
    now: int,
    signer: Signer,
    op: str = "place",
) -> None:
    """Set a memory's tier and pin; `op` is what the log calls it: place by a user, sleep, or wake, its undoing."""
    connection.execute("UPDATE main.memories SET tier = ?, pinned = ? WHERE id = ?", (tier.value, int(pinned), memory))
    item = item_of(connection, memory, store=signer.store)
    log_change(connection, op, namespace, memory, item, now=now, signer=signer)


def update_vectors(
    connection: sqlite3.Connection,
    namespace: int,
    found: Sequence[tuple[int, StoredPayload]],
    *,
    now: int,
    signer: Signer,
) -> dict[int, StoredPayload]:
    """Give payloads new vectors; the memories that share them, each logged as encoded anew."""
    touched: dict[int, StoredPayload] = {}
    for payload, new in found:
        row = locks_of(connection).row("payloads", _ENCODED, (payload, namespace, *new))
        connection.execute(
            "UPDATE main.payloads SET vector = ?, tokens = ?, encoder = ? WHERE id = ?", (*row[2:], payload)
        )
        for (memory,) in connection.execute("SELECT id FROM memories WHERE payload = ?", (payload,)):
            touched[memory] = new
    for memory in touched:
        item = item_of(connection, memory, store=signer.store)
        log_change(connection, "encode", namespace, memory, item, now=now, signer=signer)
    return touched


def holds(connection: sqlite3.Connection, payload: int, pointer: bytes, variant: bytes) -> bool:
    """Whether a payload's number still names this content."""
    found = connection.execute(
        "SELECT 1 FROM payloads WHERE id = ? AND pointer = ? AND variant = ?", (payload, pointer, variant)
    )
    return found.fetchone() is not None


def _payload_number(connection: sqlite3.Connection, namespace: int, pointer: bytes, variant: bytes) -> int | None:
    locks = locks_of(connection)
    row = connection.execute(
        "SELECT id FROM main.payloads WHERE namespace = ? AND pointer = ? AND variant = ?",
        (
            namespace,
            locks.fixed("payloads", "pointer", namespace, pointer),
            locks.fixed("payloads", "variant", namespace, variant),
        ),
    ).fetchone()
    return row[0] if row else None


def touch(
    connection: sqlite3.Connection, accessed: Iterable[tuple[int, int]], *, active: Mapping[int, float] | None = None
) -> None:
    """Note when memories were last recalled: pairs of id and milliseconds; `active`: their activation then, else 1."""
    levels = active or {}
    connection.executemany(
        "INSERT INTO usage (memory, accessed, active) SELECT ?, ?, ? WHERE EXISTS "
        "(SELECT 1 FROM memories WHERE id = ?) "
        "ON CONFLICT (memory) DO UPDATE SET accessed = excluded.accessed, active = excluded.active",
        ((memory, moment, levels.get(memory, 1.0), memory) for memory, moment in accessed),
    )


def uses(
    connection: sqlite3.Connection, namespace: int, ids: Iterable[int] | None = None
) -> dict[int, tuple[int, float]]:
    """When memories of a namespace were last recalled (ms), and their activation then: some of them, or all."""
    some = "TRUE"
    asked: list[int | str] = [namespace]
    if ids is not None:
        some, asked = "m.id IN (SELECT value FROM json_each(?))", [namespace, json.dumps(list(ids))]
    statement = "".join((_USES, some))
    return {memory: (moment, level) for memory, moment, level in connection.execute(statement, asked)}


def link(connection: sqlite3.Connection, kind: str, pairs: Iterable[tuple[int, int]]) -> None:
    """Note links (source, target) of a kind between memories that still exist."""
    connection.executemany(
        "INSERT OR IGNORE INTO links SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM memories WHERE id = ?) "
        "AND EXISTS (SELECT 1 FROM memories WHERE id = ?)",
        ((source, kind, target, source, target) for source, target in pairs),
    )


def linked(connection: sqlite3.Connection, kind: str, ids: Iterable[int]) -> list[tuple[int, int]]:
    """The links of a kind that begin or end at one of some memories."""
    asked = json.dumps(list(ids))
    found = connection.execute(
        "SELECT source, target FROM links WHERE kind = ? AND source IN (SELECT value FROM json_each(?)) "
        "UNION SELECT source, target FROM links WHERE kind = ? AND target IN (SELECT value FROM json_each(?))",
        (kind, asked, kind, asked),
    )
    return list(found)


def find(connection: sqlite3.Connection, namespace: int, external_id: str) -> int | None:
    """The id of the memory that bears an external id."""
    name = locks_of(connection).fixed("memories", "external_id", namespace, external_id)
    row = connection.execute(
        "SELECT id FROM main.memories WHERE namespace = ? AND external_id = ?", (namespace, name)
    ).fetchone()
    return row[0] if row else None


def shown(connection: sqlite3.Connection, namespace: int, ids: Iterable[int]) -> set[int]:
    """Of some ids, those of memories that are there, not over and not in quarantine; no text is read."""
    return {row[0] for row in connection.execute(_SHOWN, (json.dumps(list(ids)), namespace))}


def external_ids(connection: sqlite3.Connection, namespace: int, asked: Sequence[str]) -> dict[str, int]:
    """Of the external ids asked for, those that exist, with the memories that bear them."""
    locks = locks_of(connection)
    names = {locks.fixed("memories", "external_id", namespace, each): each for each in asked}
    found = connection.execute(
        "SELECT external_id, id FROM main.memories WHERE namespace = ? "
        "AND external_id IN (SELECT value FROM json_each(?))",
        (namespace, json.dumps(list(names))),
    )
    return {names[name]: memory for name, memory in found}


def unnamed(connection: sqlite3.Connection, namespace: int, pointer: bytes, *, until: int) -> list[tuple[Any, ...]]:
    """Id, speaker, session and time of the memories with a text and no external id, up to an id."""
    return connection.execute(
        "SELECT m.id, m.speaker, m.session, m.time FROM payloads p JOIN memories m ON m.payload = p.id "
        "WHERE p.id IN (SELECT id FROM main.payloads WHERE namespace = ? AND pointer = ?) "
        "AND m.external_id IS NULL AND m.id <= ? ORDER BY m.id",
        (namespace, locks_of(connection).fixed("payloads", "pointer", namespace, pointer), until),
    ).fetchall()


def scan(
    connection: sqlite3.Connection, namespace: int, *, after: int = 0, until: int = 1 << 62
) -> Iterator[tuple[Any, ...]]:
    """Memories with after < id ≤ until: id, text, speaker, session, time, surprise, tier, vector, encoder, tokens.

    Those in quarantine are left out. Raises CorruptionError, naming the memory, for a text that was changed.
    """
    for *row, pointer in connection.execute(_SCAN, (namespace, after, until)):
        _check_text(row[0], row[1], pointer)
        yield tuple(row)


def changes(connection: sqlite3.Connection, namespace: int, *, after: int) -> list[Change]:
    """The namespace's log entries after sequence number `after`."""
    found = connection.execute(
        "SELECT seq, op, memory FROM log WHERE seq > ? AND namespace = ? ORDER BY seq", (after, namespace)
    )
    return [Change(*row) for row in found]


def records(
    connection: sqlite3.Connection,
    namespace: int,
    ids: Sequence[int],
    *,
    accessed: Mapping[int, int] | None = None,
    isolated: bool = False,
) -> dict[int, Record]:
    """The records of those ids that exist in the namespace; `accessed` holds newer times of access, by id.

    isolated: those in quarantine, instead of all others.

    Raises CorruptionError, naming the memory, if a text is not the one that its pointer was made of.
    """
    noted = accessed or {}
    rows = connection.execute(_RECORDS, (json.dumps(ids), namespace, int(isolated)))
    return {row[0]: _record(row, noted.get(row[0], row[9])) for row in rows}


def sources(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[int, str]:
    """Where memories came from, by id; those without a source are left out."""
    return dict(connection.execute(_SOURCES, (json.dumps(ids),)))


def item_of(connection: sqlite3.Connection, memory: int, *, store: str) -> bytes:
    """The digest of a memory as it stands in the database. Raises CorruptionError if it cannot be read."""
    return _digest(memory, *fields_of(connection, memory, store=store))


def end_of(connection: sqlite3.Connection, namespace: int, memory: int) -> int | None:
    """The moment (ms) at which a memory has ended that is still there; None if it has not."""
    row = connection.execute(
        "SELECT expires FROM memories WHERE id = ? AND namespace = ? AND expires <= now_ms()", (memory, namespace)
    ).fetchone()
    return row[0] if row else None


def first_end(connection: sqlite3.Connection, ids: Iterable[int]) -> int | None:
    """The moment (ms) at which the first of some memories ends; None if none of them does."""
    row = connection.execute(
        "SELECT min(expires) FROM memories WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
    ).fetchone()
    end: int | None = row[0]
    return end


def every_item(connection: sqlite3.Connection, *, store: str) -> Iterator[tuple[int, bytes]]:
    """The digest of every memory that can be read, by rising id."""
    named = dict(connection.execute("SELECT id, labels FROM namespaces"))
    for row in connection.execute(_EVERY_ITEM):
        if row[2] in named:
            yield row[0], _digest(row[0], row[1], _fields(store, (named[row[2]], *row[3:])))


def _digest(memory: int, salt: bytes, fields: tuple[Field, ...]) -> bytes:
    try:
        return item_digest(salt, fields)
    except (TypeError, ValueError) as error:  # what is no salt, of a damaged page
        raise CorruptionError(f"memory {memory} holds values that cannot be read: {error}") from error


def fields_of(connection: sqlite3.Connection, memory: int, *, store: str) -> tuple[bytes, tuple[Field, ...]]:
    """The salt of a memory and the fields that its digest covers. Raises CorruptionError if they cannot be read."""
    row = connection.execute(_ONE_ITEM, (memory,)).fetchone()
    if row is None:
        raise CorruptionError(f"memory {memory} has lost its text or namespace")
    return row[0], _fields(store, row[1:])


def _fields(store: str, row: Sequence[Field]) -> tuple[Field, ...]:
    """What a digest covers: an end is named only where there is one, so that older digests hold."""
    *told, expires = row
    return (store, *told) if expires is None else (store, *told, "expires", expires)


def expired(connection: sqlite3.Connection, namespace: int, *, after: int = -_NEVER, until: int) -> list[int]:
    """The memories that end after one moment (ms) and by another, and are still there."""
    rows = connection.execute(
        "SELECT id FROM memories WHERE namespace = ? AND expires > ? AND expires <= ?", (namespace, after, until)
    )
    return [row[0] for row in rows]


def next_end(connection: sqlite3.Connection, namespace: int, *, after: int) -> int:
    """The first moment (ms) after another at which a memory ends; one that never comes if none does."""
    row = connection.execute(
        "SELECT min(expires) FROM memories WHERE namespace = ? AND expires > ?", (namespace, after)
    ).fetchone()
    return _NEVER if row[0] is None else int(row[0])


def _labels(labels: Sequence[str]) -> str:
    return json.dumps(list(labels), ensure_ascii=False, separators=(",", ":"))


def _head(connection: sqlite3.Connection) -> tuple[int, bytes]:
    row = connection.execute("SELECT seq, entry FROM log ORDER BY seq DESC LIMIT 1").fetchone()
    if row and not isinstance(row[1], bytes):
        raise CorruptionError(f"log entry {row[0]} cannot be read")
    return row or (0, GENESIS)


def log_change(
    connection: sqlite3.Connection, op: str, namespace: int, memory: int, item: bytes, *, now: int, signer: Signer
) -> int:
    """Append an entry to the log; its sequence number."""
    seq, head = _head(connection)
    _, row = _entry(head, Entry(seq + 1, op, namespace, memory, now), item)
    _append(connection, [row], signer)
    return seq + 1


def _append(connection: sqlite3.Connection, entries: Sequence[tuple[Any, ...]], signer: Signer) -> None:
    locks_of(connection).check_room(entries[-1][0] if entries else 0)
    connection.executemany("INSERT INTO log VALUES (?,?,?,?,?,?,?)", entries)
    tags = [(row[0], signer.tag(row[-1])) for row in entries] if signer.keys else []
    connection.executemany("INSERT INTO tags VALUES (?, ?)", tags)


def _entry(head: bytes, entry: Entry, item: bytes) -> tuple[bytes, tuple[Any, ...]]:
    digest = entry_digest(head, entry, item)
    return digest, (*entry, item, digest)


def _payload(connection: sqlite3.Connection, namespace: int, memory: NewMemory) -> tuple[int, StoredPayload]:
    """The payload of a text, made if it is new, and what it holds."""
    offered, locks = StoredPayload(memory.vector, memory.tokens, memory.encoder), locks_of(connection)
    row = (locks.next_payload(), namespace, memory.pointer, memory.variant, memory.text, *offered)
    made = connection.execute(
        "INSERT INTO main.payloads VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING RETURNING id",
        locks.row("payloads", _PAYLOAD, row),
    ).fetchone()
    if made:
        return made[0], offered
    number = _payload_number(connection, namespace, memory.pointer, memory.variant)
    found = connection.execute("SELECT vector, tokens, encoder FROM payloads WHERE id = ?", (number,)).fetchone()
    return int(number or 0), StoredPayload(*found)


def _item(store: str, labels: str, memory: NewMemory, payload: StoredPayload) -> bytes:
    """As `item_of`, of a memory that is being written."""
    content = (memory.text, memory.pointer, memory.variant, *payload)
    return item_digest(memory.salt, _fields(store, (labels, *content, *_event(memory), memory.expires)))


def _row(seq: int, namespace: int, payload: int, memory: NewMemory) -> tuple[Any, ...]:
    return (seq, namespace, payload, *_event(memory), memory.salt, memory.expires)


def _event(memory: NewMemory) -> tuple[Any, ...]:
    """What belongs to the event and not to the text, in the order of the table's columns."""
    return (
        memory.external_id,
        memory.speaker,
        memory.session,
        memory.time,
        memory.metadata,
        memory.tier,
        int(memory.pinned),
        memory.created,
        memory.source,
        memory.trust,
        memory.surprise,
    )


def _check_text(memory: int, text: object, pointer: bytes) -> None:
    if not isinstance(text, str) or sha256(text.encode()).digest() != pointer:
        raise CorruptionError(
            f"memory {memory} is damaged: its text is not the one that was remembered; forget({memory}) removes it, "
            "and `mnemoloom repair --salvage DIR` exports every memory that is whole"
        )


def _record(row: Sequence[Any], accessed: int | None) -> Record:
    _check_text(row[0], row[1], row[10])
    try:
        return Record(
            id=row[0],
            text=row[1],
            speaker=row[2],
            session=row[3],
            time=from_millis(row[4]),
            metadata={} if row[5] == "{}" else json.loads(row[5]),
            tier=Tier(row[6]),
            pinned=bool(row[7]),
            created=from_millis(row[8]),
            accessed=None if accessed is None else from_millis(accessed),
            pointer=row[10].hex(),
            external_id=row[11],
            source=row[12],
            trust=row[13],
            surprise=row[14],
            expires=None if row[15] is None else from_millis(row[15]),
        )
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise CorruptionError(f"memory {row[0]} is damaged: {error}") from error


def payload_vectors(
    connection: sqlite3.Connection, namespace: int, pointers: Iterable[bytes]
) -> dict[bytes, StoredPayload]:
    """What is stored for texts that the namespace already holds, by pointer; caller's vectors are left out."""
    found = {}
    for pointer in pointers:
        number = _payload_number(connection, namespace, pointer, b"")
        row = connection.execute("SELECT vector, tokens, encoder FROM payloads WHERE id = ?", (number,)).fetchone()
        if row:
            found[pointer] = StoredPayload(*row)
    return found


def policy_of(connection: sqlite3.Connection, namespace: int, memory: int) -> tuple[Tier, bool] | None:
    """Tier and pin of a memory, or None."""
    row = connection.execute(
        "SELECT tier, pinned FROM memories WHERE id = ? AND namespace = ?", (memory, namespace)
    ).fetchone()
    try:
        return (Tier(row[0]), bool(row[1])) if row else None
    except ValueError as error:
        raise CorruptionError(f"memory {memory} is damaged: {error}") from error


def log_head(connection: sqlite3.Connection) -> int:
    """The sequence number of the newest log entry, 0 before the first."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()[0])


def version(connection: sqlite3.Connection) -> tuple[int, int]:
    """Another pair than before once another connection has written, with or without an entry of the log."""
    return id(connection), int(connection.execute("PRAGMA data_version").fetchone()[0])


def text_of(connection: sqlite3.Connection, memory: int) -> str | None:
    """The text of a memory, or None if it is gone."""
    row = connection.execute(
        "SELECT p.text FROM memories m JOIN payloads p ON p.id = m.payload WHERE m.id = ?", (memory,)
    ).fetchone()
    return row[0] if row else None


def anchor_at(connection: sqlite3.Connection, seq: int) -> str | None:
    """The digest of a log entry in hex, or None if there is no such entry."""
    row = connection.execute("SELECT entry FROM log WHERE seq = ?", (seq,)).fetchone()
    return row[0].hex() if row and isinstance(row[0], bytes) else None


def namespaces(connection: sqlite3.Connection, *, occupied: bool = False) -> list[tuple[str, ...]]:
    """The labels of every namespace, or of those that hold a memory not in quarantine, in the order of their making."""
    rows = connection.execute(_OCCUPIED if occupied else "SELECT labels FROM namespaces ORDER BY id").fetchall()
    try:
        return [tuple(map(str, json.loads(row[0]))) for row in rows]
    except (ValueError, TypeError) as error:
        raise CorruptionError(f"table namespaces of the store is damaged: {error}") from error


def tier_counts(connection: sqlite3.Connection, namespace: int) -> dict[str, int]:
    """How many memories each tier holds, those in quarantine left out."""
    return dict(
        connection.execute(
            "SELECT tier, count(*) FROM memories WHERE namespace = ? AND (expires IS NULL OR expires > now_ms()) "
            "AND id NOT IN (SELECT memory FROM quarantine) GROUP BY tier",
            (namespace,),
        )
    )


def count_isolated(connection: sqlite3.Connection, namespace: int) -> int:
    """How many memories are in quarantine."""
    found = connection.execute(
        "SELECT count(*) FROM quarantine q JOIN memories m ON m.id = q.memory WHERE m.namespace = ? "
        "AND (m.expires IS NULL OR m.expires > now_ms())",
        (namespace,),
    )
    return int(found.fetchone()[0])
