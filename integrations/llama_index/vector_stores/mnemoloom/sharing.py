"""Open stores that several objects of one process share: a folder has one writer, and LlamaIndex has many objects.

A store is opened for the first object that names its folder, and closed with the last one. Objects name a store by
a path, so that they can be written down and made again; a store in memory gets a name that lasts as long as it.
"""

from __future__ import annotations

import os
import secrets
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import RLock

from mnemoloom import Config, Limits, Memory
from mnemoloom.config import Durability
from mnemoloom.errors import ConfigError, NotAStoreError
from mnemoloom.ports import Embedder

__all__ = ["IN_MEMORY", "Share", "share"]

IN_MEMORY = ":memory:"

# A node or message is kept whole in the metadata of its memory, images included.
_LIMITS = Limits(
    text_bytes=64 << 20, metadata_bytes=64 << 20, metadata_depth=64, label_chars=4096, k=1_000_000
)  # fmt: skip

_Key = tuple[int, str]


@dataclass
class _Open:
    memory: Memory
    ours: bool
    shares: int = 0


_open: dict[_Key, _Open] = {}
_lock = RLock()  # a finalizer may run in any thread, also in one that is inside `share`


class Share:
    """One object's part in an open store. `close` gives it back; so does losing the last reference to it.

    Attributes
    ----------
    path: names the store: an absolute folder, or ":memory:" and a name.
    memory: a handle on the namespace that was asked for.
    """

    def __init__(self, path: str, memory: Memory, release: Callable[[], None]) -> None:
        self.path, self.memory = path, memory
        self._release = weakref.finalize(self, release)

    def close(self) -> None:
        self._release()

    def __deepcopy__(self, _: object) -> Share:
        return self  # a copied object uses the same handle


def share(
    path: str | Path | Memory,
    *,
    namespace: tuple[str, ...],
    embedder: Embedder | None = None,
    durability: Durability = "full",
    language: str = "english",
) -> Share:
    """A share in the store at `path`, opened now unless this process has it open already.

    Parameters
    ----------
    path: a folder, ":memory:" for a new store in memory, the name of such a store, or an open `Memory`, which
        stays the caller's to close.
    namespace: of the handle.
    embedder, durability, language: as in `Memory.open`, for a store that is not open yet.

    Raises
    ------
    ConfigError: the store is open in this process with another embedder, or with none.
    NotAStoreError: the store was in memory, and is gone.
    StoreError, EmbedderMismatchError, NamespaceError: as `Memory.open`.
    """
    with _lock:
        name = _named(path)
        key = (os.getpid(), name)
        entry = _open.get(key)
        if entry is None or entry.memory.closed:
            entry = _Open(
                path if isinstance(path, Memory) else _opened(name, path, embedder, durability, language),
                ours=not isinstance(path, Memory),
            )
        used = entry.memory.embedder and entry.memory.embedder.identity
        if embedder is not None and used != embedder.identity:
            raise ConfigError(
                f"{name} is open in this process with the embedder {used!r}; got {embedder.identity!r}. "
                "Open it with that embedder first, or close what uses it"
            )
        handle = entry.memory.at(*namespace)
        entry.shares += 1
        _open[key] = entry
        return Share(name, handle, partial(_give_back, key, entry))


def _named(path: str | Path | Memory) -> str:
    if isinstance(path, Memory):
        return str(path.folder) if path.folder else f"{IN_MEMORY}of-{id(path):x}"
    if path == IN_MEMORY:
        return f"{IN_MEMORY}{secrets.token_hex(8)}"
    if str(path).startswith(IN_MEMORY):
        return str(path)
    return str(Path(path).expanduser().resolve())


def _opened(
    name: str, path: str | Path | Memory, embedder: Embedder | None, durability: Durability, language: str
) -> Memory:
    in_memory = name.startswith(IN_MEMORY)
    if in_memory and path != IN_MEMORY:
        raise NotAStoreError(f"{name} was kept in memory and is gone with the process or object that held it")
    return Memory.open(
        IN_MEMORY if in_memory else name,
        embedder=embedder,
        durability=durability,
        config=Config(language=language, limits=_LIMITS),
    )


def _give_back(key: _Key, entry: _Open) -> None:
    with _lock:
        entry.shares -= 1
        if entry.shares or key[0] != os.getpid():
            return
        if _open.get(key) is entry:  # its owner may have closed it, and somebody opened the folder again
            del _open[key]
        if entry.ours:
            entry.memory.close()
