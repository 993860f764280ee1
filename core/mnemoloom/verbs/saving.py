"""The verb that keeps a copy of the whole store: backup."""

from __future__ import annotations

import os
from pathlib import Path

from mnemoloom.chain import Seal
from mnemoloom.errors import ValidationError
from mnemoloom.storage.backup import back_up
from mnemoloom.storage.sealing import seal_log
from mnemoloom.verbs.handle import Handle

__all__ = ["SavingVerbs"]


class SavingVerbs(Handle):
    """The verb that keeps a copy of the whole store: backup."""

    def backup(self, folder: str | Path) -> Seal:
        """Copy the store, every namespace of it, to a new folder; the seal of what was copied.

        Others may write meanwhile: the copy is the store as it was at one moment. It opens like any other; to restore
        it, put it in the place of the store. Without its caches, which are made again. What is erased later stays in
        it: backups are yours to erase.

        Raises
        ------
        ValidationError: the folder holds something, or is inside the store's own. StorageFailure: it cannot be written.
        """
        target, own = Path(os.path.abspath(folder)), self._opened.store.folder
        if own is not None and target.resolve().is_relative_to(own.resolve()):
            raise ValidationError(f"{target} is in the store's own folder; back up to another one")
        with self._opened.store.snapshot() as connection:
            sealed = seal_log(connection, self._opened.signer, now=self._opened.now())
            back_up(connection, target)
        return sealed

    async def abackup(self, folder: str | Path) -> Seal:
        return await self._run(self.backup, folder)
