"""A namespace of memory as a LangChain vector store: plain cosines, exact, every method in both twins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables import run_in_executor
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from numpy.typing import NDArray

from mnemoloom import Draft, Memory, Nearest, Record, where
from mnemoloom.drafts import check_count
from mnemoloom.errors import ConfigError, EmbedderError, UnknownMemoryError, ValidationError
from mnemoloom.ports import Embedder

from .document_filters import FilterArgument, parse_document_filter
from .embeddings import LangChainEmbedder, MnemoloomEmbeddings

__all__ = ["MnemoloomVectorStore"]

_CHUNK = 1_000  # a filter's list holds no more

Scored = list[tuple[Document, float]]


class MnemoloomVectorStore(VectorStore):
    """Documents found by meaning, in one folder.

    >>> store = MnemoloomVectorStore.from_texts(texts, embedding, path="./docs")  # doctest: +SKIP
    >>> store = MnemoloomVectorStore.open("./docs", embedding)  # the next time  # doctest: +SKIP
    >>> store = MnemoloomVectorStore(memory.at("docs"))  # of a memory with an embedder  # doctest: +SKIP

    A document is a memory: its text, its metadata (JSON values), and its id as the external id. Adding an id again
    replaces the document. Scores are cosines, higher is better; every document is compared.

    A `filter` is a dict about the metadata ({"year": {"$gte": 2024}}), a filter of mnemoloom, or a function of a
    document, and acts before the k best are taken. One vector store sees one namespace.

    For the ranking by words, names and dates as well, use `MnemoloomRetriever`, or `memory.recall`. Without an encoder
    that is all there is: a memory that has none keeps documents, and a search by meaning raises EmbedderError.

    Raises
    ------
    ConfigError: anything but an open memory is given.
    """

    memory: Memory

    def __init__(self, memory: Memory | None = None, **others: Any) -> None:  # noqa: ANN401 - told what to call instead
        if not isinstance(memory, Memory) or others:
            given = ", ".join([*([] if memory is None else [type(memory).__name__]), *(f"{name}=…" for name in others)])
            raise ConfigError(
                f"MnemoloomVectorStore takes an open Memory; got {given or 'nothing'}. "
                "To open a folder with an encoder: MnemoloomVectorStore.open(path, embedding)"
            )
        self.memory = memory

    @property
    def embeddings(self) -> Embeddings | None:
        """The encoder of the memory."""
        embedder = self.memory.embedder
        if isinstance(embedder, LangChainEmbedder) and isinstance(embedder.embeddings, Embeddings):
            return embedder.embeddings
        return None if embedder is None else MnemoloomEmbeddings(embedder)

    @classmethod
    def open(
        cls,
        path: str | Path,
        embedding: Embeddings,
        *,
        namespace: tuple[str, ...] = ("default",),
        identity: str | None = None,
        **options: Any,  # noqa: ANN401 - those of Memory.open
    ) -> MnemoloomVectorStore:
        """Open the folder at `path`, or make one; close `memory` when done.

        `identity` names the encoder, see LangChainEmbedder. Raises ConfigError, StoreError, and EmbedderMismatchError
        if the folder was filled with another encoder.
        """
        embedder = LangChainEmbedder(embedding, identity=identity)
        return cls(Memory.open(path, namespace=namespace, embedder=embedder, **options))

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        path: str | Path = ":memory:",
        **options: Any,  # noqa: ANN401 - those of `open`
    ) -> MnemoloomVectorStore:
        """`open` the folder at `path`, and add texts to it."""
        store = cls.open(path, embedding, **options)
        try:
            store.add_texts(texts, metadatas, ids=ids)
        except BaseException:
            store.memory.close()
            raise
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> MnemoloomVectorStore:
        return await run_in_executor(None, cls.from_texts, texts, embedding, metadatas, ids=ids, **options)

    # -- adding and removing ------------------------------------------------------------------------

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str | None] | list[str] | None = None,
        source: str | None = None,
        trust: str = "user",
        **_: Any,  # noqa: ANN401 - of other stores
    ) -> list[str]:
        """Add texts, all or none; their ids in order. A text without an id gets a new one.

        `source` and `trust` say where they come from and how far that is trusted ("web", "import", …), as in
        `Memory.remember`: `memory.remove_source` then takes them away again.

        Raises ValidationError (a ValueError) for lists of different lengths, and for what cannot be stored.
        """
        drafts = _drafts(texts, metadatas, ids, source=source, trust=trust)
        self.memory.remember_many(drafts)
        return [str(draft.external_id) for draft in drafts]

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str | None] | list[str] | None = None,
        source: str | None = None,
        trust: str = "user",
        **_: Any,  # noqa: ANN401
    ) -> list[str]:
        drafts = _drafts(texts, metadatas, ids, source=source, trust=trust)
        await self.memory.aremember_many(drafts)
        return [str(draft.external_id) for draft in drafts]

    def add_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:  # noqa: ANN401
        """Add documents, all or none; their ids in order: those given as `ids`, the documents' own, or new ones."""
        return self.add_texts(**_columns(documents, kwargs))

    async def aadd_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:  # noqa: ANN401
        return await self.aadd_texts(**_columns(documents, kwargs))

    def delete(self, ids: list[str] | None = None, *, delete_all: bool = False, **_: Any) -> bool:  # noqa: ANN401
        """Remove documents; ids that are not there are ignored. Everything goes only with `delete_all=True`."""
        keys = _deleted(ids, delete_all)
        self.memory.forget_many([each.id for each in self.memory.records()] if keys is None else keys, missing="skip")
        return True

    async def adelete(self, ids: list[str] | None = None, *, delete_all: bool = False, **_: Any) -> bool:  # noqa: ANN401
        keys = _deleted(ids, delete_all)
        gone = [each.id for each in await self.memory.arecords()] if keys is None else keys
        await self.memory.aforget_many(gone, missing="skip")
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in their order; ids that are not there are left out."""
        found = {record.external_id: record for record in self._named(ids)}
        return [_document(found[each]) for each in dict.fromkeys(ids) if each in found]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return await run_in_executor(None, self.get_by_ids, ids)

    def _named(self, ids: Sequence[str]) -> Iterator[Record]:
        asked = _checked_ids(ids)
        for start in range(0, len(asked), _CHUNK):
            yield from self.memory.records(where("external_id").is_in(asked[start : start + _CHUNK]))

    # -- searching ----------------------------------------------------------------------------------

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        """The k documents nearest to a query, best first."""
        return [document for document, _score in self.similarity_search_with_score(query, k, filter)]

    async def asimilarity_search(
        self,
        query: str,
        k: int = 4,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        return await run_in_executor(None, self.similarity_search, query, k, filter)

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> Scored:
        """The k documents nearest to a query, with their cosines, best first."""
        return self._nearest(k, filter, query=query)

    async def asimilarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> Scored:
        return await run_in_executor(None, self.similarity_search_with_score, query, k, filter)

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        """The k documents nearest to a vector, best first."""
        return [document for document, _score in self._nearest(k, filter, vector=embedding)]

    async def asimilarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        return await run_in_executor(None, self.similarity_search_by_vector, embedding, k, filter)

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        """K of the `fetch_k` nearest documents, chosen to be near the query and unlike one another.

        `lambda_mult` runs from 0 (as different as can be) to 1 (nearest alone).
        """
        embedder = self._encoder()
        query = self.memory.redact(query)
        row = np.asarray(embedder.embed([query], query=True))[0]
        return self.max_marginal_relevance_search_by_vector(row.tolist(), k, fetch_k, lambda_mult, filter)

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        return await run_in_executor(None, self.max_marginal_relevance_search, query, k, fetch_k, lambda_mult, filter)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, for a vector."""
        k, fetch_k = check_count(k, "k", low=0), check_count(fetch_k, "fetch_k", low=0)
        if not 0.0 <= lambda_mult <= 1.0:
            raise ValidationError(f"lambda_mult must be in [0, 1]; got {lambda_mult!r}")
        found = [record for record, _ in islice(self._ranked(filter, vector=embedding), fetch_k)]
        found, rows = self._with_vectors(found)
        if not found or not k:
            return []
        chosen = maximal_marginal_relevance(np.asarray(embedding, np.float32), list(rows), lambda_mult, k)
        return [_document(found[place]) for place in chosen]

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterArgument = None,
        **_: Any,  # noqa: ANN401
    ) -> list[Document]:
        return await run_in_executor(
            None, self.max_marginal_relevance_search_by_vector, embedding, k, fetch_k, lambda_mult, filter
        )

    def _encoder(self) -> Embedder:
        embedder = self.memory.embedder
        if embedder is None:
            raise EmbedderError(
                "a vector store needs an embedder to search by meaning, and this one's memory was opened without: "
                "use MnemoloomVectorStore.open(path, embedding), or Memory.open(path, embedder=…) and memory.reembed()"
            )
        return embedder

    def _with_vectors(self, found: list[Record]) -> tuple[list[Record], NDArray[np.float32]]:
        """Those of the records that are still there, and their vectors, shape (n, d)."""
        while True:
            try:
                return found, self.memory.vectors([record.id for record in found])
            except UnknownMemoryError as error:  # noqa: PERF203 - forgotten in the meantime, which is rare
                found = [record for record in found if record.id != error.memory_id]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """A cosine is a relevance as it stands; what points away from the query has none."""
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def _nearest(
        self,
        k: int,
        filter: FilterArgument,
        *,
        query: str | None = None,
        vector: Sequence[float] | None = None,
    ) -> Scored:
        k = check_count(k, "k", low=0)
        ranked = self._ranked(filter, query=query, vector=vector)
        return [(_document(record), cosine) for record, cosine in islice(ranked, k)]

    def _ranked(
        self, filter: FilterArgument, *, query: str | None = None, vector: Sequence[float] | None = None
    ) -> Iterator[tuple[Record, float]]:
        """Every memory that the filter keeps and its cosine, best first; looked up as far as they are taken."""
        parsed = parse_document_filter(filter)
        if query is not None:
            self._encoder()
        nearest: Nearest = self.memory.nearest(query, vector=vector, where=parsed.condition)
        ids, cosines = nearest.ids.tolist(), nearest.cosines.tolist()
        start, size = 0, 16
        while start < len(ids):
            chunk = ids[start : start + size]
            found = {record.id: record for record in self.memory.records(where("id").is_in(chunk))}
            for memory, cosine in zip(chunk, cosines[start : start + size], strict=True):
                record = found.get(memory)  # None if it was forgotten in the meantime
                if record is not None and (parsed.keeps is None or parsed.keeps(_document(record))):
                    yield record, cosine
            start, size = start + size, min(4 * size, _CHUNK)


def _document(record: Record) -> Document:
    return Document(page_content=record.text, metadata=dict(record.metadata), id=record.external_id)


def _drafts(
    texts: Iterable[str],
    metadatas: Sequence[dict[str, Any]] | None,
    ids: Sequence[str | None] | None,
    *,
    source: str | None,
    trust: str,
) -> list[Draft]:
    if isinstance(texts, str):
        raise ValidationError(f"texts must be a list of texts; got one string of {len(texts)} characters")
    texts = list(texts)
    for name, column in (("metadatas", metadatas), ("ids", ids)):
        if column is not None and len(column) != len(texts):
            raise ValidationError(f"there must be as many {name} as texts; got {len(column)} for {len(texts)} texts")
    return [
        Draft(
            text=text,
            metadata=metadata or {},
            external_id=str(uuid4()) if each is None else each,
            source=source,
            trust=trust,
        )
        for text, metadata, each in zip(texts, metadatas or [{}] * len(texts), ids or [None] * len(texts), strict=True)
    ]


def _columns(documents: Iterable[Document], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of add_texts for some documents."""
    documents = list(documents)
    own = [document.id for document in documents]
    given = kwargs.get("ids")
    if given is not None and len(given) == len(own):
        own = [mine if asked is None else asked for asked, mine in zip(given, own, strict=True)]
    elif given is not None:
        own = given
    return kwargs | {
        "texts": [document.page_content for document in documents],
        "metadatas": [document.metadata for document in documents],
        "ids": own,
    }


def _deleted(ids: list[str] | None, delete_all: bool) -> list[str] | None:
    """The ids to remove, None for all."""
    if delete_all == (ids is not None):
        raise ValidationError("delete takes a list of ids, or delete_all=True to remove every document; one of them")
    return None if ids is None else _checked_ids(ids)


def _checked_ids(ids: Iterable[str]) -> list[str]:
    """The ids as a list; a number is none, because the core takes it for a memory's own."""
    asked = None if isinstance(ids, str) else list(ids)
    if asked is None or not all(isinstance(each, str) for each in asked):
        raise ValidationError(f"ids must be a list of strings; got {ids!r}")
    return asked
