"""A Titans memory as bytes, and back, exactly.

    magic (8) · length of the header (uint32, little-endian) · header · rows as float64 little-endian · BLAKE2b-256

The header is JSON: the tokens seen and the shape of each layer. The rows are those of the memory, of the past surprise
and of the memory at the start of the chunk. The digest covers all that is before it.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from itertools import pairwise
from math import prod

import numpy as np

from mnemoloom.errors import ValidationError
from mnemoloom.titans.memory import Layers, TitansState

__all__ = ["load_state", "save_state"]

_MAGIC = b"MNTITAN1"
_DIGEST = 32
_DEEPEST = 4
_WIDEST = 1 << 20


def save_state(state: TitansState) -> bytes:
    """The bytes from which `load_state` makes an equal state."""
    shapes = [layer.shape for layer in state.memory]
    header = json.dumps({"seen": state.seen, "shapes": shapes}).encode()
    rows = b"".join(layer.astype("<f8").tobytes() for part in (state.memory, state.past, state.start) for layer in part)
    data = b"".join((_MAGIC, len(header).to_bytes(4, "little"), header, rows))
    return data + _digest(data)


def load_state(data: bytes) -> TitansState:
    """The state that `save_state` wrote. Raises ValidationError for other or damaged bytes."""
    body, found = data[:-_DIGEST], data[-_DIGEST:]
    if body[: len(_MAGIC)] != _MAGIC or found != _digest(body):
        raise ValidationError("these bytes are no Titans memory, or damaged: their digest does not match")
    begin = len(_MAGIC) + 4
    end = begin + int.from_bytes(body[len(_MAGIC) : begin], "little")
    seen, shapes = _header(body[begin:end])
    size = sum(map(prod, shapes))
    if len(body) - end != 3 * 8 * size:
        raise ValidationError(
            f"a Titans memory of shapes {shapes} has {24 * size} bytes of rows; got {len(body) - end}"
        )
    rows = np.frombuffer(body, "<f8", offset=end).reshape(3, size).astype(np.float64)
    memory, past, start = (_layers(part, shapes) for part in rows)
    return TitansState(memory, past, start, seen)


def _header(data: bytes) -> tuple[int, list[tuple[int, int]]]:
    try:
        facts = json.loads(data)
        seen, shapes = int(facts["seen"]), [(int(rows), int(columns)) for rows, columns in facts["shapes"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ValidationError(f"the header of a Titans memory cannot be read: {error}") from error
    fit = all(before[0] == after[1] for before, after in pairwise(shapes))
    if seen < 0 or not 1 <= len(shapes) <= _DEEPEST or not fit or not all(1 <= n <= _WIDEST for s in shapes for n in s):
        raise ValidationError(f"no Titans memory has {seen} tokens and layers of shapes {shapes}")
    return seen, shapes


def _layers(row: np.ndarray[tuple[int], np.dtype[np.float64]], shapes: list[tuple[int, int]]) -> Layers:
    ends = np.cumsum([prod(shape) for shape in shapes])
    return tuple(part.reshape(shape) for part, shape in zip(np.split(row, ends[:-1]), shapes, strict=True))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST).digest()
