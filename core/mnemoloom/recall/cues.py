"""The words that the query reader listens for, in one place, by language.

To support another language, add an entry to `CUES` and pass its name as `Config.language`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CUES", "Cues", "cues_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cues:
    """Patterns over lower-case text, and words.

    newest, first: the query asks for the present, or for the original state.
    asks_reply: the query asks what the assistant said.
    me, you: pronouns of the one who asks and of the one who answers.
    months: month names and abbreviations to 1–12.
    everyday: names that are also ordinary words; they count as names only with a capital letter.
    """

    newest: re.Pattern[str]
    first: re.Pattern[str]
    asks_reply: re.Pattern[str]
    me: frozenset[str]
    you: frozenset[str]
    months: dict[str, int]
    everyday: frozenset[str]


_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)

CUES: dict[str, Cues] = {
    "english": Cues(
        newest=re.compile(r"\b(now|current|currently|latest|today|still|these days|any ?more|most recent(ly)?)\b"),
        first=re.compile(r"\b(first|original|originally|initial|initially|earliest|used to|before|previous(ly)?)\b"),
        asks_reply=re.compile(
            r"\b(did you|your (advice|suggestions?|recommendations?|answer)"
            r"|you (recommend|suggest|advis|provid|g[ai]ve|said|say|explain|outlin|told|tell)\w*)\b"
        ),
        me=frozenset({"i", "my", "me", "mine", "myself"}),
        you=frozenset({"you", "your", "yours", "yourself"}),
        months={name: number for number, name in enumerate(_MONTHS, 1)}
        | {name[:3]: number for number, name in enumerate(_MONTHS, 1)}
        | {"sept": 9},
        everyday=frozenset(
            [
                "angel",
                "art",
                "bill",
                "bob",
                "carol",
                "chase",
                "chip",
                "christian",
                "dawn",
                "dean",
                "drew",
                "earl",
                "eve",
                "faith",
                "frank",
                "gene",
                "grace",
                "grant",
                "grey",
                "guy",
                "hall",
                "hope",
                "iris",
                "ivy",
                "jack",
                "jade",
                "jean",
                "john",
                "joy",
                "june",
                "lance",
                "lily",
                "long",
                "major",
                "mark",
                "max",
                "may",
                "melody",
                "miles",
                "nick",
                "norm",
                "olive",
                "page",
                "pat",
                "penny",
                "pierce",
                "ray",
                "read",
                "rich",
                "rob",
                "rod",
                "rose",
                "ruby",
                "rusty",
                "sandy",
                "skip",
                "summer",
                "sunny",
                "victor",
                "violet",
                "ward",
                "will",
                "young",
                "april",
                "august",
            ]
        ),
    )
}

_SILENT = Cues(
    newest=re.compile(r"(?!)"),
    first=re.compile(r"(?!)"),
    asks_reply=re.compile(r"(?!)"),
    me=frozenset(),
    you=frozenset(),
    months={},
    everyday=frozenset(),
)


def cues_for(language: str) -> Cues:
    """The cues of a language; one without an entry has none, and its queries are read by names and dates alone."""
    return CUES.get(language, _SILENT)
