"""When two texts are the same in words."""

from __future__ import annotations

import pytest

from mnemoloom.lexical import Analyzer, specifics, wording

ENGLISH = Analyzer()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I love hiking in the mountains!", "Oh wow, I love hiking in the mountains"),
        ("Thanks, Deb. See you!", "thanks,  Deb. see you..."),
        ("Oh, hi!", "oh hi"),
        ("山田さんは東京に住んでいます。", "山田さんは東京に住んでいます"),
    ],
)
def test_case_the_punctuation_at_the_end_and_what_opens_a_text_make_no_difference(one: str, other: str) -> None:
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
        ("We moved to Oslo.", "We move to Oslo."),
        ("We meet at 9 am", "We meet at 9 pm"),
        ("Set it to +5 degrees.", "Set it to -5 degrees."),
        ("Set it to .5 degrees.", "Set it to 5 degrees."),
        ("No, more tea.", "No more tea."),
        ("I have a few friends.", "I have few friends."),
        ("The soup is too hot.", "The soup is hot."),
        ("I write C.", "I write C++."),
        ("Lunch 👍", "Lunch 👎"),
    ],
)
def test_any_other_word_or_another_order_says_something_else(one: str, other: str) -> None:
    assert wording(ENGLISH, one) != wording(ENGLISH, other)


def test_a_language_without_a_list_of_such_openers_compares_every_word() -> None:
    german = Analyzer("german")
    assert wording(german, "Ich mag den Tee.") == wording(german, "ich mag den Tee")
    assert wording(german, "Ich mag den Tee.") != wording(german, "Ich mag sehr den Tee.")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I have a dog named Max.", "My dog is called Max!"),
        ("My favourite colour is blue.", "My favorite color is blue."),
        ("Thanks, Deb! Your support means a lot.", "Thanks, Deb. I really appreciate your support!"),
    ],
)
def test_paraphrases_share_their_specifics(one: str, other: str) -> None:
    assert specifics(ENGLISH, one) == specifics(ENGLISH, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bodil has 4 chickens.", "Bodil has 26 chickens."),
        ("Bodil has four chickens.", "Bodil has nine chickens."),
        ("Our friends moved to Oslo.", "Our friends moved to Bergen."),
        ("Then Ann told Bo about the trip.", "Then Bo told Ann about the trip."),
        ("I like tea.", "I don't like tea."),
        ("He moved in May.", "She moved in May."),
        ("I moved.", "I almost moved."),
        ("The meeting is on Monday.", "The meeting is on Tuesday."),
        ("You moved to Oslo.", "You moved to Oslo?"),
        ("Set it to +5 degrees.", "Set it to -5 degrees."),
        ("Set it to 5 degrees.", "Set it to -5 degrees."),
        ("We meet at 9 am on Friday.", "We meet at 9 pm on Friday."),
        ("It starts in the morning.", "It starts in the evening."),
        ("I parked on the left side.", "I parked on the right side."),
        ("The door is open.", "The door is closed."),
        ("Turn it on.", "Turn it off."),
        ("好きです", "好きではない"),
    ],
)
def test_what_a_small_change_would_falsify_is_specific(one: str, other: str) -> None:
    assert specifics(ENGLISH, one) != specifics(ENGLISH, other)


def test_without_a_list_for_a_language_the_wording_is_specific() -> None:
    german = Analyzer("german")
    assert specifics(german, "Ich mag Tee.") == wording(german, "Ich mag Tee.")
    assert specifics(german, "Ich mag Tee.") != specifics(german, "Ich mag keinen Tee.")
