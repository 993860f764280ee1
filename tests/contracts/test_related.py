"""What belongs together with a memory: the strongest paths along links that are made when they are asked for."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Memory, Tier
from mnemoloom.errors import UnknownMemoryError, ValidationError
from mnemoloom.fabric import episode_links, episodes_of, joined, related_to, similar_links, superseding_links

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

BUDGET = "My budget for the kitchen is $5,000."
RAISED = "My budget for the kitchen is now $8,000."
QUESTION = "How much is my budget for the kitchen?"


@pytest.fixture
def talk(memory: Memory) -> Memory:
    """Two conversations far apart, and one remark that is like the first."""
    for minute, text in enumerate(["The boat leaks.", "Then paint it.", "Paint is dear.", "So is a boat."]):
        memory.remember(text, speaker="Ann", time=f"2026-03-01T10:0{minute}")
    memory.remember("A cake for Otto.", speaker="Ann", time="2026-04-01T10:00")
    memory.remember("The boat leaks!", speaker="Bo", time="2026-04-20T10:00")
    return memory


def told(found: Any) -> dict[int, float]:
    return {each.id: each.strength for each in found}


def test_related_memories_come_with_their_path_strongest_first(talk: Memory) -> None:
    found = talk.related(1, k=10)
    assert found[0].id == 6
    assert (found[0].path, found[0].kinds) == ((1, 6), ("similar",))
    assert found[0].strength == pytest.approx(0.8 * 0.7)  # the same words, a month later: the way to a newer one
    assert [each.strength for each in found] == sorted((each.strength for each in found), reverse=True)
    by_id = {each.id: each for each in found}
    assert (by_id[2].path, by_id[2].kinds) == ((1, 2), ("episode",))
    assert by_id[2].record == talk.get(2)
    assert 5 not in by_id


def test_kinds_hops_and_k_narrow_what_is_followed(talk: Memory) -> None:
    assert told(talk.related(1, kinds="similar")).keys() == {6}
    assert told(talk.related(1, kinds=["episode"], k=10)) == {2: 0.4, 3: 0.2, 4: 0.08}
    assert told(talk.related(1, kinds="episode", hops=1, k=10)) == {2: 0.4, 3: 0.2}
    assert len(talk.related(1, k=1)) == 1


def test_a_newer_statement_leads_to_the_one_that_it_replaces(memory: Memory) -> None:
    old = memory.remember(BUDGET, speaker="Ann", time="2026-01-01")
    new = memory.remember(RAISED, speaker="Ann", time="2026-03-01")
    assert not memory.related(new, kinds="supersedes")
    memory.recall(QUESTION, update=False)
    assert not memory.related(new, kinds="supersedes")
    assert memory.recall(QUESTION)[0].supersedes == (old,)
    assert told(memory.related(new, kinds="supersedes")) == {old: 1.0}
    assert told(memory.related(old, kinds="supersedes")) == {new: 0.8}
    memory.remember("A third thing.")  # writes down what was noted
    assert told(memory.related(new, kinds="supersedes")) == {old: 1.0}


def test_what_is_forgotten_is_related_to_nothing(talk: Memory) -> None:
    talk.forget(2)
    assert told(talk.related(1, kinds="episode", k=10)) == {3: 0.4, 4: 0.2}
    with pytest.raises(UnknownMemoryError):
        talk.related(2)


def test_cold_memories_take_part_on_request(talk: Memory) -> None:
    talk.move(6, Tier.COLD)
    assert 6 not in told(talk.related(1, k=10))
    assert 6 in told(talk.related(1, k=10, cold=True))
    assert told(talk.related(6, k=10))[1] == pytest.approx(0.7)


def test_one_namespace_is_not_related_to_another(talk: Memory) -> None:
    other = talk.at("other")
    theirs = other.remember("The boat leaks.", time="2026-03-01T10:00")
    assert theirs not in told(talk.related(1, k=50))
    assert not other.related(theirs)
    with pytest.raises(UnknownMemoryError):
        other.related(1)


def test_without_vectors_the_times_still_relate(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    one = memory.remember("One.", time="2026-03-01T10:00")
    two = memory.remember("Two.", time="2026-03-01T10:30")
    assert told(memory.related(one)) == {two: 0.4}


def test_asking_what_is_related_writes_nothing(talk: Memory, folder: Path) -> None:
    def everything() -> list[str]:
        with closing(sqlite3.connect(folder / "store.db")) as connection:
            return list(connection.iterdump())

    before = everything()
    talk.related(1)
    assert everything() == before
    assert talk.get(2).accessed is None


def test_a_store_that_was_opened_again_relates_alike(talk: Memory, open_memory: OpenMemory, folder: Path) -> None:
    before = talk.related(1, k=10)
    talk.close()
    assert open_memory(folder, read_only=True).related(1, k=10) == before


@pytest.mark.parametrize(
    "options",
    [{"k": 0}, {"k": True}, {"hops": 0}, {"hops": 5}, {"kinds": "alike"}, {"kinds": []}, {"kinds": ["similar", "x"]}],
)
def test_bad_arguments_are_refused(talk: Memory, refused: Refused, options: Any) -> None:
    with refused(talk, ValidationError, match=next(iter(options))):
        talk.related(1, **options)


def test_coroutines_ask_alike(talk: Memory) -> None:
    assert asyncio.run(talk.arelated(1, 3)) == talk.related(1, 3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=14),
    st.integers(0, 5),
    st.integers(1, 3),
)
def test_links_made_around_a_memory_are_those_of_the_whole_namespace(
    told_at: list[tuple[int, int]], seed: int, hops: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((len(told_at), 4)).astype(np.float32) + 1.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    seconds = np.array([86_400.0 * day + 600.0 * tenth for day, tenth in told_at])
    with Memory.open(":memory:") as memory:
        ids = np.array(
            [memory.remember("Said.", vector=row, time=time) for row, time in zip(rows, seconds, strict=True)]
        )
        links = joined(
            similar_links(ids, memory.vectors(ids.tolist()), seconds),
            episode_links(ids, episodes_of(seconds).labels, seconds),
            superseding_links(np.zeros((0, 2), np.int64)),
        )
        for start in ids.tolist():
            wanted = related_to(links, start, hops=hops)
            got = memory.related(start, k=100, hops=hops)
            assert told(got) == {path.id: pytest.approx(path.strength, abs=1e-5) for path in wanted}
