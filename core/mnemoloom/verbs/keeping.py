"""Verbs that keep a store in order: reembed, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mnemoloom.drafts import check_count, check_flag
from mnemoloom.errors import EmbedderError
from mnemoloom.reembedding import Progress, learn_projection, reembed
from mnemoloom.transfer import Conflict, ExportReport, ImportReport, export_bundle, import_bundle
from mnemoloom.verbs.handle import Handle

__all__ = ["KeepingVerbs"]


class KeepingVerbs(Handle):
    """Verbs that keep a store in order: reembed, export, import."""

    def reembed(self, *, learn: bool = False, batch_size: int = 256, progress: Progress | None = None) -> int:
        """Encode every memory of the store that this embedder has not encoded; how many texts that were.

        A broken-off run goes on where it stopped. `learn` first fits the token projection to the store's own
        tokens and then encodes everything. `progress` is called with (done, total).
        """
        opened = self._opened
        if opened.encoding is None:
            raise EmbedderError("reembed needs an embedder; open the memory with embedder=…")
        batch_size, learned = check_count(batch_size, "batch_size", low=1), check_flag(learn, "learn")
        replies = opened.config.encode_replies
        opened.store.check_usable(writing=True)
        try:
            if learned:
                learn_projection(opened.store, opened.encoding, width=opened.config.token_width, encode_replies=replies)
            return reembed(
                opened.store,
                opened.encoding,
                signer=opened.signer,
                encode_replies=replies,
                batch_size=batch_size,
                progress=progress,
                now=opened.now(),
            )
        finally:
            opened.encoding.width = opened.facts().width
            for shelf in opened.shelves():
                shelf.abandon()

    async def areembed(self, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.reembed, **options)

    def export(self, folder: str | Path, *, progress: Progress | None = None) -> ExportReport:
        """Write this namespace to a new folder: JSON Lines, and raw float32 with declared shape and digest.

        Raises
        ------
        ValidationError: the folder holds something already.
        """
        return export_bundle(self, folder, progress=progress)

    async def aexport(self, folder: str | Path, **options: Any) -> ExportReport:  # noqa: ANN401
        return await self._run(self.export, folder, **options)

    def import_bundle(
        self, folder: str | Path, *, existing: Conflict = "refuse", progress: Progress | None = None
    ) -> ImportReport:
        """Add what `export` wrote, all or nothing.

        `existing` says what happens when an external id is taken: refuse, skip or replace. The last two also know
        a memory without one again, by text, speaker, session and time, so that a second import doubles nothing.

        Raises
        ------
        ImportFormatError: the bundle is malformed, truncated, or does not match its digests.
        EmbedderMismatchError: its vectors are another encoder's.
        """
        return import_bundle(self, folder, existing=existing, progress=progress)

    async def aimport_bundle(self, folder: str | Path, **options: Any) -> ImportReport:  # noqa: ANN401
        return await self._run(self.import_bundle, folder, **options)
