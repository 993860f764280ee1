"""Short-term memory: the exact window of the last turns of a session, as ids.

The window is a stack with a bottom that falls out: what is pushed beyond its size leaves at the old end. Taking an
id out of the window does not forget the memory; it only leaves short-term memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ValidationError, told

__all__ = ["Window", "fetch", "peek", "pop", "push", "rewind"]

Ids = NDArray[np.int64]


class Window(NamedTuple):
    """The ids in the window, oldest first, shape (m,) with m ≤ size; and how many it can hold."""

    ids: Ids
    size: int

    @classmethod
    def empty(cls, size: int) -> Window:
        """A window for the last `size` turns, at least 0. Raises ValidationError."""
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise ValidationError(f"a window's size must be a whole number of at least 0; got {told(size)}")
        return cls(np.zeros(0, np.int64), int(size))


def push(window: Window, ids: ArrayLike) -> tuple[Window, Ids]:
    """Add ids, oldest first: the window after them, and what left it at the old end.

    An id that is in the window already moves to the new end.
    """
    new = np.atleast_1d(np.asarray(ids, np.int64))
    _, last = np.unique(new[::-1], return_index=True)
    new = new[np.sort(len(new) - 1 - last)]
    every = np.concatenate((window.ids[~np.isin(window.ids, new)], new))
    cut = max(0, len(every) - window.size)
    return Window(every[cut:], window.size), every[:cut]


def peek(window: Window) -> int | None:
    """The newest id, which stays; None if the window is empty."""
    return int(window.ids[-1]) if len(window.ids) else None


def pop(window: Window) -> tuple[Window, int | None]:
    """The window without its newest id, and that id; None if the window is empty."""
    if not len(window.ids):
        return window, None
    return Window(window.ids[:-1], window.size), int(window.ids[-1])


def fetch(window: Window, keys: Mapping[int, Hashable] | None = None, *, newest_overrides: bool = True) -> list[int]:
    """All ids of the window, oldest first; of those with the same key only the newest, or only the oldest.

    Parameters
    ----------
    keys: what an id says something about; an id without a key stands for itself.
    """
    keys = keys or {}
    ordered = rewind(window, newest_first=newest_overrides)
    kept: dict[Hashable, int] = {}
    for each in ordered:
        kept.setdefault((True, keys[each]) if each in keys else (False, each), each)
    chosen = list(kept.values())
    return chosen[::-1] if newest_overrides else chosen


def rewind(window: Window, depth: int | None = None, *, newest_first: bool = True) -> Iterator[int]:
    """The newest `depth` ids (None: all, 0: none) one by one, newest or oldest first; the window stays as it is."""
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, (int, np.integer)) or depth < 0):
        raise ValidationError(f"depth must be None or a whole number of at least 0; got {told(depth)}")
    count = len(window.ids) if depth is None else min(depth, len(window.ids))
    chosen = window.ids[len(window.ids) - count :]
    return iter((chosen[::-1] if newest_first else chosen).tolist())
