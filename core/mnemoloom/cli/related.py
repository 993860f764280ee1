"""`related`: what belongs together with a memory."""

from __future__ import annotations

import argparse

from mnemoloom.cli.hits import describe_record, record_object
from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.cli.values import key_of

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Print the memories that the strongest paths lead to, and these paths."""
    require_store(arguments)
    with open_memory(arguments, read_only=True) as memory:
        found = memory.related(key_of(arguments.id, arguments), arguments.k)
    if arguments.json:
        related = [
            {"strength": each.strength, "path": each.path, "kinds": each.kinds, **record_object(each.record)}
            for each in found
        ]
        emit({"related": related})
        return 0
    screen = Screen.of_stdout()
    for each in found:
        way = "".join(f" {kind} #{memory}" for kind, memory in zip(each.kinds, each.path[1:], strict=True))
        print(f"{each.strength:.3f}  {describe_record(screen, each.record)}")
        print(screen.dim(f"     #{each.path[0]}{way}"))
    if not found:
        print("no other memory is linked to it")
    return 0
