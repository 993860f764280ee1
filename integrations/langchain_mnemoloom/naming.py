"""Names from outside, of threads, messages, models and people, as labels that memory can keep."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["digest_of", "is_label", "label_of"]

_LONGEST = 200  # characters


def is_label(name: str) -> bool:
    """Whether a name can stand as it is: short, printable, not blank."""
    return bool(name.strip()) and len(name) <= _LONGEST and name.isprintable()


def label_of(name: object) -> str:
    """The name itself, or else its digest: different names stay different."""
    text = str(name)
    return text if is_label(text) else digest_of(text)


def digest_of(text: str) -> str:
    """32 hexadecimal digits that stand for any text, unpaired surrogates included."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
