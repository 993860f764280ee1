"""The files of a log: their first line, and how one takes the place of another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnemoloom.errors import FormatError, StorageFailure
from mnemoloom.pmll.lines import framed

__all__ = ["FORMAT", "PLAIN", "check_header", "failure_of", "header", "replace_file", "write_all"]

FORMAT = 1
PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # no symbolic link, no other line ends


def header() -> bytes:
    """The first line of a log."""
    return framed({"format": FORMAT})


def check_header(body: Mapping[str, Any], path: Path) -> None:
    """Raise FormatError unless this release reads the file."""
    if body.get("format") != FORMAT:
        raise FormatError(f"{path} has format {body.get('format')!r}; this release reads format {FORMAT}")


def replace_file(path: Path, data: bytes) -> None:
    """Put a whole file in place of another, on the disk before it is seen."""
    new = path.with_suffix(".new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | PLAIN, 0o600)
    try:
        write_all(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(new, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_all(file: int, data: bytes) -> None:
    """Write all of it. Raises OSError; then some of it may have been written."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def failure_of(path: Path, error: OSError) -> StorageFailure:
    """Our error for the operating system's."""
    return StorageFailure(f"{path} could not be read or written: {error}")
