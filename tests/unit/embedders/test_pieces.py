from __future__ import annotations

import pytest

from mnemoloom.embedders.pieces import words_of_pieces


def pieces(text, *parts, begin=0):
    """The words of `parts`, which occur in this order in the text."""
    spans, position = [], 0
    for part in parts:
        start = text.index(part, position)
        position = start + len(part)
        spans.append((start, position))
    return words_of_pieces(text, [(0, 0), *spans, (0, 0)], [1] + [0] * len(spans) + [1], begin=begin)


@pytest.mark.parametrize(
    ("text", "parts", "words"),
    [
        ("Hello, World!", ["Hello", ",", "World", "!"], ("hello", "world")),
        ("painting", ["pain", "ting"], ("painting", "painting")),
        ("Ann's cat", ["Ann", "'", "s", "cat"], ("ann", "ann", "cat")),
        ("Ann’s cat", ["Ann", "’", "s", "cat"], ("ann", "ann", "cat")),
        ("don't go", ["don", "'", "t", "go"], ("don't", "don't", "go")),
        ("'quoted'", ["'", "quoted", "'"], ("quoted",)),
        ("snake_case", ["snake", "_", "case"], ("snake", "case")),
        ("a b", ["a", " b"], ("a", "b")),  # pieces of some tokenizers hold the space before a word
        ("(a", ["(a"], ("a",)),
        ("Ærø Über", ["Ærø", "Über"], ("ærø", "über")),
        ("... 🙂 —", ["...", "🙂", "—"], ()),
        ("", [], ()),
    ],
)
def test_each_piece_belongs_to_its_lower_case_word(text, parts, words):
    assert pieces(text, *parts)[1] == words


def test_positions_count_special_pieces_and_marks():
    assert pieces("Hello, World!", "Hello", ",", "World", "!")[0] == [1, 3]


def test_pieces_of_the_prompt_are_left_out():
    assert pieces("query: where", "query", ":", "where", begin=7) == ([3], ("where",))
