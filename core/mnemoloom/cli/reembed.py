"""`reembed`: encode what the embedder has not encoded yet, or everything with a projection learned anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from mnemoloom.cli.encryption_keys import encryption_key
from mnemoloom.cli.keys import key_given
from mnemoloom.cli.opening import opening_errors, require_store
from mnemoloom.cli.progress import progress_bar
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.clock import SystemClock
from mnemoloom.config import Config
from mnemoloom.embedders import from_spec
from mnemoloom.errors import ConfigError
from mnemoloom.memory import Memory
from mnemoloom.opened import OpenStore

__all__ = ["run"]

_LOCK_SECONDS = 0.5
_ANY = ("default",)  # the texts of every namespace are encoded


def run(arguments: argparse.Namespace) -> int:
    """Encode, and print how many texts that were."""
    embedder = from_spec(arguments.embedder)
    if embedder is None:
        raise ConfigError("reembed needs an embedder; name one with --embedder SPEC")
    require_store(arguments)
    # Memory.open(reembed=True) would encode at once, without a projection and without showing progress
    with opening_errors(arguments):
        opened = OpenStore.open(
            Path(arguments.store),
            embedder=embedder,
            read_only=False,
            durability="full",
            config=Config(),
            clock=SystemClock(),
            lock_timeout=_LOCK_SECONDS,
            reembed=True,
            key=key_given(arguments),
            encryption_key=encryption_key(arguments),
        )
    with Memory(opened, _ANY) as memory, progress_bar(arguments, "encoding") as move:
        done = memory.reembed(learn=arguments.learn, progress=move)
    if arguments.json:
        emit({"encoded": done, "encoder": embedder.identity})
    else:
        print(Screen.of_stdout().columns([("encoded", f"{done:,} texts"), ("encoder", embedder.identity)]))
    return 0
