"""`Memory.recall` as a LangChain retriever: the same memories, the same scores, in the same order."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import ConfigDict, Field, field_validator

from mnemoloom import Memory, RecallResult
from mnemoloom.errors import ConfigError
from mnemoloom.filters import conjoin, parse_filter

from .document_filters import DocumentFilter, FilterArgument, parse_document_filter
from .hits import as_document

__all__ = ["MnemoloomRetriever"]

_OWN = ("k", "filter", "min_score")
_OPTIONS = (
    *_OWN,
    *(name for name in inspect.signature(Memory.recall).parameters if name not in ("self", "query", "k")),
)
_ROUNDING = 1e-9  # .29 of 100 is a little less than 29
_WIDER = 4  # how much more is asked for when a function has refused too many


class MnemoloomRetriever(BaseRetriever):
    """Retrieves memories: `MnemoloomRetriever(memory=memory.at("users", "ann"), k=4)`.

    Every setting can be given for one call: `retriever.invoke("Where does Ann live?", k=2, min_score=0.5)`.
    A call takes all that `Memory.recall` takes besides (speaker, session, after, before, tier, where, …).

    Parameters
    ----------
    memory: the handle on the namespace to search; a retriever sees no other.
    k: how many documents, at most.
    filter: a dict about the metadata, a filter of mnemoloom, or a function of a document.
    min_score: leave out memories that score less.
    min_confidence: retrieve nothing unless memory holds an answer with this probability (0 to 1, or "calibrated").
    options: what else `recall` is asked with, such as {"expand": 1}.

    A setting that nobody knows is refused, as pydantic does here and with a TypeError in a call.

    The metadata of a document are the memory's own, and `memory_id`, `score`, `parts`, `time`, `speaker`, …, and
    `confidence`, which is that of the whole answer; its id is the memory's external id, or else its number.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    memory: Memory
    k: int = 4
    filter: Any = None
    min_score: float | None = None
    min_confidence: float | Literal["calibrated"] | None = None
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        if unknown := _unknown(options):
            raise ConfigError(unknown)
        return options

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's own callbacks are all there are
        **asked: Any,  # noqa: ANN401 - settings of one call
    ) -> list[Document]:
        call = self._call(asked)
        while True:
            result = self.memory.recall(query, call.asks, **call.options)
            if call.is_answered_by(result):
                return call.documents
            call.widen()

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        **asked: Any,  # noqa: ANN401
    ) -> list[Document]:
        call = self._call(asked)
        while True:
            result = await self.memory.arecall(query, call.asks, **call.options)
            if call.is_answered_by(result):
                return call.documents
            call.widen()

    def _call(self, asked: dict[str, Any]) -> _Call:
        asked.pop("verbose", None)  # LangChain's own
        if unknown := _unknown(asked):
            raise TypeError(unknown)  # what Python raises for an argument that a function does not have
        options = {**self.options, **asked}
        settings = {name: options.pop(name, getattr(self, name)) for name in _OWN}
        options.setdefault("min_confidence", self.min_confidence)
        if options.get("per_source") is None:
            options["per_source"] = self.memory.per_source
        return _Call(**settings, options=options, most=self.memory.limits.k)

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:  # noqa: ANN401
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "mnemoloom"
        if self.memory.embedder is not None:
            params["ls_embedding_provider"] = self.memory.embedder.identity
        return params


def _unknown(given: Mapping[str, Any]) -> str | None:
    """What to say of settings that do not exist; None if all do."""
    strange = [name for name in given if name not in _OPTIONS]
    return f"a MnemoloomRetriever has no setting {strange[0]!r}; it takes {', '.join(_OPTIONS)}" if strange else None


class _Call:
    """One question to the memory: asked once, or, with a function that refuses many, again for more."""

    def __init__(
        self, *, k: int, filter: FilterArgument, min_score: float | None, options: dict[str, Any], most: int
    ) -> None:
        self._filter: DocumentFilter = parse_document_filter(filter)
        self._k, self._min_score, self._most = k, min_score, most
        self._of_one: int | None = None  # how many of the documents that a function keeps one source may give
        share = options["per_source"]
        if self._filter.keeps is not None and isinstance(share, (int, float)) and 0.0 <= share < 1.0:
            self._of_one, options["per_source"] = max(1, int(share * k + _ROUNDING)), 1
        self.asks = k
        self.options = options | {"where": conjoin(self._filter.condition, parse_filter(options.get("where")))}
        self.documents: list[Document] = []

    def is_answered_by(self, result: RecallResult) -> bool:
        """Take in a result; whether asking for more could not change the answer."""
        enough = [hit for hit in result if self._min_score is None or hit.score >= self._min_score]
        about = {"confidence": result.confidence} | ({"degraded": result.degraded} if result.degraded else {})
        found = [(as_document(hit, about=about), hit.source) for hit in enough]
        keeps = self._filter.keeps
        if keeps is not None:
            found = [each for each in found if keeps(each[0])]
        if self._of_one is not None:
            found = _bounded(found, self._of_one)
        self.documents = [document for document, _ in found[: self._k]]
        exhausted = len(enough) < self.asks or self.asks >= self._most
        return keeps is None or exhausted or len(self.documents) == self._k

    def widen(self) -> None:
        """Ask for more the next time."""
        self.asks = min(self.asks * _WIDER, self._most)


def _bounded(found: list[tuple[Document, str | None]], most: int) -> list[tuple[Document, str | None]]:
    """Documents and their sources, of each source the best so many; those without one all stay."""
    given: Counter[str] = Counter()
    kept = []
    for document, source in found:
        given.update([] if source is None else [source])
        if source is None or given[source] <= most:
            kept.append((document, source))
    return kept
