"""What is told of a hit beside its text, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document

from mnemoloom import Hit, Record

__all__ = ["as_document", "facts_of"]


def facts_of(hit: Hit) -> dict[str, Any]:
    """Score, parts and provenance of a hit; fields that are not set are left out."""
    record = hit.record
    facts = {
        "memory_id": record.id,
        "score": hit.score,
        "parts": dict(hit.parts),
        "time": record.time.isoformat(),
        "created_at": record.created.isoformat(),
        "speaker": record.speaker,
        "session": record.session,
        "tier": record.tier.value,
        "external_id": record.external_id,
        "source": record.source,
        "trust": record.trust,
        "supersedes": list(hit.supersedes) or None,
        "superseded_by": list(hit.superseded_by) or None,
        "before": [_neighbour(each) for each in hit.before] or None,
        "after": [_neighbour(each) for each in hit.after] or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def as_document(hit: Hit, *, about: Mapping[str, Any] | None = None) -> Document:
    """A hit as a document: its metadata is the memory's own, and beside it the facts and what `about` tells.

    Where names collide, the facts of the memory win.
    """
    metadata = {**hit.metadata, **(about or {}), **facts_of(hit)}
    return Document(page_content=hit.text, metadata=metadata, id=hit.external_id or str(hit.id))


def _neighbour(record: Record) -> dict[str, Any]:
    return {
        "memory_id": record.id,
        "speaker": record.speaker,
        "time": record.time.isoformat(),
        "text": record.text,
    }
