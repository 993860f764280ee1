"""Text to terms: lower case, words, no stop words, Snowball stems.

Runs of Chinese, Japanese or Korean characters, which carry no spaces, become overlapping pairs.
"""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files
from threading import Lock

import snowballstemmer

from mnemoloom.errors import ConfigError, told

__all__ = ["Analyzer"]

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
# A vocabulary this large is no longer language: identifiers, hashes. Forgetting the cache is cheap.
_CACHE_LIMIT = 200_000


class Analyzer:
    """Turns text into index terms; safe to share between threads.

    Parameters
    ----------
    language: one of the Snowball stemmers ("english", "german", …). Stop words exist for English;
        in other languages the rarity weights of BM25 do their work.

    Raises
    ------
    ConfigError: no stemmer of that name.
    """

    def __init__(self, language: str = "english") -> None:
        if language not in snowballstemmer.algorithms():
            known = ", ".join(sorted(snowballstemmer.algorithms()))
            raise ConfigError(f"language must be one of {known}; got {told(language)}")
        self.language = language
        self.stop_words = _stop_words() if language == "english" else frozenset[str]()
        self._stemmer = snowballstemmer.stemmer(language)
        self._lock = Lock()  # a Snowball stemmer keeps the word it works on
        self._stems: dict[str, str] = {}

    def words(self, text: str) -> list[str]:
        """The words of `text` in lower case, in order, stop words included."""
        if text.isascii():
            return _ASCII_WORD.findall(text.lower())
        found: list[str] = []
        for run in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
            if len(run) > 2 and _IS_CJK.match(run):
                found += [run[i : i + 2] for i in range(len(run) - 1)]
            else:
                found.append(run)
        return found

    def stem(self, word: str) -> str:
        """The stem of one lower-case word; a stop word's stem is the empty string."""
        stem = self._stems.get(word)
        if stem is None:
            stem = "" if word in self.stop_words else self._stem_anew(word)
        return stem

    def terms(self, text: str) -> list[str]:
        """The index terms of `text`, in order, with repetitions."""
        known = self._stems
        found = []
        for word in self.words(text):
            stem = known.get(word)
            if stem is None:
                stem = self.stem(word)
            if stem:
                found.append(stem)
        return found

    def _stem_anew(self, word: str) -> str:
        with self._lock:
            if len(self._stems) >= _CACHE_LIMIT:
                self._stems = dict.fromkeys(self.stop_words, "")
            stem: str = self._stemmer.stemWord(word)
            self._stems[word] = stem
        return stem


def _stop_words() -> frozenset[str]:
    lines = files("mnemoloom.lexical").joinpath("stop_words_english.txt").read_text(encoding="utf-8").split()
    return frozenset(lines)
