"""The key of an encrypted store: from an environment variable or a file that is named, never from an argument itself.

64 hex digits are a key of 32 bytes, anything else is a passphrase: here as in `Memory.open`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mnemoloom.errors import ConfigError, StorageFailure

__all__ = ["add_key_options", "encryption_key"]


def add_key_options(
    group: argparse._ActionsContainer, *, prefix: str = "", what: str = "the store is encrypted"
) -> None:
    """The two options that say where a key is; `prefix` tells a second key apart."""
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        f"--{prefix}encryption-key-env",
        metavar="NAME",
        help=f"{what} under the key or passphrase in the environment variable NAME (64 hex digits are a key)",
    )
    either.add_argument(f"--{prefix}encryption-key-file", metavar="FILE", help="the same, in a file")


def encryption_key(arguments: argparse.Namespace, *, prefix: str = "") -> str | None:
    """The key or passphrase that the options name. Raises ConfigError, StorageFailure."""
    name = getattr(arguments, f"{prefix}encryption_key_env")
    file = getattr(arguments, f"{prefix}encryption_key_file")
    if name is not None:
        told = os.environ.get(name)
        if not told:
            raise ConfigError(f"the environment variable {name} is not set, or is empty")
    elif file is not None:
        try:
            told = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ConfigError(f"{file} must hold a text: 64 hex digits, or a passphrase") from None
        except OSError as error:
            raise StorageFailure(f"{file} cannot be read: {error.strerror}") from error
    else:
        return None
    return told
