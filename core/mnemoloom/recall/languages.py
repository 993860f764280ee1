"""The languages whose cues are known.

To support another one, write its module as `cues_english` is written, add it to `CUES` and pass its name as
`Config.language`.
"""

from __future__ import annotations

from mnemoloom.recall.cues import SILENT, Cues
from mnemoloom.recall.cues_english import ENGLISH

__all__ = ["CUES", "cues_for"]

CUES: dict[str, Cues] = {"english": ENGLISH}


def cues_for(language: str) -> Cues:
    """The cues of a language; one without an entry has none, and its queries are read by names and dates alone."""
    return CUES.get(language, SILENT)
