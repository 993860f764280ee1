"""`pin` and `move`: where a memory lives."""

from __future__ import annotations

import argparse

from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import emit
from mnemoloom.cli.values import key_of
from mnemoloom.records import Tier

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Put the memory into its tier, and print where it is now."""
    require_store(arguments)
    with open_memory(arguments) as memory:
        memory.move(key_of(arguments.id, arguments), Tier(arguments.tier))
        found = memory.get(key_of(arguments.id, arguments))
    if arguments.json:
        emit({"id": found.id, "tier": found.tier.value, "pinned": found.pinned})
    else:
        print(f"#{found.id} is {'pinned' if found.pinned else f'in the tier {found.tier}'}")
    return 0
