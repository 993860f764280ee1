"""The async twin of every verb: the work runs on the store's own threads, and the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mnemoloom.opened import OpenStore
from mnemoloom.records import Draft, Explanation, RecallResult, Record, Tier
from mnemoloom.statistics import Stats
from mnemoloom.storage.verify import VerifyReport

if TYPE_CHECKING:
    from mnemoloom.memory import Memory

__all__ = ["AsyncVerbs"]

P = ParamSpec("P")
T = TypeVar("T")


class AsyncVerbs:
    """What `Memory` offers to coroutines. Arguments, answers and errors are those of the verb without the `a`.

    Cancelling the awaiting task stops the waiting, not the work: a write that has begun is finished or undone as
    a whole.
    """

    _opened: OpenStore

    async def _run(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._opened.store.check_usable()
        work = partial(verb, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._opened.executor, work)

    async def aremember(self: Memory, text: str, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.remember, text, **options)

    async def aremember_many(
        self: Memory,
        drafts: Iterable[Draft | Mapping[str, Any] | str],
        **options: Any,  # noqa: ANN401
    ) -> list[int]:
        return await self._run(self.remember_many, drafts, **options)

    async def arecall(self: Memory, query: str, k: int = 5, **options: Any) -> RecallResult:  # noqa: ANN401
        return await self._run(self.recall, query, k, **options)

    async def awhy(self: Memory, query: str, key: int | str, k: int = 5, **options: Any) -> Explanation:  # noqa: ANN401
        return await self._run(self.why, query, key, k, **options)

    async def aget(self: Memory, key: int | str) -> Record:
        return await self._run(self.get, key)

    async def arecords(self: Memory, where: Any = None, **options: Any) -> list[Record]:  # noqa: ANN401
        """As a list: a generator could not leave the thread between two memories."""
        return await self._run(lambda: list(self.records(where, **options)))

    async def aforget(self: Memory, key: int | str) -> None:
        await self._run(self.forget, key)

    async def apin(self: Memory, key: int | str) -> None:
        await self._run(self.pin, key)

    async def aunpin(self: Memory, key: int | str) -> None:
        await self._run(self.unpin, key)

    async def amove(self: Memory, key: int | str, tier: Tier) -> None:
        await self._run(self.move, key, tier)

    async def anamespaces(self: Memory) -> list[tuple[str, ...]]:
        return await self._run(self.namespaces)

    async def areembed(self: Memory, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.reembed, **options)

    async def astats(self: Memory) -> Stats:
        return await self._run(self.stats)

    async def averify(self: Memory) -> VerifyReport:
        return await self._run(self.verify)

    async def aclose(self: Memory) -> None:
        if not self._opened.store.closed:
            await self._run(self.close)

    async def __aenter__(self: Memory) -> Memory:
        return self

    async def __aexit__(self: Memory, *_: object) -> None:
        await self.aclose()
