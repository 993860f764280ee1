"""What sleep tells of itself: plain, frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mnemoloom.consolidation import Quadrant

__all__ = ["SleepChange", "SleepReport", "SleepState", "Undone", "What"]

What = Literal["merged", "to_cold", "to_long_term", "forgotten"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepChange:
    """What happens to one memory, and why. stand_in: of a merged one, the memory that it repeats."""

    id: int
    what: What
    reason: str
    stand_in: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepState:
    """A namespace in numbers. merged: memories for which another one stands. bytes: of all files of the store."""

    memories: int
    tiers: Mapping[str, int]
    merged: int
    quadrants: Mapping[Quadrant, int]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepReport:
    """What a sleep did, or would do.

    id: for `undo_sleep`; None if nothing was to be changed, or it was only planned. spared: memories that the policy
    names and its floor keeps. steps: how much each step of upkeep changed, by name: "orphans", payloads that belonged
    to no memory; "topics", memories that were sorted into another topic.
    relearned: texts that were encoded with a token projection fitted anew. pending_checkpoint: a reader holds an older
    state, and the files shrink when it is done and the store is closed or sleeps again. not_compacted: why the files
    could not be made smaller, such as a full disk, else None.
    """

    id: int | None
    time: datetime
    planned_only: bool
    changes: tuple[SleepChange, ...]
    before: SleepState
    after: SleepState
    spared: int
    steps: Mapping[str, int]
    relearned: int = 0
    pending_checkpoint: bool = False
    not_compacted: str | None = None

    def counts(self) -> dict[What, int]:
        """How many memories each kind of change touches."""
        kinds: tuple[What, ...] = ("merged", "to_cold", "to_long_term", "forgotten")
        return {kind: sum(change.what == kind for change in self.changes) for kind in kinds}

    def to_json(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "id": self.id,
            "time": self.time.isoformat(),
            "planned_only": self.planned_only,
            "counts": self.counts(),
            "changes": [
                {"id": each.id, "what": each.what, "reason": each.reason}
                | ({} if each.stand_in is None else {"stand_in": each.stand_in})
                for each in self.changes
            ],
            "before": _state_json(self.before),
            "after": _state_json(self.after),
            "spared": self.spared,
            "steps": dict(self.steps),
            "relearned": self.relearned,
            "pending_checkpoint": self.pending_checkpoint,
            "not_compacted": self.not_compacted,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What undoing a sleep brought back.

    moved: memories that are in their tier of before again. separated: repetitions that stand for themselves again.
    left: memories that were moved since, and stay where they are. forgotten: what no undoing brings back.
    steps: how much of each step of upkeep was taken back, by name; "topics": memories in their topic of before.
    """

    sleep: int
    moved: int
    separated: int
    left: int
    forgotten: int
    steps: Mapping[str, int]


def _state_json(state: SleepState) -> dict[str, Any]:
    return {
        "memories": state.memories,
        "tiers": dict(state.tiers),
        "merged": state.merged,
        "quadrants": dict(state.quadrants),
        "bytes": state.bytes,
    }
