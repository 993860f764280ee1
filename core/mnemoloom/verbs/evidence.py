"""Verbs that show that nothing was forged: verify, seal, prove, anchor, rekey."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from mnemoloom.chain import Proof, Seal, read_seal
from mnemoloom.chain.keys import check_key
from mnemoloom.drafts import check_many
from mnemoloom.errors import CorruptionError, StorageFailure, ValidationError, told
from mnemoloom.storage import memories
from mnemoloom.storage.sealing import prove_memory, seal_log
from mnemoloom.storage.verify import VerifyReport, verify_store
from mnemoloom.verbs.handle import Handle, Key

__all__ = ["EvidenceVerbs"]


class EvidenceVerbs(Handle):
    """Verbs that show that nothing was forged: verify, seal, prove, anchor, rekey."""

    def verify(self, *, seal: Seal | str | Path | None = None, past_keys: Iterable[bytes] = ()) -> VerifyReport:
        """Read the whole store once: database pages, the chain of the log, the digest of every memory.

        Parameters
        ----------
        seal: an earlier one that was kept elsewhere; shows whether anything before it was cut off or put back.
        past_keys: keys from before a `rekey`. They are not needed to find a forgery, but to find its exact place
            before the rekey, and to check a seal of that time.

        Raises
        ------
        ImportFormatError: the file holds no seal.
        """
        sealed = None if seal is None else _sealed(seal)
        keys = (*self._opened.signer.keys, *map(check_key, check_many(past_keys, "past_keys", of="keys (bytes)")))
        with self._opened.store.snapshot() as connection:
            return verify_store(connection, store=self._opened.store_id, keys=keys, seal=sealed)

    async def averify(self, **options: Any) -> VerifyReport:  # noqa: ANN401
        return await self._run(self.verify, **options)

    def seal(self, path: str | Path | None = None) -> Seal:
        """What the log is now, in a few lines: `verify(seal=…)` later shows whether anything before was changed.

        It is written to `path` if one is given: a file, or a folder for its `seal.json`. A seal is worth
        something where whoever can write the store cannot write.
        """
        with self._opened.store.snapshot() as connection:
            sealed = seal_log(connection, self._opened.signer, now=self._opened.now())
        if path is not None:
            try:
                target = Path(path) / "seal.json" if Path(path).is_dir() else Path(path)
                target.write_text(sealed.to_json(), encoding="utf-8")
            except OSError as error:
                raise StorageFailure(f"the seal could not be written to {path}: {error}") from error
        return sealed

    async def aseal(self, path: str | Path | None = None) -> Seal:
        return await self._run(self.seal, path)

    def prove(self, key: Key, seal: Seal | str | Path) -> Proof:
        """The proof that a memory, as it is, stood in the log when it was sealed; `proof.holds(seal)` checks it.

        Raises UnknownMemoryError; ValidationError if the memory was changed after the seal, or the seal is another
        store's.
        """
        memory, sealed = self._record(key).id, _sealed(seal)
        with self._opened.store.snapshot() as connection:
            return prove_memory(connection, memory, sealed, store=self._opened.store_id)

    async def aprove(self, key: Key, seal: Seal | str | Path) -> Proof:
        return await self._run(self.prove, key, seal)

    def anchor(self, key: Key) -> str:
        """PMLL's 16 hex digits of the log entry that remembered a memory: for people to compare.

        Raises UnknownMemoryError.
        """
        memory = self._record(key).id
        with self._opened.store.reading() as connection:
            digest = memories.anchor_at(connection, memory)
        if digest is None:
            raise CorruptionError(f"log entry {memory} is missing")
        return digest[:16]

    async def aanchor(self, key: Key) -> str:
        return await self._run(self.anchor, key)

    def rekey(self, key: bytes) -> None:
        """Sign the log of the whole store with another key from now on. Raises ConfigError."""
        self._opened.rekey(check_key(key))

    async def arekey(self, key: bytes) -> None:
        await self._run(self.rekey, key)


def _sealed(seal: object) -> Seal:
    if not isinstance(seal, (Seal, str, PathLike)):
        raise ValidationError(f"seal must be a Seal or the path of its file; got {told(seal)}")
    try:
        return read_seal(seal if isinstance(seal, Seal) else Path(seal))
    except OSError as error:
        raise StorageFailure(f"the seal {seal} could not be read: {error}") from error
