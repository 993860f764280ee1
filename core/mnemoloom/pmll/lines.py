"""The bytes of the log: one line of JSON a change, each with its number and the CRC-32 of its body.

    {"crc":"0123abcd","body":{"add":[[seq, value], …],"drop":[seq, …],"line":n,"time":ms}}

A line holds everything that one call did, so that a torn line undoes a call as a whole. The snapshot is one such
line, too. JSON is written with sorted keys, without blanks, in ASCII.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

from mnemoloom.errors import CorruptionError

__all__ = ["Split", "framed", "split", "stable_json", "unframed"]

_FRAME = re.compile(rb'\{"crc":"([0-9a-f]{8})","body":(.*)\}', re.DOTALL)


class Split(NamedTuple):
    """The lines of a file, and the bytes after the last whole one: what a write that was cut short has left."""

    lines: list[bytes]
    torn: bytes


def stable_json(value: object) -> str:
    """JSON that is equal for equal values, whatever the order of their keys. Raises TypeError, ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def framed(body: Mapping[str, Any]) -> bytes:
    """The line of a body."""
    data = stable_json(body).encode()
    return b'{"crc":"%08x","body":%s}\n' % (crc32(data), data)


def unframed(line: bytes, *, name: str) -> dict[str, Any]:
    """The body of a line without its end. Raises CorruptionError, naming the line by `name`."""
    frame = _FRAME.fullmatch(line)
    if frame is None or crc32(frame[2]) != int(frame[1], 16):
        raise CorruptionError(f"{name} does not match its checksum")
    try:
        body = json.loads(frame[2])
    except (ValueError, RecursionError) as error:
        raise CorruptionError(f"{name} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise CorruptionError(f"{name} holds no object")
    return body


def split(data: bytes) -> Split:
    """Take a file apart.

    A last line without an end is torn, and so is one with zero bytes: what a power cut leaves of a line of which not
    every page had reached the disk. JSON has none.
    """
    *lines, torn = data.split(b"\n")
    if lines and not torn.strip(b"\0") and b"\0" in lines[-1]:
        torn = lines.pop() + b"\n" + torn
    return Split(lines, torn)
