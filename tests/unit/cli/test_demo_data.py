"""The bundled demo: a conversation of two friends, and questions whose answers are known turns of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

Row = dict[str, Any]

MONTHS = {
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
}  # fmt: skip
STOP_WORDS = """
a about after all an and any are as at be been before but by can could did do does for from had has have he her his how
i if in is it its me my no not now of on one or she so than that the their them there they this to was we were what when
where which who why will with would you your ingrid tomasz
"""


def read(name: str) -> list[Row]:
    text = (files("mnemoloom") / "cli" / "demo" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def content_words(text: str) -> set[str]:
    """Lower-case words and numbers that carry meaning; `9.7` and `1,200` are one word each."""
    words = re.findall(r"\w+(?:[.,]\w+)*", text.lower().replace("'s", ""))
    return set(words) - set(STOP_WORDS.split())


@pytest.fixture(scope="module")
def turns() -> list[Row]:
    return read("conversation.jsonl")


@pytest.fixture(scope="module")
def questions() -> list[Row]:
    return read("questions.jsonl")


def of_kind(questions: list[Row], kind: str) -> list[Row]:
    return [question for question in questions if question["kind"] == kind]


def test_every_turn_has_exactly_a_text_a_speaker_a_session_and_a_time(turns: list[Row]) -> None:
    for turn in turns:
        assert set(turn) == {"text", "speaker", "session", "time"}
        assert all(isinstance(value, str) and value == value.strip() != "" for value in turn.values())


def test_the_conversation_has_about_eighty_turns_in_about_ten_sessions(turns: list[Row]) -> None:
    assert 75 <= len(turns) <= 90
    assert 8 <= len({turn["session"] for turn in turns}) <= 12


def test_two_friends_speak_in_every_session(turns: list[Row]) -> None:
    speakers = {turn["speaker"] for turn in turns}
    assert speakers == {"Ingrid", "Tomasz"}
    spoken = {(turn["session"], turn["speaker"]) for turn in turns}
    assert spoken == {(turn["session"], speaker) for turn in turns for speaker in speakers}


def test_a_session_is_named_by_the_date_of_its_turns(turns: list[Row]) -> None:
    for turn in turns:
        moment = datetime.fromisoformat(turn["time"])
        assert moment.utcoffset() == timedelta(0)
        assert date.fromisoformat(turn["session"]) == moment.date()


def test_times_strictly_increase_over_at_least_six_months(turns: list[Row]) -> None:
    times = [datetime.fromisoformat(turn["time"]) for turn in turns]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[-1] - times[0] >= timedelta(days=183)
    assert {moment.year for moment in times} == {2026}


def test_turns_of_a_session_are_one_to_two_minutes_apart(turns: list[Row]) -> None:
    for earlier, later in pairwise(turns):
        if earlier["session"] == later["session"]:
            gap = datetime.fromisoformat(later["time"]) - datetime.fromisoformat(earlier["time"])
            assert timedelta(minutes=1) <= gap <= timedelta(minutes=2)


def test_texts_are_unique_and_of_natural_length(turns: list[Row]) -> None:
    texts = [turn["text"] for turn in turns]
    assert len(set(texts)) == len(texts)
    assert all(8 <= len(text.split()) <= 60 for text in texts)


def test_twelve_questions_cover_every_kind(questions: list[Row]) -> None:
    assert all(set(question) == {"question", "answer", "evidence", "kind"} for question in questions)
    assert len({question["question"] for question in questions}) == 12
    kinds = Counter(question["kind"] for question in questions)
    assert kinds == {"fact": 5, "temporal": 2, "update": 2, "multi": 1, "unknown": 2}


def test_evidence_points_at_turns_and_only_unknown_questions_have_none(turns: list[Row], questions: list[Row]) -> None:
    for question in questions:
        evidence = question["evidence"]
        assert all(type(line) is int and 1 <= line <= len(turns) for line in evidence)
        assert evidence == sorted(set(evidence))
        assert (evidence == []) == (question["kind"] == "unknown")


def test_every_evidence_turn_shares_content_words_with_the_answer(turns: list[Row], questions: list[Row]) -> None:
    for question in questions:
        for line in question["evidence"]:
            assert content_words(question["answer"]) & content_words(turns[line - 1]["text"]), question["question"]


def test_the_evidence_turns_together_hold_every_content_word_of_the_answer(
    turns: list[Row], questions: list[Row]
) -> None:
    for question in questions:
        if question["kind"] != "unknown":
            held = set().union(*(content_words(turns[line - 1]["text"]) for line in question["evidence"]))
            assert content_words(question["answer"]) <= held, question["question"]


def test_a_multi_hop_question_needs_more_than_one_session(turns: list[Row], questions: list[Row]) -> None:
    for question in of_kind(questions, "multi"):
        assert len({turns[line - 1]["session"] for line in question["evidence"]}) > 1


def test_a_temporal_question_names_the_month_of_its_evidence(turns: list[Row], questions: list[Row]) -> None:
    for question in of_kind(questions, "temporal"):
        named = MONTHS & content_words(question["question"])
        said = {date.fromisoformat(turns[line - 1]["session"]).strftime("%B").lower() for line in question["evidence"]}
        assert named == said


def test_an_update_question_is_answered_by_the_newest_of_several_values(turns: list[Row], questions: list[Row]) -> None:
    # what every statement of the value says right after the number
    stated = {
        "How much does Pumpernickel weigh now?": "kilos",
        "How much does one of Ingrid's notebooks cost now?": "kroner each",
    }
    updates = of_kind(questions, "update")
    assert {question["question"] for question in updates} == set(stated)
    for question in updates:
        lines = [n for n, turn in enumerate(turns, 1) if re.search(rf"\d {stated[question['question']]}", turn["text"])]
        assert len(lines) > 1
        assert question["evidence"] == [lines[-1]]
