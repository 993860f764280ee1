"""Verbs that show how memories hang together: topics, topic_of, related."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mnemoloom.drafts import check_count, check_flag, check_many, key_of
from mnemoloom.errors import UnknownMemoryError, ValidationError, told
from mnemoloom.fabric import KINDS
from mnemoloom.recall.relating import Related, related_memories
from mnemoloom.recall.topics import Topics, describe_topics
from mnemoloom.verbs.handle import Handle, Key

__all__ = ["BrowsingVerbs"]


class BrowsingVerbs(Handle):
    """Verbs that show how memories hang together: topics, topic_of, related."""

    def topics(self, k: int | None = None) -> Topics:
        """What the memories are about, the `k` largest topics; cold memories are among them.

        What was remembered since the last such call is sorted now, into topics that there are or new ones; until then
        it has none. A topic's id stays the same for the life of the store, and `recall(…, topic=id)` asks it alone.
        An assistant's reply that has no vector goes with the message that it answers.

        Raises
        ------
        EmbedderError: no memory has a vector; topics are made of these alone. ValidationError.
        """
        if k is not None:
            k = check_count(k, "k", low=0)
        self._sort()
        return describe_topics(self._opened.store, self._live, k=k)

    async def atopics(self, k: int | None = None) -> Topics:
        return await self._run(self.topics, k)

    def topic_of(self, key: Key) -> int | None:
        """The id of the topic that a memory is in; None if it has no vector, and answers nothing that has one.

        Raises UnknownMemoryError, EmbedderError.
        """
        memory = self._id(key)
        self._sort()
        with self._opened.store.reading() as connection, self._live.sorted(connection) as known:
            slot = known.shelf.slot_of(memory)
            if not slot:
                raise UnknownMemoryError(key_of(key))
            found = int(known.of_slots()[slot])
        return found if found >= 0 else None

    async def atopic_of(self, key: Key) -> int | None:
        return await self._run(self.topic_of, key)

    def related(
        self,
        key: Key,
        k: int = 5,
        *,
        kinds: str | Collection[str] = KINDS,
        hops: int = 2,
        cold: bool = False,
    ) -> list[Related]:
        """What belongs together with a memory, by the strongest path of links, strongest first.

        Two memories are linked when their vectors are alike ("similar"), when no more than a few memories and no hour
        of silence lie between them ("episode"), or when recall has found that one takes the place of the other
        ("supersedes"). A path is as strong as the product of its links. Nothing is written.

        Parameters
        ----------
        k: how many, at most. kinds: of the links to follow. hops: links of a path, at most 4.
        cold: cold memories take part, too.

        Raises
        ------
        UnknownMemoryError, ValidationError, told
        """
        k = check_count(k, "k", low=1, high=self._opened.config.limits.k)
        hops = check_count(hops, "hops", low=1, high=4)
        asked = [kinds] if isinstance(kinds, str) else check_many(kinds, "kinds", of=", ".join(KINDS))
        if not asked or any(each not in KINDS for each in asked):
            raise ValidationError(f"kinds must be some of {', '.join(KINDS)}; got {told(kinds)}")
        found = related_memories(
            self._live, self._id(key), k=k, kinds=set(asked), hops=hops, cold=check_flag(cold, "cold")
        )
        if found is None:
            raise UnknownMemoryError(key_of(key))
        return found

    async def arelated(self, key: Key, k: int = 5, **options: Any) -> list[Related]:  # noqa: ANN401
        return await self._run(self.related, key, k, **options)
