"""Verbs of the Titans memories: what the write gate decided."""

from __future__ import annotations

from mnemoloom.gating import decided
from mnemoloom.titans import Decision
from mnemoloom.verbs.handle import Handle, Key

__all__ = ["TitansVerbs"]


class TitansVerbs(Handle):
    """Verbs of the Titans memories: what the write gate decided."""

    def gated(self, key: Key) -> Decision | None:
        """What the write gate decided when a memory was written, and why; None if it met none.

        Raises UnknownMemoryError.
        """
        memory = self._record(key).id
        with self._opened.store.reading() as connection:
            return decided(connection, memory)

    async def agated(self, key: int | str) -> Decision | None:
        return await self._run(self.gated, key)
