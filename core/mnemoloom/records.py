"""What goes into a memory and what comes out: plain, frozen values.

A `Draft` is what a caller wants remembered. A `Record` is a remembered event. A `Hit` is a record
that answers a query, with its score; a `RecallResult` is the ranked sequence of hits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Draft", "Erased", "Explanation", "Hit", "RecallResult", "Record", "Stage", "Tier"]

_SHOWN = 60  # characters of a text in a repr


class Tier(str, Enum):
    """Where a memory lives."""

    LONG_TERM = "long_term"  # the default: indexed and recalled
    PERSISTENT = "persistent"  # pinned by the user
    COLD = "cold"  # kept, but recalled only when this tier is asked for

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A memory that has not been remembered yet.

    Parameters
    ----------
    text: what was said or written; 1 character to 1 MiB of UTF-8, not blank, no NUL.
    speaker: who said it. `user` and `assistant` (and their usual synonyms) are roles, other labels are names.
    session: the conversation it belongs to; neighbours are looked for within a session.
    time: when it was said (datetime, ISO 8601 or epoch seconds; UTC unless it says otherwise). A day, month or year
        ("2026-05") stands for its beginning. Default: now.
    metadata: a JSON object.
    external_id: the caller's own id; remembering the same one again replaces the memory.
    vector: shape (d,), if the caller has already encoded the text.
    source, trust: where it came from, and how far it is trusted: web, import, tool, model, user or system, from the
        least to the most. They never change afterwards.
    tier: `Tier.COLD` keeps it out of ordinary recall. None: long-term, unless a write gate finds it too little telling.
    pinned: keep it for good, in the persistent tier. ttl: seconds until it ends; None takes that of the settings. What
        is pinned has no end, whatever the settings say: both, or a pin on what was derived from what ends, is refused.
    derived_from: the memories, by id or external id, that this one was made of, such as those a summary sums up. It
        is trusted no further than the least of them, and `remove_source` and `erase` take it along with them.
    """

    text: str
    speaker: str | None = None
    session: str | None = None
    time: datetime | str | float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    vector: NDArray[np.floating[Any]] | Sequence[float] | None = None
    source: str | None = None
    trust: str = "user"
    tier: Tier | None = None
    pinned: bool = False
    ttl: float | timedelta | None = None
    derived_from: Sequence[int | str | Record | Hit] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Record:
    """One remembered event.

    `pointer` is the SHA-256 of the UTF-8 text, in hex: two events with the same text share it.
    `surprise` is the Titans surprise when it was written (information times novelty, at least 0).
    `expires` is the moment from which nothing shows it any more; None for one that does not end.
    """

    id: int
    text: str
    speaker: str | None
    session: str | None
    time: datetime
    metadata: Mapping[str, Any]
    tier: Tier
    pinned: bool
    created: datetime
    accessed: datetime | None
    pointer: str
    external_id: str | None
    source: str | None
    trust: str
    surprise: float
    expires: datetime | None = None

    def __repr__(self) -> str:
        return f"Record({_brief(self)})"


def _brief(record: Record) -> str:
    """Which memory it is, in about one line."""
    text = record.text if len(record.text) <= _SHOWN else record.text[: _SHOWN - 1] + "…"
    speaker = f" {record.speaker[:_SHOWN]!r}:" if record.speaker else ""
    return f"#{record.id} {record.time:%Y-%m-%d %H:%M}{speaker} {text!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure did.

    count: memories that are gone. pending_checkpoint: a reader holds an older state, and SQLite's log still has pages
    of it; erasing once more, when the reader is done, or closing the store, empties it.
    """

    count: int
    pending_checkpoint: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hit:
    """A record that answers a query.

    `parts` names every contribution to `score`; they add up to it within 1e-9.
    `supersedes` and `superseded_by` are ids of memories that state another value for what was asked, older and newer
    ones. `second_look` marks what only a second search found, among cold memories and replies.
    `repeats` are the other times that its speaker said the same, as `sleep` found; this one stands for them.
    `before` and `after` are its neighbours in the session, when `expand` asked for them; they have no weight.
    `score_l0` is its exact cosine with the query, where vectors are compared. `score_l1` and `score_l2` are the same as
    the coarser levels of the index saw it; None where they did not find it, or had no part.
    `short_term` marks what a variant shows because it was said last; `shown_from` names the memory that a hit is from.
    """

    record: Record
    score: float
    parts: Mapping[str, float]
    before: tuple[Record, ...] = ()
    after: tuple[Record, ...] = ()
    supersedes: tuple[int, ...] = ()
    superseded_by: tuple[int, ...] = ()
    second_look: bool = False
    score_l0: float | None = None
    score_l1: float | None = None
    score_l2: float | None = None
    short_term: bool = False
    repeats: tuple[Record, ...] = ()

    def __repr__(self) -> str:
        said = [f"{name}={value}" for name in ("supersedes", "superseded_by") if (value := getattr(self, name))]
        said += ["second_look=True"] if self.second_look else []
        said += ["short_term=True"] if self.short_term else []
        said += [f"repeats={tuple(record.id for record in self.repeats)}"] if self.repeats else []
        return f"Hit({', '.join([f'{self.score:.3f} {_brief(self.record)}', *said])})"

    @property
    def id(self) -> int:
        return self.record.id

    @property
    def text(self) -> str:
        return self.record.text

    @property
    def speaker(self) -> str | None:
        return self.record.speaker

    @property
    def session(self) -> str | None:
        return self.record.session

    @property
    def time(self) -> datetime:
        return self.record.time

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.record.metadata

    @property
    def tier(self) -> Tier:
        return self.record.tier

    @property
    def shown_from(self) -> str:
        """The memory that it is from: short_term, persistent, long_term or cold."""
        return "short_term" if self.short_term else self.record.tier.value

    @property
    def pointer(self) -> str:
        return self.record.pointer

    @property
    def external_id(self) -> str | None:
        return self.record.external_id

    @property
    def source(self) -> str | None:
        return self.record.source

    @property
    def trust(self) -> str:
        return self.record.trust


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RecallResult(Sequence[Hit]):
    """The hits of one query, best first (of the variant MAC, in the order to show them); a sequence.

    `profile` names the formula that ranked them. `encoded` says whether the query was encoded:
    without an encoder the ranking is lexical. `confidence` is the probability, from 0 to 1, that memory holds an
    answer, when half of all questions have one. It detects questions about other people's lives (AUROC .92–.96) and
    about the wrong person (.77), and hardly those for a detail that a remembered event lacks (.63).
    `about_someone_else`: what fits was said by another than the speaker whom the query names.
    `degraded`: why the query could not be encoded although it should have been, so that the ranking goes by words,
    names and dates alone; None when nothing is missing.
    """

    query: str
    profile: str
    encoded: bool
    hits: tuple[Hit, ...]
    confidence: float
    about_someone_else: bool
    degraded: str | None = None

    def __repr__(self) -> str:
        found = ", ".join(f"#{hit.id} {hit.score:.3f} {hit.text[:40]!r}" for hit in self.hits)
        sure = f"confidence={self.confidence:.2f}"
        return f"RecallResult({self.query!r}, profile={self.profile!r}, {sure}, hits=[{found}])"

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step that a memory passed, or the one that let it go."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a memory is, or is not, among the hits of a query.

    `rank` counts from 1, among what a variant shows if it shows the memory; it is None when the memory was no
    candidate. `score` and `parts` are those of the hit, if it is one. `stages` runs in order and ends
    with the first one that was not passed. `confidence` is that of the whole result; `missing` names the words of
    the query that the best memories match worst, with how well they do (a cosine).
    """

    query: str
    memory_id: int
    profile: str
    recalled: bool
    rank: int | None
    score: float | None
    parts: Mapping[str, float]
    stages: tuple[Stage, ...]
    confidence: float
    missing: Mapping[str, float]

    def __str__(self) -> str:
        verdict = "recalled" if self.recalled else "not recalled"
        lines = [f"memory {self.memory_id} is {verdict} for {self.query!r} (profile {self.profile})"]
        lines += [f"  {'passed' if s.passed else 'lost at'} {s.name}: {s.detail}" for s in self.stages]
        if self.parts:
            lines.append("  parts: " + ", ".join(f"{name} {value:+.3f}" for name, value in self.parts.items()))
        weak = ", ".join(f"{word} {fit:.2f}" for word, fit in self.missing.items())
        lines.append(f"  confidence {self.confidence:.2f}" + (f"; matched worst: {weak}" if weak else ""))
        return "\n".join(lines)
