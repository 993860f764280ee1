"""Hits, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnemoloom.cli.screen import Screen, visible
from mnemoloom.records import Hit, RecallResult, Record, Tier

__all__ = ["describe_hit", "describe_record", "hit_object", "record_object"]

_INDENT = 5
_FOUND = ("web", "import", "tool")  # what others have said


def hit_object(hit: Hit, rank: int) -> dict[str, Any]:
    """A hit as a JSON object; its neighbours and repetitions only if there are any."""
    found = {
        "rank": rank,
        "score": hit.score,
        "parts": dict(hit.parts),
        **record_object(hit.record),
        "supersedes": list(hit.supersedes),
        "superseded_by": list(hit.superseded_by),
        "second_look": hit.second_look,
    }
    if hit.repeats:
        found["repeats"] = list(map(record_object, hit.repeats))
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


def describe_hit(screen: Screen, hit: Hit, rank: int, *, among: RecallResult, mark: str = "") -> str:
    """A few lines: rank, score and its bar, date, speaker, id; the text; what the score is made of; what it replaces.

    The bar of the best hit is as long as the result is confident, so that the best of nothing does not look full.
    """
    best = among[0].score
    head = [
        f"{rank:>3}. {screen.bold(f'{hit.score:6.3f}')}",
        screen.bar(among.confidence * hit.score / best if best > 0 else 0.0),
        f"{hit.time:%Y-%m-%d %H:%M}",
        visible(hit.speaker or ""),
        screen.dim(f"#{hit.id}"),
        screen.dim(visible(f"{hit.trust}: {hit.source}" if hit.source else hit.trust)) if hit.trust in _FOUND else "",
        mark,
    ]
    lines = ["  ".join(filter(None, head))]
    lines += _around(screen, hit.before)
    lines.append(screen.wrapped(hit.text, indent=_INDENT))
    lines += _around(screen, hit.after)
    lines.append(" " * _INDENT + screen.dim(screen.figures(hit.parts)))
    if ties := _ties(hit):
        lines.append(" " * _INDENT + ", ".join(ties))
    return "\n".join(lines)


def _ties(hit: Hit) -> list[str]:
    ties = [
        f"{word} {', '.join(f'#{memory}' for memory in ids)}"
        for word, ids in (("supersedes", hit.supersedes), ("superseded by", hit.superseded_by))
        if ids
    ]
    if hit.repeats:
        ties.append(f"also said {', '.join(f'{each.time:%Y-%m-%d %H:%M} #{each.id}' for each in hit.repeats)}")
    return [*ties, "found by a second look"] if hit.second_look else ties


def describe_record(screen: Screen, record: Record) -> str:
    """Two lines or more: id, date, speaker, own id and tier; the text."""
    head = [
        screen.bold(f"#{record.id}"),
        f"{record.time:%Y-%m-%d %H:%M}",
        visible(record.speaker or ""),
        screen.dim(visible(f"id {record.external_id}" if record.external_id else "")),
        "" if record.tier is Tier.LONG_TERM else "pinned" if record.pinned else record.tier.value,
    ]
    return "  ".join(filter(None, head)) + "\n" + screen.wrapped(record.text, indent=_INDENT)


def _around(screen: Screen, records: Sequence[Record]) -> list[str]:
    return [
        screen.dim(screen.wrapped(f"{record.speaker or ''}: {record.text}".lstrip(": "), indent=_INDENT + 2))
        for record in records
    ]
