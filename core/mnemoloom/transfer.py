"""Moving the memories of a namespace to another store: out to a bundle, and in again.

The same memories give the same bytes: export, import into an empty store, export is one bundle twice, and both
stores rank alike. Ids and anchors stay behind, because they belong to a store. Links travel by the lines of the
memories that they join. What has ended is not exported. An import is one transaction.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from hashlib import blake2b, sha256
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mnemoloom.bundle import BundleReader, BundleWriter, disk_errors
from mnemoloom.chain.anchors import SALT_BYTES
from mnemoloom.config import Config
from mnemoloom.drafts import check_draft, check_label
from mnemoloom.errors import (
    CorruptionError,
    DimensionMismatchError,
    EmbedderMismatchError,
    ImportFormatError,
    ValidationError,
)
from mnemoloom.recall.looking import SUPERSEDES
from mnemoloom.storage import memories
from mnemoloom.storage.ancestry import ancestry, keep_sources
from mnemoloom.storage.facts import CALLER, StoreFacts, read_facts, write_fact
from mnemoloom.storage.lineage import DERIVED, derive, inherited, lineage
from mnemoloom.storage.memories import NewMemory, StoredPayload
from mnemoloom.storage.quarantine import isolate, isolated
from mnemoloom.trust import least_trusted

if TYPE_CHECKING:
    from mnemoloom.opened import OpenStore
    from mnemoloom.verbs.handle import Handle

__all__ = ["Conflict", "ExportReport", "ImportReport", "Progress", "export_bundle", "import_bundle"]

Conflict = Literal["refuse", "skip", "replace"]
Progress = Callable[[int, int], None]

_LINES = """
SELECT m.id, p.text, m.speaker, m.session, m.time, m.created, u.accessed, m.metadata, m.tier, m.pinned, m.external_id,
       m.source, m.trust, m.surprise, p.id, p.vector, p.variant, p.encoder, p.tokens, p.pointer, m.expires,
       (SELECT count(*) FROM memories o WHERE o.payload = p.id) > 1, m.id IN (SELECT memory FROM quarantine)
FROM memories m JOIN payloads p ON p.id = m.payload LEFT JOIN usage u ON u.memory = m.id
WHERE m.namespace = ? AND (m.expires IS NULL OR m.expires > now_ms()) ORDER BY m.id
"""
_LINKS = """
SELECT l.source, l.kind, l.target FROM links l JOIN memories m ON m.id = l.source
WHERE m.namespace = ? AND l.kind <> ?
"""
_ONE_LINE = _LINES.replace("ORDER BY m.id", "AND m.id = ?")
_BATCH = 256  # memories
_BATCH_BYTES = 8 << 20  # of texts, vectors and codes
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_VARIANT = 16  # bytes
_Event = tuple[Any, ...]  # speaker, session, time


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written: counts of memories, vectors and links, and the size of the bundle in bytes."""

    folder: Path
    memories: int
    vectors: int
    encoder: str | None
    bytes: int
    links: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What was stored: memories added (of which `replaced` took another's place), those skipped, and links."""

    added: int
    replaced: int
    skipped: int
    vectors: int
    encoder: str | None
    links: int = 0


def export_bundle(
    memory: Handle, folder: str | Path, *, progress: Progress | None = None, only: Sequence[int] | None = None
) -> ExportReport:
    """Write the memories of a namespace to a new folder; nothing is left behind when it fails.

    Parameters
    ----------
    folder: where the bundle goes; must not exist, or be an empty folder.
    progress: called with (done, total).
    only: the ids of the memories to write, rising; all of the namespace's otherwise.

    Raises
    ------
    ValidationError: the folder holds something. StorageFailure: it cannot be written. CorruptionError.
    """
    target = Path(os.path.abspath(folder))
    with disk_errors(target):
        if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
            raise ValidationError(f"{target} must be a new or an empty folder to export to")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        try:
            report = _write(memory, partial, target, progress, only)
            if target.exists():
                target.rmdir()  # Windows does not rename onto a folder, not even an empty one
            os.rename(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return report


def import_bundle(
    memory: Handle, folder: str | Path, *, existing: Conflict = "refuse", progress: Progress | None = None
) -> ImportReport:
    """Add the memories of a bundle to a namespace, after those that it holds: all of them, or none.

    Parameters
    ----------
    existing: what happens when the namespace knows an external id already: the whole import is refused, the
        memory of the bundle is skipped, or it replaces the other. "skip" and "replace" also know a memory without
        an external id again, by its text, speaker, session and time (as often as it is there), so that importing a
        bundle twice doubles nothing; "refuse" looks at external ids alone.
    progress: called with (done, total).

    Raises
    ------
    ImportFormatError: the bundle cannot be trusted, or an external id is taken.
    EmbedderMismatchError, DimensionMismatchError: its vectors cannot be compared with those of the store.
    """
    if existing not in ("refuse", "skip", "replace"):
        raise ValidationError(f"existing must be 'refuse', 'skip' or 'replace'; got {existing!r}")
    opened, live, writer = memory._opened, memory._live, memory._writer
    opened.store.check_usable(writing=True)
    place = Path(folder)
    with disk_errors(place), BundleReader(place) as bundle:
        if bundle.manifest.encoder == CALLER:
            raise ImportFormatError(f"manifest.json: encoder must not be {CALLER!r}")

        def work(connection: sqlite3.Connection) -> tuple[ImportReport, bool]:
            writer.end(connection, opened.now())
            adopted = _settle(connection, opened, bundle)
            return _Intake(connection, opened, memory.namespace, bundle).run(existing, progress), adopted

        def publish(done: tuple[ImportReport, bool]) -> None:
            live.abandon()
            if opened.encoding is not None:
                opened.encoding.width = opened.encoding.width or bundle.manifest.width
                if done[1] and bundle.manifest.token_width:
                    opened.encoding.adopt(bundle.manifest.token_width, bundle.projection)

        report, _ = opened.store.transact(work, publish=publish, abandon=live.abandon)
        writer.sweep()
        return report


# -- out ----------------------------------------------------------------------------------------------


def _write(
    memory: Handle, partial: Path, target: Path, progress: Progress | None, only: Sequence[int] | None
) -> ExportReport:
    noted, superseded = memory._live.accessed(), memory._live.superseded()
    with ExitStack() as stack:
        connection = stack.enter_context(memory._opened.store.snapshot())
        facts = read_facts(connection)
        writer = stack.enter_context(BundleWriter(partial, token_width=facts.token_width or 0))
        number = memories.namespace_number(connection, memory.namespace)
        total = sum(memories.tier_counts(connection, number or 0).values())
        total = total + memories.count_isolated(connection, number or 0) if only is None else len(only)
        shared: dict[int, tuple[int, tuple[int, int] | None]] = {}
        origins = _origins(connection) if only is None else {}  # the links of a damaged store may not be readable
        sources = ancestry(connection, number or 0) if only is None else {}
        lines: dict[int, int] = {}  # memory to line, counted from 1
        rows = connection.execute(_LINES, (number or 0,)) if only is None else _each(connection, number or 0, only)
        for row in rows:
            lines[row[0]] = writer.memories + 1
            made_of = [lines[each] for each in origins.get(row[0], ()) if each in lines]
            marks = _marks(isolated=bool(row[-1]), origins=made_of, sources=sources.get(row[0], []))
            writer.add_line(_line(row[:-1], facts, writer, shared, noted) | marks)
            if progress and (writer.memories % _BATCH == 0 or writer.memories == total):
                progress(writer.memories, total)
        for start, kind, end in _links(connection, number or 0, superseded) if only is None else ():
            if start in lines and end in lines:
                writer.add_link(lines[start], kind, lines[end])
        size = writer.finish(encoder=facts.encoder, width=facts.width, projection=facts.projection)
        return ExportReport(
            folder=target,
            memories=writer.memories,
            vectors=writer.rows,
            encoder=facts.encoder,
            bytes=size,
            links=writer.links,
        )


def _links(
    connection: sqlite3.Connection, number: int, noted: frozenset[tuple[int, int]]
) -> list[tuple[int, str, int]]:
    """What is linked in a namespace, also as far as it is only noted yet; in a fixed order.

    Lineage is left out: the lines of the memories tell it.
    """
    stored = {tuple(row) for row in connection.execute(_LINKS, (number, DERIVED))}
    return sorted(stored | {(newer, SUPERSEDES, older) for newer, older in noted})


def _origins(connection: sqlite3.Connection) -> dict[int, list[int]]:
    """What each memory was derived from, ascending."""
    found: dict[int, list[int]] = {}
    for memory, origin in sorted(lineage(connection)):
        found.setdefault(memory, []).append(origin)
    return found


def _marks(*, isolated: bool, origins: list[int], sources: list[str]) -> dict[str, Any]:
    marks: dict[str, Any] = {"quarantined": isolated, "derived_from": origins, "made_of_sources": sources}
    return {name: mark for name, mark in marks.items() if mark}


def _each(connection: sqlite3.Connection, number: int, ids: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """The rows of `_LINES` of some memories, each looked up by itself: those between may not be readable."""
    for memory in ids:
        yield from connection.execute(_ONE_LINE, (number, memory))


def _line(
    row: tuple[Any, ...],
    facts: StoreFacts,
    writer: BundleWriter,
    shared: dict[int, tuple[int, tuple[int, int] | None]],
    noted: dict[int, int],
) -> dict[str, Any]:
    """A row of `_LINES` as an object; its vector and codes go to their files when they come up first."""
    memory, text, speaker, session, time, created, accessed, metadata, tier, pinned, external_id = row[:11]
    source, trust, surprise, payload, vector, variant, encoder, codes, pointer, expires, is_shared = row[11:]
    # Vectors of an encoder that the store has left behind compare with nothing, there as here.
    usable = vector is not None and facts.usable(encoder) and len(vector) == 4 * (facts.width or 0)
    place = shared.get(payload)
    try:
        if sha256(text.encode()).digest() != pointer:
            raise ValueError("its text is not the one that was remembered")
        if usable and place is None:
            place = (writer.add_row(vector), None if codes is None else writer.add_codes(codes))
            if is_shared:
                shared[payload] = place
        return {
            "text": text,
            "speaker": speaker,
            "session": session,
            "time": _iso(time),
            "created": _iso(created),
            "accessed": _iso(noted.get(memory, accessed)),
            "metadata": json.loads(metadata),
            "tier": tier,
            "pinned": bool(pinned),
            "external_id": external_id,
            "source": source,
            "trust": trust,
            "surprise": surprise,
            "vector": place[0] if place else None,
            "variant": variant.hex() or None,
            "encoder": encoder if place else None,
            "tokens": list(place[1]) if place and place[1] else None,
            "expires": _iso(expires),
        }
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise CorruptionError(f"memory {memory} is damaged: {error}") from error


# -- in -----------------------------------------------------------------------------------------------


def _settle(connection: sqlite3.Connection, opened: OpenStore, bundle: BundleReader) -> bool:
    """Refuse vectors that the store's cannot be compared with; whether the store took over the bundle's encoder."""
    facts, offered = read_facts(connection), bundle.manifest
    stored = facts.encoder or (opened.encoding.identity if opened.encoding else None)
    settled = facts.encoder is not None or facts.projection is not None
    adopts = not settled and offered.encoder is not None and stored in (None, offered.encoder)
    if offered.rows:
        if offered.encoder is not None and stored not in (None, offered.encoder):
            raise _mismatch(str(stored), offered.encoder, "vectors")
        if facts.width not in (None, offered.width):
            raise DimensionMismatchError(expected=int(facts.width or 0), got=int(offered.width or 0))
    if facts.width is None and offered.width is not None:
        write_fact(connection, "width", str(offered.width).encode())
    if offered.codes or (adopts and offered.token_width):
        _settle_tokens(connection, bundle, facts, settled=settled)
    if adopts:
        write_fact(connection, "encoder", str(offered.encoder).encode())
    if adopts and bundle.projection is not None:
        rows = bundle.projection
        write_fact(connection, "projection", len(rows).to_bytes(4, "little") + rows.astype("<f4").tobytes())
    return adopts


def _settle_tokens(connection: sqlite3.Connection, bundle: BundleReader, facts: StoreFacts, *, settled: bool) -> None:
    """Refuse token codes of another projection, or of another width; a store without any takes theirs over."""
    offered = bundle.manifest.token_width
    if facts.token_width not in (None, offered) or (settled and not _same(facts.projection, bundle.projection)):
        encoder = str(bundle.manifest.encoder)
        raise _mismatch(
            str(facts.encoder or encoder), encoder, f"token codes of another projection, of width {offered},"
        )
    if facts.token_width is None:
        write_fact(connection, "token_width", str(offered).encode())


def _same(one: np.ndarray[Any, Any] | None, other: np.ndarray[Any, Any] | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _mismatch(stored: str, offered: str, what: str) -> EmbedderMismatchError:
    return EmbedderMismatchError(
        stored=stored,
        offered=offered,
        message=f"the bundle holds {what} of {offered!r}, which cannot be compared with those of {stored!r} in this "
        "store; import it into an empty store and reembed that one with this store's encoder",
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as a memory to store; `origins` are the numbers of the lines that it was derived from.

    sources: of all that it was made of, also of what is gone.
    above: memories from before the import that it was derived from.
    """

    number: int
    memory: NewMemory
    accessed: int | None
    isolated: bool
    origins: tuple[int, ...]
    sources: tuple[str, ...]
    above: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return len(self.memory.text) + len(self.memory.vector or b"") + len(self.memory.tokens or b"")


class _Rows:
    """Hands out vectors and codes in the order of their first use, each to one text only.

    So no byte of the bundle can be stored more often than it is there.
    """

    def __init__(self, bundle: BundleReader) -> None:
        self._bundle = bundle
        self._owners = bytearray()  # 16 bytes a row
        self._used_codes = 0

    @property
    def used(self) -> int:
        return len(self._owners) // 16

    def take(self, row: object, codes: object, owner: bytes) -> tuple[bytes | None, bytes | None]:
        """The bytes of a row and of its codes. Raises ImportFormatError."""
        if row is None and codes is None:
            return None, None
        if type(row) is not int or not 0 <= row <= self.used or row >= self._bundle.manifest.rows:
            raise ImportFormatError(f"vector must be a row in the order of first use, or null; got {row!r}")
        first, count = _span(codes)
        claim = blake2b(owner + f"{first},{count}".encode(), digest_size=16).digest()
        if row == self.used:
            if first not in (None, self._used_codes) or self._used_codes + count > self._bundle.manifest.codes:
                raise ImportFormatError(f"tokens must be the next rows, from {self._used_codes}; got {codes!r}")
            self._owners += claim
            self._used_codes += count
        elif self._owners[16 * row : 16 * row + 16] != claim:
            raise ImportFormatError(f"vector {row} belongs to another text")
        return self._bundle.vector(row), None if first is None else self._bundle.codes(first, count)

    def check_all_used(self) -> None:
        known = self._bundle.manifest
        if self.used != known.rows:
            raise ImportFormatError(f"vectors.f32 row {self.used} belongs to no memory")
        if self._used_codes != known.codes:
            raise ImportFormatError(f"tokens.i8 row {self._used_codes} belongs to no memory")


class _Intake:
    """Stores the lines of a bundle, batch by batch, inside the caller's transaction."""

    def __init__(
        self, connection: sqlite3.Connection, opened: OpenStore, labels: tuple[str, ...], bundle: BundleReader
    ) -> None:
        self._connection, self._opened, self._labels, self._bundle = connection, opened, labels, bundle
        self._number = memories.label_namespace(connection, labels)
        self._head = memories.log_head(connection)
        self._rows = _Rows(bundle)
        self._now = opened.now()
        self._unnamed: dict[bytes, dict[_Event, list[int]]] = {}
        self._ids: dict[int, int] = {}  # line to memory
        self._replaced = self._skipped = self._added = 0

    def run(self, existing: Conflict, progress: Progress | None) -> ImportReport:
        limits, known = self._opened.config.limits, self._bundle.manifest
        # JSON writes a byte of text as at most six
        longest = 6 * (limits.text_bytes + limits.metadata_bytes + 6 * 4 * limits.label_chars) + 4096
        batch: list[_Line] = []
        done = size = 0
        for number, value in self._bundle.lines(longest):
            batch.append(self._read(number, value))
            size += batch[-1].size
            if len(batch) == _BATCH or size > _BATCH_BYTES or number == known.memories:
                self._store(batch, existing)
                done += len(batch)
                batch, size = [], 0
                if progress:
                    progress(done, known.memories)
        self._rows.check_all_used()
        links = self._link()
        return ImportReport(
            added=self._added,
            replaced=self._replaced,
            skipped=self._skipped,
            vectors=known.rows,
            encoder=known.encoder,
            links=links,
        )

    def _link(self) -> int:
        """Join the memories that stand for the lines of the bundle as those are; how many links that were."""
        by_kind: dict[str, list[tuple[int, int]]] = {}
        for source, kind, target in self._bundle.links():
            if kind == DERIVED:
                raise ImportFormatError(f"links.jsonl: a link cannot be of kind {DERIVED!r}; the memories tell it")
            pair = (self._ids.get(source, 0), self._ids.get(target, 0))
            if all(pair):
                by_kind.setdefault(kind, []).append(pair)
        for kind, pairs in by_kind.items():
            memories.link(self._connection, kind, pairs)
        return sum(map(len, by_kind.values()))

    def _read(self, number: int, value: dict[str, Any]) -> _Line:
        try:
            return _Line(
                number,
                _new_memory(value, self._rows, self._bundle.manifest.encoder, self._opened.config),
                _moment(value, "accessed"),
                _is_isolated(value),
                _lines_before(value, number),
                _sources(value, self._opened.config),
            )
        except ValidationError as error:
            raise ImportFormatError(f"memories.jsonl line {number}: {error}") from error

    def _store(self, batch: list[_Line], existing: Conflict) -> None:
        wanted = [self._below(line) for line in self._resolve(batch, existing)]
        new = [line.memory for line in wanted]
        signer = self._opened.signer
        ids, _, poorer = memories.insert(self._connection, self._number, self._labels, new, signer=signer)
        memories.update_vectors(self._connection, self._number, poorer, now=self._now, signer=signer)
        self._ids.update((line.number, memory) for line, memory in zip(wanted, ids, strict=True))
        for line, memory in zip(wanted, ids, strict=True):
            origins = sorted({*line.above, *(self._ids[each] for each in line.origins if each in self._ids)})
            derive(self._connection, self._number, memory, origins, now=self._now, signer=signer)
            keep_sources(self._connection, self._number, memory, origins, more=line.sources)
        hidden = [memory for line, memory in zip(wanted, ids, strict=True) if line.isolated]
        isolate(self._connection, self._number, hidden, now=self._now, signer=signer)
        seen = [(memory, line.accessed) for memory, line in zip(ids, wanted, strict=True)]
        memories.touch(self._connection, [(memory, moment) for memory, moment in seen if moment is not None])
        self._added += len(ids)

    def _below(self, line: _Line) -> _Line:
        """The line under the rules of the memories that were here before and stand for its origins."""
        known = [self._ids[each] for each in line.origins if 0 < self._ids.get(each, 0) <= self._head]
        if not known:
            return line
        above = inherited(self._connection, self._number, known)
        ends = [end for end in (line.memory.expires, above.end) if end is not None]
        trust = least_trusted([line.memory.trust, *above.trusts])
        memory = replace(line.memory, expires=min(ends, default=None), trust=trust)
        return replace(line, memory=memory, isolated=line.isolated or above.isolated, above=tuple(above.origins))

    def _resolve(self, batch: list[_Line], existing: Conflict) -> list[_Line]:
        """The lines to store, after making room for those that replace a memory."""
        named = [line.memory.external_id for line in batch if line.memory.external_id is not None]
        found = memories.external_ids(self._connection, self._number, named) if named else {}
        wanted, seen = [], set()
        for line in batch:
            if line.memory.expires is not None and line.memory.expires <= self._now:
                self._skipped += 1
                continue
            name = line.memory.external_id
            if name is None:
                memory = None if existing == "refuse" else self._same(line.memory)
            else:
                memory = found.get(name)
                if name in seen or (memory or 0) > self._head:
                    raise ImportFormatError(f"memories.jsonl line {line.number}: external_id {name!r} is there twice")
                seen.add(name)
            if memory is None:
                wanted.append(line)
            elif existing == "refuse":
                raise ImportFormatError(
                    f"memories.jsonl line {line.number}: this namespace has a memory with external_id {name!r} already"
                )
            elif existing == "skip":
                self._ids[line.number] = memory
                self._skipped += 1
            else:
                held = bool(isolated(self._connection, [memory]))
                memories.delete(self._connection, self._number, memory, now=self._now, signer=self._opened.signer)
                self._replaced += 1
                wanted.append(replace(line, isolated=line.isolated or held))
        return wanted

    def _same(self, new: NewMemory) -> int | None:
        """The memory from before, without an external id either, that says the same; each stands for one line."""
        if new.pointer not in self._unnamed:
            alike = self._unnamed[new.pointer] = {}
            for memory, *event in memories.unnamed(self._connection, self._number, new.pointer, until=self._head):
                alike.setdefault(tuple(event), []).append(memory)
        left = self._unnamed[new.pointer].get((new.speaker, new.session, new.time))
        return left.pop(0) if left else None


def _new_memory(value: dict[str, Any], rows: _Rows, encoder: str | None, config: Config) -> NewMemory:
    """A line as a memory to store; what redaction changes loses its vector. Raises ValidationError, RedactionError."""
    names = ("text", "speaker", "session", "metadata", "external_id", "source", "tier", "pinned")
    draft = check_draft({name: value[name] for name in names}, config=config, now=0)
    if value["tier"] is None:
        raise ImportFormatError("tier must be a string; got None")
    # a store from before the vocabulary has others
    trust = check_label(value["trust"], "trust", limits=config.limits)
    surprise = value["surprise"]
    if type(surprise) not in (int, float) or not isfinite(surprise) or surprise < 0:
        raise ImportFormatError(f"surprise must be a finite number from 0; got {surprise!r}")
    variant = _variant(value["variant"])
    vector, codes = rows.take(value["vector"], value["tokens"], draft.pointer + variant)
    _check_encoder(value["encoder"], encoder, vector, variant)
    kept = StoredPayload(vector, codes, value["encoder"])
    if draft.text != value["text"]:
        variant, kept = b"", StoredPayload(None, None, None)
    time, created = _moment(value, "time"), _moment(value, "created")
    if time is None or created is None:
        raise ImportFormatError("time and created must not be null")
    return NewMemory(
        text=draft.text,
        pointer=draft.pointer,
        variant=variant,
        vector=kept.vector,
        tokens=kept.tokens,
        encoder=kept.encoder,
        external_id=draft.external_id,
        speaker=draft.speaker,
        session=draft.session,
        time=time,
        metadata=draft.metadata,
        tier=draft.tier.value,
        pinned=draft.pinned,
        created=created,
        source=draft.source,
        trust=trust,
        surprise=float(surprise),
        salt=secrets.token_bytes(SALT_BYTES),
        expires=_moment(value, "expires"),
    )


def _is_isolated(value: dict[str, Any]) -> bool:
    if value.get("quarantined", True) is not True:
        raise ImportFormatError("quarantined must be true, or left out")
    return "quarantined" in value


def _lines_before(value: dict[str, Any], number: int) -> tuple[int, ...]:
    """The numbers of earlier lines that a line names as its origins."""
    named = value.get("derived_from", [])
    if not isinstance(named, list) or any(type(each) is not int or not 0 < each < number for each in named):
        raise ImportFormatError("derived_from must be a list of the numbers of earlier lines")
    return tuple(named)


def _sources(value: dict[str, Any], config: Config) -> tuple[str, ...]:
    """The sources that a line names as those of all that it was made of."""
    named = value.get("made_of_sources", [])
    if not isinstance(named, list):
        raise ImportFormatError("made_of_sources must be a list of sources")
    return tuple(check_label(each, "made_of_sources", limits=config.limits) for each in named)


def _check_encoder(claimed: object, encoder: str | None, vector: bytes | None, variant: bytes) -> None:
    allowed = (None,) if vector is None else (CALLER,) if encoder is None else (encoder, CALLER)
    if claimed not in allowed:
        raise ImportFormatError(f"encoder must be one of {allowed}; got {claimed!r}")
    if claimed == CALLER and variant != blake2b(vector or b"", digest_size=_VARIANT).digest():
        raise ImportFormatError("variant must be the digest of the vector that the caller brought along")


def _variant(value: object) -> bytes:
    if value is None:
        return b""
    try:
        variant = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        variant = b""
    if len(variant) != _VARIANT or variant.hex() != value:
        raise ImportFormatError(f"variant must be null or {2 * _VARIANT} hex digits; got {value!r}")
    return variant


def _span(codes: object) -> tuple[int | None, int]:
    """First and count of [first, count]; (None, 0) of null."""
    if codes is None:
        return None, 0
    if not isinstance(codes, list) or len(codes) != 2 or any(type(n) is not int or n < 0 for n in codes):
        raise ImportFormatError(f"tokens must be [first, count] or null; got {codes!r}")
    return codes[0], codes[1]


def _iso(millis: int | None) -> str | None:
    # in whole numbers, because seconds as a float are off by a millisecond in distant centuries
    return None if millis is None else (_EPOCH + timedelta(milliseconds=millis)).isoformat(timespec="milliseconds")


def _moment(value: dict[str, Any], name: str) -> int | None:
    """Milliseconds since 1970 of a time as `_iso` writes it."""
    text = value[name]
    if text is None:
        return None
    try:
        millis = (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
        exact = _iso(millis) == text
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact:
        raise ImportFormatError(f"{name} must be written as 2026-05-14T00:00:00.000+00:00; got {text!r}")
    return millis
