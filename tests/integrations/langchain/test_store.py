"""MnemoloomStore beyond the contract: time to live, threads and loops, failures, what is on disk."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from langchain_mnemoloom import MnemoloomStore, escape_label, unescape_label
from langchain_mnemoloom.store.sweeping import Sweeper
from mnemoloom import Draft, ManualClock, Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import (
    ConfigError,
    EmbedderError,
    FilterError,
    NamespaceError,
    ReadOnlyError,
    StoreClosedError,
    ValidationError,
)

ANN = ("users", "ann")


def keys(found: Sequence[Any]) -> list[str]:
    return [item.key for item in found]


class CountingEmbedder(HashingEmbedder):
    """Counts the texts it encodes, and fails when told to."""

    def __init__(self) -> None:
        super().__init__(64)
        self.encoded: list[str] = []
        self.failing = False

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        if self.failing:
            raise EmbedderError("the encoder is down")
        self.encoded += texts
        return super().embed(texts, query=query)


# -- time to live ---------------------------------------------------------------------------------


def with_ttl(clock: ManualClock, **ttl: Any) -> MnemoloomStore:
    return MnemoloomStore.open(":memory:", embedder=HashingEmbedder(64), ttl=ttl, clock=clock)


def test_an_item_lives_for_its_minutes_and_is_then_swept(clock: ManualClock) -> None:
    with with_ttl(clock, refresh_on_read=False) as store:
        store.put(ANN, "short", {"text": "boat"}, ttl=5)
        store.put(ANN, "long", {"text": "boat"}, ttl=60)
        store.put(ANN, "ever", {"text": "boat"})
        clock.advance(5 * 60 - 1)
        assert store.sweep_ttl() == 0
        clock.advance(1)
        assert store.sweep_ttl() == 1
        assert sorted(keys(store.search(ANN, query="boat"))) == ["ever", "long"]
        clock.advance(3600)
        assert asyncio.run(asyncio.to_thread(store.sweep_ttl)) == 1
        assert keys(store.search(())) == ["ever"]


def test_the_default_time_to_live_is_for_puts_that_say_nothing(clock: ManualClock) -> None:
    with with_ttl(clock, default_ttl=1) as store:
        store.put(ANN, "default", {"n": 1})
        store.put(ANN, "never", {"n": 2}, ttl=None)
        clock.advance(61)
        assert store.sweep_ttl() == 1
        assert keys(store.search(ANN)) == ["never"]


@pytest.mark.parametrize("omit", [False, True])
def test_omit_expired_hides_what_is_not_swept_yet(clock: ManualClock, omit: bool) -> None:
    with with_ttl(clock, omit_expired=omit, refresh_on_read=False) as store:
        store.put(ANN, "a", {"text": "boat"}, ttl=1)
        clock.advance(60)
        shown = 0 if omit else 1
        assert (store.get(ANN, "a") is not None) == bool(shown)
        assert len(store.search(ANN)) == len(store.search(ANN, query="boat")) == len(store.list_namespaces()) == shown


def test_what_has_expired_unseen_is_created_anew(clock: ManualClock) -> None:
    with with_ttl(clock, omit_expired=True) as store:
        store.put(ANN, "a", {"n": 1}, ttl=1)
        first = store.get(ANN, "a").created_at
        clock.advance(61)
        store.put(ANN, "a", {"n": 2}, ttl=1)
        assert (store.get(ANN, "a").created_at - first).total_seconds() == 61


@pytest.mark.parametrize("read", [lambda s, **o: s.get(ANN, "a", **o), lambda s, **o: s.search(ANN, query="boat", **o)])
def test_reading_starts_the_time_anew_unless_told_otherwise(clock: ManualClock, read: Any) -> None:
    with with_ttl(clock) as store:
        store.put(ANN, "a", {"text": "boat", "x": ["one", "two"]}, index=["text", "x[*]"], ttl=1)
        before = store.get(ANN, "a")
        for _ in range(3):
            clock.advance(50)
            read(store)
        assert store.sweep_ttl() == 0
        after = store.get(ANN, "a")
        assert (after.value, after.created_at, after.updated_at) == (before.value, before.created_at, before.updated_at)
        assert keys(store.search(ANN, query="two")) == ["a"]
        clock.advance(50)
        read(store, refresh_ttl=False)
        clock.advance(10)
        assert store.sweep_ttl() == 1


def test_refreshing_encodes_nothing(clock: ManualClock) -> None:
    embedder = CountingEmbedder()
    with MnemoloomStore.open(":memory:", embedder=embedder, clock=clock) as store:
        store.put(ANN, "a", {"text": "boat"}, ttl=1)
        encoded = len(embedder.encoded)
        store.get(ANN, "a")
        assert len(embedder.encoded) == encoded


def test_the_sweeper_sweeps_until_it_is_stopped(clock: ManualClock) -> None:
    with with_ttl(clock, sweep_interval_minutes=60) as store:
        store.put(ANN, "a", {"n": 1}, ttl=1)
        clock.advance(61)
        ended = store.start_ttl_sweeper(0.0002)
        assert store.start_ttl_sweeper(0.0002) is ended
        deadline = time.monotonic() + 10
        while store.list_namespaces() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert store.list_namespaces() == []
        assert not ended.done()
        assert store.stop_ttl_sweeper(timeout=10)
        assert ended.done()
        assert store.stop_ttl_sweeper()


def test_closing_ends_the_sweeper(clock: ManualClock) -> None:
    store = with_ttl(clock)
    ended = store.start_ttl_sweeper()
    store.close()
    store.close()
    assert ended.done()
    with pytest.raises(StoreClosedError):
        store.get(ANN, "a")


@pytest.mark.parametrize("minutes", [1e13, 1e308])
def test_a_time_to_live_beyond_all_calendars_never_ends(clock: ManualClock, minutes: float) -> None:
    with with_ttl(clock, omit_expired=True) as store:
        store.put(ANN, "a", {"n": 1}, ttl=minutes)
        clock.advance(3e9)
        assert [store.get(ANN, "a") is None for _ in range(2)] == [False, False]  # reading starts the time anew
        assert store.sweep_ttl() == 0


def test_a_clock_that_is_put_back_makes_no_item_older_than_its_creation(clock: ManualClock) -> None:
    with with_ttl(clock) as store:
        store.put(ANN, "a", {"n": 1})
        made = store.get(ANN, "a")
        clock.advance(-3600)
        store.put(ANN, "a", {"n": 2})
        again = store.get(ANN, "a")
        assert made is not None
        assert again is not None
        assert (again.value, again.created_at, again.updated_at) == ({"n": 2}, made.created_at, made.updated_at)


def test_what_start_gives_cannot_be_cancelled_and_a_stopped_sweeper_starts_again(clock: ManualClock) -> None:
    with with_ttl(clock) as store:
        ended = store.start_ttl_sweeper(0.0002)
        assert not ended.cancel()
        assert store.stop_ttl_sweeper(10)
        assert ended.result(0) is None
        again = store.start_ttl_sweeper(0.0002)
        assert not again.done()


def test_a_sweeper_that_is_being_stopped_gives_way_to_a_new_one() -> None:
    busy, go_on = threading.Event(), threading.Event()

    def sweep() -> int:
        busy.set()
        go_on.wait(10)
        return 0

    sweeper = Sweeper(sweep)
    first = sweeper.start(0.0)
    assert busy.wait(10)
    assert not sweeper.stop(0.01)
    second = sweeper.start(60.0)
    go_on.set()
    assert first.result(10) is None
    assert not second.done()
    assert sweeper.stop(10)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_time_to_live_that_is_no_number_of_minutes_is_refused(store: MnemoloomStore, minutes: Any) -> None:
    with pytest.raises(ValidationError, match="minutes above 0"):
        store.put(ANN, "a", {"n": 1}, ttl=minutes)
    with pytest.raises(ValidationError, match="minutes above 0"):
        MnemoloomStore(store.memory, ttl={"default_ttl": minutes})


# -- labels ---------------------------------------------------------------------------------------


@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=30))
def test_escaped_labels_are_allowed_different_and_read_back(one: str, other: str) -> None:
    label = escape_label(one)
    assert unescape_label(label) == one
    assert label
    assert label.strip()
    assert not set(label) & {".", "\0"}
    assert label != "langgraph"
    assert (label == escape_label(other)) == (one == other)


@pytest.mark.parametrize("user", ["bob@x.com", "bob@x%2Ecom", "langgraph", "", "  ", "a.b", "%", "a\0b"])
def test_any_user_can_have_a_namespace(store: MnemoloomStore, user: str) -> None:
    store.put((escape_label(user), "facts"), "a", {"text": "his"})
    assert [item.value["text"] for item in store.search((escape_label(user),))] == ["his"]
    assert [unescape_label(labels[0]) for labels in store.list_namespaces()] == [user]


def test_a_bad_label_is_told_with_the_way_out() -> None:
    with MnemoloomStore.open(":memory:") as store, pytest.raises(InvalidNamespaceError, match="escape_label"):
        store.batch([GetOp(("bob@x.com",), "a")])


def test_a_namespace_of_more_labels_than_the_core_has_is_refused(store: MnemoloomStore) -> None:
    store.put(tuple("abcdefghijklmn"), "k", {"n": 1})
    with pytest.raises(NamespaceError, match="1 to 16"):
        store.put(tuple("abcdefghijklmno"), "k", {"n": 1})


def test_two_stores_of_one_memory_are_apart_and_so_is_what_the_memory_remembers() -> None:
    with Memory.open(":memory:", embedder=HashingEmbedder(64)) as memory:
        one, other = MnemoloomStore(memory.at("one")), MnemoloomStore(memory.at("other"))
        memory.at("one").remember("the boat is red")
        one.put(ANN, "a", {"text": "the boat is red"})
        assert other.search(()) == []
        assert len(one.search((), query="boat")) == 1
        assert len(memory.at("one").recall("boat")) == 1


# -- one object for threads and loops ---------------------------------------------------------------


def test_one_store_serves_threads_and_several_event_loops(tmp_path: Path) -> None:
    with MnemoloomStore.open(tmp_path / "s", embedder=HashingEmbedder(64), durability="normal") as store:

        async def work(worker: int) -> None:
            labels = ("w", str(worker))
            await asyncio.gather(*(store.aput(labels, str(n), {"text": f"boat {n}"}) for n in range(5)))
            assert len(await store.asearch(labels, query="boat")) == 5

        def plain(worker: int) -> None:
            labels = ("w", str(worker))
            for n in range(5):
                store.put(labels, str(n), {"text": f"boat {n}"})
            assert len(store.search(labels, query="boat")) == 5

        with ThreadPoolExecutor(6) as threads:
            loops = [threads.submit(asyncio.run, work(worker)) for worker in range(3)]
            others = [threads.submit(plain, worker) for worker in range(3, 6)]
            for done in (*loops, *others):
                done.result()
        assert len(store.search(("w",), limit=100)) == 30


def test_the_plain_methods_work_inside_a_running_loop(store: MnemoloomStore) -> None:
    async def scenario() -> None:
        store.put(ANN, "a", {"text": "boat"})
        assert await store.aget(ANN, "a") == store.get(ANN, "a")

    asyncio.run(scenario())


def test_the_loop_stays_free_while_the_store_works() -> None:
    class Slow(HashingEmbedder):
        def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
            time.sleep(0.3)
            return super().embed(texts, query=query)

    async def scenario() -> int:
        ticks = 0
        with MnemoloomStore.open(":memory:", embedder=Slow(64)) as busy:
            put = asyncio.ensure_future(busy.aput(ANN, "a", {"text": "boat"}))
            while not put.done():
                await asyncio.sleep(0.01)
                ticks += 1
        return ticks

    assert asyncio.run(scenario()) >= 10


def test_puts_of_one_key_from_many_threads_leave_one_whole_item(store: MnemoloomStore) -> None:
    def put(number: int) -> None:
        store.put(ANN, "a", {"text": f"n{number}", "x": [f"w{number}v{part}" for part in range(number % 4)]}, ["x[*]"])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(40)))
    (item,) = store.search(ANN)
    own = store.memory.at("default", "langgraph-store", *ANN)
    assert len(own) == max(1, len(item.value["x"]))


# -- failures ---------------------------------------------------------------------------------------


def test_a_failing_encoder_changes_nothing(clock: ManualClock) -> None:
    embedder = CountingEmbedder()
    with MnemoloomStore.open(":memory:", embedder=embedder, clock=clock) as store:
        store.put(ANN, "a", {"text": "boat"})
        before = store.get(ANN, "a")
        embedder.failing = True
        with pytest.raises(EmbedderError):
            store.batch([PutOp(ANN, "a", {"text": "kettle"}), PutOp(ANN, "b", None)])
        embedder.failing = False
        assert store.get(ANN, "a") == before
        assert store.search(ANN, query="boat")[0].score > 0.1


@pytest.mark.parametrize(
    "bad",
    [
        PutOp(("b",), "k", {"deep": 1 << 70}),
        PutOp(("b",), "k", {1: 2}),  # type: ignore[dict-item]
        PutOp(("b",), "k", ["no dict"]),  # type: ignore[arg-type]
        PutOp(("b",), 3, {"n": 1}),  # type: ignore[arg-type]
        PutOp(("b",), "k", {"n": 1}, index="text"),  # type: ignore[arg-type]
        PutOp(("b",), "k", {"text": "x" * (2 << 20)}),
        SearchOp((), limit=-1),
        SearchOp((), offset=-1),
        SearchOp((), filter={"n": {"$gt": [1]}}),
        SearchOp((), filter={"n": {"$gt": 1, "m": 2}}),
        "no operation",
    ],
    ids=lambda op: str(op)[:60],
)
def test_a_batch_with_one_bad_operation_writes_nothing(store: MnemoloomStore, bad: Any) -> None:
    with pytest.raises(ValueError):
        store.batch([PutOp(("a",), "k", {"n": 1}), bad])
    assert store.search(()) == []


def test_what_is_not_indexed_needs_no_encoder() -> None:
    embedder = CountingEmbedder()
    with MnemoloomStore.open(":memory:", embedder=embedder, index={"fields": ["text"]}) as store:
        embedder.failing = True
        store.put(ANN, "a", {"text": "boat"}, index=False, ttl=5)
        store.put(ANN, "b", {"n": 1})
        assert [item.value for item in (store.get(ANN, "a"), store.get(ANN, "b")) if item] == [
            {"text": "boat"},
            {"n": 1},
        ]
        embedder.failing = False
        store.put(ANN, "a", {"text": "boat"})
        assert keys(store.search(ANN, query="boat")) == ["a"]
        assert embedder.encoded == ["boat", "boat"]


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.put(ANN, "a", {"n": 1}, index=[1]),
        lambda store: store.list_namespaces(max_depth="2"),
        lambda store: store.list_namespaces(max_depth=True),
        lambda store: store.batch([ListNamespacesOp((MatchCondition("middle", ("a",)),))]),  # type: ignore[arg-type]
        lambda store: store.search((), limit=True),
        lambda store: store.get(ANN, "a\0"),
        lambda store: store.get((" ",), "a"),
    ],
)
def test_what_cannot_be_asked_is_refused_even_of_an_empty_store(store: MnemoloomStore, call: Any) -> None:
    with pytest.raises(ValidationError):
        call(store)


def test_vectors_that_a_killed_writer_left_behind_are_not_found(store: MnemoloomStore) -> None:
    store.put(ANN, "a", {"x": ["boat", "kettle"]}, index=["x[*]"])
    own = store.memory.at("default", "langgraph-store", *ANN)
    left = own.get("1=a")
    store.put(ANN, "a", {"x": ["boat"]}, index=["x[*]"])
    own.remember_many([Draft(text=left.text, metadata=left.metadata, external_id="1=a")])
    assert store.search(ANN, query="kettle")[0].score < 0.5


def test_a_reader_beside_the_writer_reads_and_keeps_nothing_alive(tmp_path: Path, clock: ManualClock) -> None:
    with MnemoloomStore.open(tmp_path / "s", clock=clock) as store:
        store.put(ANN, "a", {"n": 1}, ttl=1)
        with MnemoloomStore.open(tmp_path / "s", clock=clock, read_only=True) as reader:
            clock.advance(50)
            assert reader.get(ANN, "a").value == {"n": 1}
            with pytest.raises(ReadOnlyError):
                reader.put(ANN, "b", {"n": 2})
        clock.advance(10)
        assert store.sweep_ttl() == 1


# -- what is kept -----------------------------------------------------------------------------------


def test_a_store_opened_again_holds_what_was_put(tmp_path: Path) -> None:
    index: Any = {"fields": ["text"], "embed": lambda texts: HashingEmbedder(64).embed(list(texts)).tolist()}
    with MnemoloomStore.from_conn_string(str(tmp_path / "s"), index=index, identity="hash") as store:
        store.setup()
        store.put(ANN, "a" * 900, {"text": "a boat"})
        before = store.get(ANN, "a" * 900)
    with MnemoloomStore.from_conn_string(str(tmp_path / "s"), index=index, identity="hash") as store:
        store.setup()
        assert store.get(ANN, "a" * 900) == before
        assert keys(store.search((), query="boat")) == ["a" * 900]
        assert store.memory.verify().ok


def test_an_async_embedding_function_serves_plain_and_async_calls() -> None:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return HashingEmbedder(64).embed(list(texts)).tolist()

    async def scenario(store: MnemoloomStore) -> None:
        await store.aput(ANN, "b", {"text": "a kettle"})
        store.put(ANN, "c", {"text": "a map"})
        assert keys(await store.asearch(ANN, query="kettle", limit=1)) == ["b"]

    with MnemoloomStore.open(":memory:", index={"dims": 64, "embed": embed}) as store:
        store.put(ANN, "a", {"text": "a boat"})
        asyncio.run(scenario(store))
        assert len(store.search(ANN, query="map")) == 3


def test_vectors_of_another_width_than_the_index_says_are_refused_and_nothing_is_put() -> None:
    def embed(texts: Sequence[str]) -> list[list[float]]:
        return HashingEmbedder(64).embed(list(texts)).tolist()

    with MnemoloomStore.open(":memory:", index={"dims": 100, "embed": embed}) as store:
        with pytest.raises(EmbedderError, match=r"width 100, which is what dims says; got an array of shape \(1, 64\)"):
            store.put(ANN, "a", {"text": "a boat"})
        assert store.search(()) == []
    with pytest.raises(ValidationError, match="dims"):
        MnemoloomStore.open(":memory:", index={"dims": 0, "embed": embed})


def test_a_text_is_encoded_once_however_often_it_is_put() -> None:
    embedder = CountingEmbedder()
    with MnemoloomStore.open(":memory:", embedder=embedder, index={"fields": ["text"]}) as store:
        store.batch([PutOp(ANN, str(n), {"text": "boat", "n": n}) for n in range(20)])
        assert embedder.encoded == ["boat"]
        store.put(ANN, "0", {"text": "boat", "n": 99})
        assert embedder.encoded == ["boat"]


def test_a_store_filled_without_an_encoder_is_searched_by_meaning_once_it_has_one(tmp_path: Path) -> None:
    with Memory.open(tmp_path / "s") as memory:
        MnemoloomStore(memory, fields=["text"]).put(ANN, "a", {"text": "a boat"})
    with Memory.open(tmp_path / "s", embedder=HashingEmbedder(64)) as memory:
        memory.reembed()
        assert MnemoloomStore(memory, fields=["text"]).search((), query="boat")[0].score > 0.5


def test_fields_that_are_one_string_are_refused() -> None:
    with Memory.open(":memory:") as memory, pytest.raises(ConfigError, match="list of paths"):
        MnemoloomStore(memory, fields="text")


def test_scores_are_the_cosines_of_the_best_text(store: MnemoloomStore) -> None:
    rng, words = np.random.default_rng(7), [f"word{n}" for n in range(30)]
    texts = {str(n): [" ".join(rng.choice(words, 4)) for _ in range(1 + n % 4)] for n in range(40)}
    store.batch([PutOp(("n", str(int(key) % 3)), key, {"x": found}, ["x[*]"]) for key, found in texts.items()])
    embedder = HashingEmbedder(64)
    query = "word1 word2 word3"
    row = embedder.embed([query])[0]
    want = {key: float((embedder.embed(found) @ row).max()) for key, found in texts.items()}
    found = store.search((), query=query, limit=40)
    assert {item.key: item.score for item in found} == pytest.approx(want, abs=1e-6)
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    paged = [item.key for offset in range(0, 40, 7) for item in store.search((), query=query, limit=7, offset=offset)]
    assert paged == keys(found)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"owner": {"name": "Ann"}}, ["more", "only"]),
        ({"owner": {"$eq": {"name": "Ann"}}}, ["only"]),
        ({"owner": {"$ne": {"name": "Ann"}}}, ["list", "more", "null"]),
        ({"owner": {"$eq": {"age": None}}}, ["null"]),
        ({"owner": [{"name": "Ann"}]}, ["list"]),
        ({"owner": {"$eq": [{"name": "Ann"}]}}, []),
    ],
)
def test_an_object_below_an_operator_stands_for_itself(store: MnemoloomStore, asked: Any, found: list[str]) -> None:
    owners = {
        "only": {"name": "Ann"},
        "more": {"name": "Ann", "age": 3},
        "list": [{"name": "Ann", "age": 3}],
        "null": {"age": None},
    }
    store.batch([PutOp(ANN, key, {"owner": owner}) for key, owner in owners.items()])
    assert sorted(keys(store.search(ANN, filter=asked))) == found


def nested(levels: int) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(levels):
        deep = {"a": deep}
    return deep


@pytest.mark.parametrize("asked", [{"$or": [{"n": 1}, {"n": 2}]}, {"$and": []}, {"a": {"b": {"$c": 1}}}, nested(5000)])
def test_a_filter_that_would_silently_match_nothing_is_refused(store: MnemoloomStore, asked: Any) -> None:
    with pytest.raises(FilterError):
        store.search(ANN, filter=asked)
