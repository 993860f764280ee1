"""Writing: check, find what is known, encode the rest, store in one transaction, then make it recallable."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnemoloom.chain import Signer
from mnemoloom.chain.anchors import SALT_BYTES
from mnemoloom.config import Config
from mnemoloom.drafts import CheckedDraft
from mnemoloom.errors import (
    DimensionMismatchError,
    EmbedderError,
    StorageFailure,
    UnknownMemoryError,
    ValidationError,
)
from mnemoloom.filters import Filter
from mnemoloom.gating import Gatekeeper
from mnemoloom.recall.calibration import Calibration, forget_threshold, keep_threshold
from mnemoloom.recall.encoding import Encoding, is_down
from mnemoloom.recall.learning import encoder_of
from mnemoloom.recall.live import LiveShelf, Noted, entry_of
from mnemoloom.recall.looking import SUPERSEDES, matching_ids
from mnemoloom.recall.shelf import Shelf, ShelfEntry
from mnemoloom.recall.speakers import is_reply
from mnemoloom.recall.using import with_before
from mnemoloom.records import Tier
from mnemoloom.storage import Store, gates, memories
from mnemoloom.storage.ancestry import keep_sources, with_derived
from mnemoloom.storage.calls import answer_of, keep_answer
from mnemoloom.storage.encrypting import destroy_namespace
from mnemoloom.storage.facts import CALLER, StoreFacts, read_facts, write_fact
from mnemoloom.storage.feedback import add_use
from mnemoloom.storage.lineage import derive, origins_of
from mnemoloom.storage.memories import NewMemory, StoredPayload
from mnemoloom.storage.quarantine import isolate, isolated
from mnemoloom.storage.vault import Vault
from mnemoloom.trust import least_trusted

__all__ = ["Existing", "Missing", "Writer"]

_LOG = logging.getLogger(__name__)

Existing = Literal["replace", "skip"]
Missing = Literal["refuse", "skip"]


_LOG = logging.getLogger(__name__)
_NO_PAYLOAD = StoredPayload(None, None, None)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction did: ids as the drafts stand, new entries, ids that are gone, new vectors, the width.

    shelf: the one whose numbers of terms the entries are counted by.
    """

    ids: list[int]
    entries: list[tuple[ShelfEntry, dict[int, int]]]
    gone: list[int]
    encoded: list[ShelfEntry]
    width: int | None
    shelf: Shelf | None = None


class Writer:
    """Writes to one namespace. Every write erases what has ended until then."""

    def __init__(
        self, store: Store, live: LiveShelf, encoding: Encoding | None, config: Config, signer: Signer
    ) -> None:
        self._store, self._live, self._encoding, self._config = store, live, encoding, config
        self._signer = signer

    def remember(
        self,
        drafts: Sequence[CheckedDraft],
        *,
        existing: Existing,
        now: int,
        encode: bool = True,
        idem_key: str | None = None,
    ) -> list[int]:
        """Store drafts, all or none; their ids in order. Without `encode`, no text is encoded.

        A call with an `idem_key` that has done its work before does nothing, and returns what it returned then.

        Raises
        ------
        EmbedderError, DimensionMismatchError, StoreError: nothing was stored.
        """
        self._store.check_usable(writing=True)
        if idem_key is not None:
            with self._store.reading() as connection:
                done = self._answered(connection, idem_key, len(drafts))
            if done is not None:
                return done
        payloads = self._payloads(drafts) if encode else {}
        self._check_widths(drafts)
        noted: list[Noted] = []

        def work(connection: sqlite3.Connection) -> _Written:
            done = None if idem_key is None else self._answered(connection, idem_key, len(drafts))
            if done is not None:  # by another thread, while the texts were encoded
                return _Written(done, [], [], [], read_facts(connection).width)
            ended = self.end(connection, now)
            written = self._write(connection, drafts, payloads, existing, now)
            self._note(connection, noted)
            written.gone.extend(ended)
            number = self._live.number(connection)
            if idem_key is not None and number is not None:
                keep_answer(connection, number, idem_key, written.ids)
            return written

        def abandon() -> None:
            self._live.abandon()
            self._live.give_back(noted)

        written = self._store.transact(work, publish=self._publish, abandon=abandon)
        self.sweep()
        self._live.save(closing=False)
        return written.ids

    def purge(self, *, now: int) -> int:
        """Erase what has ended; how many memories that were. Raises StorageFailure if a derived file stays."""
        gone = self._store.transact(
            lambda connection: self.end(connection, now), publish=self._publish_ended, abandon=self._live.abandon
        )
        if self._live.unswept:
            self._live.sweep()
        return len(gone)

    def sweep(self) -> None:
        """After a write that erased what had ended: its traces, as far as nobody holds them."""
        if not self._live.unswept:
            return
        self._store.checkpoint(patient=False)
        try:
            self._live.sweep()
        except StorageFailure:  # what was written is safe, and the next write sweeps again
            _LOG.warning("a derived file still has traces of what has ended", exc_info=True)

    def end(self, connection: sqlite3.Connection, now: int) -> list[int]:
        """Delete what has ended, inside a transaction; the ids."""
        number = self._live.number(connection)
        gone = [] if number is None else memories.expired(connection, number, until=now)
        if gone:
            gates.drop_gates(connection, number or 0, gone)
        for memory in gone:
            memories.delete(connection, number or 0, memory, now=now, signer=self._signer)
        if gone:
            self._live.soil()
        return gone

    def _publish_ended(self, gone: Sequence[int]) -> None:
        self._live.publish(gone=gone)

    def _answered(self, connection: sqlite3.Connection, idem_key: str, drafts: int) -> list[int] | None:
        number = self._live.number(connection)
        return None if number is None else answer_of(connection, number, idem_key, drafts=drafts)

    def forget(self, ids: Sequence[int], *, missing: Missing, now: int) -> int:
        """Remove memories, all or none; how many that were. Raises UnknownMemoryError if told to refuse."""

        def work(connection: sqlite3.Connection) -> tuple[int, list[int]]:
            ended = self.end(connection, now)
            gone: list[int] = []
            for memory in ids:
                number = self._live.number(connection)
                known = number is not None and memories.policy_of(connection, number, memory) is not None
                if number is not None and known and not isolated(connection, [memory]):
                    memories.delete(connection, number, memory, now=now, signer=self._signer)
                    gone.append(memory)
                elif missing == "refuse":
                    raise UnknownMemoryError(memory)
            return len(gone), gone + ended

        count, _ = self._store.transact(work, publish=lambda done: self._publish_ended(done[1]), abandon=_nothing)
        self.sweep()
        return count

    def erase(self, condition: Filter | None, *, derived: bool, now: int, sources: Collection[str] = ()) -> int:
        """Remove every memory that fits, all or none; how many that were.

        derived: with all memories that were derived from them, and from `sources`. Caches of anything are dropped.
        """

        def work(connection: sqlite3.Connection) -> int:
            number = self._live.number(connection)
            if number is None:
                return 0
            self.end(connection, now)
            found = matching_ids(connection, number, condition, isolated=None).tolist()
            found = with_derived(connection, number, found, sources=sources) if derived else found
            gates.drop_gates(connection, number, found)
            for memory in found:
                memories.delete(connection, number, memory, now=now, signer=self._signer)
            self._live.drop_cache()
            return len(found)

        return self._store.transact(work, publish=lambda _: self._live.abandon(), abandon=self._live.abandon)

    def destroy(self, vault: Vault, *, now: int) -> int:
        """Remove the namespace's key and every row that belongs to it; how many memories that were."""

        def work(connection: sqlite3.Connection) -> int:
            number = self._live.number(connection)
            if number is None:
                return 0
            found = [row[0] for row in connection.execute("SELECT id FROM memories WHERE namespace = ?", (number,))]
            for memory in found:
                memories.delete(connection, number, memory, now=now, signer=self._signer)
            forget_threshold(connection, number)
            destroy_namespace(connection, vault, number)
            self._live.drop_cache()
            return len(found)

        return self._store.transact(work, publish=lambda _: self._live.abandon(), abandon=self._live.abandon)

    def place(self, memory: int, *, tier: Tier, pinned: bool, now: int) -> None:
        """Set a memory's tier and pin. Raises UnknownMemoryError; ValidationError for a pin on what ends."""

        def work(connection: sqlite3.Connection) -> list[int]:
            ended = self.end(connection, now)
            number = self._known(connection, memory)
            if pinned and memories.first_end(connection, [memory]) is not None:
                raise ValidationError("a memory is pinned for good; this one ends unless it is remembered anew")
            memories.update_policy(connection, number, memory, tier=tier, pinned=pinned, now=now, signer=self._signer)
            return ended

        def publish(ended: list[int]) -> None:
            self._live.publish(gone=ended)
            self._live.change(lambda shelf: shelf.set_cold(memory, tier is Tier.COLD))

        self._store.transact(work, publish=publish, abandon=_nothing)
        self.sweep()

    def learn(self, ids: Sequence[int], question: NDArray[np.float32]) -> None:
        """Store that memories were useful for a question, given as a unit row. Raises UnknownMemoryError."""
        ids, row = sorted(ids), question.astype("<f4")

        def work(connection: sqlite3.Connection) -> None:
            for memory in ids:
                self._known(connection, memory)
            add_use(connection, ids, row.tobytes(), encoder=encoder_of(connection))

        self._store.transact(work, publish=lambda _: self._live.learn(row, ids), abandon=_nothing)

    def keep_threshold(self, found: Calibration) -> None:
        """Store the threshold of confidence that was measured for this namespace."""
        encoder = self._encoding.identity if self._encoding else None

        def work(connection: sqlite3.Connection) -> None:
            number = self._live.number(connection) or memories.label_namespace(connection, self._live.labels)
            keep_threshold(connection, number, found, encoder=encoder)

        self._store.transact(work, publish=lambda _: None, abandon=self._live.abandon)

    def flush_noted(self) -> None:
        """Write down what recall has noted."""
        if self._live.accessed() or self._live.superseded():
            noted: list[Noted] = []
            self._store.transact(
                lambda connection: self._note(connection, noted),
                publish=lambda _: None,
                abandon=lambda: self._live.give_back(noted),
            )

    def _note(self, connection: sqlite3.Connection, handed: list[Noted]) -> None:
        """Write down when memories were last recalled, and which take the place of which; what it was, to `handed`."""
        noted = self._live.take_noted()
        handed.append(noted)
        if noted.used:
            number = self._live.number(connection) or 0
            used = with_before(noted.used, memories.uses(connection, number, noted.used))
            times = [(memory, each.time) for memory, each in used.items()]
            memories.touch(connection, times, active={memory: each.active for memory, each in used.items()})
        if noted.superseded:
            memories.link(connection, SUPERSEDES, noted.superseded)

    def _known(self, connection: sqlite3.Connection, memory: int) -> int:
        """The namespace's number. Raises UnknownMemoryError unless the memory is there, and not in quarantine."""
        number = self._live.number(connection)
        if number is None or memories.policy_of(connection, number, memory) is None or isolated(connection, [memory]):
            raise UnknownMemoryError(memory)
        return number

    def _payloads(self, drafts: Sequence[CheckedDraft]) -> dict[bytes, StoredPayload]:
        """Vector and tokens of every text that has none of the caller's: found by hash, or encoded now."""
        if self._encoding is None:
            return {}
        wanted = {
            draft.pointer: draft.text
            for draft in drafts
            if draft.vector is None and (self._config.encode_replies or not is_reply(draft.speaker))
        }
        with self._store.reading() as connection:
            number = self._live.number(connection)
            known = memories.payload_vectors(connection, number, wanted) if number is not None else {}
        found = {pointer: kept for pointer, kept in known.items() if kept.encoder == self._encoding.identity}
        missing = [pointer for pointer in wanted if pointer not in found]
        try:
            encoded = self._encoding.texts([wanted[pointer] for pointer in missing])
        except EmbedderError as error:
            if not (self._config.remember_unencoded and is_down(error)):
                raise
            _LOG.warning("%d texts are kept without vectors: %s", len(missing), type(error).__name__)
            return found
        for pointer, (row, codes) in zip(missing, encoded, strict=True):
            tokens = None if codes is None else codes.tobytes()
            found[pointer] = StoredPayload(row.astype("<f4").tobytes(), tokens, self._encoding.identity)
        return found

    def _write(
        self,
        connection: sqlite3.Connection,
        drafts: Sequence[CheckedDraft],
        payloads: Mapping[bytes, StoredPayload],
        existing: Existing,
        now: int,
    ) -> _Written:
        shelf = self._live.current(connection)
        number = self._live.number(connection) or memories.label_namespace(connection, self._live.labels)
        known, gone, veiled = self._resolve(connection, number, drafts, existing, now)
        # Of drafts that share an external id one stands for all: the last replaces the others, or the first stays.
        order = range(len(drafts)) if existing == "replace" else range(len(drafts) - 1, -1, -1)
        stands = {drafts[i].external_id: i for i in order}
        chosen = [
            draft
            for i, draft in enumerate(drafts)
            if draft.external_id is None or (stands[draft.external_id] == i and draft.external_id not in known)
        ]
        payload_of = [self._payload_of(draft, payloads) for draft in chosen]
        self._settle_width(connection, payload_of)
        counts = [shelf.count_terms(draft.text) for draft in chosen]
        origins = [origins_of(connection, number, draft.derived_from) for draft in chosen]
        new = [
            _new_memory(
                _ending_with(connection, draft, made_of) if made_of else draft,
                payload,
                shelf.measure_surprise(count),
                least_trusted([draft.trust, *trusts]),
                now,
            )
            for draft, payload, count, (made_of, trusts) in zip(chosen, payload_of, counts, origins, strict=True)
        ]
        keeper = None if self._config.gate is None else Gatekeeper(connection, number, shelf, self._config.gate)
        if keeper is not None:
            new = [keeper.judge(draft, memory) for draft, memory in zip(chosen, new, strict=True)]
        ids, kept, poorer = memories.insert(connection, number, self._live.labels, new, signer=self._signer)
        if keeper is not None:
            keeper.keep(ids)
        for memory, (found, _) in zip(ids, origins, strict=True):
            derive(connection, number, memory, found, now=now, signer=self._signer)
            keep_sources(connection, number, memory, found)
        hidden = {memory for draft, memory in zip(chosen, ids, strict=True) if draft.external_id in veiled}
        isolate(connection, number, sorted(hidden), now=now, signer=self._signer)
        encoded = memories.update_vectors(connection, number, poorer, now=now, signer=self._signer)
        facts = read_facts(connection)
        entries = [
            (self._entry(memory, made, payload, facts), count)
            for memory, made, payload, count in zip(ids, new, kept, counts, strict=True)
            if memory not in hidden
        ]
        by_draft = {id(draft): memory for draft, memory in zip(chosen, ids, strict=True)}
        known |= {d.external_id: by_draft[id(d)] for d in chosen if d.external_id is not None}
        answer = [by_draft[id(d)] if d.external_id is None else known[d.external_id] for d in drafts]
        return _Written(answer, entries, gone, self._rows_of(connection, number, encoded, facts), facts.width, shelf)

    def _resolve(
        self,
        connection: sqlite3.Connection,
        number: int,
        drafts: Sequence[CheckedDraft],
        existing: Existing,
        now: int,
    ) -> tuple[dict[str, int], list[int], set[str]]:
        """The external ids whose memories stay, the memories that were removed to be replaced, and what stays hidden.

        That are the external ids whose memories were in quarantine: what takes their place is as well.
        """
        asked = [draft.external_id for draft in drafts if draft.external_id is not None]
        found = memories.external_ids(connection, number, asked) if asked else {}
        if existing == "skip":
            return found, [], set()
        held = isolated(connection, found.values())
        for memory in found.values():
            memories.delete(connection, number, memory, now=now, signer=self._signer)
        return {}, list(found.values()), {name for name, memory in found.items() if memory in held}

    def _check_widths(self, drafts: Sequence[CheckedDraft]) -> None:
        """Refuse a caller's vector of the wrong width before anything is touched."""
        if any(draft.vector is not None for draft in drafts):
            with self._store.reading() as connection:
                width = read_facts(connection).width
            for draft in drafts:
                if draft.vector is not None:
                    width = width or len(draft.vector)
                    if len(draft.vector) != width:
                        raise DimensionMismatchError(expected=width, got=len(draft.vector))

    def _payload_of(self, draft: CheckedDraft, payloads: Mapping[bytes, StoredPayload]) -> StoredPayload:
        """The caller's vector, or what was found or encoded for the text; replies go without unless asked for."""
        if draft.vector is not None:
            return StoredPayload(draft.vector.astype("<f4").tobytes(), None, CALLER)
        if self._config.encode_replies or not is_reply(draft.speaker):
            return payloads.get(draft.pointer, _NO_PAYLOAD)
        return _NO_PAYLOAD

    def _entry(self, memory: int, new: NewMemory, payload: StoredPayload, facts: StoreFacts) -> ShelfEntry:
        row = (memory, new.text, new.speaker, new.session, new.time, new.surprise, new.tier)
        return self._as_entry((*row, payload.vector, payload.encoder, payload.tokens), facts)

    def _rows_of(
        self, connection: sqlite3.Connection, number: int, ids: Iterable[int], facts: StoreFacts
    ) -> list[ShelfEntry]:
        found = (next(memories.scan(connection, number, after=each - 1, until=each), None) for each in ids)
        return [self._as_entry(row, facts) for row in found if row is not None]  # None: in quarantine

    def _as_entry(self, row: tuple[Any, ...], facts: StoreFacts) -> ShelfEntry:
        return entry_of(row, facts, encode_replies=self._config.encode_replies)

    def _publish(self, done: _Written) -> None:
        if self._encoding is not None:
            self._encoding.width = done.width
        self._live.publish(done.entries, gone=done.gone, encoded=done.encoded, counted_by=done.shelf)

    def _settle_width(self, connection: sqlite3.Connection, new: Sequence[StoredPayload]) -> None:
        """The first vectors fix the store's width and encoder; later ones must agree."""
        facts = read_facts(connection)
        width, encoder = facts.width, facts.encoder
        if self._encoding and facts.token_width is None and any(payload.tokens for payload in new):
            write_fact(connection, "token_width", str(self._encoding.token_width).encode())
        for payload in new:
            if payload.vector is None:
                continue
            got = len(payload.vector) // 4
            if width is None:
                width = got
                write_fact(connection, "width", str(got).encode())
            elif got != width:
                raise DimensionMismatchError(expected=width, got=got)
            if encoder is None and payload.encoder not in (None, CALLER):
                encoder = payload.encoder
                write_fact(connection, "encoder", str(encoder).encode())


def _new_memory(draft: CheckedDraft, payload: StoredPayload, surprise: float, trust: str, now: int) -> NewMemory:
    return NewMemory(
        text=draft.text,
        pointer=draft.pointer,
        variant=draft.variant,
        vector=payload.vector,
        tokens=payload.tokens,
        encoder=payload.encoder,
        external_id=draft.external_id,
        speaker=draft.speaker,
        session=draft.session,
        time=draft.time,
        metadata=draft.metadata,
        tier=draft.tier.value,
        pinned=draft.pinned,
        created=now,
        source=draft.source,
        trust=trust,
        surprise=surprise,
        salt=secrets.token_bytes(SALT_BYTES),
        expires=draft.expires,
    )


def _ending_with(connection: sqlite3.Connection, draft: CheckedDraft, made_of: Iterable[int]) -> CheckedDraft:
    """A draft that ends no later than what it was derived from. Raises ValidationError for a pinned one that ends."""
    ends = [end for end in (draft.expires, memories.first_end(connection, made_of)) if end is not None]
    if draft.pinned and ends:
        raise ValidationError("a memory is pinned for good; this one ends when what it was derived from does")
    return replace(draft, expires=min(ends, default=None))


def _nothing() -> None:
    """For transactions that touch no derived state before they are committed."""
