"""When two texts say the same in the same words: case, punctuation, endings and fillers aside."""

from __future__ import annotations

from mnemoloom.lexical.analysis import Analyzer

__all__ = ["wording"]

# Stop words that change nothing about what is said. All other words count: "not", "she" and "if", too.
_FILLERS = {
    "english": frozenset(
        ("a", "an", "hello", "hey", "hi", "just", "oh", "ok", "okay", "really", "so", "the", "too", "very", "wow")
    )
}


def wording(analyzer: Analyzer, text: str) -> tuple[str, ...]:
    """What a text says, for comparison: its words in order, stemmed, without fillers; a question ends with "?".

    Texts of one wording say the same. Those that do not may do so as well: this is no paraphrase detector.
    """
    fillers = _FILLERS.get(analyzer.language, frozenset())
    words = analyzer.words(text)
    told = [analyzer.stem(word) or word for word in words if word not in fillers] or words
    return (*told, "?") if text.rstrip().endswith(("?", "？")) else tuple(told)
