"""The verb by which questions learn where answers lie: useful."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mnemoloom.drafts import check_text, raw_row
from mnemoloom.errors import EmbedderError, ValidationError
from mnemoloom.recall.learning import row_of
from mnemoloom.recall.request import Request
from mnemoloom.verbs.handle import Handle, Key

__all__ = ["LearningVerbs"]


class LearningVerbs(Handle):
    """The verb by which questions learn where answers lie: useful."""

    def useful(
        self,
        found: Key | Iterable[Key],
        *,
        query: str,
        asker: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
    ) -> None:
        """Say that one memory, or several together, answered a question; questions like it look there from now on.

        Until it is called for the first time recall is what it is without it. From then on the part `feedback` of a hit
        says what it changed; `Config(feedback=0)` switches it off. It learns from vectors alone, keeps the question's
        vector and none of its words, and forgets with the memory; `reembed` with another encoder begins anew.

        Parameters
        ----------
        found: hits, records or keys of memories. query, asker, vector: as they were given to `recall`.

        Raises
        ------
        EmbedderError: no encoder, and no vector. ValidationError: nothing was named, or a memory that has no vector.
        UnknownMemoryError, TextError, VectorError, StoreError: nothing was learned.
        """
        named = list(found) if isinstance(found, Iterable) and not isinstance(found, str) else [found]
        if not named:
            raise ValidationError("useful needs at least one memory; got none")
        self._opened.store.check_usable(writing=True)
        ids = list(dict.fromkeys(self._ids(named, missing="refuse")))
        request = Request(
            query=check_text(query, config=self._opened.config, name="query"),
            k=1,
            asker=asker,
            vector=None if vector is None else raw_row(vector),
        )
        question = self._recaller.question(request)
        with self._live.reading() as (_, shelf, _number):
            for memory in ids:
                if row_of(shelf, memory) is None:
                    raise ValidationError(f"memory {memory} has no vector; feedback learns from vectors alone")
        if question is None:
            raise EmbedderError("useful needs an embedder, or the question's vector; open the memory with embedder=…")
        self._writer.learn(ids, question)

    async def auseful(self, found: Key | Iterable[Key], **options: Any) -> None:  # noqa: ANN401
        await self._run(self.useful, found, **options)
