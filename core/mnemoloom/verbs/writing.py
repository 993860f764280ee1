"""Verbs that write: remember, forget, erase, pin, move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from mnemoloom.drafts import check_draft, check_flag, check_many, check_name, check_tier
from mnemoloom.errors import ValidationError, told
from mnemoloom.filters import parse_filter
from mnemoloom.records import Draft, Erased, Tier
from mnemoloom.remembering import Existing, Missing
from mnemoloom.verbs.handle import Handle, Key, Moment, Where

__all__ = ["WritingVerbs"]


class WritingVerbs(Handle):
    """Verbs that write: remember, forget, erase, pin, move."""

    def remember(
        self,
        text: str,
        *,
        speaker: str | None = None,
        session: str | None = None,
        time: Moment | None = None,
        metadata: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        vector: Any = None,  # noqa: ANN401 - anything numpy reads as a row
        source: str | None = None,
        trust: str = "user",
        tier: Tier | None = None,
        pinned: bool = False,
        ttl: float | timedelta | None = None,
        derived_from: Sequence[Key] = (),
    ) -> int:
        """Remember one text; its id. What it returns for is on disk. `Draft` says what the arguments mean.

        An external id that is known already makes this the whole new memory in place of the old one: other fields
        are not kept, and the number is new.

        Raises
        ------
        TextError, MetadataError, VectorError, EmbedderError, StoreError, and UnknownMemoryError for an origin: nothing
        was stored.
        """
        draft = Draft(
            text=text,
            speaker=speaker,
            session=session,
            time=time,
            metadata={} if metadata is None else metadata,
            external_id=external_id,
            vector=vector,
            source=source,
            trust=trust,
            tier=tier,
            pinned=pinned,
            ttl=ttl,
            derived_from=derived_from,
        )
        return self.remember_many([draft])[0]

    async def aremember(self, text: str, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.remember, text, **options)

    def remember_many(
        self,
        drafts: Iterable[Draft | Mapping[str, Any] | str],
        *,
        existing: Existing = "replace",
        encode: bool = True,
        idem_key: str | None = None,
    ) -> list[int]:
        """Remember many texts at once, all or none; their ids in order.

        `existing` says what happens to a draft whose external id is already known: it replaces that memory, or
        is skipped. With `encode=False` the embedder is not asked: texts without a vector of their own are found by
        their words alone, until `reembed`. Raises as `remember` does.

        `idem_key`, a name for this call, makes it safe to repeat: after a crash or a timeout nobody knows whether the
        call was done, and with the same key it is done once. It holds in this namespace, for ever; `erase` leaves it.
        """
        if not isinstance(existing, str) or existing not in ("replace", "skip"):
            raise ValidationError(f"existing must be 'replace' or 'skip'; got {told(existing)}")
        if idem_key is not None:
            check_name(idem_key, limits=self._opened.config.limits, name="idem_key")
        encoded = check_flag(encode, "encode")
        given = check_many(drafts, "drafts", of="drafts; use remember for one")
        now, config = self._opened.now(), self._opened.config
        checked = [check_draft(draft, config=config, now=now) for draft in given]
        if not checked:
            self._opened.store.check_usable(writing=True)
            return []
        return self._writer.remember(checked, existing=existing, encode=encoded, now=now, idem_key=idem_key)

    async def aremember_many(
        self,
        drafts: Iterable[Draft | Mapping[str, Any] | str],
        **options: Any,  # noqa: ANN401
    ) -> list[int]:
        return await self._run(self.remember_many, drafts, **options)

    def forget(self, key: Key) -> None:
        """Remove a memory from the store. Raises UnknownMemoryError."""
        self._writer.forget([self._id(key)], missing="refuse", now=self._opened.now())

    async def aforget(self, key: Key) -> None:
        await self._run(self.forget, key)

    def forget_many(self, keys: Iterable[Key], *, missing: Missing = "refuse") -> int:
        """Remove memories in one transaction, all or none; how many that were.

        `missing` says what happens to a key that names no memory: UnknownMemoryError, or it is skipped.
        """
        if not isinstance(missing, str) or missing not in ("refuse", "skip"):
            raise ValidationError(f"missing must be 'refuse' or 'skip'; got {told(missing)}")
        self._opened.store.check_usable(writing=True)
        found = list(dict.fromkeys(self._ids(keys, missing=missing)))
        return self._writer.forget(found, missing=missing, now=self._opened.now()) if found else 0

    async def aforget_many(self, keys: Iterable[Key], **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.forget_many, keys, **options)

    def erase(self, where: Where, *, derived: bool = True) -> Erased:
        """Remove the memories that fit, cold and pinned ones too, so that no file of the store keeps a trace of them.

        With them goes what was derived from them (`remember(…, derived_from=…)`), unless `derived` is False.
        The log keeps a salted digest whose salt is gone, and still verifies. Exports and backups are yours to erase.
        Caches are dropped and made again, which takes about as long as opening the store without caches.

        Raises
        ------
        FilterError: nothing was removed. ValidationError: the filter is empty; `where("id").gt(0)` means all.
        """
        condition = parse_filter(where)
        if condition is None:
            raise ValidationError("erase needs a filter; where('id').gt(0) means every memory of this namespace")
        count = self._writer.erase(condition, derived=check_flag(derived, "derived"), now=self._opened.now())
        return Erased(count=count, pending_checkpoint=not self._opened.store.checkpoint())

    async def aerase(self, where: Any, *, derived: bool = True) -> Erased:  # noqa: ANN401
        return await self._run(self.erase, where, derived=derived)

    def pin(self, key: Key) -> None:
        """Keep a memory for good: pinned memories form the persistent tier.

        Raises UnknownMemoryError; ValidationError for one that ends (`ttl`), or was derived from one that does.
        """
        self._place(key, tier=Tier.PERSISTENT, pinned=True)

    async def apin(self, key: Key) -> None:
        await self._run(self.pin, key)

    def unpin(self, key: Key) -> None:
        """Make a pinned memory an ordinary one. Raises UnknownMemoryError."""
        self._place(key, tier=Tier.LONG_TERM, pinned=False)

    async def aunpin(self, key: Key) -> None:
        await self._run(self.unpin, key)

    def move(self, key: Key, tier: Tier) -> None:
        """Put a memory into a tier; `Tier.COLD` keeps it out of ordinary recall, `Tier.PERSISTENT` is a `pin`.

        Raises as `pin` does.
        """
        tier = check_tier(tier)
        self._place(key, tier=tier, pinned=tier is Tier.PERSISTENT)

    async def amove(self, key: Key, tier: Tier) -> None:
        await self._run(self.move, key, tier)

    def _place(self, key: Key, *, tier: Tier, pinned: bool) -> None:
        self._writer.place(self._id(key), tier=tier, pinned=pinned, now=self._opened.now())
