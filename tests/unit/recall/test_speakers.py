"""Which labels are roles, which are names, and which of them a query means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.lexical import Analyzer
from mnemoloom.recall.languages import CUES
from mnemoloom.recall.speakers import ROLES, Names, is_name, is_reply, is_user

STOP_WORDS = Analyzer().stop_words


def names_of(*labels: str) -> Names:
    return Names.of(labels, CUES["english"], STOP_WORDS)


def named(text: str, *labels: str) -> set[str]:
    return set(names_of(*labels).split(text)[1])


@pytest.mark.parametrize("label", ["user", "User", "HUMAN"])
def test_the_user_goes_by_several_roles(label: str) -> None:
    assert is_user(label)
    assert not is_reply(label)
    assert not is_name(label)


@pytest.mark.parametrize("label", ["assistant", "AI", "Bot", "chatbot", "model"])
def test_the_assistant_goes_by_several_roles(label: str) -> None:
    assert is_reply(label)
    assert not is_user(label)
    assert not is_name(label)


def test_no_label_is_neither_role_nor_name() -> None:
    assert [test(None) for test in (is_user, is_reply, is_name)] == [False, False, False]


@pytest.mark.parametrize("label", ["Ann", "userland", "Tool Time", "the assistant"])
def test_other_labels_are_names(label: str) -> None:
    assert is_name(label)


@pytest.mark.parametrize(
    "text", ["What does Melanie paint?", "what does melanie paint?", "MELANIE!", "Melanie's kids", "Melanie’s kids"]
)
def test_a_name_is_found_in_any_case_and_with_a_possessive_ending(text: str) -> None:
    assert named(text, "Melanie", "Caroline") == {"Melanie"}


def test_each_word_of_a_label_names_its_bearer() -> None:
    for text in ("ask anna", "ask Lindqvist", "ask anna lindqvist"):
        assert named(text, "Anna Lindqvist", "Bob") == {"Anna Lindqvist"}


def test_a_name_inside_another_word_is_not_found() -> None:
    assert named("an announcement in Annapolis", "Ann") == set()


def test_a_nickname_counts_with_a_capital_letter_only() -> None:
    assert named("Where did Mel go?", "Melanie") == {"Melanie"}
    assert named("Mel's kids", "Melanie") == {"Melanie"}
    assert named("a mel of sorts", "Melanie") == set()


def test_a_nickname_that_is_somebodys_name_stands_for_that_one() -> None:
    assert named("Ask Mel.", "Melanie", "Mel") == {"Mel"}


def test_a_nickname_of_two_people_names_both() -> None:
    assert named("Ask Jon.", "Jonathan", "Jonas") == {"Jonathan", "Jonas"}


@pytest.mark.parametrize(
    ("label", "everyday", "meant"),
    [
        ("Will", "what will happen?", "Where is Will?"),
        ("May", "what may happen?", "Where is May?"),
        ("Hope", "I hope so", "Where does Hope live?"),
    ],
)
def test_an_everyday_word_is_a_name_with_a_capital_letter_only(label: str, everyday: str, meant: str) -> None:
    assert named(everyday, label, "Ann") == set()
    assert named(meant, label, "Ann") == {label}


@pytest.mark.parametrize(
    ("label", "question"),
    [
        ("Theodore", "The dog is where?"),
        ("Howard", "How old is the dog?"),
        ("Andrew", "And the dog?"),
        ("Didier", "Did the dog eat?"),
        ("Wasim", "Was the dog there?"),
        ("Shelly", "She has which dog?"),
        ("Hasan", "Has the dog eaten?"),
        ("Marcus", "What happened in Mar 2023?"),
    ],
)
def test_an_ordinary_word_at_the_beginning_of_a_question_is_no_nickname(label: str, question: str) -> None:
    assert named(question, label, "Bob") == set()


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_is_never_a_name(role: str) -> None:
    text = f"What did the {role} say? {role.title()} {role[:3].title()}"
    assert names_of(role, "Ann").split(text) == (text, frozenset())


def test_two_people_with_one_first_name_are_both_named_by_it() -> None:
    assert named("Where is Ann?", "Ann Lee", "Ann Smith") == {"Ann Lee", "Ann Smith"}


def test_a_whole_label_names_its_bearer_alone() -> None:
    assert named("Where is Ann Lee?", "Ann Lee", "Ann Smith") == {"Ann Lee"}


def test_names_are_cut_out_of_the_topic() -> None:
    topic, found = names_of("Melanie", "Caroline").split("When did Melanie's  kids visit Caroline?")
    assert topic == "When did kids visit ?"
    assert found == {"Melanie", "Caroline"}


def test_a_text_without_names_stays_as_it_is() -> None:
    assert names_of("Ann").split("Where is the dog?") == ("Where is the dog?", frozenset())


def test_labels_in_other_scripts_are_names() -> None:
    assert named("Wo ist Jürgen?", "Jürgen Groß") == {"Jürgen Groß"}
    assert named("где Анна?", "Анна") == {"Анна"}


@pytest.mark.parametrize(("label", "text"), [("李", "李 在哪里?"), ("Q", "What did Q build?")])
def test_a_label_of_one_letter_is_found_as_a_whole_label(label: str, text: str) -> None:
    assert named(text, label, "Ann") == {label}


@given(st.lists(st.text(max_size=8), max_size=4), st.text(max_size=40))
def test_any_labels_and_any_text_can_be_read(labels: list[str], text: str) -> None:
    topic, found = names_of(*labels).split(text)
    assert found <= set(labels)
    assert len(topic) <= len(text)
