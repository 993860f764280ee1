"""How far a memory is trusted: an ordered vocabulary.

From the least to the most: `web` (found on a page or in a document of others), `import` (came in a file), `tool` (a
tool's answer), `model` (a language model's words), `user` (said by the user; the default), `system` (set by the
application). A label that is none of these, as stores from before the vocabulary may hold, ranks below all.
"""

from __future__ import annotations

from collections.abc import Iterable

from mnemoloom.errors import ValidationError, told

__all__ = ["TRUST", "check_trust", "least_trusted", "trusted_at_least"]

TRUST = ("web", "import", "tool", "model", "user", "system")


def check_trust(label: object, *, name: str = "trust") -> str:
    """The label if it is one of the vocabulary; raises ValidationError."""
    if not isinstance(label, str) or label not in TRUST:
        raise ValidationError(f"{name} must be one of {', '.join(TRUST)}; got {told(label)}")
    return TRUST[TRUST.index(label)]  # plain, whatever subclass of str the label is


def trusted_at_least(label: str) -> tuple[str, ...]:
    """The labels that rank no lower than one; raises ValidationError."""
    return TRUST[TRUST.index(check_trust(label, name="min_trust")) :]


def least_trusted(labels: Iterable[str]) -> str:
    """The lowest of some labels, of which there is at least one."""
    return min(labels, key=lambda label: TRUST.index(label) if label in TRUST else -1)
