"""SQLite's errors, translated once: every statement of the store runs inside `translated`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mnemoloom.errors import CorruptionError, LoomError, StorageFailure, StoreLockedError

__all__ = ["note_damage", "take_damage", "translated"]

_DAMAGED = ("malformed", "not a database", "corrupt", "could not decode")
_BUSY = ("locked", "busy")
_OURS = "user-defined function"  # one that we lent to SQLite raised

_noted = threading.local()


def note_damage(problem: str) -> None:
    """Remember what a function that we lent to SQLite found: SQLite passes on only that it raised."""
    _noted.problem = problem


def take_damage(error: sqlite3.Error) -> str | None:
    """What was noted, if that is why SQLite raised this."""
    problem: str | None = getattr(_noted, "problem", None)
    _noted.problem = None
    return (problem or "a value cannot be read") if _OURS in str(error) else None


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise this library's error for SQLite's; `where` names the file in the message."""
    try:
        yield
    except sqlite3.Error as error:
        raise _ours(error, where) from error
    except UnicodeDecodeError as error:
        raise CorruptionError(f"{where} holds text that is not UTF-8") from error


def _ours(error: sqlite3.Error, where: str) -> LoomError:
    said, noted = str(error).lower(), take_damage(error)
    if noted is not None:
        return CorruptionError(f"{where}: {noted}")
    if any(word in said for word in _DAMAGED):
        return CorruptionError(f"{where} is damaged: {error}")
    if any(word in said for word in _BUSY):
        return StoreLockedError(f"{where} is busy: {error}")
    return StorageFailure(f"{where} could not be read or written: {error}")
