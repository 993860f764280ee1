"""Verbs of sleep: sleep, in the background too, and its undoing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mnemoloom.consolidation import SleepConfig
from mnemoloom.drafts import check_flag, key_of
from mnemoloom.errors import ConfigError, UnknownMemoryError, UnknownSleepError, told
from mnemoloom.records import Record
from mnemoloom.reembedding import Progress
from mnemoloom.sleeping import SleepCycle, SleepReport, SleepTask, Undone
from mnemoloom.storage import memories
from mnemoloom.storage.journal import Slept
from mnemoloom.storage.repeats import groups_of
from mnemoloom.verbs.handle import Key
from mnemoloom.verbs.keeping import KeepingVerbs

__all__ = ["SleepingVerbs"]


class SleepingVerbs(KeepingVerbs):
    """Verbs of sleep: sleep, in the background too, and its undoing."""

    def sleep(
        self, *, plan_only: bool = False, policy: SleepConfig | None = None, progress: Progress | None = None
    ) -> SleepReport:
        """Put this namespace in order; what changed, and why.

        Of what one speaker said several times in the same words, one telling stands for the others in a result, and
        the hit carries them (`Hit.repeats`). Cold memories that were used come back. What else may happen the policy
        says: dull memories that nobody used go to the cold tier, what it names is forgotten, down to its floor. Nothing
        goes by age alone. By default nothing is moved to the cold tier, and nothing is forgotten.

        All of it is one transaction. A second sleep right after the first changes nothing. Afterwards the files give
        back the room that forgetting left. `undo_sleep` takes it back, but for what was forgotten.

        Parameters
        ----------
        plan_only: change nothing, and tell what would be changed; works on a read-only handle, too.
        policy: what sleep may do. progress: called with (done, total); what it raises before the end stops the sleep,
            and nothing is changed.

        Raises
        ------
        ConfigError, StoreError
        """
        policy = SleepConfig() if policy is None else policy
        if not isinstance(policy, SleepConfig):
            raise ConfigError(f"policy must be a SleepConfig; got {told(policy)}")
        plan_only = check_flag(plan_only, "plan_only")
        if not plan_only:
            self._writer.purge(now=self._opened.now())
            self._writer.flush_noted()
        report = self._cycle().sleep(policy, now=self._opened.now(), plan_only=plan_only, progress=progress)
        if policy.relearn and not plan_only and self._opened.facts().projection is not None:
            return replace(report, relearned=self.reembed(learn=True))
        return report

    async def asleep(self, **options: Any) -> SleepReport:  # noqa: ANN401
        return await self._run(self.sleep, **options)

    def sleep_in_background(self, *, policy: SleepConfig | None = None, progress: Progress | None = None) -> SleepTask:
        """As `sleep`, on a thread of its own: a handle that tells how far it is, cancels, and waits for the report.

        Other verbs go on meanwhile; writing waits only while the changes are written. Closing the memory cancels it.
        """
        self._opened.store.check_usable(writing=True)
        task = SleepTask(lambda tell: self.sleep(policy=policy, progress=tell), progress=progress)
        task.when_done(self._opened.before_closing(task.close))
        return task

    def undo_sleep(self, sleep: int) -> Undone:
        """Take back what a sleep moved and merged, as if it had not been; what it has forgotten is gone.

        Memories that were moved since, by hand or by a later sleep, stay where they are.

        Raises
        ------
        UnknownSleepError: no such sleep in this namespace. ValidationError: it was undone before.
        """
        if isinstance(sleep, bool) or not isinstance(sleep, int) or sleep.bit_length() > 63:
            raise UnknownSleepError(sleep)
        return self._cycle().undo(sleep, now=self._opened.now())

    async def aundo_sleep(self, sleep: int) -> Undone:
        return await self._run(self.undo_sleep, sleep)

    def sleeps(self) -> list[Slept]:
        """The sleeps of this namespace that changed something, oldest first."""
        return self._cycle().sleeps()

    async def asleeps(self) -> list[Slept]:
        return await self._run(self.sleeps)

    def repeats(self, key: Key) -> list[Record]:
        """Every time that its speaker said what a memory says, in the order of time, as sleep found; itself included.

        Raises UnknownMemoryError.
        """
        memory = self._id(key)
        with self._live.reading() as (connection, shelf, number):
            groups = groups_of(connection, number, [memory])
            ids = [each for each in (groups[0] if groups else {memory}) if shelf.slot_of(each)]
            found = memories.records(connection, number, ids, accessed=self._live.accessed(ids))
        if memory not in found:
            raise UnknownMemoryError(key_of(key))
        return sorted(found.values(), key=lambda record: (record.time, record.id))

    async def arepeats(self, key: Key) -> list[Record]:
        return await self._run(self.repeats, key)

    def _cycle(self) -> SleepCycle:
        return SleepCycle(self._opened.store, self._live, self._opened.signer)
