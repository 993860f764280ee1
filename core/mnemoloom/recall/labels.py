"""Numbers for labels, so that arrays can hold them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Labels"]


class Labels:
    """Speaker or session labels, numbered in order of first appearance; 0 is None."""

    def __init__(self, labels: Iterable[str] = ()) -> None:
        self.all: list[str | None] = [None, *labels]
        self._numbers = {label: number for number, label in enumerate(self.all)}

    def number(self, label: str | None) -> int:
        """The number of a label, given now if it has none."""
        number = self._numbers.get(label)
        if number is None:
            number = self._numbers[label] = len(self.all)
            self.all.append(label)
        return number

    def find(self, label: str | None) -> int | None:
        return self._numbers.get(label)
