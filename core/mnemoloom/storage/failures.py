"""SQLite's errors, translated once: every statement of the store runs inside `translated`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mnemoloom.errors import CorruptionError, LoomError, StorageFailure, StoreLockedError

__all__ = ["note_damage", "tells_damage", "translated"]

_OURS = "user-defined function"  # one that we lent to SQLite, and that decrypts, raised
_DAMAGED = ("malformed", "not a database", "corrupt", "could not decode", _OURS)
_BUSY = ("locked", "busy")

_noted = threading.local()


def note_damage(problem: str) -> None:
    """Remember what a function that we lent to SQLite found: SQLite passes on only that it raised."""
    _noted.problem = problem


def _take_damage() -> str:
    """What was noted last."""
    problem, _noted.problem = getattr(_noted, "problem", None), None
    return problem or "a value cannot be read"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise this library's error for SQLite's; `where` names the file in the message."""
    try:
        yield
    except sqlite3.Error as error:
        raise _ours(error, where) from error
    except UnicodeDecodeError as error:
        raise CorruptionError(f"{where} holds text that is not UTF-8") from error


def tells_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether what was read is damaged, and not only out of reach."""
    return isinstance(error, UnicodeDecodeError) or any(word in str(error).lower() for word in _DAMAGED)


def _ours(error: sqlite3.Error, where: str) -> LoomError:
    said = str(error).lower()
    if _OURS in said:
        return CorruptionError(f"{where}: {_take_damage()}")
    if tells_damage(error):
        return CorruptionError(f"{where} is damaged: {error}")
    if any(word in said for word in _BUSY):
        return StoreLockedError(f"{where} is busy: {error}")
    return StorageFailure(f"{where} could not be read or written: {error}")
