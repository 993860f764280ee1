"""The facade: open a folder, remember, recall. Each verb is a short paragraph of calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnemoloom.chain import Proof, Seal, read_seal
from mnemoloom.chain.keys import check_key
from mnemoloom.clock import Clock, SystemClock
from mnemoloom.config import Config, Durability, Limits, Profile
from mnemoloom.drafts import check_count, check_draft, check_moment, check_namespace, check_text, check_tier, raw_row
from mnemoloom.errors import (
    ConfigError,
    CorruptionError,
    EmbedderError,
    StorageFailure,
    UnknownMemoryError,
    ValidationError,
)
from mnemoloom.filters import Filter, asks_for, common, conjoin, parse_filter
from mnemoloom.memory_async import AsyncVerbs
from mnemoloom.opened import OpenStore
from mnemoloom.ports import Embedder
from mnemoloom.recall.calibration import Calibration, conformal_threshold, fewest_questions, kept_threshold
from mnemoloom.recall.engine import Recaller
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.looking import matching_ids
from mnemoloom.recall.nearest import Nearest
from mnemoloom.recall.request import Request
from mnemoloom.records import Draft, Erased, Explanation, RecallResult, Record, Tier
from mnemoloom.reembedding import Progress, learn_projection, reembed
from mnemoloom.remembering import Existing, Missing, Writer
from mnemoloom.statistics import Stats, gather
from mnemoloom.storage import memories
from mnemoloom.storage.sealing import prove_memory, seal_log
from mnemoloom.storage.verify import VerifyReport, verify_store
from mnemoloom.transfer import Conflict, ExportReport, ImportReport, export_bundle, import_bundle

__all__ = ["Memory"]

Where = Filter | Mapping[Any, Any]
Moment = datetime | str | float
Labels = str | Collection[str]
Key = int | str
Confidence = float | Literal["calibrated"]


class Memory(AsyncVerbs):
    """A handle on one namespace of a store; may be shared between threads and event loops.

    Make one with `Memory.open`; close it, or use it in a `with` block. Every verb has an async twin whose
    name begins with `a`. Memories are named by their id (int) or by the caller's own external id (str).
    """

    def __init__(self, opened: OpenStore, namespace: tuple[str, ...]) -> None:
        self._opened = opened
        self.namespace = namespace
        self._live = opened.shelf(namespace)
        self._recaller = Recaller(self._live, opened.encoding, opened.config, opened.clock)
        self._writer = self._writer_for(self._live)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        namespace: tuple[str, ...] = ("default",),
        embedder: Embedder | None = None,
        read_only: bool = False,
        durability: Durability = "full",
        config: Config | None = None,
        clock: Clock | None = None,
        lock_timeout: float = 0.5,
        reembed: bool = False,
        key: bytes | None = None,
    ) -> Memory:
        """Open the store in folder `path`, or make one; ":memory:" keeps everything in memory.

        Parameters
        ----------
        namespace: whose memories this handle sees; it sees no others, whatever it is asked.
        embedder: encodes texts and questions. Without one, recall works by words, names and dates.
        read_only: any number of these may be open beside one writer, in other processes too.
        durability: "full" survives power loss; "normal" may lose the last moments on power loss, and is never corrupt.
        lock_timeout: seconds to wait for another writer to let go.
        reembed: accept another embedder than the one that the store was written with, and encode everything anew.
        key: at least 16 secret bytes that sign the log (`verify`). It is never stored; keep it. A new store takes it
        from the beginning on, one that has begun without a key by `rekey`.

        Raises
        ------
        NotAStoreError, FormatError, CorruptionError, StoreLockedError, EmbedderMismatchError, NamespaceError,
        ChainKeyError, ConfigError
        """
        config = config or Config()
        labels = check_namespace(namespace, limits=config.limits)
        if durability not in ("full", "normal"):
            raise ConfigError(f"durability must be 'full' or 'normal'; got {durability!r}")
        opened = OpenStore.open(
            path,
            embedder=embedder,
            read_only=read_only,
            durability=durability,
            config=config,
            clock=clock or SystemClock(),
            lock_timeout=lock_timeout,
            reembed=reembed,
            key=key,
        )
        memory = cls(opened, labels)
        if reembed:
            try:
                memory.reembed()
            except BaseException:
                memory.close()
                raise
        return memory

    def at(self, *labels: str) -> Memory:
        """A handle on another namespace of the same store. They share the store: closing one closes both."""
        return Memory(self._opened, check_namespace(labels, limits=self._opened.config.limits))

    @property
    def folder(self) -> Path | None:
        """Where the store lives; None for one that is kept in memory."""
        return self._opened.store.folder

    @property
    def closed(self) -> bool:
        """Whether this handle, or another one of the same store, was closed."""
        return self._opened.store.closed

    def namespaces(self, *, occupied: bool = False) -> list[tuple[str, ...]]:
        """Every namespace of the store that was ever written to; with `occupied`, those that hold a memory now."""
        with self._opened.store.reading() as connection:
            return memories.namespaces(connection, occupied=occupied)

    @property
    def limits(self) -> Limits:
        """What may be passed in."""
        return self._opened.config.limits

    @property
    def embedder(self) -> Embedder | None:
        """What encodes texts and questions."""
        return None if self._opened.encoding is None else self._opened.encoding.embedder

    # -- writing ------------------------------------------------------------------------------------

    def remember(
        self,
        text: str,
        *,
        speaker: str | None = None,
        session: str | None = None,
        time: Moment | None = None,
        metadata: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        source: str | None = None,
        trust: str = "user",
        tier: Tier = Tier.LONG_TERM,
        pinned: bool = False,
    ) -> int:
        """Remember one text; its id. What it returns for is on disk. `Draft` says what the arguments mean.

        An external id that is known already makes this the whole new memory in place of the old one: other fields
        are not kept, and the number is new.

        Raises
        ------
        TextError, MetadataError, VectorError, EmbedderError, StoreError: nothing was stored.
        """
        draft = Draft(
            text=text,
            speaker=speaker,
            session=session,
            time=time,
            metadata={} if metadata is None else metadata,
            external_id=external_id,
            vector=vector,
            source=source,
            trust=trust,
            tier=tier,
            pinned=pinned,
        )
        return self.remember_many([draft])[0]

    def remember_many(
        self,
        drafts: Iterable[Draft | Mapping[str, Any] | str],
        *,
        existing: Existing = "replace",
        encode: bool = True,
        idem_key: str | None = None,
    ) -> list[int]:
        """Remember many texts at once, all or none; their ids in order.

        `existing` says what happens to a draft whose external id is already known: it replaces that memory, or
        is skipped. With `encode=False` the embedder is not asked: texts without a vector of their own are found by
        their words alone, until `reembed`. Raises as `remember` does.

        `idem_key`, a name for this call, makes it safe to repeat: after a crash or a timeout nobody knows whether the
        call was done, and with the same key it is done once. It holds in this namespace, for ever; `erase` leaves it.
        """
        if existing not in ("replace", "skip"):
            raise ValidationError(f"existing must be 'replace' or 'skip'; got {existing!r}")
        if idem_key is not None:
            check_text(idem_key, limits=self._opened.config.limits, name="idem_key")
        if isinstance(drafts, (str, Mapping)):
            raise ValidationError("remember_many takes a list of drafts; use remember for one")
        now, limits = self._opened.now(), self._opened.config.limits
        checked = [check_draft(draft, limits=limits, now=now) for draft in drafts]
        if not checked:
            self._opened.store.check_usable(writing=True)
            return []
        return self._writer.remember(checked, existing=existing, encode=encode, now=now, idem_key=idem_key)

    def forget(self, key: Key) -> None:
        """Remove a memory from the store. Raises UnknownMemoryError."""
        self._writer.forget([self._id(key)], missing="refuse", now=self._opened.now())

    def forget_many(self, keys: Iterable[Key], *, missing: Missing = "refuse") -> int:
        """Remove memories in one transaction, all or none; how many that were.

        `missing` says what happens to a key that names no memory: UnknownMemoryError, or it is skipped.
        """
        if missing not in ("refuse", "skip"):
            raise ValidationError(f"missing must be 'refuse' or 'skip'; got {missing!r}")
        if isinstance(keys, str):
            raise ValidationError("forget_many takes a list of keys; use forget for one")
        self._opened.store.check_usable(writing=True)
        found = list(dict.fromkeys(self._ids(keys, missing=missing)))
        return self._writer.forget(found, missing=missing, now=self._opened.now()) if found else 0

    def erase(self, where: Where) -> Erased:
        """Remove the memories that fit, cold and pinned ones too, so that no file of the store keeps a trace of them.

        The log keeps a salted digest whose salt is gone, and still verifies. Exports and backups are yours to erase.
        What is derived is dropped and made again, which takes about as long as opening the store without caches.

        Raises
        ------
        FilterError: nothing was removed. ValidationError: the filter is empty; `where("id").gt(0)` means all.
        """
        condition = parse_filter(where)
        if condition is None:
            raise ValidationError("erase needs a filter; where('id').gt(0) means every memory of this namespace")
        count = self._writer.erase(condition, now=self._opened.now())
        return Erased(count=count, pending_checkpoint=not self._opened.store.checkpoint())

    def pin(self, key: Key) -> None:
        """Keep a memory for good: pinned memories form the persistent tier. Raises UnknownMemoryError."""
        self._place(key, tier=Tier.PERSISTENT, pinned=True)

    def unpin(self, key: Key) -> None:
        """Make a pinned memory an ordinary one. Raises UnknownMemoryError."""
        self._place(key, tier=Tier.LONG_TERM, pinned=False)

    def move(self, key: Key, tier: Tier) -> None:
        """Put a memory into a tier; `Tier.COLD` keeps it out of ordinary recall. Raises UnknownMemoryError."""
        tier = check_tier(tier)
        self._place(key, tier=tier, pinned=tier is Tier.PERSISTENT)

    # -- asking -------------------------------------------------------------------------------------

    def recall(
        self,
        query: str,
        k: int = 5,
        *,
        profile: str | Profile | None = None,
        where: Where | None = None,
        speaker: Labels | None = None,
        session: Labels | None = None,
        after: Moment | None = None,
        before: Moment | None = None,
        tier: Labels | None = None,
        expand: int = 0,
        asker: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        exact: bool = False,
        as_of: Moment | None = None,
        min_confidence: Confidence | None = None,
        update: bool = True,
    ) -> RecallResult:
        """The memories that answer a query, best first.

        Parameters
        ----------
        k: how many, at most.
        profile: the formula: dialogue, assistant, document, dense, lexical, concert, or a profile object.
        where: a filter, such as {"metadata.city": "Oslo"} or `where("metadata.year").gte(2020)`.
        speaker, session, tier: one label or several.
        after, before: a span of time, `before` excluded; a day, month or year ("2026-05") stands for its beginning.
        expand: attach up to this many neighbours of the session to each hit, also such as the filter hides.
        asker: the speaker whom "I" and "my" stand for.
        vector: the query's encoding, if the caller has it; shape (d,).
        exact: compare the query with every vector; beyond 8,000 memories an index picks the candidates otherwise.
        as_of: answer from what had been said until then, that moment included; neighbours said later are left out, too.
            A day, month or year stands for its end (UTC): "2026-05" is all that was known when May was over.
        min_confidence: give no hits below this confidence (0 to 1, or "calibrated"); before that, cold memories and
            the replies of an assistant are searched too, and what they give is marked `second_look`. "calibrated" is
            what `calibrate` found for this namespace and embedder, and before that the library's own threshold, .32.
        update: note the time of access on the hits, and which supersede which; False leaves no trace of the question.

        Raises
        ------
        TextError, FilterError, ValidationError, EmbedderError
        """
        request = self._request(
            query,
            k,
            profile=profile,
            condition=common(speaker=speaker, session=session, after=after, before=before, tier=tier),
            where=where,
            expand=expand,
            asker=asker,
            vector=vector,
            exact=exact,
            as_of=as_of,
            min_confidence=min_confidence,
        )
        result = self._recaller.recall(request)
        if update and not self._opened.store.read_only:
            self._live.note_access((hit.id for hit in result), self._opened.now())
            self._live.note_superseded((hit.id, older) for hit in result for older in hit.supersedes)
            self._live.note_superseded((newer, hit.id) for hit in result for newer in hit.superseded_by)
        return result

    def why(
        self,
        query: str,
        key: Key,
        k: int = 5,
        *,
        profile: str | Profile | None = None,
        where: Where | None = None,
        speaker: Labels | None = None,
        session: Labels | None = None,
        after: Moment | None = None,
        before: Moment | None = None,
        tier: Labels | None = None,
        asker: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        as_of: Moment | None = None,
        min_confidence: Confidence | None = None,
    ) -> Explanation:
        """Why `recall`, asked the same, returns a memory, or which stage lets it go."""
        request = self._request(
            query,
            k,
            profile=profile,
            condition=common(speaker=speaker, session=session, after=after, before=before, tier=tier),
            where=where,
            asker=asker,
            vector=vector,
            as_of=as_of,
            min_confidence=min_confidence,
        )
        unknown_too = isinstance(key, int) and not isinstance(key, bool)
        return self._recaller.why(request, int(key) if unknown_too else self._id(key))

    def history(self, key: Key) -> list[Record]:
        """The versions of what a memory states, oldest first, itself included, as far as questions brought them up.

        A pair is noted when `recall` finds that one of them takes the place of the other. Raises UnknownMemoryError.
        """
        found = self._recaller.history(self._id(key))
        if not found:
            raise UnknownMemoryError(key)
        return found

    def calibrate(self, answered: Iterable[str], *, keep: float = 0.9) -> Calibration:
        """Fit the threshold of confidence to questions that this memory does hold an answer to.

        A share `keep` of such questions will pass `recall(…, min_confidence="calibrated")` from now on. About a
        hundred questions are enough for ±6 points. Raises ValidationError, also for fewer questions than can promise
        `keep` at all: 9 for .9, 19 for .95.
        """
        if isinstance(answered, str):
            raise ValidationError("calibrate takes a list of questions, not one")
        if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0.0 < keep < 1.0:
            raise ValidationError(f"keep must be a number between 0 and 1; got {keep!r}")
        self._opened.store.check_usable(writing=True)
        questions, fewest = list(answered), fewest_questions(float(keep))
        if len(questions) < fewest:
            raise ValidationError(
                f"to keep {keep} of the questions, calibrate needs at least {fewest} that memory holds an answer to; "
                f"got {len(questions)}"
            )
        found = [self.recall(question, update=False).confidence for question in questions]
        calibration = conformal_threshold(found, keep=float(keep))
        self._writer.keep_threshold(calibration)
        return calibration

    def get(self, key: Key) -> Record:
        """One memory. Raises UnknownMemoryError."""
        memory = self._id(key)
        with self._opened.store.reading() as connection:
            number = self._live.number(connection)
            noted = self._live.accessed([memory])
            found = memories.records(connection, number, [memory], accessed=noted) if number is not None else {}
        if memory not in found:
            raise UnknownMemoryError(key)
        return found[memory]

    def vectors(self, keys: Iterable[Key]) -> NDArray[np.float32]:
        """The unit vectors of memories, shape (n, d), in the order of the keys; zeros for one without a vector.

        Raises UnknownMemoryError.
        """
        ids = self._ids(keys, missing="refuse")
        with self._live.reading() as (_, shelf, _number):
            slots = [shelf.slot_of(memory) for memory in ids]
            for memory, slot in zip(ids, slots, strict=True):
                if not slot:
                    raise UnknownMemoryError(memory)
            return shelf.vectors.values[slots].copy()

    def nearest(
        self,
        query: str | None = None,
        k: int | None = None,
        *,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        where: Where | None = None,
    ) -> Nearest:
        """The ids of memories by the cosine of their vectors with the query's alone, best first, and those cosines.

        Nothing else takes part and every vector is compared, so that results of several namespaces can be merged.
        Cold memories take part only when the filter asks for their tier.

        Parameters
        ----------
        query: what to encode, or `vector`: its encoding, shape (d,).
        k: how many, at most; None for all.

        Raises
        ------
        EmbedderError: no encoder, and no vector. TextError, VectorError, FilterError, ValidationError.
        """
        limits = self._opened.config.limits
        if (query is None) == (vector is None):
            raise ValidationError("nearest takes a query or a vector, one of them")
        if k is not None:
            check_count(k, "k", low=1)
        condition = parse_filter(where)
        text = None if query is None else check_text(query, limits=limits, name="query")
        request = Request(
            query=text or "",
            k=1,
            condition=condition,
            cold=asks_for(condition, "tier", Tier.COLD.value),
            vector=None if vector is None else raw_row(vector),
        )
        return self._recaller.nearest(request, text=text, k=k)

    def records(self, where: Where | None = None, *, after_id: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Memories in the order in which they were remembered, cold ones included; `after_id` continues a listing."""
        condition = parse_filter(where)
        check_count(after_id, "after_id", low=0)
        if limit is not None:
            check_count(limit, "limit", low=0)
        with self._opened.store.reading() as connection:
            number = self._live.number(connection)
            most = -1 if limit is None else limit
            found = () if number is None else matching_ids(connection, number, condition, after=after_id, limit=most)
        return self._paged([int(each) for each in found])

    def _paged(self, ids: list[int]) -> Iterator[Record]:
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            with self._opened.store.reading() as connection:
                number = self._live.number(connection)
                found = memories.records(connection, number or 0, page, accessed=self._live.accessed(page))
            yield from (found[memory] for memory in page if memory in found)

    def __len__(self) -> int:
        with self._live.reading() as (_, shelf, _number):
            return len(shelf)

    def __contains__(self, key: object) -> bool:
        try:
            return isinstance(key, (int, str)) and bool(self.get(key))
        except (UnknownMemoryError, ValidationError):
            return False

    # -- keeping ------------------------------------------------------------------------------------

    def reembed(self, *, learn: bool = False, batch_size: int = 256, progress: Progress | None = None) -> int:
        """Encode every memory of the store that this embedder has not encoded; how many texts that were.

        A broken-off run goes on where it stopped. `learn` first fits the token projection to the store's own
        tokens and then encodes everything. `progress` is called with (done, total).
        """
        opened = self._opened
        if opened.encoding is None:
            raise EmbedderError("reembed needs an embedder; open the memory with embedder=…")
        check_count(batch_size, "batch_size", low=1)
        replies = opened.config.encode_replies
        opened.store.check_usable(writing=True)
        try:
            if learn:
                learn_projection(opened.store, opened.encoding, width=opened.config.token_width, encode_replies=replies)
            return reembed(
                opened.store,
                opened.encoding,
                signer=opened.signer,
                encode_replies=replies,
                batch_size=batch_size,
                progress=progress,
                now=opened.now(),
            )
        finally:
            opened.encoding.width = opened.facts().width
            for shelf in opened.shelves():
                shelf.abandon()

    def stats(self) -> Stats:
        """Counts, sizes and settings of this namespace and its store."""
        return gather(self._opened, self._live)

    def verify(self, *, seal: Seal | str | Path | None = None, past_keys: Iterable[bytes] = ()) -> VerifyReport:
        """Read the whole store once: database pages, the chain of the log, the digest of every memory.

        Parameters
        ----------
        seal: an earlier one that was kept elsewhere; shows whether anything before it was cut off or put back.
        past_keys: keys from before a `rekey`. They are not needed to find a forgery, but to find its exact place
            before the rekey, and to check a seal of that time.

        Raises
        ------
        ImportFormatError: the file holds no seal.
        """
        sealed = None if seal is None else _sealed(seal)
        keys = (*self._opened.signer.keys, *map(check_key, past_keys))
        with self._opened.store.snapshot() as connection:
            return verify_store(connection, store=self._opened.store_id, keys=keys, seal=sealed)

    def seal(self, path: str | Path | None = None) -> Seal:
        """What the log is now, in a few lines: `verify(seal=…)` later shows whether anything before was changed.

        It is written to `path` if one is given: a file, or a folder for its `seal.json`. A seal is worth
        something where whoever can write the store cannot write.
        """
        with self._opened.store.snapshot() as connection:
            sealed = seal_log(connection, self._opened.signer, now=self._opened.now())
        if path is not None:
            try:
                target = Path(path) / "seal.json" if Path(path).is_dir() else Path(path)
                target.write_text(sealed.to_json(), encoding="utf-8")
            except OSError as error:
                raise StorageFailure(f"the seal could not be written to {path}: {error}") from error
        return sealed

    def prove(self, key: Key, seal: Seal | str | Path) -> Proof:
        """The proof that a memory, as it is, stood in the log when it was sealed; `proof.holds(seal)` checks it.

        Raises UnknownMemoryError; ValidationError if the memory was changed after the seal, or the seal is another
        store's.
        """
        memory, sealed = self.get(key).id, _sealed(seal)
        with self._opened.store.snapshot() as connection:
            return prove_memory(connection, memory, sealed, store=self._opened.store_id)

    def anchor(self, key: Key) -> str:
        """PMLL's 16 hex digits of the log entry that remembered a memory: for people to compare.

        Raises UnknownMemoryError.
        """
        memory = self.get(key).id
        with self._opened.store.reading() as connection:
            digest = memories.anchor_at(connection, memory)
        if digest is None:
            raise CorruptionError(f"log entry {memory} is missing")
        return digest[:16]

    def rekey(self, key: bytes) -> None:
        """Sign the log of the whole store with another key from now on. Raises ConfigError."""
        self._opened.rekey(check_key(key))

    def export(self, folder: str | Path, *, progress: Progress | None = None) -> ExportReport:
        """Write this namespace to a new folder: JSON Lines, and raw float32 with declared shape and digest.

        Raises
        ------
        ValidationError: the folder holds something already.
        """
        return export_bundle(self, folder, progress=progress)

    def import_bundle(
        self, folder: str | Path, *, existing: Conflict = "refuse", progress: Progress | None = None
    ) -> ImportReport:
        """Add what `export` wrote, all or nothing.

        `existing` says what happens when an external id is taken: refuse, skip or replace. The last two also know
        a memory without one again, by text, speaker, session and time, so that a second import doubles nothing.

        Raises
        ------
        ImportFormatError: the bundle is malformed, truncated, or does not match its digests.
        EmbedderMismatchError: its vectors are another encoder's.
        """
        return import_bundle(self, folder, existing=existing, progress=progress)

    def close(self) -> None:
        """Save caches and let go of the folder; closing twice is closing once."""
        self._opened.close(lambda shelf: self._writer_for(shelf).flush_noted())

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Memory({self._opened.store.where!r}, namespace={self.namespace!r})"

    # -- translating arguments ----------------------------------------------------------------------

    def _writer_for(self, live: LiveShelf) -> Writer:
        opened = self._opened
        return Writer(opened.store, live, opened.encoding, opened.config, opened.signer)

    def _place(self, key: Key, *, tier: Tier, pinned: bool) -> None:
        self._writer.place(self._id(key), tier=tier, pinned=pinned, now=self._opened.now())

    def _id(self, key: Key) -> int:
        if isinstance(key, bool) or not isinstance(key, (int, str)):
            raise ValidationError(f"a memory is named by its id (int) or external id (str); got {key!r}")
        if isinstance(key, int) and key.bit_length() < 64:
            return key
        found = None
        if isinstance(key, str) and _is_storable(key):
            with self._opened.store.reading() as connection:
                number = self._live.number(connection)
                found = memories.find(connection, number, key) if number is not None else None
        if found is None:
            raise UnknownMemoryError(key)
        return found

    def _ids(self, keys: Iterable[Key], *, missing: Missing) -> list[int]:
        """The memories that keys name, in one reading; unknown ones refused or left out."""
        asked = list(keys)
        named = [key for key in asked if isinstance(key, str) and _is_storable(key)]
        with self._live.reading() as (connection, shelf, number):
            known = memories.external_ids(connection, number, named) if named else {}
            ids = []
            for key in asked:
                if isinstance(key, bool) or not isinstance(key, (int, str)):
                    raise ValidationError(f"a memory is named by its id (int) or external id (str); got {key!r}")
                memory = known.get(key, 0) if isinstance(key, str) else key
                if shelf.slot_of(memory):
                    ids.append(memory)
                elif missing == "refuse":
                    raise UnknownMemoryError(key)
        return ids

    def _request(
        self,
        query: str,
        k: int,
        *,
        where: Where | None,
        condition: Filter | None,
        vector: Any,  # noqa: ANN401 - anything numpy reads as a row
        as_of: Moment | None,
        min_confidence: Confidence | None,
        expand: int = 0,
        **settled: Any,  # noqa: ANN401 - what needs no checking: the fields of Request
    ) -> Request:
        limits = self._opened.config.limits
        check_count(k, "k", low=1, high=limits.k)
        check_count(expand, "expand", low=0, high=limits.k)
        condition = conjoin(parse_filter(where), condition)
        return Request(
            query=check_text(query, limits=limits, name="query"),
            k=k,
            condition=condition,
            cold=asks_for(condition, "tier", Tier.COLD.value),
            expand=expand,
            vector=None if vector is None else raw_row(vector),
            as_of=None if as_of is None else check_moment(as_of, "as_of", to_the_end=True),
            least=self._least(min_confidence),
            **settled,
        )

    def _least(self, min_confidence: Confidence | None) -> float | None:
        if min_confidence is None:
            return None
        if isinstance(min_confidence, str) and min_confidence == "calibrated":
            with self._opened.store.reading() as connection:
                number = self._live.number(connection) or 0
                encoding = self._opened.encoding
                return kept_threshold(connection, number, encoder=encoding.identity if encoding else None)
        known = isinstance(min_confidence, (int, float)) and not isinstance(min_confidence, bool)
        if not known or not 0.0 <= float(min_confidence) <= 1.0:
            raise ValidationError(f"min_confidence must be a number in [0, 1] or 'calibrated'; got {min_confidence!r}")
        return float(min_confidence)


def _sealed(seal: Seal | str | Path) -> Seal:
    try:
        return read_seal(seal)
    except OSError as error:
        raise StorageFailure(f"the seal {seal} could not be read: {error}") from error


def _is_storable(text: str) -> bool:
    """Whether a text can be a stored external id at all: no unpaired surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


_PAGE = 500
