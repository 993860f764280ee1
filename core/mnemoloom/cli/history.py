"""`history`: the versions of what a memory states."""

from __future__ import annotations

import argparse

from mnemoloom.cli.hits import describe_record, record_object
from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.cli.values import key_of

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Print the versions, oldest first; asks a question before, if there is one, and so writes down what it finds."""
    require_store(arguments)
    with open_memory(arguments, read_only=arguments.ask is None) as memory:
        if arguments.ask is not None:
            memory.recall(arguments.ask)
        found = memory.history(key_of(arguments.id, arguments))
    if arguments.json:
        emit({"versions": list(map(record_object, found))})
        return 0
    screen = Screen.of_stdout()
    for record in found:
        print(describe_record(screen, record))
    if len(found) == 1:
        print(screen.dim("no question has brought up another version; --ask asks one"))
    return 0
