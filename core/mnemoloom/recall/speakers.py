"""Speaker labels: which are roles, which are names, and which of them a query means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mnemoloom.recall.cues import Cues

__all__ = ["REPLY_ROLES", "ROLES", "USER_ROLES", "Names", "is_name", "is_reply", "is_user"]

USER_ROLES = frozenset({"user", "human"})
REPLY_ROLES = frozenset({"assistant", "ai", "bot", "chatbot", "model"})
ROLES = USER_ROLES | REPLY_ROLES | {"system", "tool", "function", "developer"}

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$|['’]s\b")


def is_user(label: str | None) -> bool:
    """Whether the label is the user's role."""
    return label is not None and label.lower() in USER_ROLES


def is_reply(label: str | None) -> bool:
    """Whether the label is an assistant's role."""
    return label is not None and label.lower() in REPLY_ROLES


def is_name(label: str | None) -> bool:
    """Whether the label is a name: there, and no role."""
    return label is not None and label.lower() not in ROLES


@dataclass(frozen=True, slots=True)
class Names:
    """What the speakers of a namespace are called.

    whole: lower-case label to label. words: lower-case word of a label to the labels that hold it.
    nicknames: the first three letters of a longer word to labels; they count only with a capital letter.
    everyday: words that are names only with a capital letter.
    """

    whole: Mapping[str, str]
    words: Mapping[str, frozenset[str]]
    nicknames: Mapping[str, frozenset[str]]
    everyday: frozenset[str]

    @classmethod
    def of(cls, labels: Iterable[str], cues: Cues, stop_words: frozenset[str]) -> Names:
        whole: dict[str, str] = {}
        words: dict[str, set[str]] = {}
        nicknames: dict[str, set[str]] = {}
        for label in filter(is_name, labels):
            whole[label.lower()] = label
            for word in _WORD.findall(label.lower()):
                if len(word) > 1:
                    words.setdefault(word, set()).add(label)
                if len(word) > 3:
                    nicknames.setdefault(word[:3], set()).add(label)
        everyday = cues.everyday | stop_words | frozenset(cues.months)
        return cls(
            whole,
            {word: frozenset(bearers) for word, bearers in words.items()},
            {word: frozenset(bearers) for word, bearers in nicknames.items() if word not in words.keys() | everyday},
            everyday,
        )

    def bearers(self, word: str) -> frozenset[str]:
        """The labels that `word`, as the query writes it, can stand for; a whole label stands for itself."""
        bare = _POSSESSIVE.sub("", word)
        lower, capital = bare.lower(), bare[:1].isupper()
        if not capital and lower in self.everyday:
            return frozenset()
        if lower in self.whole:
            return frozenset({self.whole[lower]})
        if lower in self.words:
            return self.words[lower]
        return self.nicknames.get(lower, frozenset()) if capital else frozenset()

    def split(self, text: str) -> tuple[str, frozenset[str]]:
        """`text` without the names in it, and the labels that were named."""
        rest, named = self._without_long_labels(text)
        kept, end = [], 0
        for word in _WORD.finditer(rest):
            bearers = self.bearers(word[0])
            if bearers:
                named |= bearers
                kept.append(rest[end : word.start()])
                end = word.end()
        kept.append(rest[end:])
        return re.sub(r"\s+", " ", "".join(kept)).strip(), frozenset(named)

    def _without_long_labels(self, text: str) -> tuple[str, set[str]]:
        """Take out the labels of several words, longest first: "Ann Lee" is not any Ann."""
        named: set[str] = set()
        for lower in sorted(self.whole, key=len, reverse=True):
            if " " in lower and lower in text.lower():
                text, times = re.subn(rf"(?<!\w){re.escape(lower)}(?:['’]s)?(?!\w)", " ", text, flags=re.IGNORECASE)
                named |= {self.whole[lower]} if times else set()
        return text, named
