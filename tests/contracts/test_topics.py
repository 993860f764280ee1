"""Topics: what memories are about, under numbers that stay."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Config, Draft, Memory, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import CorruptionError, EmbedderError, StorageFailure, UnknownMemoryError, ValidationError
from mnemoloom.storage import topics as stored_topics
from unit.recall.word_embedder import RowEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

WIDTH = 24
SUBJECTS = ("harbour boat", "oven cake", "violin concert", "garden tomato")


def about(subject: int, number: int, **fields: Any) -> Draft:
    """A memory of a subject, whose vector lies near those of the same subject."""
    rng = np.random.default_rng(1000 * subject + number)
    row = np.full(WIDTH, 0.05) + 0.05 * rng.standard_normal(WIDTH)
    row[3 * subject : 3 * subject + 3] += 1.0
    return Draft(text=f"Note {number} of the {SUBJECTS[subject]}.", vector=row, **fields)


def mixed(n: int, *, subjects: int = 4, start: int = 0) -> list[Draft]:
    return [about(number % subjects, number) for number in range(start, start + n)]


def groups(memory: Memory) -> dict[int, set[int]]:
    """By topic, the memories that are in it, one by one."""
    found: dict[int, set[int]] = {}
    for record in memory.records():
        if (topic := memory.topic_of(record.id)) is not None:
            found.setdefault(topic, set()).add(record.id)
    return found


@pytest.fixture
def store(open_memory: OpenMemory, folder: Path) -> Memory:
    return open_memory(folder)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_there_are_as_many_topics_as_subjects(store: Memory, n: int) -> None:
    store.remember_many(mixed(5 * n, subjects=n) if n else [])
    found = store.topics()
    assert [topic.count for topic in found] == [5] * n
    assert (found.statistics.categories, found.statistics.members, found.unsorted) == (n, 5 * n, 0)


def test_a_topic_tells_what_it_is_about(store: Memory) -> None:
    times = ["2026-03-01", "2026-01-05", "2026-02-01", "2026-02-02"]
    ids = store.remember_many([about(1, number, time=time) for number, time in enumerate(times)])
    store.remember_many(mixed(6, subjects=1))
    largest, cakes = store.topics()
    assert (largest.count, cakes.count, cakes.cold) == (6, 4, 0)
    assert set(cakes.keywords[:2]) == {"oven", "cake"}
    assert cakes.representative.id in ids
    assert (f"{cakes.first:%Y-%m-%d}", f"{cakes.last:%Y-%m-%d}") == ("2026-01-05", "2026-03-01")
    assert 0.9 < cakes.coherence <= 1.0
    assert store.topics(1)[:] == (largest,)
    assert not store.topics(0)


def test_keywords_are_spelled_as_the_memories_spell_them(store: Memory) -> None:
    vector = np.eye(4)[0]
    for text in ("Raised beds.", "I raised the roof.", "Raising money."):
        store.remember(text, vector=vector)
    store.remember("Something else.", vector=np.eye(4)[1])
    [largest, _] = store.topics()
    assert "raised" in largest.keywords
    assert not {"rais", "raising"} & set(largest.keywords)


def test_keywords_that_tell_a_topic_equally_well_do_not_depend_on_what_was_forgotten(
    store: Memory, open_memory: OpenMemory, folder: Path
) -> None:
    row = np.eye(WIDTH)[0]
    gone = store.remember("Zebra, yak and walrus.", vector=row)
    store.remember("Walrus, yak and zebra.", vector=row)
    store.forget(gone)
    assert store.topics()[0].keywords == ("walrus", "yak", "zebra")
    assert store.topics() == open_memory(folder, read_only=True).topics()


def test_vigilance_says_how_alike_the_memories_of_a_topic_are(open_memory: OpenMemory) -> None:
    counts = []
    for vigilance in (-1.0, 0.35, 1.0):
        memory = open_memory(":memory:", config=Config(vigilance=vigilance))
        memory.remember_many(mixed(20))
        counts.append(len(memory.topics()))
    assert counts == [1, 4, 20]


def test_numbers_stay_when_more_is_remembered(store: Memory) -> None:
    store.remember_many(mixed(40))
    before = {topic.id: topic.keywords for topic in store.topics()}
    placed = groups(store)
    store.remember_many(mixed(40, start=40))
    after = groups(store)
    assert set(before) == set(after)
    assert all(placed[topic] < after[topic] for topic in placed)


@pytest.mark.parametrize("lose_cache", [False, True])
def test_numbers_outlive_restarts_and_lost_caches(open_memory: OpenMemory, folder: Path, lose_cache: bool) -> None:
    first = open_memory(folder)
    first.remember_many(mixed(700))
    before, placed = first.topics(), groups(first)
    first.close()
    if lose_cache:
        for path in (folder / "cache").iterdir():
            path.unlink()
    again = open_memory(folder)
    assert groups(again) == placed
    assert [topic.id for topic in again.topics()] == [topic.id for topic in before]
    assert [topic.coherence for topic in again.topics()] == pytest.approx([topic.coherence for topic in before])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.sampled_from("rrrrftc")), max_size=30))
def test_a_store_that_was_opened_again_sorts_like_one_that_was_kept_open(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, str]]
) -> None:
    stores = [tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("opened")]
    answers = []
    for folder, reopens in zip(stores, (False, True), strict=True):
        memory = Memory.open(folder)
        for subject, number, act in steps:
            if act == "r":
                memory.remember_many([about(subject, number)])
            elif act == "t":
                memory.topics()
            elif len(memory):
                key = next(memory.records()).id
                memory.forget(key) if act == "f" else memory.move(key, Tier.COLD)
            if reopens:
                memory.close()
                memory = Memory.open(folder)
        found = memory.topics()
        answers.append(([(each.id, each.count, each.cold, each.representative.id) for each in found], groups(memory)))
        memory.close()
    assert answers[0] == answers[1]


def test_what_is_forgotten_leaves_its_topic_and_no_number_is_used_again(store: Memory, folder: Path) -> None:
    ids = store.remember_many(mixed(8, subjects=2))
    boats, cakes = store.topic_of(ids[0]), store.topic_of(ids[1])
    store.forget(ids[0])
    assert [topic.count for topic in store.topics()] == [4, 3]
    for memory in ids[2::2]:
        store.forget(memory)
    assert [topic.id for topic in store.topics()] == [cakes]
    assert store.topics().statistics.members == 4
    new = store.remember_many(mixed(8, subjects=1))
    assert store.topic_of(new[0]) not in (boats, cakes)
    with pytest.raises(UnknownMemoryError):
        store.topic_of(ids[0])


def test_erasing_leaves_no_trace_in_the_tables_of_topics(store: Memory, folder: Path) -> None:
    ids = store.remember_many(mixed(8, subjects=2))
    store.topics()
    store.erase({"id": {"$in": ids[::2]}})
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        held = {memory for (memory,) in connection.execute("SELECT memory FROM topics")}
    assert held == set(ids[1::2])
    assert [topic.count for topic in store.topics()] == [4]


def test_cold_memories_stay_in_their_topics_and_do_not_represent_them(store: Memory) -> None:
    ids = store.remember_many(mixed(3, subjects=1))
    nearest = store.topics()[0].representative.id
    store.move(nearest, Tier.COLD)
    [topic] = store.topics()
    assert (topic.count, topic.cold) == (3, 1)
    assert topic.representative.id in set(ids) - {nearest}
    for memory in ids:
        store.move(memory, Tier.COLD)
    [topic] = store.topics()
    assert (topic.cold, topic.representative.id) == (3, nearest)
    assert not store.recall("note", topic=topic.id)
    assert len(store.recall("note", topic=topic.id, tier="cold")) == 3


def test_one_namespace_sorts_as_if_it_were_alone(open_memory: OpenMemory, folder: Path, tmp_path: Path) -> None:
    shared, alone = open_memory(folder), open_memory(tmp_path / "alone")
    other = shared.at("other")
    for number, draft in enumerate(mixed(30)):
        alone.remember_many([draft])
        shared.remember_many([draft])
        other.remember_many(mixed(2, subjects=3, start=number))
        if number % 9 == 0:
            other.topics()
            shared.topics()
            alone.topics()
    told = [
        [(each.id, each.count, each.representative.text, each.keywords) for each in memory.topics()]
        for memory in (shared, alone)
    ]
    assert told[0] == told[1]
    theirs = {record.id for record in other.records()}
    assert not theirs & {memory for inside in groups(shared).values() for memory in inside}
    for memory in theirs:
        with pytest.raises(UnknownMemoryError):
            shared.topic_of(memory)


def test_recall_asks_one_topic_or_several(store: Memory) -> None:
    ids = store.remember_many(mixed(20))
    boats, cakes = store.topic_of(ids[0]), store.topic_of(ids[1])
    assert boats is not None
    assert cakes is not None
    assert {hit.id for hit in store.recall("note", k=20, topic=boats)} == set(ids[::4])
    assert {hit.id for hit in store.recall("note", k=20, topic=[boats, cakes])} == {*ids[::4], *ids[1::4]}
    assert not store.recall("note", topic=9999)
    narrowed = store.recall("note", k=20, topic=boats, where={"id": {"$gt": ids[8]}})
    assert {hit.id for hit in narrowed} == {ids[12], ids[16]}


def test_recall_within_a_topic_knows_what_has_just_been_remembered(store: Memory) -> None:
    first = store.remember_many(mixed(8))
    boats = store.topic_of(first[0])
    new = store.remember_many([about(0, 77)])
    assert new[0] in {hit.id for hit in store.recall("note", k=20, topic=boats)}


def test_why_names_the_topic_that_let_a_memory_go(store: Memory) -> None:
    ids = store.remember_many(mixed(8))
    boats, cakes = store.topic_of(ids[0]), store.topic_of(ids[1])
    lost = store.why("note", ids[1], topic=boats)
    assert (lost.recalled, lost.stages[-1].name) == (False, "topic")
    assert lost.stages[-1].detail == f"it is in topic {cakes}; asked for: {boats}"
    kept = store.why("note", ids[0], topic=boats)
    assert kept.recalled
    assert f"it is in topic {boats}" in [stage.detail for stage in kept.stages]
    assert "topic" not in [stage.name for stage in store.why("note", ids[0]).stages]


@pytest.mark.parametrize("topic", [True, -1, "1", 1.0, [], [1, "2"]])
def test_a_topic_is_named_by_its_number(store: Memory, refused: Refused, topic: Any) -> None:
    store.remember_many(mixed(4))
    with refused(store, ValidationError, match="topic"):
        store.recall("note", topic=topic)


@pytest.mark.parametrize("k", [-1, True, "2"])
def test_topics_counts_from_nothing_up(store: Memory, k: Any) -> None:
    with pytest.raises(ValidationError, match="k must be"):
        store.topics(k)


def test_without_vectors_there_is_a_clear_error_and_with_them_no_encoder_is_needed(
    open_memory: OpenMemory, folder: Path
) -> None:
    memory = open_memory(folder)
    assert not memory.topics()
    first = memory.remember("No encoder was here.")
    for ask in (memory.topics, lambda: memory.topic_of(first), lambda: memory.recall("here", topic=1)):
        with pytest.raises(EmbedderError, match="reembed"):
            ask()
    second = memory.remember("But a vector is.", vector=[1.0, 0.0])
    found = memory.topics()
    assert (len(found), found.unsorted) == (1, 1)
    assert memory.topic_of(first) is None
    assert memory.topic_of(second) == found[0].id


def test_a_reply_goes_with_the_message_that_it_answers(memory: Memory) -> None:
    boats = memory.remember("The boat is in the harbour.", speaker="user", session="one")
    answer = memory.remember("Boats need paint.", speaker="assistant", session="one")
    unasked = memory.remember("Hello!", speaker="assistant", session="two")
    assert memory.topic_of(answer) == memory.topic_of(boats)
    assert memory.topic_of(unasked) is None
    assert memory.topics().unsorted == 1
    assert answer in {hit.id for hit in memory.recall("boat paint", topic=memory.topic_of(boats))}


def test_remembering_sorts_nothing(store: Memory, folder: Path) -> None:
    store.remember_many(mixed(8))
    store.recall("note")
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert connection.execute("SELECT count(*) FROM topics").fetchone() == (0,)


def test_a_reader_sees_the_writers_topics_and_writes_none(open_memory: OpenMemory, folder: Path, store: Memory) -> None:
    store.remember_many(mixed(12))
    reader = open_memory(folder, read_only=True)
    provisional = groups(reader)
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert connection.execute("SELECT count(*) FROM topics").fetchone() == (0,)
    assert groups(store) == provisional
    store.remember_many(mixed(12, start=12))
    assert groups(reader) == groups(store)
    store.forget(1)
    assert groups(reader) == groups(store)


def test_encoding_anew_keeps_the_numbers(open_memory: OpenMemory, folder: Path) -> None:
    texts = ["The dog ran.", "The dog barked.", "A cake in the oven.", "A cake on the table.", "The dog slept."]
    first = open_memory(folder, embedder=HashingEmbedder(64))
    first.remember_many(texts)
    placed = groups(first)
    first.close()
    again = open_memory(folder, embedder=RowEmbedder(), reembed=True)
    assert groups(again) == placed
    new = again.remember("The dog ran away.")
    assert again.topic_of(new) is not None


def test_a_write_that_fails_sorts_nothing(store: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    store.remember_many(mixed(8))

    def full(*_: Any, **__: Any) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(stored_topics, "place", full)
        with pytest.raises(StorageFailure):
            store.topics()
    assert [topic.count for topic in store.topics()] == [2] * 4


def test_a_damaged_table_of_topics_is_named(store: Memory, folder: Path, open_memory: OpenMemory) -> None:
    store.remember_many(mixed(4))
    store.topics()
    store.close()
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.execute("UPDATE topics SET topic = -7 WHERE memory = 2")
        connection.commit()
    with pytest.raises(CorruptionError, match="topics"):
        open_memory(folder).topics()


def test_a_memory_in_quarantine_is_in_no_topic_until_it_is_released(store: Memory) -> None:
    ids = store.remember_many(mixed(8, subjects=2))
    before = groups(store)
    store.quarantine({"id": ids[0]})
    assert sorted(topic.count for topic in store.topics()) == [3, 4]
    with pytest.raises(UnknownMemoryError):
        store.topic_of(ids[0])
    store.release({"id": ids[0]})
    assert groups(store) == before


def test_sleep_sorts_everything_again_once(store: Memory) -> None:
    store.remember_many(mixed(60))
    before = groups(store)
    late = store.remember_many(mixed(4, start=60))
    slept = store.sleep()
    after = groups(store)
    assert set(after) <= set(before)
    assert [topic.count for topic in store.topics()] == [16] * 4
    assert slept.steps["topics"] == sum(
        len(before[topic] - inside) for topic, inside in after.items() if topic in before
    )
    assert all(store.topic_of(memory) is not None for memory in late)
    assert store.sleep().steps["topics"] == 0
    assert groups(store) == after


def test_sleep_makes_close_topics_one_under_the_number_of_the_larger(store: Memory, folder: Path) -> None:
    store.remember_many(mixed(10, subjects=1))
    [number] = groups(store)
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.execute("UPDATE topics SET topic = ? WHERE memory > 7", (number + 5,))
        connection.execute("UPDATE sortings SET next = ?, version = version + 1", (number + 6,))
        connection.commit()
    assert {topic: len(inside) for topic, inside in groups(store).items()} == {number: 7, number + 5: 3}
    assert store.sleep().steps["topics"] == 3
    assert {topic: len(inside) for topic, inside in groups(store).items()} == {number: 10}
    store.remember_many([about(2, 5)])
    assert number + 6 in groups(store)


def test_sleep_sorts_nothing_where_nobody_asked_for_topics(store: Memory, folder: Path) -> None:
    store.remember_many(mixed(20))
    assert store.sleep().steps["topics"] == 0
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert connection.execute("SELECT count(*) FROM topics").fetchone() == (0,)


def test_threads_may_ask_and_write_at_once(store: Memory) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 10):
            store.remember_many([about(number % 4, number)])
            store.topics()
            store.recall("note", topic=1)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work, 100 * number) for number in range(4)]:
            done.result()
    assert sum(topic.count for topic in store.topics()) == 40


def test_coroutines_ask_alike(store: Memory) -> None:
    ids = store.remember_many(mixed(8))

    async def ask() -> tuple[Any, Any]:
        return await store.atopics(2), await store.atopic_of(ids[0])

    assert asyncio.run(ask()) == (store.topics(2), store.topic_of(ids[0]))
