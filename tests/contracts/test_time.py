"""When a memory was recalled is noted unless asked not to; a clock that jumps breaks nothing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mnemoloom import ManualClock, Memory
from mnemoloom.embedders import HashingEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory

NOON = datetime(2026, 5, 14, 12, tzinfo=timezone.utc)


def test_recall_notes_when_a_memory_was_accessed(memory: Memory, clock: ManualClock) -> None:
    hit, missed = memory.remember_many(["The violin is in the attic.", "Nothing of the kind."])
    assert memory.get(hit).accessed is None
    clock.advance(60)
    memory.recall("violin", profile="lexical")
    assert memory.get(hit).accessed == NOON + timedelta(seconds=60)
    assert memory.get(missed).accessed is None


def test_the_note_is_shown_by_every_verb_at_once(memory: Memory, clock: ManualClock) -> None:
    memory.remember("The violin is in the attic.")
    memory.recall("violin")
    clock.advance(60)
    (again,) = memory.recall("violin")
    (listed,) = memory.records()
    assert again.record.accessed == NOON
    assert listed.accessed == NOON + timedelta(seconds=60)


def test_the_note_survives_reopening(memory: Memory, clock: ManualClock, folder: Path, open_memory: OpenMemory) -> None:
    note = memory.remember("The violin is in the attic.")
    clock.advance(60)
    memory.recall("violin")
    memory.close()
    assert open_memory(folder).get(note).accessed == NOON + timedelta(seconds=60)


def test_the_note_survives_with_the_next_write(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    note = memory.remember("The violin is in the attic.")
    memory.recall("violin")
    memory.remember("Something else.")
    assert open_memory(folder, read_only=True).get(note).accessed == NOON


def test_a_recall_that_is_asked_to_leaves_no_trace(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    note = memory.remember("The violin is in the attic.")
    memory.recall("violin", update=False)
    memory.why("violin", note)
    memory.close()
    assert open_memory(folder).get(note).accessed is None


def test_noting_an_access_is_no_entry_of_the_log(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    memory.remember("The violin is in the attic.")
    before = memory.stats().anchor
    memory.recall("violin")
    memory.close()
    again = open_memory(folder)
    assert (again.stats().entries, again.stats().anchor, again.verify().ok) == (1, before, True)


def test_a_memory_that_was_forgotten_after_its_recall_leaves_no_note(
    memory: Memory, folder: Path, open_memory: OpenMemory
) -> None:
    note = memory.remember("The violin is in the attic.")
    memory.recall("violin")
    memory.forget(note)
    memory.close()
    again = open_memory(folder)
    assert (len(again), again.verify().ok) == (0, True)


def test_a_clock_that_goes_backwards_keeps_order_and_recall(
    memory: Memory, clock: ManualClock, folder: Path, hashing: HashingEmbedder, open_memory: OpenMemory
) -> None:
    first = memory.remember("Ann lives in Bergen.", speaker="Ann", session="s")
    clock.advance(-30 * 86_400)
    second = memory.remember("Ann lives in Oslo.", speaker="Ann", session="s")
    clock.advance(-(10**9))
    third = memory.remember("Ann likes skiing.", speaker="Ann", session="s")
    assert first < second < third
    assert [record.id for record in memory.records()] == [first, second, third]
    # "now" goes by the time when it was said, and by the clock the first one was said last
    newest = memory.recall("Where does Ann live now?", k=3, profile="dialogue")
    assert {hit.id: hit.parts["recency"] for hit in newest} == pytest.approx({first: 0.3, second: 0.15, third: 0.0})
    (hit,) = memory.recall("skiing", k=1, expand=2)
    assert [record.id for record in hit.before] == [first, second]
    before = [(hit.id, hit.score) for hit in memory.recall("Where does Ann live?", k=3)]
    memory.close()
    again = open_memory(folder, clock=clock, embedder=hashing)
    assert [(hit.id, hit.score) for hit in again.recall("Where does Ann live?", k=3)] == before
    assert again.verify().ok


def test_the_concert_profile_takes_what_lies_in_the_future_as_said_now(memory: Memory, clock: ManualClock) -> None:
    memory.remember_many([f"The violin of room {number} is red." for number in range(5)])
    clock.advance(-86_400)
    memory.remember("The violin of room 9 is red.")
    hits = memory.recall("Where is the violin?", k=9, profile="concert")
    assert len(hits) == 6
    assert all(np.isfinite(hit.score) for hit in hits)
    assert {hit.parts["recency"] for hit in hits} == {0.35}


def test_an_access_may_be_noted_earlier_than_the_last_one(memory: Memory, clock: ManualClock) -> None:
    note = memory.remember("The violin is in the attic.")
    memory.recall("violin")
    clock.advance(-3600)
    memory.recall("violin")
    memory.remember("Something else.")
    assert memory.get(note).accessed == NOON - timedelta(hours=1)


def test_times_before_1970_are_times(memory: Memory) -> None:
    note = memory.remember("Man walks on the Moon.", time="1969-07-20T20:17:40Z")
    assert memory.get(note).time == datetime(1969, 7, 20, 20, 17, 40, tzinfo=timezone.utc)
    assert [hit.id for hit in memory.recall("Moon", before="1970-01-01")] == [note]


def test_months_and_years_are_times_wherever_a_moment_is_taken(memory: Memory) -> None:
    """Of a span of time, `as_of` means the end; everything else its beginning."""
    april, may, june = memory.remember_many(
        {"text": f"The violin is in room {n}.", "time": time}
        for n, time in enumerate(["2026-04", "2026-05-31T23:59", "2026-06"])
    )
    assert memory.get(april).time == datetime(2026, 4, 1, tzinfo=timezone.utc)

    def found(**options: str) -> list[int]:
        return sorted(hit.id for hit in memory.recall("violin", **options))

    assert found(as_of="2026-05") == [april, may]
    assert found(as_of="2026-05-31") == [april, may]
    assert found(as_of="2026-05-31T00:00") == [april]
    assert found(as_of="2026") == [april, may, june]
    assert found(as_of="2025") == []
    assert found(after="2026-05") == [may, june]
    assert found(before="2026-06") == [april, may]
    assert found(after="2026", before="2027") == [april, may, june]
    assert [record.id for record in memory.records({"time": {"$lt": "2026-05"}})] == [april]
    assert not memory.why("violin", june, as_of="2026-05").recalled
