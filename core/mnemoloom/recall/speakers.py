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

    words: lower-case word of a name to the labels that bear it.
    nicknames: the first three letters of a longer word to labels; they count only with a capital letter.
    everyday: words that are names only with a capital letter.
    """

    words: Mapping[str, frozenset[str]]
    nicknames: Mapping[str, frozenset[str]]
    everyday: frozenset[str]

    @classmethod
    def of(cls, labels: Iterable[str], cues: Cues, stop_words: frozenset[str]) -> Names:
        words: dict[str, set[str]] = {}
        nicknames: dict[str, set[str]] = {}
        for label in filter(is_name, labels):
            for word in _WORD.findall(label.lower()):
                if len(word) > 1:
                    words.setdefault(word, set()).add(label)
                if len(word) > 3:
                    nicknames.setdefault(word[:3], set()).add(label)
        return cls(
            {word: frozenset(bearers) for word, bearers in words.items()},
            {word: frozenset(bearers) for word, bearers in nicknames.items() if word not in words},
            cues.everyday | stop_words | frozenset(cues.months),
        )

    def bearers(self, word: str) -> frozenset[str]:
        """The labels that `word`, as the query writes it, can stand for."""
        bare = _POSSESSIVE.sub("", word)
        lower, capital = bare.lower(), bare[:1].isupper()
        found = self.words.get(lower)
        if found is not None:
            return found if capital or lower not in self.everyday else frozenset()
        return self.nicknames.get(lower, frozenset()) if capital else frozenset()

    def split(self, text: str) -> tuple[str, frozenset[str]]:
        """`text` without the names in it, and the labels that were named."""
        named: set[str] = set()
        kept, end = [], 0
        for word in _WORD.finditer(text):
            bearers = self.bearers(word[0])
            if bearers:
                named |= bearers
                kept.append(text[end : word.start()])
                end = word.end()
        kept.append(text[end:])
        return re.sub(r"\s+", " ", "".join(kept)).strip(), frozenset(named)
