"""What goes in and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timezone

import pytest

from mnemoloom import Draft, Explanation, Hit, RecallResult, Record, Stage, Tier

MOMENT = datetime(2024, 5, 14, tzinfo=timezone.utc)
RECORD = Record(
    id=7,
    text="I moved to Oslo.",
    speaker="Ann",
    session="s",
    time=MOMENT,
    metadata={"city": "Oslo"},
    tier=Tier.LONG_TERM,
    pinned=False,
    created=MOMENT,
    accessed=None,
    pointer="ab",
    external_id="x-1",
    source=None,
    trust="user",
    surprise=1.5,
)
HIT = Hit(record=RECORD, score=0.75, parts={"dense": 0.5, "lexical": 0.25})
RESULT = RecallResult(
    query="Oslo?",
    profile="dialogue",
    encoded=True,
    hits=(HIT, replace(HIT, record=replace(RECORD, id=9))),
    confidence=0.5,
    about_someone_else=False,
)


def test_a_tier_reads_as_its_value() -> None:
    assert f"{Tier.COLD}" == str(Tier.COLD) == Tier.COLD.value == "cold"
    assert Tier("persistent") is Tier.PERSISTENT


@pytest.mark.parametrize("value", [RECORD, HIT, RESULT, Draft(text="a"), Stage(name="cut", passed=True, detail="")])
def test_values_are_frozen(value: object) -> None:
    with pytest.raises((FrozenInstanceError, TypeError)):
        value.text = "another"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    ["id", "text", "speaker", "session", "time", "metadata", "tier", "pointer", "external_id"],
)
def test_a_hit_shows_the_fields_of_its_record(name: str) -> None:
    assert getattr(HIT, name) == getattr(RECORD, name)


def test_a_result_is_a_sequence_of_hits() -> None:
    assert isinstance(RESULT, Sequence)
    assert len(RESULT) == 2
    assert [hit.id for hit in RESULT] == [7, 9]
    assert RESULT[-1].id == 9
    assert RESULT[:1] == (HIT,)
    assert HIT in RESULT
    assert RESULT.index(HIT) == 0
    assert [hit.id for hit in reversed(RESULT)] == [9, 7]


def test_records_and_hits_are_printed_in_about_a_line() -> None:
    assert repr(RECORD) == "Record(#7 2024-05-14 00:00 'Ann': 'I moved to Oslo.')"
    assert repr(HIT) == "Hit(0.750 #7 2024-05-14 00:00 'Ann': 'I moved to Oslo.')"
    told = repr(replace(HIT, supersedes=(3, 4), superseded_by=(9,), second_look=True))
    assert told == repr(HIT)[:-1] + ", supersedes=(3, 4), superseded_by=(9,), second_look=True)"
    long = replace(RECORD, text="bees \x1b[31m " * 1000, speaker=None)
    assert len(repr(replace(HIT, record=long))) < 120
    assert "\x1b" not in repr(long)


def test_an_empty_result_is_false() -> None:
    assert not replace(RESULT, hits=())


def test_drafts_do_not_share_their_metadata() -> None:
    assert Draft(text="a").metadata is not Draft(text="b").metadata


def test_an_explanation_can_be_read() -> None:
    told = Explanation(
        query="Oslo?",
        memory_id=7,
        profile="dialogue",
        recalled=False,
        rank=6,
        score=0.75,
        parts={"dense": 0.5, "lexical": 0.25},
        stages=(Stage(name="tier", passed=True, detail="it is not cold"), Stage(name="cut", passed=False, detail="6")),
        confidence=0.25,
        missing={"oslo": 0.5},
    )
    assert str(told) == (
        "memory 7 is not recalled for 'Oslo?' (profile dialogue)\n"
        "  passed tier: it is not cold\n"
        "  lost at cut: 6\n"
        "  parts: dense +0.500, lexical +0.250\n"
        "  confidence 0.25; matched worst: oslo 0.50"
    )
