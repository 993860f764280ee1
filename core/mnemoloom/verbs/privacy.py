"""Verbs of privacy: purge, redact, rewrap, destroy_key."""

from __future__ import annotations

from mnemoloom.drafts import check_text
from mnemoloom.errors import EncryptionKeyError
from mnemoloom.records import Erased
from mnemoloom.storage.ciphers import check_encryption_key
from mnemoloom.storage.vault import Vault
from mnemoloom.verbs.handle import Handle

__all__ = ["PrivacyVerbs"]


class PrivacyVerbs(Handle):
    """Verbs of privacy: purge, redact, rewrap, destroy_key."""

    def purge(self) -> Erased:
        """Erase the memories of this namespace whose time is over; the next write would do so, too.

        Nothing has shown them since then. As with `erase`, no file keeps a trace. Raises StorageFailure.
        """
        count = self._writer.purge(now=self._opened.now())
        return Erased(count=count, pending_checkpoint=not self._opened.store.checkpoint())

    async def apurge(self) -> Erased:
        return await self._run(self.purge)

    def redact(self, text: str) -> str:
        """A text as `Config.redact` makes it before it is stored, encoded or asked. Raises TextError."""
        return check_text(text, config=self._opened.config, name="text")

    async def aredact(self, text: str) -> str:
        return await self._run(self.redact, text)

    @property
    def encrypted(self) -> bool:
        """Whether the store is encrypted."""
        return self._opened.store.vault is not None

    def rewrap(self, encryption_key: bytes | str) -> None:
        """Open the whole store with another key or passphrase from now on; the data keys stay, so it takes no time.

        A backup from before still opens with the key from before.

        Raises
        ------
        ConfigError: it is no key. EncryptionKeyError: the store is not encrypted.
        """
        self._vault()
        self._opened.rewrap(check_encryption_key(encryption_key))

    async def arewrap(self, encryption_key: bytes | str) -> None:
        await self._run(self.rewrap, encryption_key)

    def destroy_key(self) -> Erased:
        """Destroy the key of this namespace with everything in it: nothing of it can be read again by anybody.

        The log still verifies. Its name is replaced; the same labels begin a new namespace. A backup from before
        holds the wrapped key: `rewrap`, and let go of the master key from before, and it is as unreadable.

        Raises EncryptionKeyError: the store is not encrypted; `erase` removes memories from it.
        """
        count = self._writer.destroy(self._vault(), now=self._opened.now())
        return Erased(count=count, pending_checkpoint=not self._opened.store.checkpoint())

    async def adestroy_key(self) -> Erased:
        return await self._run(self.destroy_key)

    def _vault(self) -> Vault:
        self._opened.store.check_usable(writing=True)
        vault = self._opened.store.vault
        if vault is None:
            raise EncryptionKeyError(f"{self._opened.store.where} is not encrypted")
        return vault
