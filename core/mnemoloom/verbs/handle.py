"""What every handle holds, and how it reads the names of memories."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from mnemoloom.config import Limits
from mnemoloom.drafts import check_many, key_of
from mnemoloom.errors import UnknownMemoryError
from mnemoloom.filters import Filter
from mnemoloom.opened import OpenStore
from mnemoloom.ports import Embedder
from mnemoloom.recall.engine import Recaller
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.topics import sort_waiting
from mnemoloom.records import Hit, Record
from mnemoloom.remembering import Missing, Writer
from mnemoloom.storage import memories

__all__ = ["Confidence", "Handle", "Key", "Labels", "Moment", "Where"]

Where = Filter | Mapping[Any, Any]
Moment = datetime | str | float
Labels = str | Collection[str]
Key = int | str | Hit | Record
Confidence = float | Literal["calibrated"]

P = ParamSpec("P")
T = TypeVar("T")


class Handle:
    """One namespace of an open store. The verbs come in groups that build on this.

    An async twin takes the arguments, gives the answers and raises the errors of the verb without its `a`; the work
    runs on the store's own threads, and the event loop stays free. Cancelling the awaiting task stops the waiting,
    not the work: a write that has begun is finished or undone as a whole.
    """

    def __init__(self, opened: OpenStore, namespace: tuple[str, ...]) -> None:
        self._opened = opened
        self.namespace = namespace
        self._live = opened.shelf(namespace)
        self._recaller = Recaller(self._live, opened.encoding, opened.config, opened.clock)
        self._writer = self._writer_for(self._live)

    @property
    def folder(self) -> Path | None:
        """Where the store lives; None for one that is kept in memory."""
        return self._opened.store.folder

    @property
    def closed(self) -> bool:
        """Whether this handle, or another one of the same store, was closed."""
        return self._opened.store.closed

    @property
    def limits(self) -> Limits:
        """What may be passed in."""
        return self._opened.config.limits

    @property
    def per_source(self) -> float | None:
        """The share of the hits that may come of one source, unless `recall` is told another; None sets no bound."""
        return self._opened.config.per_source

    @property
    def embedder(self) -> Embedder | None:
        """What encodes texts and questions."""
        return None if self._opened.encoding is None else self._opened.encoding.embedder

    async def _run(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._opened.store.check_usable()
        work = partial(verb, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._opened.executor, work)

    def _writer_for(self, live: LiveShelf) -> Writer:
        opened = self._opened
        return Writer(opened.store, live, opened.encoding, opened.config, opened.signer)

    def _sort(self) -> None:
        """Bring the topics up to date."""
        sort_waiting(self._opened.store, self._live)

    def _record(self, key: Key) -> Record:
        memory = self._id(key)
        with self._opened.store.reading() as connection:
            number = self._live.number(connection)
            noted = self._live.accessed([memory])
            found = memories.records(connection, number, [memory], accessed=noted) if number is not None else {}
        if memory not in found:
            raise UnknownMemoryError(key_of(key))
        return found[memory]

    def _id(self, named: Key) -> int:
        key = key_of(named)
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
        asked = [key_of(key) for key in check_many(keys, "keys", of="ids or external ids")]
        named = [key for key in asked if isinstance(key, str) and _is_storable(key)]
        with self._opened.store.reading() as connection:
            number = self._live.number(connection) or 0
            known = memories.external_ids(connection, number, named) if named else {}
            ids = [known.get(key, 0) if isinstance(key, str) else key for key in asked]
            held = memories.shown(connection, number, (each for each in ids if each.bit_length() < 64))
        if missing == "refuse":
            for key, memory in zip(asked, ids, strict=True):
                if memory not in held:
                    raise UnknownMemoryError(key)
        return [memory for memory in ids if memory in held]


def _is_storable(text: str) -> bool:
    """Whether a text can be a stored external id at all: no unpaired surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
