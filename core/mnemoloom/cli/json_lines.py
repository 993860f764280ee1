"""Memories as JSON Lines: {"text": …}, and if need be speaker, session, time, metadata, external_id, source, trust.

A line's external id is its own "external_id", for short "id"; a line without one gets the digest of what it says
and how often an equal line came before it in the file. So a file can be loaded again without doubling anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from mnemoloom.config import Config
from mnemoloom.drafts import CheckedDraft, check_draft
from mnemoloom.errors import ValidationError
from mnemoloom.records import Draft

__all__ = ["Line", "read_line", "read_lines"]

_FIELDS = ("text", "speaker", "session", "time", "metadata", "external_id", "id", "ttl", "source", "trust")
_CONFIG = Config()


@dataclass(frozen=True, slots=True)
class Line:
    """A memory to store. named: the id is the line's own. timed: the line says when it was."""

    draft: Draft
    checked: CheckedDraft
    named: bool
    timed: bool


def read_lines(file: Iterable[bytes], *, name: str, usual: Mapping[str, Any] | None = None) -> Iterator[Line]:
    """The lines of a file that is called `name`; blank ones are passed over.

    usual: fields that a line has unless it says otherwise.

    Raises
    ------
    ValidationError: a line breaks a rule, or repeats an id; the message names it.
    """
    equal: Counter[bytes] = Counter()
    named: dict[str, int] = {}
    for number, raw in enumerate(file, 1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            if not text.strip():
                continue
            value = {**(usual or {}), **_checked_object(json.loads(text))}
            line = read_line(value, external_id=_external_id(value, equal))
            if line.named and (first := named.setdefault(value["id"], number)) != number:
                raise ValidationError(f"id {value['id']!r} is that of line {first} already")
        except json.JSONDecodeError as error:
            raise ValidationError(f"{name} line {number} is not JSON: {error.msg} at column {error.colno}") from error
        except (ValueError, RecursionError) as error:  # ours are ValueErrors, as that of UTF-8 is
            raise ValidationError(f"{name} line {number}: {error}") from error
        yield line


def read_line(value: Mapping[str, Any], *, external_id: str | None) -> Line:
    """An object with some of the fields as a memory to store. Raises ValidationError."""
    if not isinstance(value.get("metadata"), (dict, type(None))):
        raise ValidationError(f"metadata must be an object; got {type(value['metadata']).__name__}")
    draft = Draft(
        text=value.get("text", ""),
        speaker=value.get("speaker"),
        session=value.get("session"),
        time=value.get("time"),
        metadata=value.get("metadata") or {},
        external_id=external_id,
        source=value.get("source"),
        trust="user" if value.get("trust") is None else value["trust"],
        ttl=value.get("ttl"),
    )
    checked = check_draft(draft, config=_CONFIG, now=0)
    return Line(draft, checked, value.get("id") is not None, value.get("time") is not None)


def _checked_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValidationError(f"a line must be an object; got {type(value).__name__}")
    unknown = sorted(value.keys() - set(_FIELDS))
    if unknown:
        raise ValidationError(f"a line has no field {unknown[0]!r}; its fields are {', '.join(_FIELDS)}")
    if "external_id" in value:
        value = {"id": value["external_id"]} | {name: held for name, held in value.items() if name != "external_id"}
    return value


def _external_id(value: dict[str, Any], equal: Counter[bytes]) -> str:
    own = value.get("id")
    if own is not None:
        if not isinstance(own, str):
            raise ValidationError(f"id must be a string; got {own!r}")
        return own
    content = {name: held for name, held in value.items() if held is not None}
    digest = blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).digest()
    equal[digest] += 1
    return f"line:{digest.hex()}:{equal[digest]}"
