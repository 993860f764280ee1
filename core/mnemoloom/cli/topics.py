"""`topics`: what the memories are about."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from mnemoloom.cli.hits import record_object
from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import Screen, emit, visible
from mnemoloom.recall.topics import Topic

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Sort what has come since, write down where it went, and print the topics, largest first."""
    require_store(arguments)
    with open_memory(arguments) as memory:
        found = memory.topics(arguments.k)
    if arguments.json:
        spread = asdict(found.statistics)
        emit({"topics": list(map(_topic_object, found)), "statistics": spread, "unsorted": found.unsorted})
        return 0
    screen = Screen.of_stdout()
    for topic in found:
        print(_described(screen, topic))
    more = found.statistics.categories - len(found)
    notes = [f"{more:,} smaller topics are left out"] if more > 0 else []
    notes += [f"{found.unsorted:,} memories have no vector, and so no topic"] if found.unsorted else []
    print(screen.dim("; ".join(notes)) if notes else "", end="\n" if notes else "")
    if not found and not notes:
        print("no memory is here")
    return 0


def _topic_object(topic: Topic) -> dict[str, Any]:
    return {
        "id": topic.id,
        "count": topic.count,
        "cold": topic.cold,
        "keywords": list(topic.keywords),
        "coherence": topic.coherence,
        "first": topic.first.isoformat(),
        "last": topic.last.isoformat(),
        "representative": record_object(topic.representative),
    }


def _described(screen: Screen, topic: Topic) -> str:
    """Two lines or more: id, keywords, how many memories and from when to when; the representative."""
    days = f"{topic.first:%Y-%m-%d}" + (f" to {topic.last:%Y-%m-%d}" if topic.last.date() != topic.first.date() else "")
    head = [
        screen.bold(f"topic {topic.id}"),
        visible(", ".join(topic.keywords)),
        f"{topic.count:,} {'memory' if topic.count == 1 else 'memories'}"
        + (f", {topic.cold:,} cold" * bool(topic.cold)),
        days,
    ]
    return "  ".join(filter(None, head)) + "\n" + screen.wrapped(topic.representative.text, indent=5)
