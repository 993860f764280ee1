"""Any history of writes against a dict: length, records and lookups agree, also after reopening."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from mnemoloom import Draft, ManualClock, Memory, Record, Tier
from mnemoloom.clock import to_millis
from mnemoloom.errors import UnknownMemoryError, ValidationError
from unit.recall.small_stores import NOW
from unit.recall.word_embedder import WordEmbedder

KEYS = ["k1", "k2", "ключ"]
DRAFTS = st.builds(
    Draft,
    text=st.sampled_from(["a dog", "a cat", "a dog and a cat", "münchen 猫が好き", "x" * 3000, "  spaced  \n"]),
    speaker=st.sampled_from(["Ann", "assistant", None]),
    session=st.sampled_from(["s", "t", None]),
    time=st.sampled_from([None, "2020-02-29T12:00:00Z", -1.5, 4e9]),
    metadata=st.sampled_from([{}, {"n": 1, "deep": {"list": [1, 2.5, None, "x"]}}]),
    external_id=st.sampled_from([None, None, *KEYS]),
    vector=st.sampled_from([None, None, [1.0] * 72]),
    source=st.sampled_from([None, "mail"]),
    tier=st.sampled_from([Tier.LONG_TERM, Tier.COLD]),
    pinned=st.booleans(),
)


@dataclass
class Kept:
    """What the model knows of a memory."""

    draft: Draft
    tier: Tier
    pinned: bool
    created: float

    def assert_is(self, record: Record) -> None:
        draft = self.draft
        assert record.text == draft.text
        for name in ("speaker", "session", "metadata", "external_id", "source", "trust"):
            assert getattr(record, name) == getattr(draft, name)
        told = self.created if draft.time is None else draft.time
        assert to_millis(record.time) == to_millis(told)
        assert to_millis(record.created) == to_millis(self.created)
        assert (record.tier, record.pinned) == (self.tier, self.pinned)


class Histories(RuleBasedStateMachine):
    """A memory in a folder and a dict."""

    ids = Bundle("ids")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock(NOW)
        self.model: dict[int, Kept] = {}
        self.memory = self._open()

    def _open(self, **options: Any) -> Memory:
        return Memory.open(self.folder / "store", embedder=WordEmbedder(), clock=self.clock, **options)

    def _take_in(self, drafts: list[Draft], ids: list[int], *, existing: str = "replace") -> None:
        bearers = {kept.draft.external_id: number for number, kept in self.model.items() if kept.draft.external_id}
        for draft, number in zip(drafts, ids, strict=True):
            if existing == "skip" and draft.external_id in bearers:
                assert number == bearers[draft.external_id]
                continue
            if draft.external_id in bearers:
                self.model.pop(bearers[draft.external_id], None)
            tier = Tier.PERSISTENT if draft.pinned else draft.tier
            self.model[number] = Kept(draft, tier, draft.pinned, self.clock.now())

    @rule(target=ids, draft=DRAFTS)
    def remember(self, draft: Draft) -> int:
        (number,) = self.memory.remember_many([draft])
        assert number not in self.model
        self._take_in([draft], [number])
        return number

    @rule(target=ids, drafts=st.lists(DRAFTS, max_size=5), existing=st.sampled_from(["replace", "skip"]))
    def remember_many(self, drafts: list[Draft], existing: str) -> Any:
        ids = self.memory.remember_many(drafts, existing=existing)  # type: ignore[arg-type]
        # of drafts that share an external id one stands for all: the last replaces the others, or the first stays
        places = range(len(drafts)) if existing == "replace" else reversed(range(len(drafts)))
        stands = {drafts[place].external_id: place for place in places}
        chosen = [p for p, draft in enumerate(drafts) if draft.external_id is None or stands[draft.external_id] == p]
        for place, draft in enumerate(drafts):
            if place not in chosen:
                assert ids[place] == ids[stands[draft.external_id]]
        self._take_in([drafts[place] for place in chosen], [ids[place] for place in chosen], existing=existing)
        return multiple(*(ids[place] for place in chosen))

    @rule(draft=DRAFTS)
    def refuse_a_batch_with_one_bad_draft(self, draft: Draft) -> None:
        with pytest.raises(ValidationError):
            self.memory.remember_many([draft, Draft(text=" ")])
        with pytest.raises(ValidationError):
            self.memory.remember_many(
                [draft, Draft(text="wide", vector=[1.0] * 72), Draft(text="narrow", vector=[1.0])]
            )

    @rule(number=consumes(ids))
    def forget(self, number: int) -> None:
        if number in self.model:
            self.memory.forget(number)
            del self.model[number]
        with pytest.raises(UnknownMemoryError):
            self.memory.forget(number)

    @rule(key=st.sampled_from(KEYS))
    def forget_by_external_id(self, key: str) -> None:
        bearers = [number for number, kept in self.model.items() if kept.draft.external_id == key]
        if bearers:
            self.memory.forget(key)
            del self.model[bearers[0]]
        else:
            with pytest.raises(UnknownMemoryError):
                self.memory.forget(key)

    @rule(number=ids, how=st.sampled_from(["pin", "unpin", *Tier]))
    def place(self, number: int, how: str | Tier) -> None:
        tier = {"pin": Tier.PERSISTENT, "unpin": Tier.LONG_TERM}.get(str(how)) or Tier(how)

        def act() -> None:
            if how == "pin":
                self.memory.pin(number)
            elif how == "unpin":
                self.memory.unpin(number)
            else:
                self.memory.move(number, tier)

        if number in self.model:
            act()
            self.model[number].tier, self.model[number].pinned = tier, tier is Tier.PERSISTENT
        else:
            with pytest.raises(UnknownMemoryError):
                act()

    @rule(query=st.sampled_from(["a dog", "猫が好き", "zzz"]), cold=st.booleans())
    def recall(self, query: str, cold: bool) -> None:
        tiers = [str(tier) for tier in Tier] if cold else None
        hits = self.memory.recall(query, 100, tier=tiers)
        allowed = {number for number, kept in self.model.items() if cold or kept.tier is not Tier.COLD}
        assert {hit.id for hit in hits} <= allowed
        for hit in hits:
            self.model[hit.id].assert_is(hit.record)

    @rule(seconds=st.integers(0, 10_000))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(drop_cache=st.booleans())
    def reopen(self, drop_cache: bool) -> None:
        self.memory.close()
        if drop_cache:
            shutil.rmtree(self.folder / "store" / "cache", ignore_errors=True)
        self.memory = self._open()

    @rule()
    def read_beside(self) -> None:
        with self._open(read_only=True) as reader:
            assert [record.id for record in reader.records()] == sorted(self.model)
            assert len(reader) == len(self.model)

    @invariant()
    def records_are_those_of_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        records = list(self.memory.records())
        assert [record.id for record in records] == sorted(self.model)
        assert len(self.memory) == len(self.model)
        for record in records:
            self.model[record.id].assert_is(record)

    @invariant()
    def each_can_be_had_by_id_and_external_id(self) -> None:
        for number, kept in getattr(self, "model", {}).items():
            assert self.memory.get(number).id == number
            if kept.draft.external_id is not None:
                assert self.memory.get(kept.draft.external_id).id == number

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            report = self.memory.verify()
            assert report.ok, report.problem
            assert report.memories == len(self.model)
            self.memory.close()
            shutil.rmtree(self.folder)


TestHistories = Histories.TestCase
TestHistories.settings = settings(deadline=None, max_examples=25, stateful_step_count=30)
