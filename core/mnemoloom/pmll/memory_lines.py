"""PMLL's memory lines on a Memory: put a value under a key, query by concert, blend what was found.

A line is a memory: its text is the key, and value and context stand in its metadata. Every other memory shows as a
line, too, with its text as value and its metadata as context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import ConcertProfile
from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError
from mnemoloom.memory import Memory
from mnemoloom.records import Hit

__all__ = ["MemoryLine", "MemoryLines"]

_SOURCE = "pmll"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLine:
    """One line, as a query found it.

    recency: exp(−age / tau), in [0, 1]. novelty: 1 − best cosine with an earlier line. similarity: cosine with the
    query. weight: the concert score. anchor: PMLL's 16 hex digits of the log entry that put it.
    """

    id: int
    key: str
    value: Any
    context: Mapping[str, Any]
    timestamp: datetime
    recency: float
    novelty: float
    similarity: float
    weight: float
    anchor: str


@dataclass(frozen=True, slots=True)
class MemoryLines:
    """The lines of a memory, which must have an embedder or be given vectors. It stays the caller's to close.

    profile: the weights, tau and floor of the concert. A weight of zero cannot be taken out of a score again, so
    each must be above zero.
    """

    memory: Memory
    profile: ConcertProfile = field(default_factory=ConcertProfile)

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            if not getattr(self.profile, name) > 0.0:
                raise ConfigError(f"{name} of the concert must be above 0 for lines; got {getattr(self.profile, name)}")

    def put(
        self,
        key: str,
        value: Any,  # noqa: ANN401 - any JSON
        context: Mapping[str, Any] | None = None,
        *,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
    ) -> str:
        """Keep a value under a key; the anchor of its log entry. `vector`: the key's, if it is encoded already.

        Raises
        ------
        TextError, MetadataError, VectorError, EmbedderError, StoreError: nothing was stored.
        """
        self._check(vector)
        metadata = {"value": value, "context": {} if context is None else context}
        line = self.memory.remember(key, metadata=metadata, vector=vector, source=_SOURCE)
        return self.memory.anchor(line)

    def query(self, query: str, k: int = 5, *, vector: Any = None) -> list[MemoryLine]:  # noqa: ANN401
        """The lines that fit best, by the concert of recency, similarity and novelty; none below the floor."""
        self._check(vector)
        return [self._line(hit) for hit in self.memory.recall(query, k, profile=self.profile, vector=vector)]

    def bias_vector(self, query: str, k: int = 5, *, width: int, vector: Any = None) -> NDArray[np.float64]:  # noqa: ANN401
        """The mean of the values that a query finds, by weight: Σ w·v / Σ w, shape (width,); zeros if it finds none.

        Only lines whose value is a list of numbers take part. Raises DimensionMismatchError for another width.
        """
        if isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise ValidationError(f"width must be an integer, at least 1; got {width!r}")
        total, weights = np.zeros(width), 0.0
        for line in self.query(query, k, vector=vector):
            if _is_row(line.value) and line.weight > 0.0:
                if len(line.value) != width:
                    raise DimensionMismatchError(expected=width, got=len(line.value))
                total += line.weight * np.asarray(line.value, np.float64)
                weights += line.weight
        return total / weights if weights else total

    async def aput(self, key: str, value: Any, context: Mapping[str, Any] | None = None, **options: Any) -> str:  # noqa: ANN401
        return await asyncio.to_thread(self.put, key, value, context, **options)

    async def aquery(self, query: str, k: int = 5, **options: Any) -> list[MemoryLine]:  # noqa: ANN401
        return await asyncio.to_thread(self.query, query, k, **options)

    async def abias_vector(self, query: str, k: int = 5, **options: Any) -> NDArray[np.float64]:  # noqa: ANN401
        return await asyncio.to_thread(self.bias_vector, query, k, **options)

    def _check(self, vector: object) -> None:
        if vector is None and self.memory.embedder is None:
            raise ValidationError("lines are compared by their vectors: open the memory with an embedder, or give one")

    def _line(self, hit: Hit) -> MemoryLine:
        put_here = hit.record.source == _SOURCE and {"value", "context"} <= hit.metadata.keys()
        return MemoryLine(
            id=hit.id,
            key=hit.text,
            value=hit.metadata["value"] if put_here else hit.text,
            context=hit.metadata["context"] if put_here else hit.metadata,
            timestamp=hit.time,
            recency=hit.parts["recency"] / self.profile.alpha,
            novelty=hit.parts["novelty"] / self.profile.gamma,
            similarity=hit.parts["similarity"] / self.profile.beta,
            weight=hit.score,
            anchor=self.memory.anchor(hit.id),
        )


def _is_row(value: object) -> bool:
    return isinstance(value, list) and all(type(each) in (int, float) for each in value)
