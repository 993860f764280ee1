"""Text to terms."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.errors import ConfigError
from mnemoloom.lexical import Analyzer

ENGLISH = Analyzer()


def test_words_are_lower_case_and_in_order() -> None:
    assert ENGLISH.words("The Cat, the HAT!") == ["the", "cat", "the", "hat"]


def test_terms_are_stems_without_stop_words_and_keep_repetitions() -> None:
    assert ENGLISH.terms("The dogs were running after a running dog") == ["dog", "run", "run", "dog"]


def test_a_text_of_stop_words_has_no_terms() -> None:
    assert ENGLISH.terms("What was it that you had been doing there?") == []


@pytest.mark.parametrize("text", ["Melanie's pottery", "Melanie’s pottery"])
def test_a_possessive_ending_is_no_term(text: str) -> None:
    assert ENGLISH.terms(text) == ENGLISH.terms("Melanie pottery")


def test_numbers_are_terms_as_they_stand() -> None:
    assert ENGLISH.terms("flight 0042 at 18:30") == ["flight", "0042", "18", "30"]


def test_underscores_and_hyphens_separate_words() -> None:
    assert ENGLISH.words("snake_case well-known") == ["snake", "case", "well", "known"]


def test_the_ascii_path_and_the_unicode_path_agree() -> None:
    plain = "It's Ann's 3rd bike_ride -- at 18:30, isn't it?"
    assert ENGLISH.words(plain + " ü")[:-1] == ENGLISH.words(plain)


def test_runs_of_chinese_characters_become_overlapping_pairs() -> None:
    assert ENGLISH.words("我喜欢猫") == ["我喜", "喜欢", "欢猫"]


@pytest.mark.parametrize(("text", "words"), [("猫", ["猫"]), ("東京", ["東京"]), ("안녕하", ["안녕", "녕하"])])
def test_short_runs_without_spaces_are_kept_whole(text: str, words: list[str]) -> None:
    assert ENGLISH.words(text) == words


def test_letters_and_characters_without_spaces_do_not_join() -> None:
    assert ENGLISH.words("Tokyo東京タワー2024") == ["tokyo", "東京", "京タ", "タワ", "ワー", "2024"]


def test_full_width_letters_are_ordinary_letters() -> None:
    assert ENGLISH.words("ＡＢＣ１２３ ﬁne") == ["abc123", "fine"]


def test_accents_are_kept_however_they_are_written() -> None:
    composed = "Der Käse schmeckt très bien"
    assert ENGLISH.words(composed) == ENGLISH.words(unicodedata.normalize("NFD", composed))
    assert "käse" in ENGLISH.words(composed)


def test_another_language_has_its_own_stems_and_no_stop_words() -> None:
    german = Analyzer("german")
    assert german.stop_words == frozenset()
    assert german.terms("die Häuser") == ["die", german.stem("haus")]


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"language must be one of .*english.*; got 'klingon'"):
        Analyzer("klingon")


@given(st.text())
def test_terms_are_the_stems_of_the_words(text: str) -> None:
    words = ENGLISH.words(text)
    assert ENGLISH.terms(text) == [stem for stem in map(ENGLISH.stem, words) if stem]
    assert all(words)


@given(st.text())
def test_analysis_does_not_depend_on_normal_form(text: str) -> None:
    assert ENGLISH.terms(unicodedata.normalize("NFC", text)) == ENGLISH.terms(unicodedata.normalize("NFD", text))


def test_threads_that_share_an_analyzer_get_the_answers_of_one() -> None:
    texts = [" ".join(f"{stem}{n}ing walks{n} happily" for stem in ("run", "jump")) for n in range(400)]
    alone = Analyzer()
    expected = [alone.terms(text) for text in texts]
    shared = Analyzer()
    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(lambda _: [shared.terms(text) for text in texts], range(8)):
            assert answers == expected
