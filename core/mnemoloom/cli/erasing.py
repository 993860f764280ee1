"""`erase`, `purge` and `destroy-key`: memories that leave no trace."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict

from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import emit
from mnemoloom.cli.values import read_filter
from mnemoloom.errors import ValidationError
from mnemoloom.memory import Memory
from mnemoloom.records import Erased

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Erase what the command names, and print how many memories that were."""
    require_store(arguments)
    erase = _VERBS[arguments.verb]
    with open_memory(arguments) as memory:
        done = erase(memory, arguments)
    if arguments.json:
        emit(asdict(done))
        return 0
    print(f"erased {done.count} {'memory' if done.count == 1 else 'memories'}")
    if done.pending_checkpoint:
        print("a reader still holds an older state; the same command, when it is done, clears that")
    return 0


def _erase(memory: Memory, arguments: argparse.Namespace) -> Erased:
    return memory.erase(read_filter(arguments.where) or {})


def _destroy(memory: Memory, arguments: argparse.Namespace) -> Erased:
    if not arguments.yes:
        raise ValidationError("destroy-key makes a whole namespace unreadable for good; say --yes if that is meant")
    return memory.destroy_key()


_VERBS: dict[str, Callable[[Memory, argparse.Namespace], Erased]] = {
    "erase": _erase,
    "purge": lambda memory, _: memory.purge(),
    "destroy": _destroy,
}
