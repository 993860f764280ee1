"""A copy of the database as it is at one moment, while others write."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from mnemoloom.errors import StorageFailure, ValidationError
from mnemoloom.storage.failures import translated

__all__ = ["back_up"]


def back_up(connection: sqlite3.Connection, folder: Path) -> None:
    """Copy what a connection sees into a new folder, which is then a store; nothing is left behind when it fails.

    Raises
    ------
    ValidationError: the folder holds something. StorageFailure: it cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise ValidationError(f"{folder} must be a new or an empty folder to back up to")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise StorageFailure(f"{folder} cannot be made: {error.strerror or error}") from error
    try:
        copy = partial / "store.db"
        copy.touch(mode=0o600)
        with translated(str(folder)), closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
        _sync(copy)
        if folder.exists():
            folder.rmdir()  # Windows does not rename onto a folder, not even an empty one
        os.rename(partial, folder)
        _sync(folder.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise StorageFailure(f"{folder} cannot be written: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folder
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
