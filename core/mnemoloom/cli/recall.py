"""`recall`: the memories that answer a question."""

from __future__ import annotations

import argparse

from mnemoloom.cli.hits import describe_hit, hit_object
from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.questions import question_options, tell_of_unused_vectors
from mnemoloom.cli.screen import Screen, emit, visible
from mnemoloom.records import RecallResult

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Ask, and print what was found."""
    options = question_options(arguments)
    with open_memory(arguments, read_only=True) as memory:
        tell_of_unused_vectors(memory, profile=arguments.profile)
        found = memory.recall(arguments.query, expand=arguments.expand, **options)
        size, others = len(memory), ["/".join(labels) for labels in memory.namespaces() if labels != memory.namespace]
    if arguments.json:
        emit(
            {
                "query": found.query,
                "profile": found.profile,
                "encoded": found.encoded,
                "confidence": found.confidence,
                "about_someone_else": found.about_someone_else,
                "degraded": found.degraded,
                "hits": [hit_object(hit, rank) for rank, hit in enumerate(found, 1)],
            }
        )
        return 0
    screen = Screen.of_stdout()
    for rank, hit in enumerate(found, 1):
        print(describe_hit(screen, hit, rank, among=found))
    print(_summary(screen, found) if found else _nothing(found, arguments.min_confidence, size, others))
    if found.degraded:
        print(visible(f"by words alone: {found.degraded}"))
    if found.about_someone_else:
        print("what fits best was said by somebody else than the question names")
    return 0


def _summary(screen: Screen, found: RecallResult) -> str:
    how = "words and vectors" if found.encoded else "words, names and dates"
    return f"confidence {found.confidence:.2f}" + screen.dim(f"  profile {found.profile}, by {how}")


def _nothing(found: RecallResult, least: str | None, size: int, others: list[str]) -> str:
    if not size:
        held = f"; this store has {', '.join(others)}" if others else ""
        return f"nothing found: this namespace is empty{held}"
    asked = "" if least is None else f", --min-confidence {least}"
    return f"nothing found among {size} memories (confidence {found.confidence:.2f}{asked})"
