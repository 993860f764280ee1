"""Reading a query against the speakers of a store."""

from __future__ import annotations

import pytest

from mnemoloom.lexical import Analyzer
from mnemoloom.recall.dates import DateCue
from mnemoloom.recall.languages import cues_for
from mnemoloom.recall.query import Query, read_query
from mnemoloom.recall.speakers import Names

PEOPLE = ("Ann", "Otto")
ROLES = ("user", "assistant")


def read(text: str, labels: tuple[str, ...] = PEOPLE, *, asker: str | None = None, language: str = "english") -> Query:
    analyzer, cues = Analyzer(language), cues_for(language)
    names = Names.of(labels, cues, analyzer.stop_words)
    return read_query(text, labels=labels, names=names, analyzer=analyzer, cues=cues, asker=asker)


def test_the_topic_is_the_query_without_names() -> None:
    query = read("Where did Ann's dog sleep?")
    assert query.topic == "Where did dog sleep?"
    assert query.terms == ("ann", "dog", "sleep")
    assert query.topic_terms == ("dog", "sleep")


def test_terms_are_distinct_and_in_order() -> None:
    assert read("dog cat dogs CAT dog").terms == ("dog", "cat")


def test_a_query_of_names_alone_is_its_own_topic() -> None:
    assert read("Ann?").topic
    assert read("Ann").topic == "Ann"


@pytest.mark.parametrize(("text", "speaker"), [("Where is Ann?", "Ann"), ("otto's car", "Otto"), ("Where?", None)])
def test_the_speaker_is_the_one_who_is_named(text: str, speaker: str | None) -> None:
    assert read(text).speaker == speaker


def test_two_named_speakers_are_no_single_speaker() -> None:
    assert read("What did Ann tell Otto?").speaker is None


def test_a_first_name_that_two_people_share_is_no_single_speaker() -> None:
    assert read("Where is Ann?", ("Ann Lee", "Ann Smith")).speaker is None


def test_a_full_name_is_a_single_speaker_even_if_the_first_name_is_shared() -> None:
    assert read("Where is Ann Lee?", ("Ann Lee", "Ann Smith")).speaker == "Ann Lee"


@pytest.mark.parametrize("text", ["Where do I live?", "my dog", "tell me", "Is this mine?", "I'm where?"])
def test_i_and_my_mean_the_user(text: str) -> None:
    assert read(text, ROLES).speaker == "user"


@pytest.mark.parametrize("text", ["What did you say?", "your advice", "was it yours?"])
def test_you_and_your_mean_the_assistant(text: str) -> None:
    assert read(text, ROLES).speaker == "assistant"


def test_i_comes_before_you() -> None:
    assert read("What did you tell me?", ROLES).speaker == "user"


def test_i_means_the_asker_who_says_who_he_is() -> None:
    assert read("Where do I live?", asker="Otto").speaker == "Otto"


def test_an_asker_who_never_spoke_is_nobody() -> None:
    assert read("Where do I live?", asker="Carl").speaker is None
    assert read("Where do I live?").speaker is None


def test_a_name_comes_before_a_pronoun() -> None:
    assert read("Did I meet Ann?", asker="Otto").speaker == "Ann"


@pytest.mark.parametrize("text", ["What is the capital?", "in it", "Maybe"])
def test_a_pronoun_inside_a_word_is_no_pronoun(text: str) -> None:
    assert read(text, ROLES).speaker is None


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("Where does she live now?", 1),
        ("the CURRENT job", 1),
        ("the latest news", 1),
        ("does she still paint", 1),
        ("what is it these days", 1),
        ("not any more", 1),
        ("not anymore", 1),
        ("the most recent one", 1),
        ("the first job", -1),
        ("where she used to live", -1),
        ("her original plan", -1),
        ("previously", -1),
        ("Where does she live?", 0),
        ("Is the first one still there?", 0),
        ("knowledge of nowhere", 0),
        ("a firsthand report", 0),
    ],
)
def test_words_for_the_newest_and_the_first_give_a_direction(text: str, direction: int) -> None:
    assert read(text).recency == direction


@pytest.mark.parametrize(
    "text", ["What did you recommend?", "your advice", "You said what?", "what you suggested", "Did you explain it?"]
)
def test_asking_what_the_assistant_said_is_noticed(text: str) -> None:
    assert read(text, ROLES).asks_reply


@pytest.mark.parametrize("text", ["What did I recommend?", "Where are you?", "his advice"])
def test_other_questions_do_not_ask_for_a_reply(text: str) -> None:
    assert not read(text, ROLES).asks_reply


def test_dates_are_read() -> None:
    assert read("What did Ann do on 7 May 2023?").date == DateCue(2023, 5, 7)
    assert read("What did Ann do?").date is None


def test_a_language_without_cues_still_knows_names_and_dates() -> None:
    query = read("Wo wohnt Ann now? 2023-05", language="german")
    assert (query.speaker, query.recency, query.date) == ("Ann", 0, DateCue(2023, 5))
