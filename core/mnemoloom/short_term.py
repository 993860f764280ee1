"""Short-term memory behind the facade: the last turns of a session, as they were said, whatever tier they are in.

Every turn of a session enters it when it is remembered. Taking one out (`pop`, `clear`) is kept in the store and leaves
the memory where it is; in a window that was full, the turn before the oldest moves in.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import ParamSpec, TypeVar

import numpy as np

from mnemoloom.errors import ValidationError, told
from mnemoloom.opened import OpenStore
from mnemoloom.recall.live import LiveShelf
from mnemoloom.recall.shelf import Shelf
from mnemoloom.records import Record
from mnemoloom.storage import memories, taken
from mnemoloom.titans import Window, fetch, peek, push, rewind
from mnemoloom.titans import pop as pop_of

__all__ = ["ShortTerm"]

P = ParamSpec("P")
T = TypeVar("T")
_PAGE = 500


class ShortTerm:
    """The last `size` turns of a session that have not been taken out; `Memory.short_term` makes one.

    It holds no turns itself: every call reads them as they are now. `len()` counts them, iterating gives them oldest
    first. Each verb has an async twin whose name begins with `a`.
    """

    def __init__(self, opened: OpenStore, live: LiveShelf, session: str | None, size: int) -> None:
        if not (session is None or isinstance(session, str)):
            raise ValidationError(f"session must be a string or None; got {told(session)}")
        self._opened, self._live = opened, live
        self.session, self.size = session, Window.empty(size).size

    @property
    def namespace(self) -> tuple[str, ...]:
        """Whose session it is."""
        return self._live.labels

    def peek(self) -> Record | None:
        """The newest turn, which stays; None if there is none."""
        newest = peek(self._read())
        return None if newest is None else next(self._records([newest]), None)

    async def apeek(self) -> Record | None:
        return await self._run(self.peek)

    def pop(self) -> Record | None:
        """Take the newest turn out of short-term memory and return it; None if there is none.

        It is a memory as before, found by recall; `Memory.forget` would remove it. Raises ReadOnlyError, StoreError.
        """
        return next(self._records(self._take(lambda window: [pop_of(window)[1]])), None)

    async def apop(self) -> Record | None:
        return await self._run(self.pop)

    def clear(self) -> int:
        """Take every turn of the session out, those before the window too; how many that were."""
        return len(self._take(lambda window: list(rewind(window)), whole=True))

    async def aclear(self) -> int:
        return await self._run(self.clear)

    def fetch(
        self, key: Callable[[Record], Hashable | None] | None = None, *, newest_overrides: bool = True
    ) -> list[Record]:
        """All turns, oldest first; of those with the same key only the newest, or only the oldest.

        Parameters
        ----------
        key: what a turn says something about, such as `lambda turn: turn.metadata.get("slot")`; a turn whose key is
            None stands for itself.

        Raises ValidationError.
        """
        if not (key is None or callable(key)):
            raise ValidationError(f"key must be a function of a record, or None; got {told(key)}")
        window = self._read()
        found = {record.id: record for record in self._records(window.ids.tolist())}
        said = {} if key is None else {each: key(record) for each, record in found.items()}
        keys = {each: about for each, about in said.items() if about is not None}
        return [found[each] for each in fetch(window, keys, newest_overrides=newest_overrides) if each in found]

    async def afetch(
        self, key: Callable[[Record], Hashable | None] | None = None, *, newest_overrides: bool = True
    ) -> list[Record]:
        return await self._run(self.fetch, key, newest_overrides=newest_overrides)

    def rewind(self, depth: int | None = None, *, newest_first: bool = True) -> Iterator[Record]:
        """The newest `depth` turns (None: all, 0: none) one by one, newest or oldest first; they stay.

        Read page by page: a turn that is forgotten meanwhile is left out. Raises ValidationError.
        """
        return self._records(list(rewind(self._read(), depth, newest_first=newest_first)))

    async def arewind(self, depth: int | None = None, *, newest_first: bool = True) -> list[Record]:
        """As a list: a generator could not leave the thread between two turns."""
        return await self._run(lambda: list(self.rewind(depth, newest_first=newest_first)))

    def ids(self) -> list[int]:
        """The ids of the turns, oldest first."""
        return list(map(int, self._read().ids))

    async def aids(self) -> list[int]:
        return await self._run(self.ids)

    def __len__(self) -> int:
        return len(self._read().ids)

    def __bool__(self) -> bool:
        return True  # an empty window is a window

    def __iter__(self) -> Iterator[Record]:
        return self.rewind(newest_first=False)

    def __repr__(self) -> str:
        return f"ShortTerm(session={self.session!r}, size={self.size})"

    def belongs_to(self, live: LiveShelf) -> bool:
        """Whether it shows turns of that namespace of the same open store."""
        return self._live is live

    def _window(self, connection: sqlite3.Connection, shelf: Shelf, number: int, *, whole: bool = False) -> Window:
        ids = shelf.ids.values[shelf.turns_of(self.session)]
        ids = ids[~np.isin(ids, taken.taken_of(connection, number, self.session))]
        size = len(ids) if whole else self.size
        return push(Window.empty(size), ids[max(0, len(ids) - size) :])[0]

    def _read(self) -> Window:
        with self._live.reading() as (connection, shelf, number):
            return self._window(connection, shelf, number)

    def _take(self, choose: Callable[[Window], Sequence[int | None]], *, whole: bool = False) -> list[int]:
        """Take out what `choose` names of the window, or of all turns of the session; the ids."""

        def work(connection: sqlite3.Connection) -> list[int]:
            shelf, number = self._live.current(connection), self._live.number(connection)
            if number is None:
                return []
            window = self._window(connection, shelf, number, whole=whole)
            chosen = [each for each in choose(window) if each is not None]
            taken.take(connection, chosen)
            return chosen

        return self._opened.store.transact(work, publish=lambda _: None, abandon=lambda: None)

    def _records(self, ids: Sequence[int]) -> Iterator[Record]:
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            with self._opened.store.reading() as connection:
                number = self._live.number(connection) or 0
                found = memories.records(connection, number, page, accessed=self._live.accessed(page))
            yield from (found[memory] for memory in page if memory in found)

    async def _run(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._opened.store.check_usable()
        work = partial(verb, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._opened.executor, work)
