"""Checksummed files of named arrays, for what can be rebuilt from the database.

    magic (8 bytes) · header length (u64) · BLAKE2b-256 of all that follows · header (JSON) · arrays

The header gives each array's name, dtype, shape and offset. A file that is missing, torn or altered
is not an error: `read_cache` returns None, and the caller rebuilds. A new file replaces the old one
atomically and carries a new name, because a file that is mapped somewhere cannot be replaced everywhere.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import StorageFailure

__all__ = ["drop_cache", "drop_caches", "drop_partial", "intact_caches", "read_cache", "write_cache"]

_MAGIC = b"mnlmcch1"
_START = len(_MAGIC) + 8 + 32
_ALIGN = 64
_DTYPES = frozenset({"|b1", "|i1", "|u1", "<i4", "<i8", "<u8", "<f4", "<f8"})

Arrays = dict[str, NDArray[Any]]


def write_cache(folder: Path, name: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write `arrays` and the JSON object `facts` as the newest cache called `name`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    offset, entries, blocks = 0, {}, []
    for key, array in arrays.items():
        data = np.ascontiguousarray(array)
        entries[key] = {"dtype": data.dtype.str, "shape": data.shape, "offset": offset}
        padding = -data.nbytes % _ALIGN
        blocks += [data.data.cast("B") if data.nbytes else memoryview(b""), memoryview(bytes(padding))]
        offset += data.nbytes + padding
    header = json.dumps({"arrays": entries, "facts": facts, "size": offset}).encode()
    header += b" " * (-(_START + len(header)) % _ALIGN)  # so that the arrays are aligned in the file
    digest = blake2b(header, digest_size=32)
    for block in blocks:
        digest.update(block)
    existing = _generations(folder, name)
    number = existing[-1][0] + 1 if existing else 1
    partial = folder / f"{name}.{number}.part"
    with open(partial, "wb", opener=_private) as file:
        file.write(_MAGIC + len(header).to_bytes(8, "little") + digest.digest() + header)
        for block in blocks:
            file.write(block)
    os.replace(partial, folder / f"{name}.{number}")
    for _, path in existing:
        with suppress(OSError):  # still mapped by a reader on Windows: the next writer removes it
            path.unlink()


def read_cache(folder: Path, name: str) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest intact cache called `name`: its arrays, read-only and memory-mapped, and its facts."""
    for _, path in reversed(_generations(folder, name)):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            return _read(path)
    return None


def intact_caches(folder: Path) -> dict[str, bool]:
    """Every cache in a folder by name, and whether an intact file of it is there."""
    names = {file.stem for file in folder.iterdir() if file.suffix[1:].isdigit()} if folder.is_dir() else set()
    return {name: read_cache(folder, name) is not None for name in sorted(names)}


def drop_partial(folder: Path) -> None:
    """Remove what broken-off writes of caches have left."""
    for path in folder.glob("*.part"):
        with suppress(OSError):
            path.unlink()


def drop_cache(folder: Path, name: str) -> None:
    """Remove one cache and what a broken-off write left of it. Raises StorageFailure if a file of it stays."""
    try:
        for path in folder.glob(f"{name}.*"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailure(f"cache {name} in {folder} could not be removed: {error}") from error


def drop_caches(folder: Path) -> None:
    """Remove every cache file; they are rebuilt when next needed."""
    if folder.is_dir():
        for path in folder.iterdir():
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    data = np.memmap(path, np.uint8, "r")
    length = int.from_bytes(data[8:16].tobytes(), "little")
    body = _START + length
    if data[:8].tobytes() != _MAGIC or body > len(data):
        raise ValueError(f"{path} is not a cache file")
    if blake2b(data[_START:].data, digest_size=32).digest() != data[16:_START].tobytes():
        raise ValueError(f"{path} does not match its checksum")
    header = json.loads(data[_START:body].tobytes())
    if header["size"] != len(data) - body:
        raise ValueError(f"{path} has the wrong length")
    arrays = {key: _array(data[body:], **entry) for key, entry in header["arrays"].items()}
    return arrays, header["facts"]


def _array(data: NDArray[np.uint8], *, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    if dtype not in _DTYPES:
        raise ValueError(f"cache array of dtype {dtype!r}")
    return np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _generations(folder: Path, name: str) -> list[tuple[int, Path]]:
    found = []
    if folder.is_dir():
        for path in folder.glob(f"{name}.*"):
            number = path.suffix[1:]
            if path.stem == name and number.isdigit():
                found.append((int(number), path))
    return sorted(found)
