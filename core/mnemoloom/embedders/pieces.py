"""Which word of a text each word piece of a tokenizer belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["words_of_pieces"]

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of_pieces(
    text: str, spans: Sequence[tuple[int, int]], special: Sequence[int], *, begin: int = 0
) -> tuple[list[int], tuple[str, ...]]:
    """Return the positions of the pieces that lie in a word, and for each the lower-case word without 's.

    Parameters
    ----------
    text: what was tokenized, a prompt included.
    spans: the first and the last-plus-one character of every piece.
    special: for every piece, 1 if the tokenizer added it.
    begin: where the prompt ends; pieces before it are left out.
    """
    matches = list(WORD.finditer(text, begin))
    starts = [match.start() for match in matches]
    words = [_bare(match.group()) for match in matches]
    positions, owners = [], []
    for position, ((first, end), added) in enumerate(zip(spans, special, strict=True)):
        if added or end <= begin:
            continue
        # the last word that starts before the piece ends: a piece may open with a space or a mark
        owner = bisect_right(starts, end - 1) - 1
        if owner >= 0 and matches[owner].end() > first and not _is_mark(text[first:end]):
            positions.append(position)
            owners.append(words[owner])
    return positions, tuple(owners)


def _bare(word: str) -> str:
    return word.lower().replace("’", "'").removesuffix("'s")


def _is_mark(piece: str) -> bool:
    # an apostrophe lies inside its word
    return not any(character.isalnum() for character in piece)
