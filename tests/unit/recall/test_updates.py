"""The update rule: which questions it answers, and what it makes of ten scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom import UpdateRule
from mnemoloom.recall.cues import SILENT
from mnemoloom.recall.cues_english import ENGLISH
from mnemoloom.recall.updates import Asked, Statement, asked_value, comparable, inherit
from mnemoloom.recall.values import Value

RULE = UpdateRule()
CURRENT = Asked(newest=True, explicit=False, kinds=frozenset({"money"}))
NOW = replace(CURRENT, explicit=True)
FIRST = Asked(newest=False, explicit=True, kinds=frozenset({"money"}))
UNTYPED = Asked(newest=True, explicit=True, kinds=frozenset())


Said = tuple[int, Statement]


def said(time: int, *amounts: int, changed: bool = False, text: str | None = None) -> Said:
    values = frozenset(Value("money", str(amount)) for amount in amounts)
    return time, Statement(f"statement {time} {amounts}" if text is None else text, values, changed)


def settled(
    scores: list[float],
    statements: list[Said],
    asked: Asked = CURRENT,
    *,
    shared: NDArray[np.float64] | None = None,
    cosines: NDArray[np.float64] | None = None,
    nearness: list[float] | None = None,
    rule: UpdateRule = RULE,
) -> tuple[list[float], list[tuple[int, int]]]:
    """The rule, where every statement holds all words of the question unless `shared` says otherwise."""
    times = [time for time, _ in statements]
    near = None if nearness is None else np.array(nearness)
    held = np.ones((len(scores), len(scores))) if shared is None else shared
    pairs = comparable(scores, times, asked, rule, shared=held, nearness=near)
    texts = {place: statement for place, (_, statement) in enumerate(statements)}
    return inherit(scores, times, texts, pairs, asked, rule, cosines=cosines, nearness=near)


def order(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: -scores[i])


# -- the gate -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("How much does the studio cost per month?", {"money"}),
        ("When is the deadline of the report?", {"clock", "date"}),
        ("How many chickens does Bodil have?", {"number"}),
        ("What percentage of the tests pass?", {"percent"}),
        ("Which version of the library does it need?", {"version"}),
        ("How long is the commute?", {"duration"}),
        ("How often does the key rotate?", {"duration"}),
        ("How old is the cat?", {"number"}),
    ],
)
def test_a_question_for_one_value_asks_for_its_newest_version(question: str, kinds: set[str]) -> None:
    asked = asked_value(question, ENGLISH)
    assert asked is not None
    assert (asked.newest, asked.kinds) == (True, frozenset(kinds))


@pytest.mark.parametrize("question", ["Where does Iker work?", "What is my favourite colour?", "Who's my dentist?"])
def test_a_short_question_about_the_present_asks_for_the_newest_version_of_anything(question: str) -> None:
    assert asked_value(question, ENGLISH) == Asked(newest=True, explicit=True, kinds=frozenset(ENGLISH.asked))


@pytest.mark.parametrize(
    "question",
    [
        "Where does Iker usually go with his two brothers in the holidays?",
        "What is it that both Ann and Otto like to eat?",
    ],
)
def test_a_long_question_about_the_present_asks_for_no_version(question: str) -> None:
    assert asked_value(question, ENGLISH) is None


@pytest.mark.parametrize(
    "question",
    ["Where does Iker work now?", "What is the latest plan?", "Does she still smoke?", "WHO IS MY CURRENT DENTIST?"],
)
def test_a_question_that_says_now_asks_for_the_newest_version_of_anything(question: str) -> None:
    asked = asked_value(question, ENGLISH)
    assert asked is not None
    assert (asked.newest, asked.explicit) == (True, True)


@pytest.mark.parametrize(
    "question", ["What was my original budget?", "Where did Iker work at first?", "What did it initially cost?"]
)
def test_a_question_for_the_original_asks_for_the_oldest_version(question: str) -> None:
    asked = asked_value(question, ENGLISH)
    assert asked is not None
    assert (asked.newest, asked.explicit) == (False, True)


@pytest.mark.parametrize(
    "question",
    [
        "How much did the boat cost?",
        "How many times was the meeting moved?",
        "How has my budget changed?",
        "How much was the rent before the move?",
        "In which order did I set the deadlines?",
        "How many hours between the two sessions?",
        "Can you summarize how the budget evolved over time?",
    ],
)
def test_a_question_for_the_past_or_for_a_course_of_things_asks_for_no_version(question: str) -> None:
    assert asked_value(question, ENGLISH) is None


@pytest.mark.parametrize(
    "question", ["Tell me about Bodil.", "", "known nowhere", "The apron is in the garden.", "It's in the attic"]
)
def test_a_question_for_no_value_asks_for_no_version(question: str) -> None:
    assert asked_value(question, ENGLISH) is None


@given(st.text(max_size=100))
def test_a_language_without_cues_asks_for_no_version(question: str) -> None:
    assert asked_value(question, SILENT) is None


# -- contradiction ------------------------------------------------------------------------------------


def pairs_of(older: Said, newer: Said, asked: Asked = CURRENT) -> list[tuple[int, int]]:
    return settled([1.0, 0.9], [older, newer], asked)[1]


def test_statements_conflict_when_the_newer_one_states_a_value_that_the_other_does_not() -> None:
    assert pairs_of(said(1, 6), said(2, 5)) == [(1, 0)]
    assert pairs_of(said(1, 6), said(2, 5, 6)) == [(1, 0)]
    assert pairs_of(said(1, 5, 6), said(2, 6)) == []
    assert pairs_of(said(1, 5), said(2, 5)) == []


def test_statements_of_which_one_states_no_value_of_the_kinds_are_not_comparable() -> None:
    assert pairs_of(said(1), said(2, 5)) == []
    assert pairs_of(said(1, 5), said(2)) == []
    assert pairs_of(said(1, 6), said(2, 5), replace(CURRENT, kinds=frozenset({"date"}))) == []
    assert pairs_of(said(1, 6), said(2, 5), replace(CURRENT, kinds=frozenset())) == []


# -- inheriting ---------------------------------------------------------------------------------------


def test_the_newer_statement_stands_just_above_the_one_that_it_contradicts() -> None:
    scores, pairs = settled([1.0, 0.9, 0.8], [said(1, 5), said(0), said(2, 6)])
    assert order(scores) == [2, 0, 1]
    assert scores == [1.0, 0.9, pytest.approx(1.0 + 0.001 + 0.02 * 0.8)]
    assert pairs == [(2, 0)]


def test_asked_for_the_original_the_older_statement_takes_the_place() -> None:
    scores, pairs = settled([0.8, 1.0], [said(1, 5), said(2, 6)], FIRST)
    assert order(scores) == [0, 1]
    assert pairs == [(0, 1)]


def test_a_statement_that_is_far_from_the_question_needs_to_tell_of_a_change() -> None:
    below = (RULE.changed + RULE.unchanged) / 2
    assert settled([1.0, below], [said(1, 5), said(2, 6)])[1] == []
    assert settled([1.0, below], [said(1, 5), said(2, 6, changed=True)])[1] == [(1, 0)]
    assert settled([1.0, RULE.changed - 0.01], [said(1, 5), said(2, 6, changed=True)])[1] == []


@pytest.mark.parametrize(("share", "changed"), [(RULE.unchanged, False), (RULE.changed, True)])
def test_the_share_of_the_older_score_is_enough_exactly_at_its_bound(share: float, changed: bool) -> None:
    assert settled([1.0, share], [said(1, 5), said(2, 6, changed=changed)])[1] == [(1, 0)]


def test_it_must_hold_its_share_of_the_question_words_that_the_other_holds() -> None:
    two = [said(1, 5), said(2, 6)]
    for held, fires in ((0.29, False), (0.31, True)):
        shared = np.array([[1.0, held], [held, 0.7]])
        assert bool(settled([1.0, 0.9], two, shared=shared)[1]) is fires, held


def test_statements_that_share_no_word_of_the_question_do_not_replace_each_other() -> None:
    assert settled([1.0, 0.9], [said(1, 5), said(2, 6)], shared=np.zeros((2, 2)))[1] == []
    assert settled([1.0, 0.9], [said(1, 5), said(2, 6)], shared=np.diag([2.0, 3.0]))[1] == []


def test_a_statement_nearly_as_near_to_the_question_needs_no_score_beside() -> None:
    assert settled([1.0, 0.1], [said(1, 5), said(2, 6)])[1] == []
    assert settled([1.0, 0.1], [said(1, 5), said(2, 6)], nearness=[0.8, 0.75])[1] == [(1, 0)]
    assert settled([1.0, 0.1], [said(1, 5), said(2, 6)], nearness=[0.8, 0.6])[1] == []
    assert settled([1.0, 0.1], [said(1, 5), said(2, 6)], nearness=[-0.2, -0.1])[1] == []


def test_statements_of_one_moment_do_not_replace_each_other() -> None:
    for asked in (CURRENT, FIRST):
        assert settled([1.0, 0.9], [said(7, 5), said(7, 6)], asked) == ([1.0, 0.9], [])


def test_statements_alike_contradict_each_other_only_if_the_question_says_now() -> None:
    two, cosines = [said(1), said(2)], np.array([[1.0, 0.7], [0.7, 1.0]])
    assert settled([1.0, 0.9], two, UNTYPED, cosines=cosines)[1] == [(1, 0)]
    assert settled([1.0, 0.9], two, NOW, cosines=cosines)[1] == [(1, 0)]
    assert settled([1.0, 0.9], two, CURRENT, cosines=cosines)[1] == []
    assert settled([1.0, 0.9], two, UNTYPED, cosines=np.eye(2))[1] == []
    assert settled([1.0, 0.9], two, UNTYPED)[1] == []


def test_statements_of_the_same_value_do_not_contradict_each_other_however_alike() -> None:
    same = [said(1, 5), said(2, 5)]
    assert settled([1.0, 0.9], same, NOW, cosines=np.ones((2, 2)))[1] == []


def test_statements_alike_need_their_own_share_of_the_score_and_the_newest_of_them_comes_first() -> None:
    cosines = np.full((3, 3), RULE.alike)
    assert settled([1.0, RULE.rewording], [said(1), said(2)], UNTYPED, cosines=cosines)[1] == [(1, 0)]
    assert settled([1.0, RULE.rewording - 0.01], [said(1), said(2)], UNTYPED, cosines=cosines)[1] == []
    for asked, expected in ((UNTYPED, [2, 1, 0]), (replace(UNTYPED, newest=False), [0, 1, 2])):
        raised, _ = settled([1.0, 0.99, 0.98], [said(1), said(2), said(3)], asked, cosines=cosines)
        assert order(raised) == expected


def test_the_same_text_said_again_contradicts_nothing() -> None:
    twice = [said(1, text="I work at the zoo"), said(2, text="I work at the zoo")]
    assert settled([1.0, 0.9], twice, UNTYPED, cosines=np.ones((2, 2)))[1] == []


def test_of_three_versions_each_newer_one_is_named_with_each_older_one() -> None:
    scores, pairs = settled([1.0, 0.8, 0.9], [said(1, 5), said(2, 6), said(3, 7)])
    assert order(scores) == [2, 1, 0]
    assert sorted(pairs) == [(1, 0), (2, 0), (2, 1)]


def test_what_is_inherited_is_not_inherited_again() -> None:
    # 2 contradicts 1 but is far from 0, and may not come by 0's place through 1.
    statements = [said(1, 5), said(2, 6, changed=True), said(3, 7)]
    scores, pairs = settled([1.0, 0.5, 0.5], statements)
    assert pairs == [(1, 0), (2, 1)]
    assert order(scores) == [1, 0, 2]


@st.composite
def candidates(draw: st.DrawFn) -> tuple[list[float], list[Said], NDArray[np.float64], NDArray[np.float64]]:
    n = draw(st.integers(0, 10))
    scores = draw(st.lists(st.floats(-1, 3), min_size=n, max_size=n))
    statements = [
        said(draw(st.integers(0, 5)), *draw(st.lists(st.integers(0, 3), max_size=2)), changed=draw(st.booleans()))
        for _ in range(n)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    held = rng.random((4, n)) < 0.6
    shared = (held * rng.random((4, 1))).T @ held
    return scores, statements, shared, rng.uniform(-1, 1, (n, n))


ASKED = st.builds(
    Asked, newest=st.booleans(), explicit=st.booleans(), kinds=st.sampled_from([frozenset({"money"}), frozenset()])
)


@given(candidates(), ASKED)
def test_no_score_falls_and_only_what_replaces_another_rises(
    found: tuple[list[float], list[Said], NDArray[np.float64], NDArray[np.float64]], asked: Asked
) -> None:
    scores, statements, shared, cosines = found
    raised, pairs = settled(scores, statements, asked, shared=shared, cosines=cosines)
    assert len(raised) == len(scores)
    risen = {i for i, (before, after) in enumerate(zip(scores, raised, strict=True)) if after != before}
    assert all(raised[i] > scores[i] for i in risen)
    assert risen <= {i for i, _ in pairs}
    for i, j in pairs:
        assert raised[i] > scores[j] or scores[i] < 0
        if asked.newest:
            assert statements[i][0] > statements[j][0]
        else:
            assert statements[i][0] < statements[j][0]


@given(candidates(), ASKED)
def test_nothing_fires_without_a_contradiction(
    found: tuple[list[float], list[Said], NDArray[np.float64], NDArray[np.float64]], asked: Asked
) -> None:
    scores, statements, shared, _ = found
    agreeing = [(time, replace(each, values=frozenset({Value("money", "5")}))) for time, each in statements]
    assert settled(scores, agreeing, asked, shared=shared) == (scores, [])


@given(candidates())
def test_asking_for_the_original_is_asking_for_the_newest_with_time_reversed(
    found: tuple[list[float], list[Said], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    scores, statements, shared, cosines = found
    backwards = [(-time, each) for time, each in statements]
    forth = settled(scores, statements, NOW, shared=shared, cosines=cosines)
    back = settled(scores, backwards, FIRST, shared=shared, cosines=cosines)
    assert forth[0] == back[0]
    assert sorted(forth[1]) == sorted(back[1])


@given(candidates(), ASKED, st.randoms(use_true_random=False))
def test_the_order_in_which_candidates_are_given_does_not_matter(
    found: tuple[list[float], list[Said], NDArray[np.float64], NDArray[np.float64]],
    asked: Asked,
    random: object,
) -> None:
    scores, statements, shared, cosines = found
    assume(len(scores) > 1)
    cosines = (cosines + cosines.T) / 2
    mixed = list(range(len(scores)))
    random.shuffle(mixed)  # type: ignore[attr-defined]
    raised, pairs = settled(scores, statements, asked, shared=shared, cosines=cosines)
    again, found_again = settled(
        [scores[i] for i in mixed],
        [statements[i] for i in mixed],
        asked,
        shared=shared[np.ix_(mixed, mixed)],
        cosines=cosines[np.ix_(mixed, mixed)],
    )
    assert again == [raised[i] for i in mixed]
    assert sorted((mixed[i], mixed[j]) for i, j in found_again) == sorted(pairs)
