"""The shelf of one namespace, kept in step with the store."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.art import CentredConfig
from mnemoloom.config import IndexSettings
from mnemoloom.errors import CorruptionError, StoreClosedError
from mnemoloom.fabric import Activation, Feedback
from mnemoloom.index.exact import unit_row
from mnemoloom.lexical import Analyzer
from mnemoloom.recall.learning import Learned, read_learned
from mnemoloom.recall.shelf import LAYOUT, Shelf, ShelfEntry
from mnemoloom.recall.sorting import Sorted, read_sorted, recentre_topics
from mnemoloom.recall.speakers import is_reply
from mnemoloom.recall.using import Used, Uses
from mnemoloom.records import Tier
from mnemoloom.storage import Store, memories, read_cache, repeats, write_cache
from mnemoloom.storage.cache import drop_cache
from mnemoloom.storage.facts import CALLER, StoreFacts, read_facts
from mnemoloom.storage.quarantine import released_since

__all__ = ["LiveShelf", "Noted", "entry_of"]

_LOG = logging.getLogger(__name__)
# Replaying this many memories at the next open costs less than writing the cache now.
_REPLAY_AT_MOST = 500
_SAVE_WHILE_OPEN_AFTER = 20_000
_REBUILD_WHEN_DEAD = 0.5
_USES = count(1)
_SURPRISE_LIMIT = 1e30  # beyond, a number read from a damaged page
_LONG_AGO = -(1 << 62)


class Noted(NamedTuple):
    """What recall has noted: uses by memory, and pairs of ids (newer, older) of which one takes the other's place."""

    used: dict[int, Used]
    superseded: set[tuple[int, int]]


class LiveShelf:
    """Loads, follows and saves a `Shelf`; safe to share between threads.

    Lock order: the store's connection first, then the shelf. What a writer's shelf holds changes only through
    `publish`, after the commit (its vocabulary and Titans memory run ahead while a transaction is being written;
    `abandon` drops them if it fails). A read-only handle catches up with the log before each use.
    """

    def __init__(
        self,
        store: Store,
        labels: tuple[str, ...],
        analyzer: Analyzer,
        *,
        encode_replies: bool,
        index: IndexSettings | None = None,
        topics: CentredConfig | None = None,
    ) -> None:
        self.labels = labels
        self._topics = topics or CentredConfig()
        self._sorted: Sorted | None = None
        self._uses = Uses()
        self._learned: Learned | None = None
        self._superseded: set[tuple[int, int]] = set()
        self._store, self._analyzer, self._encode_replies = store, analyzer, encode_replies
        self._index = index
        self._lock = RLock()
        self._shelf: Shelf | None = None
        self._number: int | None = None
        self._saved_slots = 0
        self._abandoned = False
        self._forgotten = False  # the cache on disk may hold words of what is gone
        # what ended until then (ms) has left the shelf; nothing else ends before the other
        self._ended, self._next_end = _LONG_AGO, _LONG_AGO
        self._soiled = False  # the shelf has traces of what has ended; no file may be written of it
        self._unswept = False  # a file may have them, too
        self._merged: tuple[int, bool] | None = None  # after how many commits that was so
        self.used = 0  # which use of any shelf was the last of this one
        self._made: StoreFacts | None = None  # the facts that the shelf was last brought up to date under

    @property
    def follows(self) -> StoreFacts | None:
        """For a reader, how another process made the vectors that the shelf holds; None for the writer itself."""
        return self._made if self._store.read_only else None

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, Shelf, int]]:
        """A connection, the up-to-date shelf, and the namespace's number (0 if it was never written to)."""
        with self._store.reading() as connection, self._lock:
            yield connection, self.current(connection), self.number(connection) or 0

    def number(self, connection: sqlite3.Connection) -> int | None:
        """What the namespace is known by in the tables; None if nothing was ever written to it."""
        if self._store.read_only:  # the writer may have destroyed the key of the namespace and begun it anew
            return memories.namespace_number(connection, self.labels)
        if self._number is None:
            self._number = memories.namespace_number(connection, self.labels)
        return self._number

    def current(self, connection: sqlite3.Connection) -> Shelf:
        """The shelf in step with what `connection` sees. Raises CorruptionError for damaged rows."""
        with self._lock:
            self.used = next(_USES)
            if self._shelf is not None and self._store.read_only:
                self._catch_up(connection, self._shelf)
            if self._shelf is None:
                self._shelf = self._load(connection)
            self._let_end(connection, self._shelf)
            return self._shelf

    def _let_end(self, connection: sqlite3.Connection, shelf: Shelf) -> None:
        """Take from the shelf what has ended since the last look, whether it was erased yet or not."""
        now = self._store.now()
        if self._ended <= now < self._next_end:
            return
        number = self.number(connection)
        if number is not None:
            for memory in memories.expired(connection, number, after=min(self._ended, now), until=now):
                self._remove(shelf, memory)
            self._next_end = memories.next_end(connection, number, after=now)
        self._ended = now

    def _look_for_ends(self) -> None:
        """Ask the store anew what has ended."""
        self._ended = self._next_end = _LONG_AGO

    def _remove(self, shelf: Shelf, memory: int) -> None:
        """Take a memory from the shelf, and what it taught."""
        if shelf.slot_of(memory):
            shelf.remove(memory)
            self._learned = None

    def has_merged(self, connection: sqlite3.Connection) -> bool:
        """Whether sleep has found repetitions."""
        with self._lock:
            if self._store.read_only:
                return repeats.has_merged(connection, self.number(connection) or 0)
            commits = self._store.commits
            if self._merged is None or self._merged[0] != commits:
                self._merged = (commits, repeats.has_merged(connection, self.number(connection) or 0))
            return self._merged[1]

    @contextmanager
    def sorted(self, connection: sqlite3.Connection) -> Iterator[Sorted]:
        """The topics as `connection` sees them; they and the shelf stand still meanwhile."""
        with self._lock:
            shelf, number = self.current(connection), self.number(connection) or 0
            self._sorted = read_sorted(connection, shelf, number, self._topics, self._sorted)
            yield self._sorted

    def learned(self, connection: sqlite3.Connection) -> Feedback | None:
        """What questions have learned from what was useful; None while nothing was."""
        with self._lock:
            shelf, number = self.current(connection), self.number(connection) or 0
            known = self._learned
            if known is None or known.shelf is not shelf or self._store.read_only:  # nobody writes beside the writer
                known = self._learned = read_learned(connection, shelf, number, known)
            return known.state

    def learn(self, question: NDArray[np.float32], ids: Iterable[int]) -> None:
        """Take in that memories were useful for a question, as was just written down."""
        with self._lock:
            if self._learned is not None:
                self._learned.take_in(question, ids)

    def recentre_topics(self, connection: sqlite3.Connection) -> int:
        """Sort every memory again, as sleep does, within the caller's transaction; how many changed their topic."""
        with self._lock:
            shelf, number = self.current(connection), self.number(connection) or 0
            return recentre_topics(connection, shelf, number, self._topics)

    def forget_sorted(self) -> None:
        """Read the topics anew when they are next needed."""
        with self._lock:
            self._sorted = None

    def publish(
        self,
        entries: Sequence[tuple[ShelfEntry, dict[int, int]]] = (),
        *,
        gone: Sequence[int] = (),
        encoded: Sequence[ShelfEntry] = (),
        counted_by: Shelf | None = None,
    ) -> None:
        """Take in what a transaction of this handle stored, let go of what it removed, set vectors it made.

        counted_by: the shelf whose numbers of terms the entries are counted by.
        """
        with self._lock:
            self._forgotten = self._forgotten or bool(gone)
            if gone or encoded:
                self._learned = None  # it holds what these taught
            shelf = self._shelf
            if shelf is None:
                return
            self._look_for_ends()  # what comes in may have ended while it was written
            for memory in gone:
                shelf.remove(memory)
            for entry, counts in entries:
                if entry.id > shelf.position:  # else it was loaded from the store already
                    if shelf is not counted_by:  # another thread has had the shelf loaded anew meanwhile
                        counts = shelf.count_terms(entry.text)
                        shelf.measure_surprise(counts)
                    shelf.add(entry, counts)
                    shelf.position = entry.id
            self._sorted = None if encoded else self._sorted  # its sums hold the vectors of before
            for entry in encoded:
                if entry.vector is not None and shelf.slot_of(entry.id):
                    shelf.set_vector(entry.id, entry.vector, entry.codes)

    def change(self, act: Callable[[Shelf], None]) -> None:
        """Apply a change that is no new memory."""
        with self._lock:
            if self._shelf is not None:
                act(self._shelf)

    def abandon(self) -> None:
        """Forget the derived state; it is loaded again when next needed."""
        with self._lock:
            self._shelf = self._sorted = self._learned = None
            self._number = None  # it may come from the transaction that was rolled back
            self._abandoned = True

    @property
    def loaded(self) -> bool:
        """Whether the shelf is in memory."""
        return self._shelf is not None

    def rest(self) -> None:
        """Save what is worth saving and let go of the shelf; it is loaded again when next needed."""
        self.save(closing=True)
        with self._lock:
            self._shelf = self._sorted = self._learned = None

    def drop_cache(self) -> None:
        """Remove everything derived, in memory and on disk; it is made again when next needed."""
        with self._lock:
            name, folder = self._cache_name(), self._store.cache_folder
            self.abandon()
            if folder is not None:
                drop_cache(folder, name)
            self._soiled = self._unswept = False

    def soil(self) -> None:
        """Something has ended, and the files of what was derived may have traces of it."""
        self._soiled = self._unswept = True

    def sweep(self) -> None:
        """Remove the files of what was derived; the shelf in memory goes on without what has ended.

        Raises StorageFailure if a file stays; the next sweep tries again.
        """
        with self._lock:
            folder = self._store.cache_folder
            if folder is not None:
                drop_cache(folder, self._cache_name())
            self._unswept, self._saved_slots = False, 0

    @property
    def unswept(self) -> bool:
        """Whether a file may have traces of what has ended."""
        return self._unswept

    def tidy(self, dead_share: float) -> None:
        """Make everything derived anew where so much of it belongs to what is gone."""
        folder = self._store.cache_folder
        with self._store.reading() as connection, self._lock:
            if self.number(connection) is None or self.current(connection).dead_share <= dead_share:
                return
            cached = folder is not None and any(folder.glob(f"{self._cache_name()}.*"))
            self.drop_cache()
        if cached:
            self.save(closing=True)

    def note_access(self, ids: Iterable[int], now: int) -> None:
        """Remember, until the next write, that memories were recalled."""
        with self._lock:
            self._uses.note(ids, now)

    def accessed(self, ids: Iterable[int] | None = None) -> dict[int, int]:
        """Times of access that are not written down yet, by id: those of some memories, or all."""
        with self._lock:
            return self._uses.times(ids)

    def activation(self, connection: sqlite3.Connection) -> Activation:
        """How active every slot is from use."""
        with self._lock:
            shelf, number = self.current(connection), self.number(connection) or 0
            version = memories.version(connection) if self._store.read_only else None
            return self._uses.activation(connection, shelf, number, version=version)

    def note_superseded(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Remember, until the next write, pairs of ids (newer, older) of which one takes the place of the other."""
        with self._lock:
            self._superseded.update(pairs)

    def superseded(self) -> frozenset[tuple[int, int]]:
        """Such pairs that are not written down yet."""
        with self._lock:
            return frozenset(self._superseded)

    def take_noted(self) -> Noted:
        """All that is not written down yet, handed over to be."""
        with self._lock:
            superseded, self._superseded = self._superseded, set()
            return Noted(self._uses.take(), superseded)

    def give_back(self, handed: Iterable[Noted]) -> None:
        """Take back what was handed over, and could not be written down."""
        with self._lock:
            for noted in handed:
                self._uses.give_back(noted.used)
                self._superseded |= noted.superseded

    def save(self, *, closing: bool) -> None:
        """Write the cache, if replaying what it lacks would cost more; without a cache everything works, too.

        With damaged memories none is written, and a warning is logged.
        """
        folder = self._store.cache_folder
        if folder is None or self._store.read_only:
            return
        if self._soiled and not closing:  # it would have to be made anew
            return
        # Another thread may close the store right after this one's commit.
        if not closing and not self._is_worth_saving(max(_SAVE_WHILE_OPEN_AFTER, self._saved_slots // 2)):
            return
        try:
            with suppress(OSError, StoreClosedError), self._store.settled() as connection, self._lock:
                self._save(connection, folder, closing=closing)
        except CorruptionError as error:  # whoever asks for these memories is told
            _LOG.warning("no cache is written: %s", error)

    def _save(self, connection: sqlite3.Connection, folder: Path, *, closing: bool) -> None:
        if self.number(connection) is None:
            return
        if self._soiled:
            self._shelf, self._soiled = None, False
            self._abandoned = True
        if closing and (self._abandoned or self._forgotten):
            self.current(connection)
        cached = self._saved_slots > 1
        if not self._is_worth_saving(_REPLAY_AT_MOST) and not (closing and cached and self._forgotten):
            return
        shelf = self.current(connection)
        arrays, facts = shelf.state()
        anchor = memories.anchor_at(connection, shelf.position)
        write_cache(folder, self._cache_name(), arrays, facts | self._fingerprint(connection) | {"anchor": anchor})
        self._saved_slots, self._forgotten = len(shelf.ids), False

    def _is_worth_saving(self, lacking: int) -> bool:
        with self._lock:
            return self._shelf is not None and len(self._shelf.ids) - self._saved_slots > lacking

    def _cache_name(self) -> str:
        return f"shelf-{self._number}"

    def _entry(self, row: tuple[Any, ...], facts: StoreFacts) -> ShelfEntry:
        return entry_of(row, facts, encode_replies=self._encode_replies)

    def _fingerprint(self, connection: sqlite3.Connection) -> dict[str, Any]:
        facts = read_facts(connection)
        return {
            "layout": LAYOUT,
            "store": facts.store_id,
            "encoder": facts.encoder,
            "width": facts.width,
            "token_width": facts.token_width,
            "projection": facts.projection_digest,
            "labels": list(self.labels),
            "replies": self._encode_replies,
        }

    def _load(self, connection: sqlite3.Connection) -> Shelf:
        shelf, self._number = None, self.number(connection)
        if self._number is not None:
            shelf = self._cached(connection)
        self._look_for_ends()
        if shelf is None or self._has_gaps(connection, shelf):
            shelf = Shelf(self._analyzer, self._index)
        self._saved_slots = len(shelf.ids) if shelf.position else 0
        self._made = read_facts(connection)
        self._follow(connection, shelf)
        return shelf

    def _cached(self, connection: sqlite3.Connection) -> Shelf | None:
        folder = self._store.cache_folder
        found = read_cache(folder, self._cache_name()) if folder else None
        if found is None:
            return None
        arrays, facts = found
        expected = self._fingerprint(connection) | {"language": self._analyzer.language}
        if any(facts.get(key) != value for key, value in expected.items()):
            return None
        if memories.anchor_at(connection, facts["position"]) != facts["anchor"]:
            return None  # the cache is of another history, as after a restored backup
        shelf = Shelf.from_state(self._analyzer, arrays, facts, self._index)
        return shelf if shelf.dead_share < _REBUILD_WHEN_DEAD else None

    def _catch_up(self, connection: sqlite3.Connection, shelf: Shelf) -> None:
        """Follow another process's writes; start anew when it has changed the encoder."""
        if memories.log_head(connection) > shelf.position:
            facts = read_facts(connection)
            alike = self._made is not None and _made_alike(self._made, facts)
            number, self._number = self._number, self.number(connection)
            if alike and number in (None, self._number) and not self._has_gaps(connection, shelf):
                self._follow(connection, shelf)
                self._made = facts
            else:
                self._shelf = None

    def _has_gaps(self, connection: sqlite3.Connection, shelf: Shelf) -> bool:
        """Whether a memory came back that the shelf has passed by: slots stand in the order of ids."""
        return released_since(connection, self.number(connection) or 0, shelf.position)

    def _follow(self, connection: sqlite3.Connection, shelf: Shelf) -> None:
        """Take in what the log has gained since the shelf's position."""
        head, number = memories.log_head(connection), self.number(connection)
        if head <= shelf.position or number is None:
            return
        if shelf.position:
            self._apply_changes(connection, shelf, number)
        facts = read_facts(connection)
        for row in memories.scan(connection, number, after=shelf.position, until=head):
            entry = self._entry(row, facts)
            counts = shelf.count_terms(entry.text)
            if not self._store.read_only:
                shelf.measure_surprise(counts)
            shelf.add(entry, counts)
        shelf.position = head
        self._look_for_ends()

    def _apply_changes(self, connection: sqlite3.Connection, shelf: Shelf, number: int) -> None:
        """What happened to memories that the shelf already holds."""
        facts = read_facts(connection)
        for change in memories.changes(connection, number, after=shelf.position):
            if not shelf.slot_of(change.memory):
                continue
            row = next(memories.scan(connection, number, after=change.memory - 1, until=change.memory), None)
            if row is None:
                self._remove(shelf, change.memory)
                continue
            entry = self._entry(row, facts)
            shelf.set_cold(entry.id, entry.cold)
            if change.op == "encode" and entry.vector is not None:
                shelf.set_vector(entry.id, entry.vector, entry.codes)
                self._learned = None


def _made_alike(one: StoreFacts, other: StoreFacts) -> bool:
    """Whether vectors and token codes made then compare with those made now; the first of their kind do."""
    return (
        one.encoder in (None, other.encoder)
        and one.width in (None, other.width)
        and one.token_width in (None, other.token_width)
        and one.projection_digest == other.projection_digest
    )


def entry_of(row: tuple[Any, ...], facts: StoreFacts, *, encode_replies: bool) -> ShelfEntry:
    """A row of `memories.scan` as a shelf entry. Raises CorruptionError if it makes no sense."""
    memory, text, speaker, session, time, surprise, tier, vector, encoder, tokens = row
    try:
        _check_kinds(text, time, surprise, labels=(speaker, session, encoder), blobs=(vector, tokens))
        wanted = encode_replies or encoder == CALLER or not is_reply(speaker)
        usable = vector is not None and wanted and facts.usable(encoder)
        if usable and encoder == CALLER and len(vector) != 4 * (facts.width or 0):
            usable = False  # left from before the store was encoded anew
        unit = unit_row(np.frombuffer(vector, "<f4"), width=facts.width) if usable else None
        codes = np.frombuffer(tokens, np.int8).reshape(-1, facts.token_width or 0) if usable and tokens else None
        cold = Tier(tier) is Tier.COLD
    except ValueError as error:
        raise CorruptionError(f"memory {memory} is damaged: {error}") from error
    return ShelfEntry(
        id=memory,
        text=text,
        speaker=speaker,
        session=session,
        time=time,
        surprise=surprise,
        cold=cold,
        vector=unit,
        codes=codes,
    )


def _check_kinds(
    text: object, time: object, surprise: object, *, labels: tuple[object, ...], blobs: tuple[object, ...]
) -> None:
    """SQLite checks the types of a STRICT table when it writes, not what a damaged page reads as."""
    told = all(label is None or isinstance(label, str) for label in labels)
    held = all(blob is None or isinstance(blob, bytes) for blob in blobs)
    if not (told and held and isinstance(text, str) and isinstance(time, int) and isinstance(surprise, float)):
        raise ValueError("a field has another type than its column")
    if not 0.0 <= surprise < _SURPRISE_LIMIT:
        raise ValueError(f"its surprise is {surprise}")
