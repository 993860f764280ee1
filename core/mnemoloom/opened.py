"""What all handles of one open store share."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TypeVar

from mnemoloom.art import CentredConfig
from mnemoloom.chain import Signer
from mnemoloom.chain.keys import check_key
from mnemoloom.clock import Clock
from mnemoloom.config import Config, Durability
from mnemoloom.errors import ConfigError, CorruptionError, EmbedderMismatchError, told
from mnemoloom.lexical import Analyzer
from mnemoloom.ports import Embedder
from mnemoloom.recall.encoding import Encoding
from mnemoloom.recall.live import LiveShelf
from mnemoloom.storage import Store, keys
from mnemoloom.storage.ciphers import MasterKey, check_encryption_key
from mnemoloom.storage.encrypting import unlock
from mnemoloom.storage.facts import StoreFacts, read_facts, read_store_id, write_fact

__all__ = ["OpenStore"]

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_THREADS = min(8, (os.cpu_count() or 2) + 4)


class OpenStore:
    """A store with its encoder, settings and clock, and one live shelf for each namespace in use."""

    def __init__(
        self,
        store: Store,
        *,
        embedder: Embedder | None,
        config: Config,
        clock: Clock,
        reembed: bool = False,
        key: bytes | None = None,
        encryption_key: bytes | str | None = None,
        encrypt: bool = False,
    ) -> None:
        self.store, self.config, self.clock = store, config, clock
        self.store_id = _identify(store)
        unlock(store, encryption_key, store_id=self.store_id, encrypt=encrypt)
        self.signer = self._sign(key)
        facts = self.facts()
        self.encoding = None
        if embedder is not None:
            same = facts.encoder == embedder.identity or (facts.encoder is None and not reembed)
            self.encoding = Encoding(
                embedder,
                token_width=(facts.token_width if same else None) or config.token_width,
                width=facts.width if same else None,
                projection=facts.projection if same else None,
                guard=config.guard,
            )
        self.analyzer = Analyzer(config.language)
        self._shelves: dict[tuple[str, ...], LiveShelf] = {}
        self._lock = Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._closing: list[Callable[[], None]] = []

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        embedder: Embedder | None,
        read_only: bool,
        durability: Durability,
        config: Config,
        clock: Clock,
        lock_timeout: float,
        reembed: bool,
        key: bytes | None = None,
        encryption_key: bytes | str | None = None,
        encrypt: bool = False,
    ) -> OpenStore:
        """Open a store for an encoder. Raises EmbedderMismatchError unless `reembed` allows another one."""
        if embedder is not None and not isinstance(embedder, Embedder):
            raise ConfigError(
                "an embedder has an `identity` and a method embed(texts, *, query=False), as those of "
                f"mnemoloom.embedders; got {told(embedder)}"
            )
        key = None if key is None else check_key(key)
        if encrypt and encryption_key is None:
            raise ConfigError("encrypt=True needs the key to encrypt the store under: encryption_key=…")
        encryption_key = None if encryption_key is None else check_encryption_key(encryption_key)
        store = Store.open(path, read_only=read_only, durability=durability, lock_timeout=lock_timeout, clock=clock)
        try:
            opened = cls(
                store,
                embedder=embedder,
                config=config,
                clock=clock,
                reembed=reembed,
                key=key,
                encryption_key=encryption_key,
                encrypt=encrypt,
            )
            stored = opened.facts().encoder
            if embedder is not None and stored not in (None, embedder.identity) and not reembed:
                raise EmbedderMismatchError(stored=str(stored), offered=embedder.identity)
        except BaseException:
            store.close()
            raise
        return opened

    def rekey(self, key: bytes) -> None:
        """Sign the log with another key from now on."""
        now, signer = self.now(), self.signer
        before: list[bytes | None] = []

        def work(connection: sqlite3.Connection) -> None:
            keys.rekey(connection, signer, key, now=now)
            before.append(signer.take(key))  # who writes next may share our commit

        def abandon() -> None:
            if before:
                signer.take(before[0])

        self.store.transact(work, publish=lambda _: None, abandon=abandon)

    def rewrap(self, key: bytes | str) -> None:
        """Wrap the keys of an encrypted store with another master key from now on."""
        vault = self.store.vault
        if vault is None:
            return
        before: list[MasterKey] = []

        def work(connection: sqlite3.Connection) -> None:
            before.append(vault.take(vault.rewrap(connection, key)))  # who writes next may share our commit

        def abandon() -> None:
            if before:
                vault.take(before[0])
                vault.settle()

        self.store.transact(work, publish=lambda _: vault.settle(), abandon=abandon)

    def _sign(self, key: bytes | None) -> Signer:
        signer = Signer(self.store_id, key)
        with self.store.reading() as connection:
            begins = keys.check_log_key(connection, signer, writing=not self.store.read_only, where=self.store.where)
        if begins and key is not None and not self.store.read_only:
            now, first = self.now(), Signer(self.store_id, None)
            self.store.transact(
                lambda connection: keys.rekey(connection, first, key, now=now),
                publish=lambda _: None,
                abandon=lambda: None,
            )
        return signer

    def facts(self) -> StoreFacts:
        with self.store.reading() as connection:
            return read_facts(connection)

    def now(self) -> int:
        """Milliseconds since 1970."""
        return round(self.clock.now() * 1000)

    def shelf(self, labels: tuple[str, ...]) -> LiveShelf:
        """The live shelf of a namespace: the same one for every handle."""
        self._let_some_rest()
        with self._lock:
            if labels not in self._shelves:
                self._shelves[labels] = LiveShelf(
                    self.store,
                    labels,
                    self.analyzer,
                    encode_replies=self.config.encode_replies,
                    index=self.config.index,
                    topics=CentredConfig(vigilance=self.config.vigilance),
                )
            return self._shelves[labels]

    def _let_some_rest(self) -> None:
        """A program that serves many tenants opens one namespace after the other, and needs few of them at a time."""
        loaded = [shelf for shelf in self.shelves() if shelf.loaded]
        for shelf in sorted(loaded, key=lambda each: each.used)[: len(loaded) - self.config.open_namespaces]:
            shelf.rest()

    def shelves(self) -> list[LiveShelf]:
        with self._lock:
            return list(self._shelves.values())

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Where the async verbs do their work."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="mnemoloom")
            return self._executor

    def before_closing(self, act: Callable[[], None]) -> Callable[[], None]:
        """Have something ended before the store is closed; what to call when it has ended by itself."""

        def ended() -> None:
            with self._lock:
                self._closing = [each for each in self._closing if each != act]

        with self._lock:
            self._closing.append(act)
        return ended

    def close(self, flush: Callable[[LiveShelf], None]) -> None:
        """Save what is worth saving and let go of everything, whatever happens on the way; damage is only logged."""
        with self._lock:
            closing, self._closing = self._closing, []
        for act in closing if not self.store.forked else ():
            act()
        if not self.store.closed and not self.store.forked:
            try:
                for shelf in self.shelves() if not self.store.read_only else ():
                    try:
                        flush(shelf)
                    except CorruptionError as error:
                        _LOG.warning("what recall has noted is not written down: %s", error)
                    shelf.save(closing=True)
            finally:
                self.store.close()
        with self._lock:
            executor, self._executor = self._executor, None
        if executor:
            executor.shutdown(wait=False)


def _identify(store: Store) -> str:
    with store.reading() as connection:
        known = read_store_id(connection)
    if known:
        return known
    name = secrets.token_hex(16)

    def work(connection: sqlite3.Connection) -> None:
        write_fact(connection, "store_id", name.encode())

    store.transact(work, publish=lambda _: None, abandon=lambda: None)
    return name
