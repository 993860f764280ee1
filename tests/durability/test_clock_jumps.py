"""Whatever the clock does, order comes from the log, scores stay finite, and nothing is lost."""

from __future__ import annotations

import math
import random
from pathlib import Path

from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.clock import to_millis
from mnemoloom.embedders import HashingEmbedder

_HOUR, _YEAR = 3600.0, 365.25 * 86400.0
JUMPS = (-_HOUR, _HOUR, -10 * _YEAR, 10 * _YEAR, -0.001, 0.0, 2 * _HOUR, -30 * _YEAR, 40 * _YEAR)


class JumpingClock:
    """Tells what it is told."""

    seconds = 1774745999.0  # a second before a summer time begins

    def now(self) -> float:
        return self.seconds


@tier(quick=30, torture=3000)
def test_a_clock_that_jumps_back_and_forth_disturbs_nothing(quick_disk: Path, size: int) -> None:
    chance = random.Random(size)
    clock = JumpingClock()
    memory = Memory.open(quick_disk / "store", clock=clock, embedder=HashingEmbedder(16))
    ids: list[int] = []
    for number in range(size):
        clock.seconds = min(max(clock.seconds + chance.choice(JUMPS), 0.0), 4e9)
        ids.append(memory.remember(f"Note {number} is about the boat.", speaker=chance.choice(("Ann", "Ben"))))
        for profile in ("dialogue", "concert"):
            hits = memory.recall("What is the latest note about the boat?", k=5, profile=profile)
            assert len(hits) == min(5, number + 1)
            assert all(math.isfinite(hit.score) for hit in hits)
            assert all(-1.0 <= value <= 2.0 for hit in hits for value in hit.parts.values())
        if number % 20 == 19:
            memory.close()
            memory = Memory.open(quick_disk / "store", clock=clock, embedder=HashingEmbedder(16))
    assert ids == sorted(ids)
    assert [record.id for record in memory.records()] == ids
    assert memory.verify().ok
    assert to_millis(memory.get(ids[-1]).created) == round(clock.seconds * 1000)
    memory.close()
