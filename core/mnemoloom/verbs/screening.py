"""Verbs against what should not have been remembered: quarantine, release, quarantined, remove_source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mnemoloom.drafts import check_flag
from mnemoloom.errors import ValidationError
from mnemoloom.filters import Filter, common, conjoin, parse_filter
from mnemoloom.quarantining import isolate, release
from mnemoloom.recall.looking import matching_ids
from mnemoloom.records import Erased, Record
from mnemoloom.storage import memories
from mnemoloom.verbs.handle import Handle, Labels, Where

__all__ = ["ScreeningVerbs"]


class ScreeningVerbs(Handle):
    """Verbs against what should not have been remembered: quarantine, release, quarantined, remove_source."""

    def quarantine(self, where: Where | None = None, *, source: Labels | None = None, derived: bool = True) -> int:
        """Hide the memories that fit, cold and pinned ones too, until `release`; how many were hidden by this call.

        Nothing finds, counts or lists them but `quarantined`: answers are those of a store that does not hold them.
        They stay on disk and in exports, and `erase` and `remove_source` reach them.

        Parameters
        ----------
        where, source: a filter, one or more sources, or both; one of the two must be given.
        derived: hide what was derived from them (`remember(…, derived_from=…)`), too; with a source and no filter also
            what was derived from a memory of it that is gone by now.

        What a source says later is not hidden. What takes the place of a hidden memory, by its external id, is.

        Raises FilterError, ValidationError.
        """
        opened, condition = self._opened, _named(where, source, verb="quarantine")
        made_of = _made_of(where, source)
        act = (opened.store, self._live, opened.signer, condition)
        return isolate(*act, derived=check_flag(derived, "derived"), sources=made_of, now=opened.now())

    async def aquarantine(self, where: Any = None, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.quarantine, where, **options)

    def release(self, where: Where | None = None, *, source: Labels | None = None, derived: bool = True) -> int:
        """Let the memories that fit out of quarantine; how many came out. The arguments are those of `quarantine`.

        What was derived from others, too, that stay in quarantine, stays there unless the filter itself names it.
        """
        opened, condition = self._opened, _named(where, source, verb="release")
        made_of = _made_of(where, source)
        act = (opened.store, self._live, opened.signer, condition)
        return release(*act, derived=check_flag(derived, "derived"), sources=made_of, now=opened.now())

    async def arelease(self, where: Any = None, **options: Any) -> int:  # noqa: ANN401
        return await self._run(self.release, where, **options)

    def quarantined(self, where: Where | None = None) -> Iterator[Record]:
        """The memories in quarantine, in the order in which they were remembered."""
        condition = parse_filter(where)
        with self._opened.store.reading() as connection:
            number = self._live.number(connection)
            ids = [] if number is None else matching_ids(connection, number, condition, isolated=True).tolist()
            found = memories.records(connection, number or 0, ids, isolated=True)
        return iter([found[memory] for memory in ids if memory in found])  # one may have ended meanwhile

    async def aquarantined(self, where: Any = None) -> list[Record]:  # noqa: ANN401
        return await self._run(lambda: list(self.quarantined(where)))

    def remove_source(self, source: Labels, *, derived: bool = True) -> Erased:
        """Erase all memories of one source, or of several, as `erase` does, with all that was derived from them.

        Also what was derived from a memory of the source that has been forgotten, replaced, or come to its end since.
        """
        condition = _named(None, source, verb="remove_source")
        made_of, derived = _made_of(None, source), check_flag(derived, "derived")
        count = self._writer.erase(condition, derived=derived, sources=made_of, now=self._opened.now())
        return Erased(count=count, pending_checkpoint=not self._opened.store.checkpoint())

    async def aremove_source(self, source: Labels, *, derived: bool = True) -> Erased:
        return await self._run(self.remove_source, source, derived=derived)


def _made_of(where: Where | None, source: Labels | None) -> frozenset[str]:
    """The sources whose descendants are meant whatever became of the origins: a filter could not be asked of these."""
    if source is None or parse_filter(where) is not None:
        return frozenset()
    return frozenset([source] if isinstance(source, str) else source)


def _named(where: Where | None, source: Labels | None, *, verb: str) -> Filter:
    condition = conjoin(parse_filter(where), common(source=source))
    if condition is None:
        raise ValidationError(f"{verb} needs a source or a filter; where('id').gt(0) means every memory")
    return condition
