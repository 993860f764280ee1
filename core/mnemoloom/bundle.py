"""The files of an export bundle: written with digests, and read without trusting a byte of them.

    manifest.json    format, counts, shapes, and the BLAKE2b-256 digest of every other file
    memories.jsonl   one memory a line, in the order in which they were remembered
    vectors.f32      little-endian float32 rows; equal texts share one
    tokens.i8        rows of int8 token codes, those of one text after those of another
    projection.f32   the token projection, if the store has learned one
    links.jsonl      links between memories, named by their lines, from 1

Bundles of format 1 had no links.jsonl, and memories without an end; they are still read.

File names are constants: a manifest repeats them, but never chooses them. A declared shape must equal the
size of its file before anything of that shape is read, and what is read at once is bounded.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mnemoloom.errors import ImportFormatError, LoomError, StorageFailure

__all__ = ["FIELDS", "BundleReader", "BundleWriter", "Manifest", "WrittenFile", "disk_errors"]

FORMAT = "mnemoloom-bundle/2"
_FIRST = "mnemoloom-bundle/1"
MANIFEST, MEMORIES = "manifest.json", "memories.jsonl"
VECTORS, TOKENS, PROJECTION, LINKS = "vectors.f32", "tokens.i8", "projection.f32", "links.jsonl"
FIELDS = (
    "text", "speaker", "session", "time", "created", "accessed", "metadata", "tier", "pinned", "external_id",
    "source", "trust", "surprise", "vector", "variant", "encoder", "tokens", "expires",
)  # fmt: skip
# of few memories, and left out of the others: in quarantine; made of the memories on these lines, counted from 1;
# the sources of all that it was made of, also of what is gone
MARKS = ("quarantined", "derived_from", "made_of_sources")

_DIGEST = 32  # bytes
_CHUNK = 1 << 20
_LONGEST_MANIFEST = 1 << 20
_WIDEST = 1 << 20  # numbers in a row
_MOST_CODES = 64 << 20  # token codes of one text
_LARGEST_PROJECTION = 256 << 20
_LONGEST_LINK = 4096  # bytes of a line
_SHORTEST = 1e-60  # squared length of a row, as in drafts.raw_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says about itself.

    memories: how many lines. encoder, width: of the vectors. rows: of vectors.f32, each of `width` numbers.
    codes: rows of tokens.i8, each of `token_width` numbers. projection: its shape (1 + w, D), or None.
    digests: file name to BLAKE2b-256 in hex. links: how many lines of links.jsonl, None in a bundle of format 1.
    """

    memories: int
    encoder: str | None
    width: int | None
    rows: int
    codes: int
    token_width: int
    projection: tuple[int, ...] | None
    digests: Mapping[str, str]
    links: int | None = None

    def to_json(self) -> str:
        value = {
            "format": FORMAT,
            "memories": self.memories,
            "encoder": self.encoder,
            "width": self.width,
            "vectors": self._array(VECTORS, "float32", (self.rows, self.width or 0)),
            "tokens": self._array(TOKENS, "int8", (self.codes, self.token_width)),
            "projection": self._array(PROJECTION, "float32", self.projection) if self.projection else None,
            "memories_file": {"file": MEMORIES, "blake2b": self.digests[MEMORIES]},
            "links": self.links,
            "links_file": {"file": LINKS, "blake2b": self.digests[LINKS]},
        }
        return json.dumps(value, ensure_ascii=False, indent=2) + "\n"

    def _array(self, name: str, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
        return {"file": name, "dtype": dtype, "shape": list(shape), "blake2b": self.digests[name]}

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """The manifest in `data`. Raises ImportFormatError at the first thing that is not as it must be."""
        value = _parsed(data, MANIFEST)
        if value.get("format") not in (FORMAT, _FIRST):
            raise ImportFormatError(
                f"{MANIFEST}: format must be {FORMAT!r} or {_FIRST!r}; got {_brief(value.get('format'))}"
            )
        linked = value["format"] != _FIRST
        names = ("format", "memories", "encoder", "width", "vectors", "tokens", "projection", "memories_file")
        _check_names(value, (*names, "links", "links_file") if linked else names, MANIFEST)
        width = value["width"]
        if width is not None and not 1 <= _count(width, "width") <= _WIDEST:
            raise ImportFormatError(f"{MANIFEST}: width must be null or from 1 to {_WIDEST}; got {width!r}")
        rows, across = _shape(value["vectors"], VECTORS, "float32", 2)
        if across != (width or 0) or (rows and not width):
            raise ImportFormatError(f"{MANIFEST}: the shape of {VECTORS} must be [rows, {width or 0}]; got {across}")
        codes, token_width = _shape(value["tokens"], TOKENS, "int8", 2)
        if token_width > _WIDEST or (codes and not token_width):
            raise ImportFormatError(f"{MANIFEST}: the shape of {TOKENS} cannot be {[codes, token_width]}")
        projection = value["projection"]
        shape = None if projection is None else _shape(projection, PROJECTION, "float32", 2)
        if shape and (shape[0] < 2 or shape[1] < 1 or prod(shape) * 4 > _LARGEST_PROJECTION):
            raise ImportFormatError(f"{MANIFEST}: the shape of {PROJECTION} cannot be {list(shape)}")
        _check_names(value["memories_file"], ("file", "blake2b"), f"{MANIFEST}: memories_file")
        parts = {VECTORS: value["vectors"], TOKENS: value["tokens"], MEMORIES: value["memories_file"]}
        if projection is not None:
            parts[PROJECTION] = projection
        if linked:
            _check_names(value["links_file"], ("file", "blake2b"), f"{MANIFEST}: links_file")
            parts[LINKS] = value["links_file"]
        return cls(
            memories=_count(value["memories"], "memories"),
            encoder=_encoder(value["encoder"]),
            width=width,
            rows=rows,
            codes=codes,
            token_width=token_width,
            projection=shape,
            digests={name: _digest_of(part, name) for name, part in parts.items()},
            links=_count(value["links"], "links") if linked else None,
        )


class WrittenFile:
    """A new file that counts and hashes what is written to it."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb")  # noqa: SIM115 - closed by close() or abandon()
        self._hash = blake2b(digest_size=_DIGEST)
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def close(self) -> str:
        """The digest, once everything is on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()

    def abandon(self) -> None:
        self._file.close()


class BundleWriter:
    """Writes the files of a bundle into an empty folder; use it in a `with` block and call `finish` in it.

    token_width: how many numbers a token code has, 0 if there are none.
    """

    def __init__(self, folder: Path, *, token_width: int) -> None:
        self._folder, self._token_width = folder, token_width
        self._files = {name: WrittenFile(folder / name) for name in (MEMORIES, VECTORS, TOKENS, LINKS)}
        self.memories, self.rows, self.codes, self.links = 0, 0, 0, 0

    def add_row(self, vector: bytes) -> int:
        """The number of the new row."""
        self._files[VECTORS].write(vector)
        self.rows += 1
        return self.rows - 1

    def add_codes(self, codes: bytes) -> tuple[int, int]:
        """The first row of a text's codes, and how many they are. Raises ValueError for half a row."""
        count, rest = divmod(len(codes), self._token_width or 1)
        if rest:
            raise ValueError(f"token codes of {len(codes)} numbers do not fill rows of {self._token_width}")
        first, self.codes = self.codes, self.codes + count
        self._files[TOKENS].write(codes)
        return first, count

    def add_line(self, line: Mapping[str, Any]) -> None:
        self._files[MEMORIES].write(_compact(line).encode() + b"\n")
        self.memories += 1

    def add_link(self, source: int, kind: str, target: int) -> None:
        """Note a link between the memories of two lines."""
        self._files[LINKS].write(_compact({"source": source, "kind": kind, "target": target}).encode() + b"\n")
        self.links += 1

    def finish(self, *, encoder: str | None, width: int | None, projection: np.ndarray[Any, Any] | None) -> int:
        """Write projection and manifest; the size of the bundle in bytes."""
        if projection is not None:
            self._files[PROJECTION] = WrittenFile(self._folder / PROJECTION)
            self._files[PROJECTION].write(projection.astype("<f4").tobytes())
        manifest = Manifest(
            memories=self.memories,
            encoder=encoder,
            width=width,
            rows=self.rows,
            codes=self.codes,
            token_width=self._token_width,
            projection=None if projection is None else tuple(projection.shape),
            digests={name: file.close() for name, file in self._files.items()},
            links=self.links,
        )
        last = WrittenFile(self._folder / MANIFEST)
        last.write(manifest.to_json().encode())
        last.close()
        return last.size + sum(file.size for file in self._files.values())

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.abandon()


class BundleReader:
    """A bundle whose sizes, digests and rows have been checked; use it in a `with` block.

    Raises
    ------
    ImportFormatError: anything about it is not as it must be; the message names file and place.
    """

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._files: dict[str, BinaryIO] = {}
        with ExitStack() as guard:
            guard.callback(self._stack.close)
            if folder.is_symlink() or not folder.is_dir():
                raise ImportFormatError(f"{folder} must be a folder, and no symbolic link")
            self._open(folder, MANIFEST)
            self.manifest = Manifest.from_json(self._files[MANIFEST].read(_LONGEST_MANIFEST + 1))
            for name in self.manifest.digests:
                self._open(folder, name)
            self._check_sizes()
            self._check_digests()
            self.projection = self._read_projection()
            guard.pop_all()

    def lines(self, longest: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line numbers from 1 and the objects on those lines, each of at most `longest` bytes."""
        file = self._files[MEMORIES]
        file.seek(0)
        number = 0
        while data := file.readline(longest + 1):
            number += 1
            where = f"{MEMORIES} line {number}"
            if len(data) > longest:
                raise ImportFormatError(f"{where} must have at most {longest} bytes")
            if not data.endswith(b"\n"):
                raise ImportFormatError(f"{where} is cut off")
            value = _parsed(data, where)
            if self.manifest.links is None:
                _check_names(value, tuple(name for name in FIELDS if name != "expires"), where, optional=MARKS)
                value["expires"] = None
            _check_names(value, FIELDS, where, optional=MARKS)
            yield number, value
        if number != self.manifest.memories:
            raise ImportFormatError(f"{MEMORIES} must have {self.manifest.memories} lines; got {number}")

    def links(self) -> Iterator[tuple[int, str, int]]:
        """Source, kind and target of every link, source and target as line numbers from 1."""
        if self.manifest.links is None:
            return
        file, number = self._files[LINKS], 0
        file.seek(0)
        while data := file.readline(_LONGEST_LINK + 1):
            number += 1
            where = f"{LINKS} line {number}"
            if len(data) > _LONGEST_LINK or not data.endswith(b"\n"):
                raise ImportFormatError(f"{where} is cut off, or longer than {_LONGEST_LINK} bytes")
            value = _parsed(data, where)
            _check_names(value, ("source", "kind", "target"), where)
            source, kind, target = value["source"], value["kind"], value["target"]
            if not all(type(end) is int and 1 <= end <= self.manifest.memories for end in (source, target)):
                raise ImportFormatError(f"{where}: a link stands between lines of {MEMORIES}; got {_brief(value)}")
            if not isinstance(kind, str) or not kind.strip() or "\0" in kind or not _is_unicode(kind):
                raise ImportFormatError(f"{where}: the kind of a link must be a text; got {_brief(kind)}")
            yield source, kind, target
        if number != self.manifest.links:
            raise ImportFormatError(f"{LINKS} must have {self.manifest.links} lines; got {number}")

    def vector(self, row: int) -> bytes:
        """The bytes of a row."""
        size = 4 * (self.manifest.width or 0)
        return self._part(VECTORS, row * size, size)

    def codes(self, first: int, count: int) -> bytes:
        """The bytes of `count` rows of token codes; at most 64 MiB of them."""
        size = self.manifest.token_width
        if count * size > _MOST_CODES:
            raise ImportFormatError(
                f"{TOKENS}: a text must have at most {_MOST_CODES} bytes of codes; got {count * size}"
            )
        return self._part(TOKENS, first * size, count * size)

    def _open(self, folder: Path, name: str) -> None:
        path = folder / name
        # O_NONBLOCK: opening a named pipe must not wait for somebody to write to it
        flags = sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"))
        if path.is_symlink() or path.is_dir():
            raise ImportFormatError(f"{name} must be a file, and no symbolic link or folder")
        try:
            descriptor = os.open(path, os.O_RDONLY | flags)
        except FileNotFoundError as error:
            raise ImportFormatError(f"{folder} is no bundle: {name} is missing") from error
        file = self._stack.enter_context(os.fdopen(descriptor, "rb"))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ImportFormatError(f"{name} must be a file, and no device or pipe")
        self._files[name] = file

    def _check_sizes(self) -> None:
        known = self.manifest
        expected = {VECTORS: known.rows * (known.width or 0) * 4, TOKENS: known.codes * known.token_width}
        if known.projection:
            expected[PROJECTION] = prod(known.projection) * 4
        for name, size in expected.items():
            got = os.fstat(self._files[name].fileno()).st_size
            if got != size:
                raise ImportFormatError(f"{name} must have {size} bytes, as its shape says; got {got}")

    def _check_digests(self) -> None:
        for name, expected in self.manifest.digests.items():
            found = blake2b(digest_size=_DIGEST)
            row_bytes = 4 * (self.manifest.width or 1) if name == VECTORS else 1
            size, row = max(1, _CHUNK // row_bytes) * row_bytes, 0
            while data := self._files[name].read(size):
                found.update(data)
                if name == VECTORS:
                    _check_rows(data, self.manifest.width or 1, row)
                    row += len(data) // row_bytes
            if found.hexdigest() != expected:
                raise ImportFormatError(f"{name} does not match its digest in {MANIFEST}")

    def _read_projection(self) -> np.ndarray[Any, np.dtype[np.float32]] | None:
        shape = self.manifest.projection
        if shape is None:
            return None
        rows = np.frombuffer(self._part(PROJECTION, 0, prod(shape) * 4), "<f4").reshape(shape)
        if not np.isfinite(rows).all():
            raise ImportFormatError(f"{PROJECTION} must hold finite numbers; it holds NaN or infinity")
        return rows.astype(np.float32)

    def _part(self, name: str, start: int, size: int) -> bytes:
        file = self._files[name]
        file.seek(start)
        data = file.read(size)
        if len(data) != size:
            raise ImportFormatError(f"{name} ends before byte {start + size}")
        return data

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Raise StorageFailure, naming the place, for what the operating system refuses."""
    try:
        yield
    except LoomError:
        raise
    except OSError as error:
        raise StorageFailure(f"{place} cannot be read or written: {error.strerror or error}") from error


def _check_rows(data: bytes, width: int, first: int) -> None:
    if len(data) % (4 * width):
        raise ImportFormatError(f"{VECTORS} is cut off")
    rows = np.frombuffer(data, "<f4").reshape(-1, width).astype(np.float64)
    squares = np.einsum("ij,ij->i", rows, rows)
    wrong = np.flatnonzero(~(np.isfinite(squares) & (squares > _SHORTEST)))
    if len(wrong):
        raise ImportFormatError(f"{VECTORS} row {first + int(wrong[0])} must be finite and not all zeros")


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    if where == MANIFEST and len(data) > _LONGEST_MANIFEST:
        raise ImportFormatError(f"{where} must have at most {_LONGEST_MANIFEST} bytes")
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ImportFormatError(f"{where} is not JSON in UTF-8: {error}") from error
    if not isinstance(value, dict):
        raise ImportFormatError(f"{where} must be a JSON object; got {_brief(value)}")
    return value


def _check_names(value: object, names: tuple[str, ...], where: str, *, optional: tuple[str, ...] = ()) -> None:
    if not isinstance(value, dict):
        raise ImportFormatError(f"{where} must be an object; got {_brief(value)}")
    missing = [name for name in names if name not in value]
    unknown = sorted(value.keys() - {*names, *optional})
    if missing or unknown:
        fault = f"has no field {missing[0]!r}" if missing else f"has the unknown field {_brief(unknown[0])}"
        raise ImportFormatError(f"{where} {fault}")


def _shape(part: object, name: str, dtype: str, dimensions: int) -> tuple[int, ...]:
    _check_names(part, ("file", "dtype", "shape", "blake2b"), f"{MANIFEST}: {name}")
    found: Any = part
    if found["dtype"] != dtype:
        raise ImportFormatError(f"{MANIFEST}: {name} must be of dtype {dtype!r}; got {_brief(found['dtype'])}")
    shape = found["shape"]
    if not isinstance(shape, list) or len(shape) != dimensions:
        raise ImportFormatError(f"{MANIFEST}: the shape of {name} must be {dimensions} numbers; got {_brief(shape)}")
    return tuple(_count(size, f"the shape of {name}") for size in shape)


def _digest_of(part: Mapping[str, Any], name: str) -> str:
    if part["file"] != name:
        raise ImportFormatError(f"{MANIFEST}: the file must be called {name!r}; got {_brief(part['file'])}")
    digest = part["blake2b"]
    if not isinstance(digest, str) or len(digest) != 2 * _DIGEST:
        raise ImportFormatError(f"{MANIFEST}: the digest of {name} must be {2 * _DIGEST} hex digits")
    return digest


def _count(value: object, name: str) -> int:
    if type(value) is not int or value < 0:
        raise ImportFormatError(f"{MANIFEST}: {name} must be a whole number from 0; got {_brief(value)}")
    return value


def _encoder(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\0" in value or not _is_unicode(value):
        raise ImportFormatError(f"{MANIFEST}: encoder must be null or the name of an encoder; got {_brief(value)}")
    return value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _brief(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
