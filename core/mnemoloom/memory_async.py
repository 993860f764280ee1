"""The async twin of every verb: the work runs on the store's own threads, and the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from mnemoloom.chain import Proof, Seal
from mnemoloom.opened import OpenStore
from mnemoloom.recall.calibration import Calibration
from mnemoloom.recall.nearest import Nearest
from mnemoloom.records import Draft, Erased, Explanation, RecallResult, Record, Tier
from mnemoloom.statistics import Stats
from mnemoloom.storage.verify import VerifyReport
from mnemoloom.transfer import ExportReport, ImportReport

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

    @property
    def _verbs(self) -> Memory:
        return cast("Memory", self)

    async def _run(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._opened.store.check_usable()
        work = partial(verb, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._opened.executor, work)

    async def aremember(self, text: str, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self._verbs.remember, text, **options)

    async def aremember_many(
        self,
        drafts: Iterable[Draft | Mapping[str, Any] | str],
        **options: Any,  # noqa: ANN401
    ) -> list[int]:
        return await self._run(self._verbs.remember_many, drafts, **options)

    async def arecall(self, query: str, k: int = 5, **options: Any) -> RecallResult:  # noqa: ANN401
        return await self._run(self._verbs.recall, query, k, **options)

    async def awhy(self, query: str, key: int | str, k: int = 5, **options: Any) -> Explanation:  # noqa: ANN401
        return await self._run(self._verbs.why, query, key, k, **options)

    async def ahistory(self, key: int | str) -> list[Record]:
        return await self._run(self._verbs.history, key)

    async def acalibrate(self, answered: Iterable[str], **options: Any) -> Calibration:  # noqa: ANN401
        return await self._run(self._verbs.calibrate, answered, **options)

    async def aget(self, key: int | str) -> Record:
        return await self._run(self._verbs.get, key)

    async def arecords(self, where: Any = None, **options: Any) -> list[Record]:  # noqa: ANN401
        """As a list: a generator could not leave the thread between two memories."""
        return await self._run(lambda: list(self._verbs.records(where, **options)))

    async def aforget(self, key: int | str) -> None:
        await self._run(self._verbs.forget, key)

    async def aforget_many(self, keys: Iterable[int | str], **options: Any) -> int:  # noqa: ANN401
        return await self._run(self._verbs.forget_many, keys, **options)

    async def avectors(self, keys: Iterable[int | str]) -> NDArray[np.float32]:
        return await self._run(self._verbs.vectors, keys)

    async def aerase(self, where: Any) -> Erased:  # noqa: ANN401
        return await self._run(self._verbs.erase, where)

    async def apin(self, key: int | str) -> None:
        await self._run(self._verbs.pin, key)

    async def aunpin(self, key: int | str) -> None:
        await self._run(self._verbs.unpin, key)

    async def amove(self, key: int | str, tier: Tier) -> None:
        await self._run(self._verbs.move, key, tier)

    async def anearest(self, query: str | None = None, k: int | None = None, **options: Any) -> Nearest:  # noqa: ANN401
        return await self._run(self._verbs.nearest, query, k, **options)

    async def anamespaces(self, *, occupied: bool = False) -> list[tuple[str, ...]]:
        return await self._run(self._verbs.namespaces, occupied=occupied)

    async def areembed(self, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self._verbs.reembed, **options)

    async def aexport(self, folder: str | Path, **options: Any) -> ExportReport:  # noqa: ANN401
        return await self._run(self._verbs.export, folder, **options)

    async def aimport_bundle(self, folder: str | Path, **options: Any) -> ImportReport:  # noqa: ANN401
        return await self._run(self._verbs.import_bundle, folder, **options)

    async def astats(self) -> Stats:
        return await self._run(self._verbs.stats)

    async def averify(self, **options: Any) -> VerifyReport:  # noqa: ANN401
        return await self._run(self._verbs.verify, **options)

    async def aseal(self, path: str | Path | None = None) -> Seal:
        return await self._run(self._verbs.seal, path)

    async def aprove(self, key: int | str, seal: Seal | str | Path) -> Proof:
        return await self._run(self._verbs.prove, key, seal)

    async def aanchor(self, key: int | str) -> str:
        return await self._run(self._verbs.anchor, key)

    async def arekey(self, key: bytes) -> None:
        await self._run(self._verbs.rekey, key)

    async def aclose(self) -> None:
        if not self._opened.store.closed:
            await self._run(self._verbs.close)

    async def __aenter__(self) -> Memory:
        return self._verbs

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
