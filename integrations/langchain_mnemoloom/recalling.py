"""Recall as part of a run: what to look for, how much of it to show, and callbacks that see it happen."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from mnemoloom import Hit, Memory, RecallResult, Record
from mnemoloom.config import Profile
from mnemoloom.drafts import check_count
from mnemoloom.errors import ConfigError
from mnemoloom.filters import Filter, conjoin, parse_filter, where
from mnemoloom.rendering import fenced, fitting
from mnemoloom.trust import check_trust

from .hits import as_document

__all__ = ["RUN_NAME", "Recollection"]

RUN_NAME = "mnemoloom_recall"
_MOST_EXCLUDED = 500  # messages that a model still sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What is recalled for a question, and how much of it a model is shown.

    Parameters
    ----------
    k: how many memories at most.
    max_tokens: how many tokens the memories may take up; None sets no bound. They are counted by `count_tokens`, or
        else estimated at four bytes a token.
    min_confidence: 0 to 1, or "calibrated"; show nothing if memory is less likely than that to hold an answer.
    min_trust, per_source: as in `Memory.recall`: how far a memory must be trusted, and how much one source may show.
    expand: attach up to this many neighbours of the session to each memory.
    profile, where: as in `Memory.recall`.
    tags: of the run that callbacks and traces see.
    """

    k: int = 6
    max_tokens: int | None = 1500
    count_tokens: Callable[[str], int] | None = None
    min_confidence: float | Literal["calibrated"] | None = None
    expand: int = 0
    profile: str | Profile | None = None
    where: Filter | Mapping[Any, Any] | None = None
    tags: tuple[str, ...] = ("mnemoloom",)
    min_trust: str | None = None
    per_source: float | None = None

    def __post_init__(self) -> None:
        check_count(self.k, "k", low=1)
        check_count(self.expand, "expand", low=0)
        if self.max_tokens is not None:
            check_count(self.max_tokens, "max_tokens", low=1)
        sure: object = self.min_confidence
        number = isinstance(sure, (int, float)) and not isinstance(sure, bool)
        if not (sure in (None, "calibrated") or (number and 0.0 <= self.min_confidence <= 1.0)):  # type: ignore[operator]
            raise ConfigError(f"min_confidence must be in [0, 1], 'calibrated' or None; got {sure!r}")
        if self.min_trust is not None:
            check_trust(self.min_trust, name="min_trust")
        share: object = self.per_source
        if share is not None and (
            isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1
        ):
            raise ConfigError(f"per_source must be in [0, 1] or None; got {share!r}")
        parse_filter(self.where)
        object.__setattr__(self, "tags", tuple(self.tags))

    def block(
        self,
        memory: Memory,
        question: str,
        *,
        asker: str | None = None,
        visible: Collection[str] = (),
        config: RunnableConfig | None = None,
    ) -> str:
        """What memory holds about a question, fenced; empty if there is nothing to show.

        Parameters
        ----------
        asker: the speaker whom "I" and "my" stand for.
        visible: external ids of messages that the model sees anyway; they are not shown a second time.
        config: the run that this is part of; by default the one that is going on.
        """
        if not question.strip():
            return ""
        options = self._options(asker, visible)
        with _reported(question, config, self.tags) as told:
            told.result = memory.recall(question, self.k, **options)
        return self._shown(told.result, visible)

    async def ablock(
        self,
        memory: Memory,
        question: str,
        *,
        asker: str | None = None,
        visible: Collection[str] = (),
        config: RunnableConfig | None = None,
    ) -> str:
        """The twin of `block`."""
        if not question.strip():
            return ""
        options = self._options(asker, visible)
        async with _areported(question, config, self.tags) as told:
            told.result = await memory.arecall(question, self.k, **options)
        return self._shown(told.result, visible)

    def _options(self, asker: str | None, visible: Collection[str]) -> dict[str, Any]:
        condition = parse_filter(self.where)
        if visible:
            condition = conjoin(condition, where("external_id").not_in(list(visible)[-_MOST_EXCLUDED:]))
        options = {"asker": asker, "where": condition, "expand": self.expand, "profile": self.profile}
        # unless they are asked for, the memory need not know of them
        asked = {name: getattr(self, name) for name in ("min_confidence", "min_trust", "per_source")}
        return options | {name: value for name, value in asked.items() if value is not None}

    def _shown(self, result: RecallResult | None, visible: Collection[str]) -> str:
        hidden = frozenset(visible)
        hits = [_without(hit, hidden) for hit in result or ()]
        chosen = fitting(hits, tokens=self.max_tokens, count_tokens=self.count_tokens)
        return fenced(chosen) if chosen else ""


class _Told:
    """What a recall came to."""

    result: RecallResult | None = None

    @property
    def documents(self) -> list[Any]:
        return [as_document(hit) for hit in self.result or ()]


@contextlib.contextmanager
def _reported(question: str, config: RunnableConfig | None, tags: tuple[str, ...]) -> Iterator[_Told]:
    """Tell the callbacks of a run about a recall, as they are told of a retriever."""
    settings = ensure_config(config)
    manager = CallbackManager.configure(
        settings.get("callbacks"), inheritable_tags=settings.get("tags"), local_tags=list(tags)
    )
    run, told = manager.on_retriever_start({}, question, name=RUN_NAME), _Told()
    try:
        yield told
    except BaseException as error:
        run.on_retriever_error(error)
        raise
    run.on_retriever_end(told.documents)


@contextlib.asynccontextmanager
async def _areported(question: str, config: RunnableConfig | None, tags: tuple[str, ...]) -> AsyncIterator[_Told]:
    settings = ensure_config(config)
    manager = AsyncCallbackManager.configure(
        settings.get("callbacks"), inheritable_tags=settings.get("tags"), local_tags=list(tags)
    )
    run, told = await manager.on_retriever_start({}, question, name=RUN_NAME), _Told()
    try:
        yield told
    except BaseException as error:
        await run.on_retriever_error(error)
        raise
    await run.on_retriever_end(told.documents)


def _without(hit: Hit, hidden: frozenset[str]) -> Hit:
    """The hit without those of its neighbours that the model sees anyway."""

    def kept(neighbours: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple(each for each in neighbours if each.external_id not in hidden)

    return replace(hit, before=kept(hit.before), after=kept(hit.after)) if hit.before or hit.after else hit
