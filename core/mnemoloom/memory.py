"""The facade: open a folder, remember, recall. Each verb is a short paragraph of calls."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from mnemoloom.clock import Clock, SystemClock
from mnemoloom.config import Config, Durability
from mnemoloom.drafts import check_flag, check_namespace
from mnemoloom.errors import ConfigError, told
from mnemoloom.opened import OpenStore
from mnemoloom.ports import Embedder
from mnemoloom.verbs.asking import AskingVerbs
from mnemoloom.verbs.browsing import BrowsingVerbs
from mnemoloom.verbs.evidence import EvidenceVerbs
from mnemoloom.verbs.ingesting import IngestingVerbs
from mnemoloom.verbs.keeping import KeepingVerbs
from mnemoloom.verbs.learning import LearningVerbs
from mnemoloom.verbs.privacy import PrivacyVerbs
from mnemoloom.verbs.reading import ReadingVerbs
from mnemoloom.verbs.saving import SavingVerbs
from mnemoloom.verbs.screening import ScreeningVerbs
from mnemoloom.verbs.sleeping import SleepingVerbs
from mnemoloom.verbs.titans import TitansVerbs
from mnemoloom.verbs.writing import WritingVerbs

__all__ = ["Memory"]


class Memory(
    IngestingVerbs,
    WritingVerbs,
    AskingVerbs,
    LearningVerbs,
    BrowsingVerbs,
    ReadingVerbs,
    SleepingVerbs,
    KeepingVerbs,
    EvidenceVerbs,
    SavingVerbs,
    ScreeningVerbs,
    TitansVerbs,
    PrivacyVerbs,
):
    """A handle on one namespace of a store; may be shared between threads and event loops.

    Make one with `Memory.open`; close it, or use it in a `with` block. Every verb has an async twin whose
    name begins with `a`. Memories are named by their id (int) or by the caller's own external id (str).
    """

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        namespace: tuple[str, ...] = ("default",),
        embedder: Embedder | None = None,
        read_only: bool = False,
        durability: Durability = "full",
        config: Config | None = None,
        clock: Clock | None = None,
        lock_timeout: float = 0.5,
        reembed: bool = False,
        key: bytes | None = None,
        encryption_key: bytes | str | None = None,
        encrypt: bool = False,
    ) -> Memory:
        """Open the store in folder `path`, or make one; ":memory:" keeps everything in memory.

        Parameters
        ----------
        namespace: whose memories this handle sees; it sees no others, whatever it is asked.
        embedder: encodes texts and questions. Without one, recall works by words, names and dates.
        read_only: any number of these may be open beside one writer, in other processes too.
        durability: "full" survives power loss; "normal" may lose the last moments on power loss, and is never corrupt.
        lock_timeout: seconds to wait for another writer to let go.
        reembed: accept another embedder than the one that the store was written with, and encode everything anew.
        key: at least 16 secret bytes that sign the log (`verify`). It is never stored; keep it. A new store takes it
        from the beginning on, one that has begun without a key by `rekey`.
        encryption_key: 32 secret bytes (a text of 64 hex digits is as good), or a passphrase of at least 12 characters,
        that the store is encrypted under (extra `encryption`). It is never stored, and without it nothing can be read:
        keep it. A new store takes it from the beginning on; `storage/vault.py` says what is encrypted, the README what
        that is good for.
        encrypt: encrypt a store that was begun without, under the `encryption_key`. Nobody else may have it open;
        copies from before stay readable.

        Raises
        ------
        NotAStoreError, FormatError, CorruptionError, StoreLockedError, EmbedderMismatchError, NamespaceError,
        ChainKeyError, EncryptionKeyError, ConfigError, MissingExtraError
        """
        if not isinstance(path, (str, PathLike)) or isinstance(fspath(path), bytes):
            raise ConfigError(f"path must be a string or a Path; got {told(path)}")
        config = Config() if config is None else config
        if not isinstance(config, Config):
            raise ConfigError(f"config must be a Config, such as Config(ttl=3600), or None; got {told(config)}")
        if not (clock is None or callable(getattr(clock, "now", None))):
            raise ConfigError(f"clock must have a method now(), as SystemClock and ManualClock; got {told(clock)}")
        read_only, reembed = check_flag(read_only, "read_only"), check_flag(reembed, "reembed")
        encrypt = check_flag(encrypt, "encrypt")
        labels = check_namespace(namespace, limits=config.limits)
        if not isinstance(durability, str) or durability not in ("full", "normal"):
            raise ConfigError(f"durability must be 'full' or 'normal'; got {told(durability)}")
        opened = OpenStore.open(
            path,
            embedder=embedder,
            read_only=read_only,
            durability=durability,
            config=config,
            clock=SystemClock() if clock is None else clock,
            lock_timeout=lock_timeout,
            reembed=reembed,
            key=key,
            encryption_key=encryption_key,
            encrypt=encrypt,
        )
        memory = cls(opened, labels)
        if reembed:
            try:
                memory.reembed()
            except BaseException:
                memory.close()
                raise
        return memory

    def at(self, *labels: str) -> Memory:
        """A handle on another namespace of the same store. They share the store: closing one closes both."""
        return Memory(self._opened, check_namespace(labels, limits=self._opened.config.limits))

    def close(self) -> None:
        """Save caches and let go of the folder; closing twice is closing once. Damaged memories do not stop it."""
        self._opened.close(lambda shelf: self._writer_for(shelf).flush_noted())

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Memory({self._opened.store.where!r}, namespace={self.namespace!r})"

    async def aclose(self) -> None:
        if not self.closed:
            await self._run(self.close)

    async def __aenter__(self) -> Memory:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
