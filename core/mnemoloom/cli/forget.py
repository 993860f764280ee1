"""`forget`: remove memories, all that are named or none."""

from __future__ import annotations

import argparse

from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import emit
from mnemoloom.cli.values import key_of

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Forget, and print how many memories that were."""
    require_store(arguments)
    with open_memory(arguments) as memory:
        done = memory.forget_many([key_of(word, arguments) for word in arguments.ids])
    if arguments.json:
        emit({"forgotten": done})
    else:
        print(f"forgot {done} {'memory' if done == 1 else 'memories'}")
    return 0
