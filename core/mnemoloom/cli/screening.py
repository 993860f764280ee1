"""`quarantine`, `release`, `quarantined` and `remove-source`: against what should not have been remembered."""

from __future__ import annotations

import argparse

from mnemoloom.cli.hits import describe_record, record_object
from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.cli.values import read_filter
from mnemoloom.errors import ValidationError

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Do what the command's name says."""
    require_store(arguments)
    if arguments.command == "quarantined":
        return _list(arguments)
    return _remove(arguments) if arguments.command == "remove-source" else _move(arguments)


def _move(arguments: argparse.Namespace) -> int:
    where = read_filter(arguments.where)
    if where is None and not arguments.source:
        raise ValidationError(f"{arguments.command} needs --source SOURCE or --where JSON")
    with open_memory(arguments) as memory:
        act = memory.quarantine if arguments.command == "quarantine" else memory.release
        count = act(where, source=arguments.source, derived=not arguments.keep_derived)
    done = "quarantined" if arguments.command == "quarantine" else "released"
    if arguments.json:
        emit({done: count})
    else:
        print(f"{done} {_counted(count)}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    with open_memory(arguments) as memory:
        done = memory.remove_source(arguments.sources, derived=not arguments.keep_derived)
    if arguments.json:
        emit({"removed": done.count, "pending_checkpoint": done.pending_checkpoint})
    else:
        print(f"removed {_counted(done.count)}")
        if done.pending_checkpoint:
            print("somebody reads an older state; traces go when they are done and this command is run again")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with open_memory(arguments, read_only=True) as memory:
        found = list(memory.quarantined())
    if arguments.json:
        emit({"memories": list(map(record_object, found))})
        return 0
    screen = Screen.of_stdout()
    for record in found:
        print(describe_record(screen, record))
    if not found:
        print("nothing is in quarantine")
    return 0


def _counted(count: int) -> str:
    return f"{count:,} {'memory' if count == 1 else 'memories'}"
