"""Conversations to fill stores with, and what it means that two stores answer alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mnemoloom import Draft, Embedder, ManualClock, Memory, RecallResult, Tier
from unit.recall.small_stores import NOW, QUERIES

SPEAKERS: dict[str, list[str | None]] = {
    "people": ["Ann", "Otto", "Ann Lee"],
    "roles": ["user", "assistant"],
    "documents": [None],
}
QUESTIONS = [*QUERIES[::2], "word3 word17 word40", "Which word29 did Ann see now?", "Did you recommend word11?"]


def conversation(kind: str, count: int = 100) -> list[Draft]:
    """Turns of interleaved sessions; every text is another."""
    rng = np.random.default_rng(11)
    vocabulary = [f"word{n}" for n in range(70)] + ["dog", "garden", "violin", "Oslo", "paint", "tomato", "hiking"]
    return [
        Draft(
            text=" ".join([*rng.choice(vocabulary, size=rng.integers(2, 14)), f"unique{n}"]),
            speaker=SPEAKERS[kind][int(rng.integers(len(SPEAKERS[kind])))],
            session=["one", "two", "three", None][int(rng.integers(4))],
            time=NOW.timestamp() - 3600.0 * (400 - n),
            tier=Tier.COLD if rng.random() < 0.05 else Tier.LONG_TERM,
        )
        for n in range(count)
    ]


def open_at(folder: Path, embedder: Embedder | None) -> Memory:
    return Memory.open(folder, embedder=embedder, clock=ManualClock(NOW))


def assert_equal_results(one: RecallResult, other: RecallResult) -> None:
    assert (one.profile, one.encoded) == (other.profile, other.encoded)
    assert [hit.text for hit in one] == [hit.text for hit in other]
    for left, right in zip(one, other, strict=True):
        assert left.parts == pytest.approx(right.parts, abs=1e-6)
        assert left.score == pytest.approx(right.score, abs=1e-6)
        assert [record.text for record in left.before] == [record.text for record in right.before]
        assert [record.text for record in left.after] == [record.text for record in right.after]
