"""`encrypt` and `rewrap`: a store that was begun without a key gets one, and one that has a key gets another."""

from __future__ import annotations

import argparse

from mnemoloom.cli.encryption_keys import encryption_key
from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import emit
from mnemoloom.errors import ConfigError

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Encrypt the store, or wrap its keys anew, and say so."""
    require_store(arguments)
    if encryption_key(arguments) is None:
        raise ConfigError("name the key with --encryption-key-env NAME or --encryption-key-file FILE")
    fresh = encryption_key(arguments, prefix="new_") if arguments.rewrap else None
    if arguments.rewrap and fresh is None:
        raise ConfigError("name the new key with --new-encryption-key-env NAME or --new-encryption-key-file FILE")
    with open_memory(arguments, encrypt=not arguments.rewrap) as memory:
        if fresh is not None:
            memory.rewrap(fresh)
    if arguments.json:
        emit({"encrypted": True})
    else:
        said = "opens with the new key from now on" if arguments.rewrap else "is encrypted; copies from before are not"
        print(f"{arguments.store} {said}")
    return 0
