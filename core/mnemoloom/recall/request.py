"""A call of recall: checked, then read and encoded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import AssistantProfile, ConcertProfile, Profile, WeightedProfile
from mnemoloom.filters import Filter
from mnemoloom.index.exact import unit_row
from mnemoloom.recall.encoding import Encoding
from mnemoloom.recall.parts import Evidence
from mnemoloom.recall.query import Query
from mnemoloom.recall.updates import Asked
from mnemoloom.titans import Variant

__all__ = ["Prepared", "Request", "evidence_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checked call of recall.

    cold: whether cold memories take part. vector: the caller's encoding of the query, instead of ours.
    exact: compare the query with every vector, however many there are. as_of: only what was said until then (ms).
    least: the confidence below which there is no answer; None answers always.
    variant: Titans' way to use memory; window: the ids of the turns in short-term memory, which may be cold.
    trusted: the labels of trust that may answer; None takes all. per_source: how many hits one source may give.
    topics: only memories of these.
    """

    query: str
    k: int
    profile: str | Profile | None = None
    condition: Filter | None = None
    topics: frozenset[int] | None = None
    cold: bool = False
    expand: int = 0
    asker: str | None = None
    vector: NDArray[np.float32] | None = None
    exact: bool = False
    as_of: int | None = None
    least: float | None = None
    variant: Variant = "memory"
    window: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    trusted: tuple[str, ...] | None = None
    per_source: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was read: the formula, the query, its encoding, and which version of a value it asks for.

    degraded: why the query is not encoded although it should be.
    """

    profile: Profile
    query: Query
    evidence: Evidence
    asked: Asked | None
    degraded: str | None = None


def evidence_of(
    request: Request, profile: Profile, query: Query, *, encoding: Encoding | None, width: int | None, now: int
) -> Evidence:
    """The query's vector and tokens, as far as the profile uses them and the store has any to compare.

    width: of the store's vectors, None before the first. now: milliseconds. Raises EmbedderError.
    """
    now = now if request.as_of is None else request.as_of
    if width is None or not _uses_vectors(profile):
        return Evidence(vector=None, now=now)
    if request.vector is not None:
        return Evidence(vector=unit_row(request.vector, width=width), now=now)
    if encoding is None:
        return Evidence(vector=None, now=now)
    strip = isinstance(profile, WeightedProfile) and profile.strip_names
    compared = not isinstance(profile, ConcertProfile)
    row, tokens = encoding.query(query.topic if strip else query.text, tokens=compared)
    projection = encoding.projection(tokens.vectors.shape[1]) if tokens and tokens.words else None
    return Evidence(
        vector=unit_row(row, width=width), now=now, tokens=tokens if projection else None, projection=projection
    )


def _uses_vectors(profile: Profile) -> bool:
    return isinstance(profile, ConcertProfile) or (
        isinstance(profile, (WeightedProfile, AssistantProfile)) and profile.dense > 0
    )
