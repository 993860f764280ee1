"""When two texts could be the same said again: by all their words, or by those that a small change would falsify."""

from __future__ import annotations

import re

from mnemoloom.lexical.analysis import Analyzer

__all__ = ["specifics", "wording"]

# Stop words that change nothing about what is said. All other words count: "not", "she" and "if", too.
_FILLERS = {
    "english": frozenset(
        ("a", "an", "hello", "hey", "hi", "just", "oh", "ok", "okay", "really", "so", "the", "too", "very", "wow")
    )
}
# Words that turn what is said into something else. "didn", "isn" and the like are what is left of "didn't", "isn't".
_TURNING_ENGLISH = """
no not never nor none nothing nobody neither cannot without hardly barely almost nearly maybe perhaps might if unless
until before after instead ain aren couldn didn doesn don hadn hasn haven isn mightn mustn needn shan shouldn wasn
weren won wouldn he him his she her hers they them their more less fewer most least up down under over half twice
double both one two three four five six seven eight nine ten eleven twelve hundred thousand million
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday first second third last next
"""
_TURNING = {"english": frozenset(_TURNING_ENGLISH.split())}
_CAPITAL = re.compile(r"(?<=[^\s.!?:;\"“”'’(\[])[\"“”'’(\[]*\s+[\"“”'’(\[]*([A-Z][^\W_]+)")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def wording(analyzer: Analyzer, text: str) -> tuple[str, ...]:
    """What a text says, for comparison: its words in order, stemmed, without fillers; a question ends with "?".

    Texts of one wording say the same. Those that do not may do so as well: this is no paraphrase detector.
    """
    fillers = _FILLERS.get(analyzer.language, frozenset())
    words = analyzer.words(text)
    told = [analyzer.stem(word) or word for word in words if word not in fillers] or words
    return (*told, "?") if _asks(text) else tuple(told)


def specifics(analyzer: Analyzer, text: str) -> tuple[str, ...]:
    """What two near paraphrases must share: numbers, dates, names inside a sentence, negations, whether it asks.

    "Bodil has 4 chickens" and "Bodil has 26 chickens" are near each other to any encoder. In a language without a
    list of such words this is the wording.
    """
    turning = _TURNING.get(analyzer.language)
    if turning is None or _UNSPACED.search(text):
        return wording(analyzer, text)
    words = analyzer.words(text)
    told = [word for word in words if word in turning or any(map(str.isdigit, word))]
    names = [f"{name.lower()}^" for name in _CAPITAL.findall(text)]
    return (*told, *names, "?") if _asks(text) else (*told, *names)


def _asks(text: str) -> bool:
    return text.rstrip().endswith(("?", "？"))
