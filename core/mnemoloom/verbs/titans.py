"""Verbs of the Titans memories: the short-term window of a session, what the write gate decided."""

from __future__ import annotations

from mnemoloom.gating import decided
from mnemoloom.short_term import ShortTerm
from mnemoloom.titans import Decision
from mnemoloom.verbs.handle import Handle, Key

__all__ = ["TitansVerbs"]


class TitansVerbs(Handle):
    """Verbs of the Titans memories: the short-term window of a session, what the write gate decided."""

    def short_term(self, session: str | None, size: int = 20) -> ShortTerm:
        """The last `size` turns of a session, or of the turns without one: to peek at, pop, fetch and rewind.

        Raises ValidationError.
        """
        return ShortTerm(self._opened, self._live, session, size)

    def gated(self, key: Key) -> Decision | None:
        """What the write gate decided when a memory was written, and why; None if it met none, as what is imported.

        Raises UnknownMemoryError.
        """
        memory = self._record(key).id
        with self._opened.store.reading() as connection:
            return decided(connection, memory)

    async def agated(self, key: Key) -> Decision | None:
        return await self._run(self.gated, key)
