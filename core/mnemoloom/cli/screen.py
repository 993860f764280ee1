"""What goes to the terminal: wrapped text, aligned columns, bars; no colour codes unless somebody sees them.

Remembered text is other people's text: control and direction characters are shown as codes, so that a memory
cannot move the cursor or disguise itself.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Screen", "emit", "visible"]

_WIDEST = 100
_BLOCKS = " ▏▎▍▌▋▊▉"
_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # letters of some scripts and many emoji need them


def emit(value: object) -> None:
    """Print one JSON document on a line of its own."""
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    written = json.dumps(value, ensure_ascii=plain)
    print("".join(map(_as_json, written)), flush=True)


def _as_json(character: str) -> str:
    """What a terminal would obey, as JSON writes it; only inside of strings is there any."""
    if " " <= character <= "~" or character in _JOINERS or unicodedata.category(character) not in _OBEYED:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def visible(text: str, *, keep: str = "") -> str:
    """The text with control and format characters as codes, those in `keep` excepted."""
    return "".join(_shown(character, keep) for character in text)


def _shown(character: str, keep: str) -> str:
    if character in keep or character in _JOINERS or unicodedata.category(character) not in _OBEYED:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class Screen:
    """Standard output: `width` columns; `styled` if it is a terminal; `unicode` if it can show blocks."""

    width: int
    styled: bool
    unicode: bool

    @classmethod
    def of_stdout(cls) -> Screen:
        return cls(
            width=max(40, min(shutil.get_terminal_size().columns, _WIDEST)),
            styled=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
            unicode=(sys.stdout.encoding or "").lower().startswith("utf"),
        )

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.styled else text

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.styled else text

    def dot(self) -> str:
        return "·" if self.unicode else "-"

    def wrapped(self, text: str, *, indent: int, first: str | None = None) -> str:
        """The text, made visible and filled to the width; `first` begins the first line in place of the indent."""
        margin = " " * indent
        flowing = visible(" ".join(text.split()))
        lines = textwrap.wrap(flowing, self.width - indent, break_on_hyphens=False) or [""]
        return (margin if first is None else first) + f"\n{margin}".join(lines)

    def columns(self, rows: Sequence[tuple[str, object]], *, indent: int = 2) -> str:
        """Pairs of name and value, the values aligned and wrapped."""
        across = max((len(name) for name, _ in rows), default=0)
        start = indent + across + 2
        return "\n".join(
            self.wrapped(str(value), indent=start, first=" " * indent + self.dim(name.ljust(across)) + "  ")
            for name, value in rows
        )

    def bar(self, share: float, *, cells: int = 10) -> str:
        """A bar that fills `share` of its cells."""
        eighths = round(max(0.0, min(share, 1.0)) * cells * 8)
        if not self.unicode:
            return ("#" * round(eighths / 8)).ljust(cells, ".")
        full, rest = divmod(eighths, 8)
        return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(cells)

    def figures(self, parts: Any) -> str:  # noqa: ANN401 - Mapping[str, float]
        """Named contributions in one line, those of nothing left out."""
        shown = [f"{name} {value:+.2f}" for name, value in parts.items() if abs(value) >= 0.005]
        return f" {self.dot()} ".join(shown) or "no part of the formula speaks for it"
