"""`recall`: the memories that answer a question."""

from __future__ import annotations

import argparse

from mnemoloom.cli.hits import describe_hit, hit_object
from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.questions import question_options
from mnemoloom.cli.screen import Screen, emit

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Ask, and print what was found."""
    with open_memory(arguments, read_only=True) as memory:
        found = memory.recall(arguments.query, expand=arguments.expand, **question_options(arguments))
        size, others = len(memory), ["/".join(labels) for labels in memory.namespaces() if labels != memory.namespace]
    if arguments.json:
        hits = [hit_object(hit, rank) for rank, hit in enumerate(found, 1)]
        emit({"query": found.query, "profile": found.profile, "encoded": found.encoded, "hits": hits})
        return 0
    screen = Screen.of_stdout()
    best = found[0].score if found else 0.0
    for rank, hit in enumerate(found, 1):
        print(describe_hit(screen, hit, rank, best=best))
    how = "words and vectors" if found.encoded else "words, names and dates"
    print(screen.dim(f"profile {found.profile}, by {how}") if found else _nothing(size, others))
    return 0


def _nothing(size: int, others: list[str]) -> str:
    if size:
        return f"nothing found among {size} memories"
    held = f"; this store has {', '.join(others)}" if others else ""
    return f"nothing found: this namespace is empty{held}"
