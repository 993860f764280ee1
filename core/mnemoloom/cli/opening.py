"""From options to an open memory, or an open file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from mnemoloom.cli.encryption_keys import encryption_key
from mnemoloom.cli.keys import key_given
from mnemoloom.config import Config
from mnemoloom.embedders import from_spec
from mnemoloom.errors import (
    ChainKeyError,
    EmbedderMismatchError,
    EncryptionKeyError,
    NotAStoreError,
    StorageFailure,
    StoreLockedError,
)
from mnemoloom.memory import Memory

__all__ = ["labels_of", "open_file", "open_memory", "opening_errors", "require_store"]


_ENCRYPT = "the command encrypt changes that"


def labels_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The labels that --namespace or --label give."""
    if arguments.label:
        return tuple(arguments.label)
    return tuple(arguments.namespace.split("/")) if arguments.namespace is not None else ("default",)


def open_memory(
    arguments: argparse.Namespace, *, read_only: bool = False, config: Config | None = None, encrypt: bool = False
) -> Memory:
    """The memory that the common options name. Reading leaves no trace and goes on beside a writer."""
    with opening_errors(arguments):
        return Memory.open(
            arguments.store,
            namespace=labels_of(arguments),
            embedder=from_spec(arguments.embedder),
            read_only=read_only,
            encryption_key=encryption_key(arguments),
            encrypt=encrypt,
            config=config,
            key=key_given(arguments),
        )


@contextmanager
def opening_errors(arguments: argparse.Namespace) -> Iterator[None]:
    """Errors of opening a store, where they speak of arguments of Python, in the words of the command line."""
    try:
        yield
    except EmbedderMismatchError as error:
        raise EmbedderMismatchError(
            stored=error.stored,
            offered=error.offered,
            message=f"this store holds vectors of {error.stored}, and --embedder {arguments.embedder} is another "
            f"encoder; name that one, or encode everything again: mnemoloom reembed --store {arguments.store} "
            f"--embedder {arguments.embedder}",
        ) from error
    except ChainKeyError as error:
        if arguments.key_file is None and arguments.key_env is None:
            raise ChainKeyError(f"{error}; give it with --key-file FILE or --key-env NAME") from error
        raise
    except EncryptionKeyError as error:
        told = encryption_key(arguments) is not None
        hint = "" if told else "; name its key with --encryption-key-env NAME or --encryption-key-file FILE"
        said = str(error).replace("; open it with encryption_key=…", "")
        raise EncryptionKeyError(
            said.replace("encrypt=True, when it is opened for writing, encrypts it", _ENCRYPT) + hint
        ) from error
    except StoreLockedError as error:
        raise StoreLockedError(
            f"{arguments.store} is being written by another process; wait until it is done, or end it"
        ) from error


def require_store(arguments: argparse.Namespace) -> None:
    """Raise NotAStoreError unless there is a store, for commands that would otherwise make an empty one."""
    if not (Path(arguments.store) / "store.db").is_file():
        raise NotAStoreError(f"{arguments.store} holds no store; name one with --store DIR")


def open_file(name: str, stack: ExitStack) -> BinaryIO:
    """A file to read, `-` for standard input; closed with the stack. Raises StorageFailure."""
    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(open(name, "rb"))
    except OSError as error:
        raise StorageFailure(f"{name} cannot be read: {error.strerror}") from error
