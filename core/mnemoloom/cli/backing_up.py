"""`backup`: a copy of the whole store, taken while it is in use."""

from __future__ import annotations

import argparse

from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.screen import Screen, emit

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Copy the store, and print what the copy holds."""
    with open_memory(arguments, read_only=True) as memory:
        seal = memory.backup(arguments.folder)
    if arguments.json:
        emit({"folder": arguments.folder, "memories": seal.count, "entries": seal.seq, "anchor": seal.anchor})
        return 0
    rows = [("backup", arguments.folder), ("memories", f"{seal.count:,}"), ("log entries", f"{seal.seq:,}")]
    print(Screen.of_stdout().columns([*rows, ("anchor", seal.anchor)]))
    return 0
