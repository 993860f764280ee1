"""An append-only log of JSON objects: what a model said in a structured way, kept object by object.

The log holds every change since the snapshot; what is loaded is the snapshot and then the log. Removing writes a
tombstone. A snapshot takes the place of the log once the log is longer than both `snapshot_every` and the number of
blocks, so that the cost of a block stays constant; then removed objects are gone from the disk, too.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

from mnemoloom.clock import Clock, SystemClock, from_millis
from mnemoloom.errors import (
    ConfigError,
    CorruptionError,
    ForkedStoreError,
    StorageFailure,
    StoreClosedError,
    TextError,
    UnknownMemoryError,
    ValidationError,
)
from mnemoloom.pmll.files import FORMAT, PLAIN, check_header, failure_of, header, replace_file, write_all
from mnemoloom.pmll.lines import framed, split, stable_json, unframed
from mnemoloom.pmll.reader import MAX_DEPTH, Fault, read_objects
from mnemoloom.storage.lock import WriterLock

__all__ = ["Appended", "Block", "ObjectLog"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Block:
    """One object of the log.

    seq: its number, never used again. id: SHA-256 of its content in hex: equal objects share it. time: when it came.
    """

    seq: int
    id: str
    time: datetime
    json: str

    @property
    def value(self) -> dict[str, Any]:
        """The object, made anew: changing it changes nothing here."""
        made: dict[str, Any] = json.loads(self.json)
        return made


class Appended(NamedTuple):
    """What a text held: the new blocks, and the faults of what was no object."""

    blocks: list[Block]
    faults: tuple[Fault, ...]


class ObjectLog:
    """A log in a folder; one process writes, its threads and event loops may share the handle."""

    def __init__(
        self,
        folder: str | Path,
        *,
        snapshot_every: int = 50,
        max_blocks: int = 10_000,
        salt: bytes = b"",
        clock: Clock | None = None,
        durable: bool = True,
        lock_timeout: float = 0.5,
    ) -> None:
        """Open the log in a folder, or make one.

        Parameters
        ----------
        snapshot_every: lines before a snapshot is thought of.
        max_blocks: the oldest blocks beyond this number are removed.
        salt: other salts give other content ids.
        durable: what `append` returned for survives a power cut; without, only the end of the process.

        Raises
        ------
        StoreLockedError: another handle has it. CorruptionError: a line is damaged; the message names it.
        FormatError, StorageFailure, ConfigError.
        """
        for name, count in (("snapshot_every", snapshot_every), ("max_blocks", max_blocks)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ConfigError(f"{name} must be an integer, at least 1; got {count!r}")
        self.folder = Path(os.path.abspath(folder))
        self._path, self._snapshot = self.folder / "pmll_log.jsonl", self.folder / "pmll_snapshot.json"
        self._every, self._most, self._salt = snapshot_every, max_blocks, salt
        self._clock, self._durable = clock or SystemClock(), durable
        self._pid, self._guard = os.getpid(), RLock()
        self._blocks: dict[int, Block] = {}
        self._next, self._line, self._since = 1, 0, 0
        self._unusable: str | None = None
        self._closed = False
        self._repaired = 0
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailure(f"the folder {self.folder} cannot be made: {error}") from error
        self._lock = WriterLock(self.folder, timeout=lock_timeout)
        try:
            self._load()
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | PLAIN)
        except OSError as error:
            self._lock.release()
            raise failure_of(self._path, error) from error
        except BaseException:
            self._lock.release()
            raise

    @property
    def repaired_bytes(self) -> int:
        """How many bytes of a line that was cut short were removed when the log was opened."""
        return self._repaired

    # -- writing ------------------------------------------------------------------------------------

    def append_text(self, text: str, *, strict: bool = False) -> Appended:
        """Append every JSON object of a text, all or none.

        With `strict`, a text without an object, or with a fault, is refused: TextError, and nothing is kept.
        """
        objects, faults = read_objects(text)
        if strict and (faults or not objects):
            first = f"at {faults[0].position}: {faults[0].rule}" if faults else "it holds no JSON object"
            raise TextError(f"the text is not clean JSON objects: {first}")
        if not objects:
            self._check()
            return Appended([], faults)
        return Appended(self._add([found.value for found in objects]), faults)

    def append(self, value: Mapping[str, Any]) -> Block:
        """Append one object. Raises ValidationError unless it is JSON."""
        if not isinstance(value, Mapping):
            raise ValidationError(f"a block is a JSON object; got {type(value).__name__}")
        return self._add([dict(value)])[0]

    def remove(self, seq: int) -> None:
        """Remove a block. Raises UnknownMemoryError."""
        with self._guard:
            self._check()
            if seq not in self._blocks:
                raise UnknownMemoryError(seq)
            self._write([], [seq])

    def pop(self) -> Block | None:
        """Remove the newest block and return it; None from an empty log."""
        with self._guard:
            newest = self.peek()
            if newest is not None:
                self._write([], [newest.seq])
            return newest

    def compact(self) -> None:
        """Write a snapshot now, and begin an empty log: nothing that was removed is left on the disk."""
        with self._guard:
            self._check()
            try:
                self._compact()
            except OSError as error:
                raise failure_of(self._snapshot, error) from error

    async def aappend_text(self, text: str, *, strict: bool = False) -> Appended:
        return await asyncio.to_thread(self.append_text, text, strict=strict)

    async def aappend(self, value: Mapping[str, Any]) -> Block:
        return await asyncio.to_thread(self.append, value)

    async def aremove(self, seq: int) -> None:
        await asyncio.to_thread(self.remove, seq)

    async def apop(self) -> Block | None:
        return await asyncio.to_thread(self.pop)

    async def acompact(self) -> None:
        await asyncio.to_thread(self.compact)

    # -- reading ------------------------------------------------------------------------------------

    def peek(self) -> Block | None:
        """The newest block, None from an empty log."""
        with self._guard:
            self._check()
            return self._blocks[next(reversed(self._blocks))] if self._blocks else None

    def blocks(self) -> list[Block]:
        """Every block, oldest first."""
        with self._guard:
            self._check()
            return list(self._blocks.values())

    def fetch(self, *, newest_overrides: bool = True) -> dict[str, Any]:
        """All objects as one: of a key that several have, the newest value stands, or else the oldest."""
        merged: dict[str, Any] = {}
        for block in self.iter_q(newest_first=not newest_overrides):
            merged.update(block.value)
        return merged

    def topic_index(self, key: str) -> dict[str, list[int]]:
        """The numbers of blocks by what stands under `key`: a text as it is, anything else as JSON."""
        topics: dict[str, list[int]] = {}
        for block in self.blocks():
            value = block.value
            if key in value:
                topic = value[key] if isinstance(value[key], str) else stable_json(value[key])
                topics.setdefault(topic, []).append(block.seq)
        return topics

    def iter_q(self, depth: int | None = None, *, newest_first: bool = True) -> Iterator[Block]:
        """The blocks of this moment, one by one, at most `depth` of them."""
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
            raise ValidationError(f"depth must be None or an integer, at least 0; got {depth!r}")
        found = self.blocks()
        ordered = found[::-1] if newest_first else found
        return iter(ordered[:depth])

    async def aiter_q(
        self, depth: int | None = None, *, newest_first: bool = True, pause: float = 0.0
    ) -> AsyncIterator[Block]:
        """As `iter_q`; after each block other tasks have their turn, for `pause` seconds at least."""
        for block in await asyncio.to_thread(self.iter_q, depth, newest_first=newest_first):
            yield block
            await asyncio.sleep(pause)

    def rewind(
        self, callback: Callable[[Block], object], *, depth: int | None = None, newest_first: bool = True
    ) -> int:
        """Call back with each block, the newest first; how many that were."""
        count = 0
        for count, block in enumerate(self.iter_q(depth, newest_first=newest_first), start=1):  # noqa: B007
            callback(block)
        return count

    def __len__(self) -> int:
        return len(self.blocks())

    def close(self) -> None:
        """Let go of the folder; closing twice is closing once."""
        with self._guard:
            if not self._closed and os.getpid() == self._pid:
                self._closed = True
                self._unusable = self._unusable or "has been closed"
                os.close(self._file)
                self._lock.release()

    def __enter__(self) -> ObjectLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------------

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedStoreError(f"{self._path} was opened in process {self._pid}; open it again in this one")
        if self._unusable is not None:
            raise StoreClosedError(f"{self._path} {self._unusable}")

    def _add(self, values: Iterable[Mapping[str, Any]]) -> list[Block]:
        texts = [_checked(value) for value in values]
        with self._guard:
            self._check()
            numbered = list(enumerate(texts, start=self._next))
            beyond = max(0, len(self._blocks) + len(numbered) - self._most)
            self._write(numbered, [*self._blocks, *(seq for seq, _ in numbered)][:beyond])
            newest = reversed(self._blocks.values())
            kept = [next(newest) for _ in range(min(len(numbered), self._most))]
            return kept[::-1]

    def _write(self, new: list[tuple[int, str]], gone: list[int]) -> None:
        """Make a change last, then make it seen."""
        millis = round(self._clock.now() * 1000)
        add = [[seq, json.loads(text)] for seq, text in new]
        body = {"line": self._line + 1, "time": millis, "add": add, "drop": gone}
        self._store(framed(body))
        self._apply(body)
        if self._since >= max(self._every, len(self._blocks)):
            try:
                self._compact()
            except OSError:  # the log still holds everything
                _LOG.warning("no snapshot of %s could be written", self._path, exc_info=True)
                self._since = 0

    def _store(self, line: bytes) -> None:
        length = os.fstat(self._file).st_size
        try:
            write_all(self._file, line)
        except OSError as error:
            try:
                os.ftruncate(self._file, length)
            except OSError:
                self._unusable = "holds part of a line and could not be repaired; open it again"
            raise failure_of(self._path, error) from error
        try:
            if self._durable:
                os.fsync(self._file)
        except OSError as error:
            self._unusable = "could not be written to disk; open it again"  # a second fsync would lie
            raise failure_of(self._path, error) from error

    def _apply(self, body: Mapping[str, Any]) -> None:
        moment = from_millis(body["time"])
        for seq, value in body["add"]:
            text = stable_json(value)
            self._blocks[seq] = Block(seq, self._identify(text), moment, text)
            self._next = seq + 1
        for seq in body["drop"]:
            del self._blocks[seq]
        self._line = body["line"]
        self._since += 1

    def _identify(self, text: str) -> str:
        if self._salt:
            return hmac.new(self._salt, text.encode(), sha256).hexdigest()
        return sha256(text.encode()).hexdigest()

    def _load(self) -> None:
        for leftover in (self._path, self._snapshot):
            leftover.with_suffix(".new").unlink(missing_ok=True)
        if self._snapshot.exists():
            self._load_snapshot()
        if not self._path.exists():
            replace_file(self._path, header())
            return
        lines, torn = split(self._path.read_bytes())
        if torn:
            self._repaired = len(torn)
            _LOG.warning("%s ended in a line that was cut short; %d bytes were removed", self._path, len(torn))
            with open(self._path, "r+b") as file:
                file.truncate(sum(len(line) + 1 for line in lines))
                os.fsync(file.fileno())
        if not lines:
            replace_file(self._path, header())
            return
        check_header(unframed(lines[0], name=f"line 1 of {self._path}"), self._path)
        for number, line in enumerate(lines[1:], start=2):
            name = f"line {number} of {self._path}"
            self._replay(unframed(line, name=name), name)

    def _replay(self, body: dict[str, Any], name: str) -> None:
        try:
            if body["line"] <= self._line and not self._since:
                return  # the snapshot holds it: the log was about to be emptied
            if body["line"] != self._line + 1:
                raise CorruptionError(f"{name} is change {body['line']}, but change {self._line + 1} must follow")
            self._apply(body)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, CorruptionError):
                raise
            raise CorruptionError(f"{name} holds values that cannot be read: {error!r}") from error

    def _load_snapshot(self) -> None:
        body = unframed(self._snapshot.read_bytes().rstrip(b"\n"), name=str(self._snapshot))
        check_header(body, self._snapshot)
        try:
            for seq, millis, value in body["blocks"]:
                text = stable_json(value)
                self._blocks[seq] = Block(seq, self._identify(text), from_millis(millis), text)
            self._next, self._line = body["next"], body["line"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptionError(f"{self._snapshot} holds values that cannot be read: {error!r}") from error

    def _compact(self) -> None:
        blocks = [[b.seq, round(b.time.timestamp() * 1000), b.value] for b in self._blocks.values()]
        state = {"format": FORMAT, "next": self._next, "line": self._line, "blocks": blocks}
        replace_file(self._snapshot, framed(state))
        try:
            replace_file(self._path, header())
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | PLAIN)
        except OSError:
            self._unusable = "could not be emptied; open it again"  # what is open may be a file without a name
            raise
        os.close(self._file)
        self._file, self._since = file, 0


def _checked(value: Mapping[str, Any]) -> str:
    """The object as JSON. Raises ValidationError unless it comes back as it went in."""
    try:
        text = stable_json(value)
        back = read_objects(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"a block must be a JSON object: {error}") from error
    if len(back.objects) != 1 or back.faults:
        rule = back.faults[0].rule if back.faults else "it must be one object"
        raise ValidationError(f"a block must be a JSON object of at most {MAX_DEPTH} levels: {rule}")
    if back.objects[0].value != value:
        raise ValidationError("a block must be a JSON object: keys must be texts, and sequences lists")
    return text
