"""How sure memory is: what it says, what it keeps to itself, and what it looks for before giving up."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Draft, Embedder, Memory, Tier
from mnemoloom.errors import CorruptionError, ReadOnlyError, TextError, ValidationError
from mnemoloom.recall.confidence import THRESHOLD
from unit.recall.small_stores import ENCODERS, NOW, PEOPLE, QUERIES, ROLES, conversations, open_with
from unit.recall.word_embedder import RowEmbedder, WordEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

TALK = [
    ("Ann", "I painted the garden fence blue on Sunday."),
    ("Otto", "My violin teacher moved to Lisbon."),
    ("Ann", "The tomatoes in the greenhouse are ripe."),
    ("Otto", "I repaired the old sailing boat in the harbour."),
    ("Ann", "My sister brings the birthday cake."),
    ("Otto", "The train to Bergen was late again."),
    ("Ann", "We adopted a greyhound called Pixel."),
    ("Otto", "I bake rye bread every morning."),
]
KNOWN = "Who repaired the old sailing boat in the harbour?"
FOREIGN = "Which telescope in our garden shows Saturn's icy rings, moons and comets tonight?"


def drafts(**fields: Any) -> list[Draft]:
    return [Draft(text=text, speaker=who, session=text, time=NOW, **fields) for who, text in TALK]


@pytest.fixture(params=[None, RowEmbedder(), WordEmbedder()], ids=["no encoder", "rows", "tokens"])
def encoder(request: pytest.FixtureRequest) -> Embedder | None:
    return request.param


@pytest.fixture
def talk(open_memory: OpenMemory, folder: Path, encoder: Embedder | None) -> Memory:
    memory = open_memory(folder, embedder=encoder)
    memory.remember_many(drafts())
    return memory


# -- what it says -------------------------------------------------------------------------------------


def test_a_question_about_what_was_said_is_surer_than_a_foreign_one(talk: Memory) -> None:
    assert talk.recall(KNOWN).confidence > 0.5
    assert talk.recall(FOREIGN).confidence < THRESHOLD


def test_confidence_falls_when_the_answer_is_forgotten_and_as_of_before_it_was_said(talk: Memory) -> None:
    sure = talk.recall(KNOWN).confidence
    assert talk.recall(KNOWN, as_of="2001-01-01").confidence < THRESHOLD < sure
    talk.forget(talk.recall(KNOWN)[0].id)
    assert talk.recall(KNOWN).confidence < sure


def test_an_empty_memory_is_not_sure_of_anything(open_memory: OpenMemory, encoder: Embedder | None) -> None:
    memory = open_memory(":memory:", embedder=encoder)
    result = memory.recall(KNOWN)
    assert result.confidence < THRESHOLD
    assert not result.about_someone_else
    again = memory.recall(KNOWN, min_confidence=THRESHOLD)
    assert (again.hits, again.confidence) == ((), result.confidence)


def test_confidence_does_not_depend_on_how_many_hits_are_wanted(talk: Memory) -> None:
    assert len({talk.recall(KNOWN, k=k).confidence for k in (1, 5, 20)}) == 1


def test_confidence_does_not_depend_on_how_many_replies_stand_before_the_messages(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=WordEmbedder())
    memory.remember("Where is the old oak barrel of the harbour?", speaker="user", session="one")
    memory.remember_many(Draft(text=f"Step {i}.", speaker="assistant", session="one") for i in range(25))
    for text in ("The oak barrel leaks.", "The harbour is cold.", "I like old boats."):
        memory.remember(text, speaker="user", session=text)
    question = "What did you say about the old oak barrel of the harbour?"
    assert [hit.speaker for hit in memory.recall(question, k=20)].count("user") == 1
    assert len({memory.recall(question, k=k).confidence for k in (1, 5, 20, 100)}) == 1
    assert memory.why(question, 1).confidence == memory.recall(question).confidence


def test_another_than_the_named_speaker_said_what_fits(talk: Memory, encoder: Embedder | None) -> None:
    wrong = talk.recall("When did Ann repair the old sailing boat in the harbour?")
    right = talk.recall("When did Otto repair the old sailing boat in the harbour?")
    nobody = talk.recall(KNOWN)
    if isinstance(encoder, RowEmbedder):
        assert not right.about_someone_else
    assert (wrong.about_someone_else, right.about_someone_else, nobody.about_someone_else) == (True, False, False)
    assert wrong.confidence < right.confidence


def test_a_filter_that_leaves_one_speaker_is_no_evidence_for_him() -> None:
    with Memory.open(":memory:") as memory:
        memory.remember_many(drafts())
        question = "Did Otto paint the old sailing boat in the harbour, or the fence?"
        assert memory.recall(question)[0].speaker == "Otto"
        assert memory.recall(question, speaker="Otto").confidence <= memory.recall(question).confidence


def test_a_speakers_name_that_is_looked_for_counts_among_the_words_that_are_missing() -> None:
    found = []
    for label in ("Otto", "Zed"):
        with Memory.open(":memory:") as memory:
            for text in ("Otto sings.", "The harbour is calm.", "Bread is baked."):
                memory.remember(text, speaker=label, time=NOW)
            found.append(memory.recall("Otto submarine", profile="lexical").confidence)
    assert found[0] == found[1]


@settings(deadline=None, max_examples=60)
@given(
    drafts=conversations(speakers=PEOPLE) | conversations(speakers=ROLES) | conversations(speakers=(None,)),
    query=st.sampled_from(QUERIES),
    encoder=ENCODERS,
    least=st.floats(0, 1),
    profile=st.sampled_from([None, "concert", "dense", "lexical", "document"]),
)
def test_enough_confidence_answers_as_without_a_bound_and_too_little_answers_nothing(
    drafts: list[Draft], query: str, encoder: Embedder | None, least: float, profile: str | None
) -> None:
    with open_with(drafts, encoder) as memory:
        plain = memory.recall(query, profile=profile, update=False)
        bound = memory.recall(query, profile=profile, min_confidence=least, update=False)
    assert 0.0 < plain.confidence < 1.0
    if plain.confidence >= least:
        assert (bound.hits, bound.confidence) == (plain.hits, plain.confidence)
    elif bound.confidence < least:
        assert bound.hits == ()
    assert bound.confidence >= plain.confidence


# -- the bound ----------------------------------------------------------------------------------------


def test_below_the_bound_there_are_no_hits_and_the_confidence_is_told(talk: Memory) -> None:
    sure = talk.recall(FOREIGN).confidence
    result = talk.recall(FOREIGN, min_confidence=sure + 0.01)
    assert result.hits == ()
    assert result.confidence == sure


def test_at_the_bound_there_are_hits(talk: Memory) -> None:
    for question in (KNOWN, FOREIGN):
        plain = talk.recall(question, update=False)
        assert len(plain) > 0
        for bound in (0, 0.0, plain.confidence):
            assert talk.recall(question, min_confidence=bound, update=False).hits == plain.hits
    assert talk.recall(KNOWN, min_confidence=1.0).hits == ()


def test_what_was_kept_back_counts_as_not_recalled(talk: Memory) -> None:
    talk.recall(KNOWN, min_confidence=1.0)
    assert all(record.accessed is None for record in talk.records())


@pytest.mark.parametrize(
    "bound", [-0.01, 1.01, float("nan"), float("inf"), True, "high", "0.5", [0.5], np.array([0.5, 0.6])]
)
def test_a_bound_that_is_no_probability_is_refused(memory: Memory, refused: Refused, bound: Any) -> None:
    memory.remember("The boat is in the harbour.")
    with refused(memory, ValidationError, "min_confidence"):
        memory.recall(KNOWN, min_confidence=bound)
    with refused(memory, ValidationError, "min_confidence"):
        memory.why(KNOWN, 1, min_confidence=bound)


# -- the second look ----------------------------------------------------------------------------------

SECRET = "The spare key hangs behind the green clock."
ASKED = "Where hangs the spare key, behind which clock?"


@pytest.fixture
def cold(talk: Memory) -> Memory:
    """One more memory, a cold one."""
    talk.remember(SECRET, speaker="Ann", session="key", time=NOW, tier=Tier.COLD)
    return talk


def between(memory: Memory, question: str, **wider: Any) -> float:
    """A confidence that the first look at a question does not reach, and a wider one does."""
    low, high = memory.recall(question).confidence, memory.recall(question, **wider).confidence
    assert low < high
    return (low + high) / 2


EVERY_TIER = {"tier": [tier.value for tier in Tier]}


def test_before_giving_up_cold_memories_are_searched_and_marked(cold: Memory) -> None:
    assert SECRET not in {hit.text for hit in cold.recall(ASKED)}
    least = between(cold, ASKED, **EVERY_TIER)
    result = cold.recall(ASKED, min_confidence=least)
    assert result.confidence >= least
    assert (result[0].text, result[0].second_look, result[0].tier) == (SECRET, True, Tier.COLD)


def test_what_the_first_look_had_found_is_not_marked(cold: Memory) -> None:
    first = {hit.id for hit in cold.recall(ASKED, k=20)}
    result = cold.recall(ASKED, k=20, min_confidence=between(cold, ASKED, **EVERY_TIER))
    assert {hit.id for hit in result if not hit.second_look} == first & {hit.id for hit in result}
    assert not any(hit.second_look for hit in cold.recall(KNOWN, min_confidence=0.5))


def test_a_sure_answer_leaves_cold_memories_alone(cold: Memory) -> None:
    cold.remember("The old sailing boat in the harbour was repaired.", tier=Tier.COLD, time=NOW)
    assert all(hit.tier is not Tier.COLD for hit in cold.recall(KNOWN, min_confidence=0.5))


@pytest.mark.parametrize("hiding", [{"tier": "long_term"}, {"speaker": "Otto"}, {"where": {"metadata.room": 3}}])
def test_a_second_look_shows_nothing_that_the_filter_hides(cold: Memory, hiding: dict[str, Any]) -> None:
    least = between(cold, ASKED, **EVERY_TIER)
    assert SECRET in {hit.text for hit in cold.recall(ASKED, k=20, min_confidence=least)}
    assert SECRET not in {hit.text for hit in cold.recall(ASKED, k=20, min_confidence=least, **hiding)}


def test_a_second_look_shows_nothing_of_later_and_nothing_of_other_namespaces(cold: Memory) -> None:
    least = between(cold, ASKED, **EVERY_TIER)
    assert SECRET not in {hit.text for hit in cold.recall(ASKED, k=20, min_confidence=least, as_of="2020-01-01")}
    other = cold.at("elsewhere")
    other.remember_many(drafts())
    assert other.recall(ASKED, k=20, min_confidence=least).hits == ()


CHAT = [
    ("user", "My ferry leaves soon."),
    ("user", "I went to bed late, " + "and read about ships and lighthouses, " * 40 + "and woke up at noon."),
    ("user", "I cannot fall asleep lately."),
    ("assistant", "Warm almond milk with nutmeg and a pinch of saffron helps many people before bed."),
]
RECIPE = "ferry: almond milk, nutmeg, a pinch of saffron at bed"


def test_before_giving_up_an_assistants_replies_are_ranked_by_their_own_words() -> None:
    with Memory.open(":memory:") as memory:
        memory.remember_many(Draft(text=text, speaker=who, session="chat", time=NOW) for who, text in CHAT)
        first = memory.recall(RECIPE, k=2)
        result = memory.recall(RECIPE, k=2, min_confidence=first.confidence + 0.01)
        assert [hit.text for hit in first] == [CHAT[0][1], CHAT[1][1]]
        assert [(hit.text, hit.second_look) for hit in result] == [(CHAT[0][1], False), (CHAT[3][1], True)]


def test_a_reply_that_holds_the_words_makes_the_second_look_surer(encoder: Embedder | None) -> None:
    with Memory.open(":memory:", embedder=encoder) as memory:
        memory.remember_many(Draft(text=text, speaker=who, session="chat", time=NOW) for who, text in CHAT)
        first = memory.recall(RECIPE)
        result = memory.recall(RECIPE, min_confidence=first.confidence + 0.01)
        assert result.confidence > first.confidence
        assert CHAT[3][1] in {hit.text for hit in result}
        memory.forget(4)
        assert memory.recall(RECIPE, min_confidence=first.confidence + 0.01).hits == ()


def test_why_tells_of_a_second_look_as_recall_made_it(cold: Memory) -> None:
    least = between(cold, ASKED, **EVERY_TIER)
    result = cold.recall(ASKED, min_confidence=least)
    hit = result[0]
    told = cold.why(ASKED, hit.id, min_confidence=least)
    assert told.recalled
    assert (told.rank, told.score, told.parts, told.confidence) == (1, hit.score, hit.parts, result.confidence)
    stages = {stage.name: stage for stage in told.stages}
    assert "too little confidence" in stages["tier"].detail
    assert stages["confidence"].detail == f"confidence {told.confidence:.2f}; at least {least:.2f} was asked for"
    assert not cold.why(ASKED, hit.id).recalled


def test_why_names_confidence_as_the_stage_that_let_a_memory_go(talk: Memory) -> None:
    best = talk.recall(KNOWN)[0].id
    told = talk.why(KNOWN, best, min_confidence=1.0)
    assert not told.recalled
    assert told.stages[-1].name == "confidence"
    assert talk.why(KNOWN, best, min_confidence=0.0).recalled
    assert talk.why(KNOWN, best).confidence == talk.recall(KNOWN).confidence


def test_why_names_the_words_that_nothing_matches(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=WordEmbedder())
    memory.remember_many(drafts())
    told = memory.why("Who repaired the old zeppelin in the harbour?", 4)
    assert min(told.missing, key=lambda word: told.missing[word]) == "zeppelin"
    assert "matched worst: zeppelin" in str(told)


# -- calibration --------------------------------------------------------------------------------------


def test_without_calibration_the_bound_is_that_of_the_library(talk: Memory) -> None:
    assert len(talk.recall(KNOWN, min_confidence="calibrated")) > 0
    assert talk.recall(FOREIGN, min_confidence="calibrated").hits == ()


def test_a_calibrated_bound_keeps_the_questions_that_it_was_told_to_keep(talk: Memory) -> None:
    questions = [text.rstrip(".") for _, text in TALK] + ["Is the garden big?", "blue cake", FOREIGN, "Pixel?"]
    for keep in (0.5, 0.75, 0.9):
        found = talk.calibrate(questions, keep=keep)
        kept = [len(talk.recall(each, min_confidence="calibrated")) > 0 for each in questions]
        assert sum(kept) / len(kept) == found.kept >= keep
        assert (found.keep, found.questions) == (keep, len(questions))
    assert talk.calibrate(iter(questions), keep=0.5).threshold > talk.calibrate(questions, keep=0.9).threshold


def test_calibrating_leaves_no_trace_on_the_memories(talk: Memory) -> None:
    before = talk.stats().anchor
    talk.calibrate([KNOWN] * 20)
    assert all(record.accessed is None for record in talk.records())
    assert talk.stats().anchor == before
    assert talk.verify().ok


def test_a_calibration_lasts_and_readers_follow_it(
    talk: Memory, folder: Path, open_memory: OpenMemory, encoder: Embedder | None
) -> None:
    assert talk.recall(FOREIGN, min_confidence="calibrated").hits == ()
    talk.calibrate([FOREIGN] * 20)
    reader = open_memory(folder, read_only=True, embedder=encoder)
    for memory in (talk, reader):
        assert len(memory.recall(FOREIGN, min_confidence="calibrated")) > 0
    reader.close()
    talk.close()
    assert len(open_memory(folder, embedder=encoder).recall(FOREIGN, min_confidence="calibrated")) > 0


def test_a_calibration_holds_for_its_encoder_only(folder: Path, open_memory: OpenMemory) -> None:
    memory = open_memory(folder, embedder=WordEmbedder())
    memory.remember_many(drafts())
    memory.calibrate([FOREIGN] * 20)
    assert len(memory.recall(FOREIGN, min_confidence="calibrated")) > 0
    memory.close()
    for other in (WordEmbedder(96), None):
        again = open_memory(folder, embedder=other, reembed=other is not None)
        assert again.recall(FOREIGN, min_confidence="calibrated").hits == ()
        again.close()


def test_a_calibration_holds_for_its_namespace_only(talk: Memory) -> None:
    other = talk.at("elsewhere")
    other.remember_many(drafts())
    talk.calibrate([FOREIGN] * 20)
    assert len(talk.recall(FOREIGN, min_confidence="calibrated")) > 0
    assert other.recall(FOREIGN, min_confidence="calibrated").hits == ()


def test_a_namespace_that_holds_nothing_can_be_calibrated_and_used(open_memory: OpenMemory, folder: Path) -> None:
    memory = open_memory(folder)
    found = memory.calibrate([FOREIGN] * 20)
    memory.remember_many(drafts())
    memory.close()
    again = open_memory(folder)
    assert THRESHOLD > again.recall(FOREIGN).confidence >= found.threshold
    assert len(again.recall(FOREIGN, min_confidence="calibrated")) > 0


@pytest.mark.parametrize(
    ("answered", "options", "error", "match"),
    [
        (KNOWN, {}, ValidationError, "list"),
        ([], {}, ValidationError, "at least 9 .* got 0"),
        ([KNOWN] * 8, {}, ValidationError, "keep 0.9 .* at least 9 .* got 8"),
        ([KNOWN] * 18, {"keep": 0.95}, ValidationError, "keep 0.95 .* at least 19 .* got 18"),
        ([*[KNOWN] * 9, ""], {}, TextError, "query"),
        ([*[KNOWN] * 9, 7], {}, TextError, "query"),
        ([KNOWN], {"keep": 0.0}, ValidationError, "keep"),
        ([KNOWN], {"keep": 1}, ValidationError, "keep"),
        ([KNOWN], {"keep": float("nan")}, ValidationError, "keep"),
        ([KNOWN], {"keep": True}, ValidationError, "keep"),
        ([KNOWN], {"keep": "0.9"}, ValidationError, "keep"),
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused_and_the_old_one_stays(
    memory: Memory, refused: Refused, answered: Any, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    memory.remember_many(drafts())
    memory.calibrate([FOREIGN] * 20)
    with refused(memory, error, match):
        memory.calibrate(answered, **options)
    assert len(memory.recall(FOREIGN, min_confidence="calibrated")) > 0


def test_the_fewest_questions_that_calibrate_takes_give_a_threshold_that_protects(talk: Memory) -> None:
    assert talk.calibrate([KNOWN] * 9).threshold > 0
    assert talk.recall(FOREIGN, min_confidence="calibrated").hits == ()


def test_a_reader_cannot_calibrate(talk: Memory, folder: Path, open_memory: OpenMemory) -> None:
    reader = open_memory(folder, read_only=True)
    with pytest.raises(ReadOnlyError):
        reader.calibrate([KNOWN])
    assert talk.recall(FOREIGN, min_confidence="calibrated").hits == ()


@pytest.mark.parametrize("damaged", [b"{", b"[]", b"7", b'{"threshold": "high", "encoder": null}', b"\xff\xfe{"])
def test_a_damaged_calibration_is_named_as_such(folder: Path, open_memory: OpenMemory, damaged: bytes) -> None:
    memory = open_memory(folder)
    memory.remember_many(drafts())
    memory.calibrate([KNOWN] * 20)
    memory.close()
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        changed = connection.execute("UPDATE meta SET value = ? WHERE key LIKE 'threshold of %'", (damaged,))
        assert changed.rowcount == 1
        connection.commit()
    again = open_memory(folder)
    with pytest.raises(CorruptionError, match="threshold"):
        again.recall(KNOWN, min_confidence="calibrated")
    assert len(again.recall(KNOWN)) > 0


def test_the_async_twins_answer_alike(talk: Memory) -> None:
    async def ask() -> tuple[Any, Any, Any]:
        calibration = await talk.acalibrate([KNOWN, FOREIGN] * 10, keep=0.4)
        answer = await talk.arecall(KNOWN, min_confidence="calibrated", update=False)
        return calibration, answer, await talk.arecall(FOREIGN, min_confidence="calibrated", update=False)

    calibration, known, foreign = asyncio.run(ask())
    assert calibration == talk.calibrate([KNOWN, FOREIGN] * 10, keep=0.4)
    assert known == talk.recall(KNOWN, min_confidence="calibrated", update=False)
    assert (foreign.hits, foreign.confidence) == ((), talk.recall(FOREIGN).confidence)
