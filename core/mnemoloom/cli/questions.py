"""The options that `recall` and `why` share."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mnemoloom.cli.values import check_time, least_confidence, read_filter
from mnemoloom.memory import Memory

__all__ = ["question_options", "tell_of_unused_vectors"]


def question_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `Memory.recall` and `Memory.why`. Raises ValidationError."""
    names = ("k", "profile", "speaker", "session", "tier", "topic", "asker", "min_trust", "per_source")
    return {name: getattr(arguments, name) for name in names} | {
        "after": check_time(arguments.after, "--after"),
        "before": check_time(arguments.before, "--before"),
        "as_of": check_time(arguments.as_of, "--as-of"),
        "min_confidence": least_confidence(arguments.min_confidence),
        "where": read_filter(arguments.where),
    }


def tell_of_unused_vectors(memory: Memory, *, profile: str | None = None) -> None:
    """Say on standard error that memories have vectors which a question without an embedder cannot be compared with."""
    if memory.embedder is not None or profile == "lexical":
        return
    found = memory.stats()
    if found.encoder is not None and found.encoded:
        print(
            f"mnemoloom: this store holds vectors of {found.encoder}, which are not used without --embedder",
            file=sys.stderr,
        )
