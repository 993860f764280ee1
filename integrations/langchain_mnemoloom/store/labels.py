"""Labels of namespaces: what LangGraph allows, an escape for what it does not, and how prefixes match.

A namespace is compared label by label. Each LangGraph namespace is a namespace of the core, below the one of the
store, so that no item can be found but through its own labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from langgraph.store.base import InvalidNamespaceError, MatchCondition

from mnemoloom.errors import ValidationError

__all__ = ["check_condition", "check_labels", "escape_label", "matches_all", "starts_with", "unescape_label"]

Labels = tuple[str, ...]

_SPECIAL = re.compile("[%.\0\ud800-\udfff]")


def escape_label(text: str) -> str:
    """Any text as a label that LangGraph allows, such as an email: `bob@x.com` becomes `bob@x%2Ecom`.

    The special characters (. and NUL, and % itself) are written as % and two hexadecimal digits. A text that would
    be empty, blank or the reserved root "langgraph" is written so that it is not; different texts stay different.
    """
    if not isinstance(text, str):
        raise InvalidNamespaceError(f"a label is made from a string; got {text!r}")
    if not text:
        return "%"
    if not text.strip():
        return "".join(map(_percent, text))
    escaped = _SPECIAL.sub(lambda found: _percent(found.group()), text)
    return "%6Canggraph" if escaped == "langgraph" else escaped


def unescape_label(label: str) -> str:
    """The text that `escape_label` made a label of."""
    return "" if label == "%" else unquote_to_bytes(label).decode("utf-8", "surrogatepass")


def check_labels(labels: object) -> Labels:
    """`labels` as a tuple, if each is a label that LangGraph allows; raises InvalidNamespaceError."""
    if not isinstance(labels, (tuple, list)):
        raise InvalidNamespaceError(f"a namespace must be a tuple of labels; got {labels!r}")
    for label in labels:
        if not isinstance(label, str) or not label:
            raise InvalidNamespaceError(f"a label must be a non-empty string; got {label!r} in {labels!r}")
        if "." in label or "\0" in label:
            raise InvalidNamespaceError(
                f"a label must hold no period and no NUL; got {label!r} in {labels!r}; "
                "langchain_mnemoloom.escape_label writes any text as a label"
            )
    return tuple(labels)


def check_condition(condition: MatchCondition) -> None:
    """Raise InvalidNamespaceError for bad labels, ValidationError for a condition on another part of a namespace."""
    check_labels(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise ValidationError(f"a match condition must be 'prefix' or 'suffix'; got {condition.match_type!r}")


def starts_with(labels: Labels, prefix: Sequence[str]) -> bool:
    """Whether a namespace lies at or below another: ("a", "b") below ("a",), but ("ab",) not."""
    return labels[: len(prefix)] == tuple(prefix)


def matches_all(labels: Labels, conditions: Iterable[MatchCondition]) -> bool:
    """Whether a namespace meets every condition; "*" stands for exactly one label."""
    return all(_meets(labels, condition) for condition in conditions)


def _meets(labels: Labels, condition: MatchCondition) -> bool:
    path = tuple(condition.path)
    if len(path) > len(labels):
        return False
    part = labels[: len(path)] if condition.match_type == "prefix" else labels[len(labels) - len(path) :]
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
