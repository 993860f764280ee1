"""LangGraph's `BaseStore` on a `Memory`: one object for threads, coroutines and several event loops."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    InvalidNamespaceError,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
)

from mnemoloom import Config, Limits, Memory, SystemClock
from mnemoloom.clock import Clock
from mnemoloom.drafts import check_count
from mnemoloom.errors import ConfigError, ValidationError

from ..embeddings import LangChainEmbedder
from .items import SOURCE, StoredItem
from .labels import Labels, check_condition, check_labels
from .reading import Reader
from .sweeping import Sweeper
from .writing import Writer

__all__ = ["MnemoloomStore"]

_SWEEP_MINUTES = 5.0
_VALUE_BYTES = 1 << 20
_VALUE_DEPTH = 64


class MnemoloomStore(BaseStore):
    """Long-term memory for LangGraph: `create_agent(…, store=MnemoloomStore.open("./memory", index=…))`.

    Parameters
    ----------
    memory: the store lives below this handle's namespace, apart from what the handle itself remembers. If it has an
        embedder, items are found by meaning; without one `query` is ignored, as LangGraph's own stores do.
    fields: the paths of a value that are indexed unless a put names others: "$" for the whole value, "a.b", "a[*].c".
        None indexes nothing.
    ttl: LangGraph's TTLConfig: default_ttl (minutes), refresh_on_read (True unless told otherwise), omit_expired,
        sweep_interval_minutes. Expired items stay until they are swept; `omit_expired` hides them at once.
    clock: what says now.

    Differences from LangGraph's InMemoryStore, on purpose: `created_at` survives an overwrite; results without a
    query come newest first; filters are typed, and what cannot be compared does not match; an item put with
    index=False is in no answer to a query; a value that is not JSON is refused.

    Within one batch all reads come before all writes. Each namespace of a batch is written in one transaction.
    A label may be anything but blank, without periods: `escape_label` writes emails and other texts as labels.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: Memory,
        *,
        fields: Sequence[str] | None = ("$",),
        ttl: TTLConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(fields, str) or (fields is not None and not all(isinstance(each, str) for each in fields)):
            raise ConfigError(f"MnemoloomStore.fields must be a list of paths or None; got {fields!r}")
        self.memory = memory
        self.ttl_config = _checked_ttl_config(ttl)
        self._clock = clock or SystemClock()
        root = (*memory.namespace, SOURCE)
        omit_expired = bool((ttl or {}).get("omit_expired", False))
        by_meaning = memory.embedder is not None and fields is not None
        self._reader = Reader(memory, root, by_meaning=by_meaning, omit_expired=omit_expired)
        self._writer = Writer(memory, self._reader, fields=fields, omit_expired=omit_expired, now=self._now)
        self._sweeper = Sweeper(self.sweep_ttl)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        namespace: Labels = ("default",),
        identity: str | None = None,
        clock: Clock | None = None,
        **options: Any,  # noqa: ANN401 - those of Memory.open
    ) -> MnemoloomStore:
        """Open the folder at `path`, or make one; ":memory:" keeps everything in memory. Close the store at the end.

        Parameters
        ----------
        index: LangGraph's IndexConfig: `embed` (an Embeddings, a function, an async function or "provider:model") and
            `fields`; if it says `dims`, a put or query whose vectors are of another width raises EmbedderAnswerError.
            None: nothing is indexed.
        identity: names the encoder, see LangChainEmbedder.
        options: further ones of `Memory.open`, such as read_only or durability.
        """
        index = index or {}
        embed = index.get("embed")
        if isinstance(embed, str):
            from langgraph.store.base import ensure_embeddings

            identity, embed = identity or embed, ensure_embeddings(embed)
        if embed is not None:
            options.setdefault("embedder", LangChainEmbedder(embed, identity=identity, dims=index.get("dims")))
        options.setdefault("config", Config(limits=Limits(metadata_bytes=_VALUE_BYTES, metadata_depth=_VALUE_DEPTH)))
        memory = Memory.open(path, namespace=namespace, clock=clock, **options)
        fields = None if memory.embedder is None else tuple(index.get("fields") or ("$",))
        return cls(memory, fields=fields, ttl=ttl, clock=clock)

    @classmethod
    @contextmanager
    def from_conn_string(cls, conn_string: str, **options: Any) -> Iterator[MnemoloomStore]:  # noqa: ANN401
        """`with MnemoloomStore.from_conn_string("./memory", index=…) as store`: open, and close at the end."""
        store = cls.open(conn_string, **options)
        try:
            yield store
        finally:
            store.close()

    def setup(self) -> None:
        """Nothing to do, as often as it is called: a folder is brought to this release's format when it is opened."""

    # -- LangGraph's interface ----------------------------------------------------------------------

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Execute operations: first all reads, then all writes; the results in order.

        Raises
        ------
        InvalidNamespaceError, ValidationError (both ValueError), EmbedderError, StoreError. Operations are checked
        before any is executed.
        """
        checked = [_checked(op) for op in ops]
        now = self._now()
        results: list[Result] = [None] * len(checked)
        alive: list[StoredItem] = []
        for place, item, refresh in self._gotten(checked, now):
            results[place] = item.as_item()
            alive += [item] if refresh else []
        for place, op in enumerate(checked):
            if isinstance(op, SearchOp):
                found = self._reader.search(op, now=now)
                results[place] = [each.item.as_search_item(each.score) for each in found]
                alive += [each.item for each in found] if op.refresh_ttl else []
            elif isinstance(op, ListNamespacesOp):
                results[place] = self._reader.list_namespaces(op, now=now)
        self._writer.refresh(alive)
        self._writer.put(op for op in checked if isinstance(op, PutOp))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`, on a thread: the event loop stays free, whichever it is."""
        return await asyncio.to_thread(self.batch, list(ops))

    def _gotten(self, ops: Sequence[Op], now: int) -> Iterator[tuple[int, StoredItem, bool]]:
        asked: dict[Labels, list[tuple[int, GetOp]]] = defaultdict(list)
        for place, op in enumerate(ops):
            if isinstance(op, GetOp) and op.namespace:
                asked[op.namespace].append((place, op))
        for labels, gets in asked.items():
            found = self._reader.get(labels, (op.key for _, op in gets), now=now)
            for place, op in gets:
                if op.key in found:
                    yield place, found[op.key], op.refresh_ttl

    # -- time to live -------------------------------------------------------------------------------

    def sweep_ttl(self) -> int:
        """Remove what has expired; how many items that were."""
        return self._writer.sweep()

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweep at intervals, on a thread of its own, until stopped; the future is done then.

        The interval is the one given, that of the TTL configuration, or five minutes.
        """
        configured = (self.ttl_config or {}).get("sweep_interval_minutes")
        minutes = sweep_interval_minutes if sweep_interval_minutes is not None else configured
        return self._sweeper.start(60.0 * _checked_minutes(minutes or _SWEEP_MINUTES, "sweep_interval_minutes"))

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop sweeping, waiting at most `timeout` seconds; whether it has stopped."""
        return self._sweeper.stop(timeout)

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop sweeping and close the memory, and with it every handle on it."""
        self._sweeper.stop(None)
        self.memory.close()

    async def aclose(self) -> None:
        await asyncio.to_thread(self.close)

    def __enter__(self) -> MnemoloomStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> MnemoloomStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _now(self) -> int:
        """Microseconds since 1970."""
        return round(self._clock.now() * 1e6)


def _checked(op: Op) -> Op:
    """An operation that may be executed, its namespace a tuple. Raises InvalidNamespaceError, ValidationError."""
    if isinstance(op, GetOp):
        return op._replace(namespace=check_labels(op.namespace), key=_checked_key(op.key))
    if isinstance(op, PutOp):
        return _checked_put(op)
    if isinstance(op, SearchOp):
        _check_page(op.limit, op.offset)
        return op._replace(namespace_prefix=check_labels(op.namespace_prefix))
    if isinstance(op, ListNamespacesOp):
        _check_page(op.limit, op.offset)
        for condition in op.match_conditions or ():
            check_condition(condition)
        if op.max_depth is not None:
            check_count(op.max_depth, "max_depth", low=1)
        return op
    raise ValidationError(f"a store executes GetOp, PutOp, SearchOp and ListNamespacesOp; got {type(op).__name__}")


def _checked_put(op: PutOp) -> PutOp:
    labels = check_labels(op.namespace)
    if op.value is None:
        return op._replace(namespace=labels, key=_checked_key(op.key))
    if not labels:
        raise InvalidNamespaceError("an item needs a namespace of at least one label; got ()")
    if not hasattr(op.value, "keys"):
        raise ValidationError(f"the value of an item must be a dict; got {type(op.value).__name__}")
    if op.ttl is not None:
        _checked_minutes(op.ttl, "ttl")
    if isinstance(op.index, str) or not (op.index is None or op.index is False or isinstance(op.index, Sequence)):
        raise ValidationError(f"index must be False, None or a list of paths; got {op.index!r}")
    return op._replace(namespace=labels, key=_checked_key(op.key))


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValidationError(f"the key of an item must be a string; got {key!r}")
    return key


def _check_page(limit: object, offset: object) -> None:
    check_count(limit, "limit", low=0)
    check_count(offset, "offset", low=0)


def _checked_minutes(minutes: object, name: str) -> float:
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not isfinite(minutes) or minutes <= 0:
        raise ValidationError(f"{name} must be a number of minutes above 0; got {minutes!r}")
    return float(minutes)


def _checked_ttl_config(ttl: TTLConfig | None) -> TTLConfig | None:
    for name in ("default_ttl", "sweep_interval_minutes"):
        if (minutes := (ttl or {}).get(name)) is not None:
            _checked_minutes(minutes, f"ttl[{name!r}]")
    return ttl
