"""A LlamaIndex vector store in a mnemoloom folder: one namespace of one store, each node a memory of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fsspec
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)

from llama_index.vector_stores.mnemoloom.filters import any_of, check_filters, matches, narrowed
from llama_index.vector_stores.mnemoloom.modes import Settings, answer
from llama_index.vector_stores.mnemoloom.nodes import draft_of, is_node, node_of, source_hash
from llama_index.vector_stores.mnemoloom.sharing import IN_MEMORY, Share, share
from mnemoloom import Memory, Record
from mnemoloom.config import Durability
from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.filters import Filter, conjoin
from mnemoloom.ports import Embedder

__all__ = ["MnemoloomVectorStore"]


class MnemoloomVectorStore(BasePydanticVectorStore):
    """Keeps nodes, with text, metadata and embedding, in one folder on disk; what `add` has returned is on disk.

    ```python
    store = MnemoloomVectorStore("./notes")
    index = VectorStoreIndex.from_documents(documents, storage_context=StorageContext.from_defaults(vector_store=store))
    index = VectorStoreIndex.from_vector_store(MnemoloomVectorStore("./notes"))   # next time
    ```

    Query modes: DEFAULT (cosine; without an embedding, the nodes that filters let through), MMR, HYBRID (cosine and
    BM25, `alpha` between them), SPARSE and TEXT_SEARCH (BM25). Filters nest, and mean what they mean to LlamaIndex's
    own store: `!=`, `nin` and NOT also match nodes that lack the key. An index that holds IndexNodes restricts its
    retrievers to them (LlamaIndex does so for every store that keeps texts); ask through
    `VectorStoreIndex.from_vector_store` then.

    Parameters
    ----------
    path: a folder; ":memory:" keeps everything in memory; an open `Memory` lends its store.
    namespace: whose nodes these are. Objects with different namespaces share a folder and see nothing of each other.
    embedder: only for a store that also holds what is remembered as text, if it is not open yet.
    durability: "full" survives power loss, "normal" a crash of the program.
    language: whose stemmer and stop words serve the modes in which words count.

    Raises
    ------
    StoreError, NamespaceError, ConfigError
    """

    stores_text: bool = True
    flat_metadata: bool = False
    path: str = Field(default=IN_MEMORY, description="The folder of the store.")
    namespace: tuple[str, ...] = Field(default=("documents",), description="The namespace of the nodes.")
    durability: str = Field(default="full", description="What a commit survives: full or normal.")
    language: str = Field(default="english", description="The language of the texts.")

    _share: Share = PrivateAttr()

    def __init__(
        self,
        path: str | Path | Memory = IN_MEMORY,
        *,
        namespace: str | Sequence[str] = ("documents",),
        embedder: Embedder | None = None,
        durability: Durability = "full",
        language: str = "english",
        **fields: Any,  # noqa: ANN401 - what `from_dict` writes down beside
    ) -> None:
        labels = (namespace,) if isinstance(namespace, str) else tuple(namespace)
        opened = share(path, namespace=labels, embedder=embedder, durability=durability, language=language)
        super().__init__(  # type: ignore[call-arg]
            path=opened.path, namespace=labels, durability=durability, language=language, **fields
        )
        self._share = opened

    @classmethod
    def class_name(cls) -> str:
        return "MnemoloomVectorStore"

    @classmethod
    def from_params(cls, path: str | Path = IN_MEMORY, **options: Any) -> MnemoloomVectorStore:  # noqa: ANN401
        """The same as the constructor."""
        return cls(path, **options)

    @classmethod
    def from_local(cls, path: str | Path, **options: Any) -> MnemoloomVectorStore:  # noqa: ANN401
        """Open, or make, the store in a folder."""
        return cls(path, **options)

    @classmethod
    def from_persist_dir(
        cls, persist_dir: str, namespace: str = "documents", fs: fsspec.AbstractFileSystem | None = None
    ) -> MnemoloomVectorStore:
        """Open, or make, the store that lives beside the files of a `StorageContext`, in the folder `mnemoloom`."""
        if fs is not None and fs.protocol not in ("file", ("file", "local")):
            raise ConfigError(f"a store lives on a local disk; got the file system {fs.protocol!r}")
        return cls(Path(persist_dir) / "mnemoloom", namespace=namespace)

    @property
    def client(self) -> Memory:
        """The memory that holds the nodes."""
        return self._share.memory

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # noqa: ANN401, ARG002 - LlamaIndex's signature
        """Keep nodes, all or none; their ids in order. One whose id is known already replaces the older one.

        Raises
        ------
        ValueError: a node has no embedding; LoomError: its embedding, id or metadata cannot be kept.
        """
        drafts = [draft_of(node) for node in nodes]
        self.client.remember_many(drafts)
        return [node.node_id for node in nodes]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:  # noqa: ANN401
        """Answer a query; `kwargs` are those of `modes.Settings`. Raises ValueError for a mode that is not served."""
        check_filters(query.filters)
        settings = Settings.read(kwargs)
        restricted = conjoin(
            any_of("external_id", query.node_ids) if query.node_ids else None,  # retrievers send [] for all
            any_of("session", query.doc_ids) if query.doc_ids is not None else None,
        )
        condition = self._condition(query.filters, restricted)
        found = [each for each in answer(self.client, query, condition, settings) if is_node(each.record)]
        return VectorStoreQueryResult(
            nodes=[node_of(each.record) for each in found],
            similarities=[each.similarity for each in found],
            ids=[str(each.record.external_id) for each in found],
        )

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Nodes with their embeddings: all, those of the ids (in their order, unknown ones left out), or filtered."""
        records = [record for record in self._records(node_ids, filters) if is_node(record)]
        if node_ids is not None:
            place = {node_id: index for index, node_id in enumerate(node_ids)}
            records.sort(key=lambda record: place[str(record.external_id)])
        vectors = self.client.vectors([record.id for record in records]) if records else ()
        return [node_of(record, vector) for record, vector in zip(records, vectors, strict=True)]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Delete the nodes of a document; an unknown one is no error."""
        self._forget(self.client.records({"session": ref_doc_id}))

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,  # noqa: ANN401, ARG002
    ) -> None:
        """Delete the nodes that have one of the ids and match the filters; unknown ids are no error.

        Raises
        ------
        ValidationError: neither is given. `clear` deletes everything.
        """
        if node_ids is None and filters is None:
            raise ValidationError("delete_nodes needs node_ids or filters; clear() deletes every node")
        self._forget(self._records(node_ids, filters))

    def clear(self) -> None:
        """Delete every node of this namespace."""
        self._forget(self.client.records())

    def persist(self, persist_path: str = "", fs: fsspec.AbstractFileSystem | None = None) -> None:  # noqa: ARG002
        """Do nothing: everything is in the folder already. Raises ConfigError for a store in memory."""
        if self.path.startswith(IN_MEMORY):
            raise ConfigError("this store is kept in memory alone; give MnemoloomVectorStore a path to keep it")

    def ref_doc_hashes(self) -> dict[str, set[str]]:
        """The hashes that every document had when its nodes here were made, by document id.

        More than one: nodes of different versions of the document are served.
        """
        found: dict[str, set[str]] = {}
        for record in self.client.records():
            digest = source_hash(record) if is_node(record) else None
            if record.session and digest:
                found.setdefault(record.session, set()).add(digest)
        return found

    def close(self) -> None:
        """Let go of the store; it is closed when nothing else in this process uses it."""
        self._share.close()

    # -- the same for coroutines: the work leaves the event loop --------------------------------------

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # noqa: ANN401
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:  # noqa: ANN401
        return await asyncio.to_thread(self.query, query, **kwargs)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ANN401
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,  # noqa: ANN401
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    async def aclear(self) -> None:
        await asyncio.to_thread(self.clear)

    # -- finding --------------------------------------------------------------------------------------

    def _records(self, node_ids: list[str] | None, filters: MetadataFilters | None) -> list[Record]:
        check_filters(filters)
        wanted = None if node_ids is None else any_of("external_id", list(dict.fromkeys(node_ids)))
        asked = narrowed(filters)
        found = self.client.records(conjoin(wanted, asked.condition))
        return [record for record in found if asked.exact or matches(filters, record.metadata)]

    def _condition(self, filters: MetadataFilters | None, restricted: Filter | None) -> Filter | None:
        """What the core is asked; where it has no words for a filter, the ids of what matches."""
        asked = narrowed(filters)
        condition = conjoin(restricted, asked.condition)
        if asked.exact:
            return condition
        records = self.client.records(condition)
        return any_of("id", [record.id for record in records if matches(filters, record.metadata)])

    def _forget(self, records: Iterable[Record]) -> None:
        self.client.forget_many([record.id for record in records if is_node(record)], missing="skip")
