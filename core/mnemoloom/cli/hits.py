"""Hits, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnemoloom.cli.screen import Screen, visible
from mnemoloom.records import Hit, Record

__all__ = ["describe_hit", "hit_object", "record_object"]

_INDENT = 5


def hit_object(hit: Hit, rank: int) -> dict[str, Any]:
    """A hit as a JSON object; its neighbours only if there are any."""
    found = {"rank": rank, "score": hit.score, "parts": dict(hit.parts), **record_object(hit.record)}
    if hit.before or hit.after:
        found["before"] = list(map(record_object, hit.before))
        found["after"] = list(map(record_object, hit.after))
    return found


def record_object(record: Record) -> dict[str, Any]:
    """A record as a JSON object; times in ISO 8601."""
    return {
        "id": record.id,
        "text": record.text,
        "speaker": record.speaker,
        "session": record.session,
        "time": record.time.isoformat(),
        "metadata": dict(record.metadata),
        "tier": record.tier.value,
        "pinned": record.pinned,
        "external_id": record.external_id,
        "source": record.source,
        "trust": record.trust,
        "pointer": record.pointer,
    }


def describe_hit(screen: Screen, hit: Hit, rank: int, *, best: float, mark: str = "") -> str:
    """A few lines: rank, score and its bar, date, speaker, id; the text; what the score is made of."""
    head = [
        f"{rank:>3}. {screen.bold(f'{hit.score:6.3f}')}",
        screen.bar(hit.score / best if best > 0 else 0.0),
        f"{hit.time:%Y-%m-%d %H:%M}",
        visible(hit.speaker or ""),
        screen.dim(f"#{hit.id}"),
        mark,
    ]
    lines = ["  ".join(filter(None, head))]
    lines += _around(screen, hit.before)
    lines.append(screen.wrapped(hit.text, indent=_INDENT))
    lines += _around(screen, hit.after)
    lines.append(" " * _INDENT + screen.dim(screen.figures(hit.parts)))
    return "\n".join(lines)


def _around(screen: Screen, records: Sequence[Record]) -> list[str]:
    return [
        screen.dim(screen.wrapped(f"{record.speaker or ''}: {record.text}".lstrip(": "), indent=_INDENT + 2))
        for record in records
    ]
