"""Progress on standard error, for a person who waits in front of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(arguments: argparse.Namespace, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function of (done, total) that moves a bar, or None where nobody would see it."""
    if arguments.json or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=what, unit="", file=sys.stderr, leave=False) as bar:

        def move(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield move
