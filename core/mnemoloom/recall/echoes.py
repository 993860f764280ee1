"""Questions that were remembered: asked again, they match best of all and answer nothing.

An agent that remembers what it is asked would otherwise find its own earlier questions before the fact they ask for.
"""

from __future__ import annotations

import re

__all__ = ["is_question"]

_QUESTION = re.compile(r"[^.!?;:\n]+[?？]+\s*")
_LONGEST = 300  # characters; a longer one says something besides


def is_question(text: str) -> bool:
    """Whether a text is one question and nothing else."""
    return len(text) <= _LONGEST and _QUESTION.fullmatch(text) is not None
