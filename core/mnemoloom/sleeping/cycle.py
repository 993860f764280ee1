"""One sleep of a namespace: plan, apply in one transaction, give back the room; and its undoing.

Planning reads and compares without holding up writers. Applying looks at each memory again: what was moved, pinned,
forgotten or merged in between is left as it is. A process that dies in the middle leaves the store as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mnemoloom.chain import Signer
from mnemoloom.clock import from_millis
from mnemoloom.consolidation import (
    QUADRANTS,
    Quadrant,
    SleepConfig,
    SleepPlan,
    count_quadrants,
    plan_sleep,
    quadrants_of,
    ranks_among,
    states_of,
)
from mnemoloom.errors import StorageFailure, UnknownSleepError, ValidationError
from mnemoloom.recall.live import LiveShelf
from mnemoloom.records import Tier
from mnemoloom.reembedding import Progress
from mnemoloom.sleeping.columns import Bedroom, read_bedroom
from mnemoloom.sleeping.reports import SleepChange, SleepReport, SleepState, Undone
from mnemoloom.storage import Store, journal, memories, repeats, topics
from mnemoloom.storage.compaction import collect_payloads, compact
from mnemoloom.storage.journal import Slept
from mnemoloom.storage.quarantine import isolated
from mnemoloom.storage.store import folder_bytes

__all__ = ["STEPS", "Night", "SleepCycle", "Step"]

_REBUILD_WHEN_DEAD = 0.1
_COMMON = {
    "specifics": "the same numbers, dates, names and negations",
    "words": "the same words in the same order",
    "cosine": "whatever its words",
}
_TIERS = {"to_cold": Tier.COLD, "to_long_term": Tier.LONG_TERM}


@dataclass(frozen=True, slots=True)
class Night:
    """What a step of upkeep works with: the transaction, the namespace's shelf and number, the sleep, the time (ms)."""

    connection: sqlite3.Connection
    live: LiveShelf
    number: int
    sleep: int
    now: int


@dataclass(frozen=True, slots=True)
class Step:
    """Upkeep within the transaction of a sleep: `run` says how much it changed, and nothing the second time.

    undo: takes back what it did in a sleep, if that can be.
    """

    name: str
    run: Callable[[Night], int]
    undo: Callable[[Night], int] | None = None


def _recentre(night: Night) -> int:
    """Sort the topics again, where there are any; how many memories that had a topic are in another one."""
    connection, number = night.connection, night.number
    before, version = topics.places(connection, number), topics.standing(connection, number).version
    moved = night.live.recentre_topics(connection)
    if topics.standing(connection, number).version != version:
        journal.note_topics(connection, number, night.sleep, before)
    return moved


STEPS = (
    Step("orphans", lambda night: collect_payloads(night.connection, night.number)),
    Step("topics", _recentre, lambda night: journal.restore_topics(night.connection, night.number, night.sleep)),
)


@dataclass(slots=True)
class _Done:
    """What a transaction has changed so far."""

    sleep: int | None = None
    changes: list[SleepChange] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    tiers: dict[str, int] = field(default_factory=dict)
    merged: int = 0


class SleepCycle:
    """Puts one namespace to sleep."""

    def __init__(self, store: Store, live: LiveShelf, signer: Signer, steps: Sequence[Step] = STEPS) -> None:
        self._store, self._live, self._signer, self._steps = store, live, signer, steps

    def sleep(
        self, policy: SleepConfig, *, now: int, plan_only: bool = False, progress: Progress | None
    ) -> SleepReport:
        """Plan, and unless told otherwise apply. Raises ValidationError, StoreError; `progress` may raise to stop."""
        if not plan_only:
            self._store.check_usable(writing=True)
        tell = progress or _quiet
        tell(0, 1)
        room = read_bedroom(self._live, now=now, half_life=policy.half_life, alike=policy.alike)
        plan = plan_sleep(room.sleepers, policy, topics=room.kinds, ever=room.ever)
        changes, before = changes_of(room, plan, policy), self._state(plan.quadrants)
        total = len(changes) + len(self._steps) + 1
        if plan_only:
            done = _foreseen(room, before, changes)
        else:
            done = self._apply(changes, _heirs(room, plan), now=now, tell=lambda at: tell(at, total))
        settled, problem = self._give_back() if policy.compact and not plan_only else (True, None)
        tell(total, total)
        return SleepReport(
            id=done.sleep,
            time=from_millis(now),
            planned_only=plan_only,
            changes=tuple(done.changes),
            before=before,
            after=SleepState(
                memories=sum(done.tiers.values()),
                tiers=done.tiers,
                merged=done.merged,
                quadrants=_quadrants_after(room, policy, done.changes),
                bytes=before.bytes if plan_only else folder_bytes(self._store.folder),
            ),
            spared=plan.spared,
            steps=done.steps,
            pending_checkpoint=not settled,
            not_compacted=problem,
        )

    def undo(self, sleep: int, *, now: int) -> Undone:
        """Take back what a sleep moved and merged. Raises UnknownSleepError; ValidationError if it was undone."""
        moved: list[journal.Move] = []

        def work(connection: sqlite3.Connection) -> Undone:
            number = self._live.number(connection) or 0
            slept = {each.id: each for each in journal.sleeps(connection, number)}.get(sleep)
            if slept is None:
                raise UnknownSleepError(sleep)
            if slept.undone is not None:
                raise ValidationError(f"sleep {sleep} was undone at {slept.undone.isoformat(timespec='seconds')}")
            night = Night(connection, self._live, number, sleep, now)
            every = journal.moves(connection, sleep)
            for move in every:
                if move.last and memories.policy_of(connection, number, move.memory) == (move.after, False):
                    self._place(connection, number, move.memory, move.before, now=now, op="wake")
                    moved.append(move)
            journal.mark_undone(connection, sleep, now=now)
            return Undone(
                sleep=sleep,
                moved=len(moved),
                separated=repeats.separate(connection, number, sleep, now=now, signer=self._signer),
                steps={step.name: step.undo(night) for step in self._steps if step.undo},
                left=len(every) - len(moved),
                forgotten=slept.counts.get("forgotten", 0),
            )

        def publish(_: Undone) -> None:
            for move in moved:
                self._set_cold(move.memory, move.before)

        return self._store.transact(work, publish=publish, abandon=self._live.forget_sorted)

    def sleeps(self) -> list[Slept]:
        """The sleeps of the namespace, oldest first."""
        with self._store.reading() as connection:
            number = self._live.number(connection)
            return [] if number is None else journal.sleeps(connection, number)

    def _apply(
        self, changes: list[SleepChange], heirs: dict[int, int], *, now: int, tell: Callable[[int], None]
    ) -> _Done:
        def work(connection: sqlite3.Connection) -> _Done:
            done, number = _Done(), self._live.number(connection)
            if number is None:
                return done
            sleep = journal.begin(connection, number, now=now)
            night = Night(connection, self._live, number, sleep, now)
            hidden = isolated(connection, [change.id for change in changes])
            for at, change in enumerate(changes):
                tell(at)
                if change.id not in hidden and self._change(night, change, heirs):
                    done.changes.append(change)
            for at, step in enumerate(self._steps, start=len(changes)):
                tell(at)
                done.steps[step.name] = step.run(night)
            if done.changes or journal.has_topics(connection, sleep):
                done.sleep = sleep
                kinds: list[str] = [change.what for change in done.changes]
                lasting = {step.name: done.steps[step.name] for step in self._steps if step.undo}
                counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
                counts |= {name: count for name, count in lasting.items() if count}
                journal.end(connection, sleep, counts)
            else:
                journal.give_up(connection, sleep)
            done.tiers = memories.tier_counts(connection, number)
            done.merged = repeats.count_merged(connection, number)
            return done

        def publish(done: _Done) -> None:
            for change in done.changes:
                if change.what in _TIERS:
                    self._set_cold(change.id, _TIERS[change.what])
            self._live.publish(gone=[change.id for change in done.changes if change.what == "forgotten"])

        return self._store.transact(work, publish=publish, abandon=self._live.forget_sorted)

    def _change(self, night: Night, change: SleepChange, heirs: dict[int, int]) -> bool:
        """Make one change; False where the memory is not any more what it was when the change was planned."""
        connection, number = night.connection, night.number
        if change.what == "merged":
            stand_in, signer = change.stand_in or 0, self._signer
            return repeats.merge(
                connection, number, change.id, stand_in, sleep=night.sleep, now=night.now, signer=signer
            )
        policy = memories.policy_of(connection, number, change.id)
        if policy is None or policy[1]:
            return False
        if change.what == "forgotten":
            self._forget(night, change.id, heirs.get(change.id))
            return True
        tier = _TIERS[change.what]
        if policy[0] is tier:
            return False
        self._place(connection, number, change.id, tier, now=night.now, op="sleep")
        journal.note_move(connection, night.sleep, change.id, before=policy[0], after=tier)
        return True

    def _forget(self, night: Night, memory: int, heir: int | None) -> None:
        connection, number = night.connection, night.number
        repeats.pass_on(connection, number, memory, now=night.now, signer=self._signer)
        if heir is not None and memories.policy_of(connection, number, heir) is not None:
            journal.hand_on(connection, memory, heir)
            journal.note_pruned(connection, memory, heir=heir)
        memories.delete(connection, number, memory, now=night.now, signer=self._signer)

    def _place(
        self, connection: sqlite3.Connection, number: int, memory: int, tier: Tier, *, now: int, op: str
    ) -> None:
        memories.update_policy(connection, number, memory, tier=tier, pinned=False, now=now, signer=self._signer, op=op)

    def _set_cold(self, memory: int, tier: Tier) -> None:
        self._live.change(lambda shelf: shelf.set_cold(memory, tier is Tier.COLD))

    def _give_back(self) -> tuple[bool, str | None]:
        """Shrink the files; False while a reader holds an older state, and why it failed.

        What was changed is written by then: a disk that is too full for this takes none of it back.
        """
        try:
            self._live.tidy(_REBUILD_WHEN_DEAD)
            return compact(self._store), None
        except StorageFailure as error:
            return True, str(error)

    def _state(self, quadrants: dict[Quadrant, int]) -> SleepState:
        with self._live.reading() as (connection, _, number):
            tiers = memories.tier_counts(connection, number)
            merged = repeats.count_merged(connection, number)
        return SleepState(
            memories=sum(tiers.values()),
            tiers=tiers,
            merged=merged,
            quadrants=quadrants,
            bytes=folder_bytes(self._store.folder),
        )


def changes_of(room: Bedroom, plan: SleepPlan, policy: SleepConfig) -> list[SleepChange]:
    """A plan as changes, each with its reason."""
    sleepers = room.sleepers
    place = {memory: at for at, memory in enumerate(sleepers.ids.tolist())}
    ranks = ranks_among(sleepers, room.ever)
    states = states_of(sleepers, ranks, half_life=policy.half_life)
    quadrants = quadrants_of(states)
    changes = []
    for group in plan.merge:
        kept = sleepers.rows[place[group.keep]]
        for other in group.others:
            cosine = float(kept @ sleepers.rows[place[other]])
            reason = f"says the same as {group.keep}: cosine {cosine:.3f}, {_COMMON[policy.alike]}"
            changes.append(SleepChange(id=other, what="merged", reason=reason, stand_in=group.keep))
    for memory in plan.to_cold:
        reason = f"surprise rank {ranks[place[memory]]:.3f} of its speaker is below {policy.cold_share:g}, and not used"
        changes.append(SleepChange(id=memory, what="to_cold", reason=reason))
    for memory in plan.to_long_term:
        reason = f"used: activation {sleepers.active[place[memory]]:.2f} of at least {policy.wake:g}"
        changes.append(SleepChange(id=memory, what="to_long_term", reason=reason))
    for memory in plan.forget:
        at = place[memory]
        repeated = bool(policy.pruning.merged and sleepers.merged[at])
        why = "repeats another memory" if repeated else f"{QUADRANTS[quadrants[at]]}, value {states.value[at]:.3f}"
        changes.append(SleepChange(id=memory, what="forgotten", reason=f"named by the policy: {why}"))
    return changes


def _heirs(room: Bedroom, plan: SleepPlan) -> dict[int, int]:
    """For each memory that is to go, the most surprising one of its speaker that stays."""
    sleepers, heirs = room.sleepers, {}
    going = np.isin(sleepers.ids, plan.forget)
    for speaker in np.unique(sleepers.speakers[going]).tolist():
        mine = sleepers.speakers == speaker
        staying = np.flatnonzero(mine & ~going)
        if len(staying):
            heir = int(sleepers.ids[staying[np.argmax(sleepers.surprise[staying])]])
            heirs.update(dict.fromkeys(sleepers.ids[mine & going].tolist(), heir))
    return heirs


def _foreseen(room: Bedroom, before: SleepState, changes: list[SleepChange]) -> _Done:
    """What applying some changes would lead to."""
    cold = dict(zip(room.sleepers.ids.tolist(), room.sleepers.cold.tolist(), strict=True))
    tiers, merged = dict(before.tiers), before.merged
    for change in changes:
        here = (Tier.COLD if cold[change.id] else Tier.LONG_TERM).value
        if change.what == "merged":
            merged += 1
        else:
            tiers[here] -= 1
        if change.what in _TIERS:
            there = _TIERS[change.what].value
            tiers[there] = tiers.get(there, 0) + 1
    return _Done(changes=changes, tiers={tier: count for tier, count in tiers.items() if count}, merged=merged)


def _quadrants_after(room: Bedroom, policy: SleepConfig, changes: list[SleepChange]) -> dict[Quadrant, int]:
    ranks = ranks_among(room.sleepers, room.ever)
    quadrants = quadrants_of(states_of(room.sleepers, ranks, half_life=policy.half_life))
    gone = [change.id for change in changes if change.what == "forgotten"]
    return count_quadrants(quadrants[~np.isin(room.sleepers.ids, gone)])


def _quiet(done: int, total: int) -> None:
    """For those who do not ask how far it is."""
