"""The key of a signed log: from a file or an environment variable that a command names, never from the command itself.

What stands on a command line is seen by everybody who lists processes, and kept by the shell.
"""

from __future__ import annotations

import argparse
import os

from mnemoloom.chain.keys import check_key
from mnemoloom.errors import ConfigError, StorageFailure

__all__ = ["key_from_environment", "key_from_file", "key_given"]

_LONGEST = 4096  # bytes


def key_given(arguments: argparse.Namespace) -> bytes | None:
    """The key that --key-file or --key-env name; None without either. Raises ConfigError, StorageFailure."""
    if arguments.key_file is not None:
        return key_from_file(arguments.key_file)
    return None if arguments.key_env is None else key_from_environment(arguments.key_env)


def key_from_file(name: str) -> bytes:
    """The bytes of a file, a line break at the end left out."""
    try:
        with open(name, "rb") as file:
            found = file.read(_LONGEST + 1)
    except OSError as error:
        raise StorageFailure(f"the key file {name} cannot be read: {error.strerror}") from error
    if len(found) > _LONGEST:
        raise ConfigError(f"the key file {name} must have at most {_LONGEST} bytes")
    return check_key(found.rstrip(b"\r\n"))


def key_from_environment(name: str) -> bytes:
    """The value of an environment variable, in UTF-8."""
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"there is no environment variable {name} to take the key from")
    return check_key(os.fsencode(value))
