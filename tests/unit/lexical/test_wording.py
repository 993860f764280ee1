"""When two texts are the same in words."""

from __future__ import annotations

import pytest

from mnemoloom.lexical import Analyzer, wording

ENGLISH = Analyzer()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I love hiking in the mountains!", "Oh wow, I really love hiking in the mountains"),
        ("Thanks, Deb. See you!", "thanks Deb, see you"),
        ("We moved to Oslo.", "We move to Oslo"),
        ("Oh, hi!", "oh hi"),
        ("山田さんは東京に住んでいます。", "山田さんは東京に住んでいます"),
    ],
)
def test_case_punctuation_endings_and_fillers_make_no_difference(one: str, other: str) -> None:
    assert wording(ENGLISH, one) == wording(ENGLISH, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bodil has 4 chickens.", "Bodil has 26 chickens."),
        ("Ann told Bo about the trip.", "Bo told Ann about the trip."),
        ("I like tea.", "I do not like tea."),
        ("He moved to Oslo in May.", "She moved to Oslo in May."),
        ("I moved to Oslo.", "I almost moved to Oslo."),
        ("You moved to Oslo.", "You moved to Oslo?"),
        ("Yes.", "No."),
        ("The meeting is on Monday.", "The meeting is on Tuesday."),
        ("Oh, hi!", "Wow, hey!"),
    ],
)
def test_any_other_word_or_another_order_says_something_else(one: str, other: str) -> None:
    assert wording(ENGLISH, one) != wording(ENGLISH, other)


def test_a_language_without_a_list_of_fillers_compares_every_word() -> None:
    german = Analyzer("german")
    assert wording(german, "Ich mag den Tee.") == wording(german, "ich mag den Tee")
    assert wording(german, "Ich mag den Tee.") != wording(german, "Ich mag sehr den Tee.")
