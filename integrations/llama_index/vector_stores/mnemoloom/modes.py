"""How a LlamaIndex query is answered: which formula of the core ranks, how many, and how good each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from numpy.typing import NDArray

from llama_index.vector_stores.mnemoloom.filters import any_of
from mnemoloom import Memory, Record, WeightedProfile
from mnemoloom.errors import UnknownMemoryError, ValidationError
from mnemoloom.filters import Filter

__all__ = ["Found", "Settings", "answer"]

Mode = VectorStoreQueryMode


@dataclass(frozen=True, slots=True)
class Found:
    """A record that answers a query. similarity: the cosine, or what its mode ranks by; higher is better."""

    record: Record
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a caller may say beside the query, through `vector_store_kwargs`.

    mmr_threshold: 0 looks for variety alone, 1 for similarity alone; 0.5 if neither this nor the query says.
    mmr_prefetch_factor: so many times `similarity_top_k` are compared with one another; mmr_prefetch_k: or so many.
    exact: compare with every vector; beyond 8,000 nodes an index picks the candidates otherwise.
    """

    mmr_threshold: float | None = None
    mmr_prefetch_factor: float = 4.0
    mmr_prefetch_k: int | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.mmr_threshold is not None and not 0.0 <= self.mmr_threshold <= 1.0:
            raise ValidationError(f"mmr_threshold must be in [0, 1]; got {self.mmr_threshold!r}")
        if self.mmr_prefetch_factor < 1.0:
            raise ValidationError(f"mmr_prefetch_factor must be at least 1; got {self.mmr_prefetch_factor!r}")
        if self.mmr_prefetch_k is not None and self.mmr_prefetch_k < 1:
            raise ValidationError(f"mmr_prefetch_k must be at least 1; got {self.mmr_prefetch_k!r}")

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Settings:
        """Raises TypeError for a setting that there is not."""
        unknown = sorted(set(given) - set(cls.__slots__))
        if unknown:
            raise TypeError(f"query takes {', '.join(cls.__slots__)}; got {unknown[0]!r}")
        return cls(**given)


def answer(memory: Memory, query: VectorStoreQuery, where: Filter | None, settings: Settings) -> list[Found]:
    """The records that answer a query, best first. Raises ValueError for a mode or query that cannot be served."""
    mode = query.mode
    if mode is Mode.DEFAULT:
        return _default(memory, query, where, settings)
    if mode is Mode.MMR:
        return _varied(memory, query, where, settings)
    if mode is Mode.HYBRID:
        limit = query.similarity_top_k if query.hybrid_top_k is None else query.hybrid_top_k
        return _ranked(memory, query, where, settings, profile=_hybrid(query.alpha), limit=limit)
    if mode is Mode.SPARSE:
        limit = query.similarity_top_k if query.sparse_top_k is None else query.sparse_top_k
        return _ranked(memory, query, where, settings, profile="lexical", limit=limit)
    if mode is Mode.TEXT_SEARCH:
        return _ranked(memory, query, where, settings, profile="lexical", limit=query.similarity_top_k)
    raise ValueError(f"Invalid query mode: {mode}")


def _default(memory: Memory, query: VectorStoreQuery, where: Filter | None, settings: Settings) -> list[Found]:
    if query.query_embedding is not None:
        found, _ = _nearest(memory, query, where, settings, limit=query.similarity_top_k)
        return found
    if where is None:
        raise ValueError("a query needs an embedding, or filters, node ids or document ids")
    return [Found(record, 1.0) for record in memory.records(where, limit=query.similarity_top_k)]


def _varied(memory: Memory, query: VectorStoreQuery, where: Filter | None, settings: Settings) -> list[Found]:
    """Maximal marginal relevance, by LlamaIndex's own function; the similarities are its scores."""
    top = query.similarity_top_k
    limit = settings.mmr_prefetch_k or int(top * settings.mmr_prefetch_factor)
    candidates, vectors = _nearest(memory, query, where, settings, limit=max(limit, top))
    if not candidates:
        return []
    threshold = query.mmr_threshold if settings.mmr_threshold is None else settings.mmr_threshold
    scores, places = get_top_k_mmr_embeddings(
        _embedding(query), list(vectors), similarity_top_k=top, mmr_threshold=threshold
    )
    return [Found(candidates[place].record, float(score)) for score, place in zip(scores, places, strict=True)]


def _ranked(
    memory: Memory,
    query: VectorStoreQuery,
    where: Filter | None,
    settings: Settings,
    *,
    profile: str | WeightedProfile,
    limit: int,
) -> list[Found]:
    """By a formula in which words count; the similarities are the core's scores."""
    if not query.query_str or not query.query_str.strip():
        raise ValueError(f"the query mode {query.mode.value!r} needs a query text")
    if query.mode is Mode.HYBRID:
        _embedding(query)
    if limit < 1:
        return []
    hits = memory.recall(
        query.query_str,
        limit,
        profile=profile,
        where=where,
        vector=query.query_embedding,
        exact=settings.exact,
        per_source=1,  # all nodes are of one source
        update=False,
    )
    return [Found(hit.record, hit.score) for hit in hits]


def _nearest(
    memory: Memory, query: VectorStoreQuery, where: Filter | None, settings: Settings, *, limit: int
) -> tuple[list[Found], NDArray[np.float32]]:
    """The nodes with the best cosine, and their unit vectors (n, d)."""
    asked = np.asarray(_embedding(query), np.float64)
    if limit < 1:
        return [], np.empty((0, len(asked)), np.float32)
    ids = memory.nearest(vector=asked, k=limit, where=where, exact=settings.exact).ids.tolist()
    known = {record.id: record for record in memory.records(any_of("id", ids))}
    records = {each: known[each] for each in ids if each in known}
    vectors = _vectors(memory, records) if records else np.empty((0, len(asked)), np.float32)
    cosines = vectors.astype(np.float64) @ asked / np.linalg.norm(asked)
    found = [Found(record, float(cosine)) for record, cosine in zip(records.values(), cosines, strict=True)]
    order = sorted(range(len(found)), key=lambda place: -found[place].similarity)
    return [found[place] for place in order], vectors[order]


def _vectors(memory: Memory, records: dict[int, Record]) -> NDArray[np.float32]:
    """The vectors of records; one that was forgotten since it was found is taken out."""
    while True:
        try:
            return memory.vectors(list(records))
        except UnknownMemoryError as gone:  # noqa: PERF203 - rare, and each time one record fewer
            del records[int(str(gone.memory_id))]


def _embedding(query: VectorStoreQuery) -> list[float]:
    if query.query_embedding is None:
        raise ValueError(f"the query mode {query.mode.value!r} needs an embedding")
    return query.query_embedding


def _hybrid(alpha: float | None) -> WeightedProfile:
    """alpha·s(cos) + (1 − alpha)·B / max B, both parts scaled by the core."""
    share = 0.5 if alpha is None else alpha
    if not 0.0 <= share <= 1.0:
        raise ValidationError(f"alpha must be in [0, 1]: 0 for words alone, 1 for vectors alone; got {alpha!r}")
    return WeightedProfile(
        name="hybrid",
        dense=share,
        lexical=1.0 - share,
        window=(),
        speaker=0.0,
        date=0.0,
        surprise=0.0,
        maxsim=0.0,
        recency=0.0,
        strip_names=False,
    )
