"""From options to an open memory."""

from __future__ import annotations

import argparse
from pathlib import Path

from mnemoloom.embedders import from_spec
from mnemoloom.errors import NotAStoreError
from mnemoloom.memory import Memory

__all__ = ["labels_of", "open_memory", "require_store"]


def labels_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The labels that --namespace or --label give."""
    if arguments.label:
        return tuple(arguments.label)
    return tuple(arguments.namespace.split("/")) if arguments.namespace is not None else ("default",)


def open_memory(arguments: argparse.Namespace, *, read_only: bool = False) -> Memory:
    """The memory that the common options name. Reading leaves no trace and goes on beside a writer."""
    return Memory.open(
        arguments.store,
        namespace=labels_of(arguments),
        embedder=from_spec(arguments.embedder),
        read_only=read_only,
    )


def require_store(arguments: argparse.Namespace) -> None:
    """Raise NotAStoreError unless there is a store, for commands that would otherwise make an empty one."""
    if not (Path(arguments.store) / "store.db").is_file():
        raise NotAStoreError(f"{arguments.store} holds no store; name one with --store DIR")
