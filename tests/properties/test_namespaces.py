"""Tenants share a store and nothing else: any history of a tenant looks like that of a store of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mnemoloom import Draft, ManualClock, Memory, Tier
from mnemoloom.config import PROFILES
from mnemoloom.errors import UnknownMemoryError
from unit.recall.small_stores import NOW, QUERIES, WORDS
from unit.recall.word_embedder import WordEmbedder

# Prefixes of one another, equal to the eye or to a file system, and one that joins to another's text.
LABELS = [("a",), ("a/b",), ("a", "b"), ("ä",), ("a\u0308",), ("..",), ("CON",), ("con",), ('a","b',), ("a", "b", "c")]
TENANTS = st.integers(0, 5)
PROFILE_NAMES = st.sampled_from([None, *PROFILES])


class Tenants(RuleBasedStateMachine):
    """One store with several namespaces, beside one store for each of them."""

    @initialize(labels=st.lists(st.sampled_from(LABELS), min_size=6, max_size=6, unique=True), encoded=st.booleans())
    def open(self, labels: list[tuple[str, ...]], encoded: bool) -> None:
        embedder = WordEmbedder() if encoded else None
        self.labels = labels
        self.clock = ManualClock(NOW)
        shared = Memory.open(":memory:", namespace=labels[0], embedder=embedder, clock=self.clock)
        self.shared = [shared, *(shared.at(*each) for each in labels[1:])]
        self.alone = [Memory.open(":memory:", namespace=each, embedder=embedder, clock=self.clock) for each in labels]
        self.twins: list[dict[int, int]] = [{} for _ in labels]  # id in the shared store to id in the own one

    @rule(
        tenant=TENANTS,
        words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
        speaker=st.sampled_from(["Ann", "Otto", "user", "assistant", None]),
        session=st.sampled_from(["s", None]),
        external_id=st.sampled_from([None, None, "x", "y"]),
        cold=st.booleans(),
    )
    def remember(
        self,
        tenant: int,
        words: list[str],
        speaker: str | None,
        session: str | None,
        external_id: str | None,
        cold: bool,
    ) -> None:
        draft = Draft(
            text=" ".join(words),
            speaker=speaker,
            session=session,
            external_id=external_id,
            tier=Tier.COLD if cold and external_id else Tier.LONG_TERM,
        )
        (shared,) = self.shared[tenant].remember_many([draft])
        (own,) = self.alone[tenant].remember_many([draft])
        assert all(shared not in twins for twins in self.twins)
        living = {record.id for record in self.shared[tenant].records()}
        self.twins[tenant] = {one: other for one, other in self.twins[tenant].items() if one in living}
        self.twins[tenant][shared] = own

    @rule(data=st.data(), tenant=TENANTS)
    def forget(self, data: st.DataObject, tenant: int) -> None:
        if self.twins[tenant]:
            number = data.draw(st.sampled_from(sorted(self.twins[tenant])))
            self.shared[tenant].forget(number)
            self.alone[tenant].forget(self.twins[tenant].pop(number))

    @rule(
        tenant=TENANTS, query=st.sampled_from(QUERIES), profile=st.sampled_from([None, *PROFILES]), cold=st.booleans()
    )
    def recall(self, tenant: int, query: str, profile: str | None, cold: bool) -> None:
        options: dict[str, Any] = {"profile": profile, "tier": ["cold", "long_term"] if cold else None, "expand": 1}
        shared = self.shared[tenant].recall(query, 4, **options)
        own = self.alone[tenant].recall(query, 4, **options)
        assert shared.profile == own.profile
        assert [self.twins[tenant][hit.id] for hit in shared] == [hit.id for hit in own]
        for one, other in zip(shared, own, strict=True):
            assert one.parts == pytest.approx(other.parts, abs=1e-6)
            assert [r.id in self.twins[tenant] for r in (*one.before, *one.after)] == [True] * len(
                (*other.before, *other.after)
            )

    @rule(data=st.data(), tenant=TENANTS, other=TENANTS, query=st.sampled_from(QUERIES))
    def ask_for_anothers_memory(self, data: st.DataObject, tenant: int, other: int, query: str) -> None:
        if tenant == other or not self.twins[other]:
            return
        foreign, memory = data.draw(st.sampled_from(sorted(self.twins[other]))), self.shared[tenant]
        told = memory.why(query, foreign)
        assert [stage.name for stage in told.stages] == ["namespace"]
        assert not told.recalled
        assert foreign not in memory
        for refused in (memory.get, memory.forget, memory.pin, memory.unpin, lambda key: memory.move(key, Tier.COLD)):
            with pytest.raises(UnknownMemoryError):
                refused(foreign)
        assert not list(memory.records({"id": foreign}))
        assert foreign in self.shared[other]

    @rule(tenant=TENANTS)
    def get_by_external_id(self, tenant: int) -> None:
        for key in ("x", "y"):
            own = [record.id for record in self.shared[tenant].records({"external_id": key})]
            assert (key in self.shared[tenant]) == bool(own)
            if own:
                assert self.shared[tenant].get(key).id == own[0]
                assert own[0] in self.twins[tenant]

    @invariant()
    def each_tenant_sees_its_own_memories(self) -> None:
        for tenant, twins in enumerate(self.twins if hasattr(self, "twins") else []):
            records = list(self.shared[tenant].records())
            assert [record.id for record in records] == sorted(twins)
            assert len(self.shared[tenant]) == len(twins)
            own = list(self.alone[tenant].records())
            assert [record.id for record in own] == [twins[record.id] for record in records]
            assert [(r.text, r.speaker, r.surprise) for r in records] == [(r.text, r.speaker, r.surprise) for r in own]

    def teardown(self) -> None:
        if not hasattr(self, "shared"):
            return
        written = self.shared[0].namespaces()
        assert set(written) <= set(self.labels)
        assert len(written) == len(set(written))
        assert self.shared[0].verify().ok
        self.shared[0].close()
        for memory in self.alone:
            memory.close()


TestTenants = Tenants.TestCase
TestTenants.settings = settings(deadline=None, max_examples=25, stateful_step_count=30)


def test_labels_that_look_alike_are_different_namespaces() -> None:
    with Memory.open(":memory:", namespace=LABELS[0]) as memory:
        handles = [memory.at(*labels) for labels in LABELS]
        for number, handle in enumerate(handles):
            handle.remember(f"secret {number}")
        for number, handle in enumerate(handles):
            assert [record.text for record in handle.records()] == [f"secret {number}"]
            assert [hit.text for hit in handle.recall("secret", 50)] == [f"secret {number}"]
        assert memory.namespaces() == LABELS


def test_a_handle_on_a_namespace_of_the_same_labels_shares_its_memories() -> None:
    with Memory.open(":memory:", namespace=("a", "b")) as memory:
        memory.remember("an apple")
        again = memory.at("a", "b")
        again.remember("a pear")
        assert [record.text for record in memory.records()] == ["an apple", "a pear"]
        assert len(memory.recall("apple pear")) == 2


def test_names_of_other_tenants_are_no_names_here() -> None:
    with Memory.open(":memory:", namespace=("a",)) as memory:
        memory.at("b").remember("hello there", speaker="Melanie")
        memory.remember("a pot by melanie", speaker="Ann")
        assert memory.recall("melanie")[0].parts["lexical"] > 0
