"""`list`: memories in the order in which they were remembered."""

from __future__ import annotations

import argparse

from mnemoloom.cli.hits import describe_record, record_object
from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.cli.values import read_filter
from mnemoloom.errors import ValidationError

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Print up to --limit memories, and how to go on."""
    for name in ("limit", "after_id"):
        if getattr(arguments, name) < 0:
            raise ValidationError(f"--{name.replace('_', '-')} must be at least 0; got {getattr(arguments, name)}")
    with open_memory(arguments, read_only=True) as memory:
        where = read_filter(arguments.where)
        found = list(memory.records(where, after_id=arguments.after_id, limit=arguments.limit + 1))
    shown = found[: arguments.limit]
    more = shown[-1].id if shown and len(found) > len(shown) else None
    if arguments.json:
        emit({"memories": list(map(record_object, shown)), "more_after_id": more})
        return 0
    screen = Screen.of_stdout()
    for record in shown:
        print(describe_record(screen, record))
    if more is not None:
        print(screen.dim(f"there are more: --after-id {more}"))
    elif not shown:
        print("no memory is here" if where is None else "no memory matches")
    return 0
