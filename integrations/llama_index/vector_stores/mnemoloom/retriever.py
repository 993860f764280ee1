"""Recall as a LlamaIndex retriever: the core's own ranking, with its ids and scores unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle, TextNode

from llama_index.vector_stores.mnemoloom.base import MnemoloomVectorStore
from llama_index.vector_stores.mnemoloom.nodes import is_node, node_of
from mnemoloom import Hit, Memory, RecallResult
from mnemoloom.errors import ValidationError
from mnemoloom.filters import Filter

__all__ = ["MnemoloomRetriever"]


class MnemoloomRetriever(BaseRetriever):
    """Retrieves what `Memory.recall` finds, from remembered texts or from the nodes of a vector store.

    A remembered text becomes a TextNode with its speaker, session and time in the metadata; its id is the external
    id, or the number. A node of a vector store comes back as it went in.

    Parameters
    ----------
    memory: where to look.
    k: how many, at most.
    recall: further arguments of `Memory.recall`, such as {"where": {...}, "profile": "document", "expand": 1}.
        With `expand`, a node's text holds the neighbours of the hit, too.
    min_score: leaves out hits with a lower score. Scores rank, and depend on the profile.
    embed_model: encodes questions, where the memory has no embedder of its own (that of a vector store has none).
    at_once: how many questions of one event loop are worked on at the same time. Each is a thread that takes its turns
        with the loop, so more of them make the loop wait; a memory with an encoder on another machine gains by more.
    """

    def __init__(
        self,
        memory: Memory | MnemoloomVectorStore,
        *,
        k: int = 5,
        where: Filter | Mapping[Any, Any] | None = None,
        min_score: float | None = None,
        embed_model: BaseEmbedding | None = None,
        recall: Mapping[str, Any] | None = None,
        at_once: int = 2,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(callback_manager=callback_manager, verbose=verbose)
        self._store = memory if isinstance(memory, MnemoloomVectorStore) else None  # keeps it open
        self._memory = memory.client if isinstance(memory, MnemoloomVectorStore) else memory
        self._options = {"k": k, "where": where, **(recall or {})}
        self._min_score, self._embed_model = min_score, embed_model
        if at_once < 1:
            raise ValidationError(f"at_once must be at least 1; got {at_once!r}")
        self._at_once = at_once
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None and self._embed_model is not None:
            vector = self._embed_model.get_agg_embedding_from_queries(query_bundle.embedding_strs)
        return self._recalled(query_bundle.query_str, vector)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = query_bundle.embedding
        if vector is None and self._embed_model is not None:
            vector = await self._embed_model.aget_agg_embedding_from_queries(query_bundle.embedding_strs)
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(loop, asyncio.Semaphore(self._at_once)):
            # the nodes are made in the thread, too
            return await asyncio.to_thread(self._recalled, query_bundle.query_str, vector)

    def _recalled(self, question: str, vector: list[float] | None) -> list[NodeWithScore]:
        return self._nodes(self._memory.recall(question, vector=vector, **self._options))

    def _nodes(self, result: RecallResult) -> list[NodeWithScore]:
        return [
            NodeWithScore(node=_node(hit), score=hit.score)
            for hit in result
            if self._min_score is None or hit.score >= self._min_score
        ]


def _node(hit: Hit) -> BaseNode:
    record = hit.record
    if is_node(record):
        return node_of(record)
    told = {"speaker": record.speaker, "session": record.session, "time": record.time.isoformat(timespec="seconds")}
    told |= {"source": record.source, "trust": record.trust}
    known = {name: value for name, value in told.items() if value is not None}
    return TextNode(
        id_=record.external_id or str(record.id),
        text="\n".join(each.text for each in (*hit.before, record, *hit.after)),
        metadata={**record.metadata, **known},
        excluded_embed_metadata_keys=list(known),
        excluded_llm_metadata_keys=["session", "source", "trust"],
    )
