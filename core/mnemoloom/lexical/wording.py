"""When two texts could be the same said again: by all their words, or by those that a small change falsifies."""

from __future__ import annotations

import re
import unicodedata

from mnemoloom.lexical.analysis import Analyzer

__all__ = ["specifics", "wording"]

# What may open a text without changing what it says.
_OPENERS = {"english": frozenset(("hello", "hey", "hi", "oh", "ok", "okay", "so", "wow"))}
_ENDS = ".,;:!…。！"
_SPACE = " \t\n\r\u00a0\u3000"
# Words that turn what is said into something else. "didn", "isn" and the like are what is left of "didn't", "isn't".
_TURNING_ENGLISH = """
no not never nor none nothing nobody neither cannot without hardly barely almost nearly maybe perhaps might if unless
until before after instead ain aren couldn didn doesn don hadn hasn haven isn mightn mustn needn shan shouldn wasn
weren won wouldn he him his she her hers they them their more less fewer most least up down under over half twice
double both than off left right open opened closed shut inside outside above below
noon midnight morning afternoon evening night tonight
one two three four five six seven eight nine ten eleven twelve hundred thousand million
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday first second third last next
"""
_TURNING = {"english": frozenset(_TURNING_ENGLISH.split())}
_CAPITAL = re.compile(r"(?<=[^\s.!?:;\"“”'’(\[])[\"“”'’(\[]*\s+[\"“”'’(\[]*([A-Z][^\W_]+)")
_SIGN = re.compile(r"(?<!\w)[+±−-](?=\.?\d)|(?<=\d)\s*[ap]\.?m\b")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def wording(analyzer: Analyzer, text: str) -> tuple[str, ...]:
    """What a text says, for comparison: all its words and signs in order, in lower case.

    Only interjections that open it and the punctuation that ends it are left out. Stop words, endings, signs, and
    punctuation in between all may change what is said: "9 am", "+5 degrees", "I worked at Acme", "No, more tea".
    """
    openers = _OPENERS.get(analyzer.language, frozenset())
    words = unicodedata.normalize("NFC", text).lower().rstrip(_ENDS + _SPACE).split()
    start = next((place for place, word in enumerate(words) if word.rstrip(_ENDS) not in openers), None)
    return tuple(word.rstrip(_ENDS) for word in words) if start is None else tuple(words[start:])


def specifics(analyzer: Analyzer, text: str) -> tuple[str, ...]:
    """What two near paraphrases must share: numbers, dates, names inside a sentence, negations, whether it asks.

    "Bodil has 4 chickens" and "Bodil has 26 chickens" are near each other to any encoder. No list holds all such
    words: "clockwise" and "counterclockwise" share these, too. In a language without a list this is the wording.
    """
    turning = _TURNING.get(analyzer.language)
    if turning is None or _UNSPACED.search(text):
        return wording(analyzer, text)
    words = analyzer.words(text)
    told = [word for word in words if word in turning or any(map(str.isdigit, word))]
    told += [sign.strip().replace(".", "") for sign in _SIGN.findall(text.lower())]
    names = [f"{name.lower()}^" for name in _CAPITAL.findall(text)]
    return (*told, *names, "?") if _asks(text) else (*told, *names)


def _asks(text: str) -> bool:
    return text.rstrip().endswith(("?", "？"))
