"""Concurrent writers share commits; a call that fails changes nothing for itself or for the others."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import DimensionMismatchError, LoomError, StorageFailure, UnknownMemoryError
from mnemoloom.storage import memories

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused, StartPython

THREADS = 16
EACH = 20


def run_together(*jobs: Callable[[], None]) -> None:
    """Run jobs in threads that start at the same moment; what one of them raises is raised here."""
    gate, faults = threading.Barrier(len(jobs)), []

    def run(job: Callable[[], None]) -> None:
        try:
            gate.wait(30)
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            faults.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a call never returned"
    for fault in faults:
        raise fault


def connection_of(memory: Memory) -> sqlite3.Connection:
    return memory._opened.store._connection


def logged(memory: Memory) -> list[tuple[int, str, int]]:
    with memory._opened.store.reading() as connection:
        return connection.execute("SELECT seq, op, memory FROM log ORDER BY rowid").fetchall()


def test_what_sixteen_writers_were_promised_is_all_there_and_took_fewer_commits_than_calls(
    memory: Memory, folder: Path, open_memory: OpenMemory, hashing: HashingEmbedder
) -> None:
    statements: list[str] = []
    promised: dict[int, str] = {}

    def writer(name: int) -> Callable[[], None]:
        def write() -> None:
            for number in range(EACH):
                text = f"Writer {name} notes item {number}."
                promised[memory.remember(text)] = text

        return write

    memory.remember("The first of all.")
    connection_of(memory).set_trace_callback(statements.append)
    run_together(*(writer(name) for name in range(THREADS)))
    connection_of(memory).set_trace_callback(None)
    commits = sum(statement.upper().startswith("COMMIT") for statement in statements)
    assert 0 < commits < THREADS * EACH
    assert len(promised) == THREADS * EACH
    assert {record.id: record.text for record in memory.records(after_id=1)} == promised
    assert [seq for seq, _, _ in logged(memory)] == list(range(1, THREADS * EACH + 2))
    kept_open = [(hit.id, hit.score) for hit in memory.recall("Writer 7 notes item 13.", k=20)]
    memory.close()
    again = open_memory(folder, embedder=hashing)
    assert [hit.id for hit in again.recall("Writer 7 notes item 13.", k=20)] == [memory for memory, _ in kept_open]
    assert len(again) == THREADS * EACH + 1
    assert again.verify().ok


def test_what_a_writer_was_promised_it_can_recall_at_once(memory: Memory) -> None:
    def writer(name: int) -> Callable[[], None]:
        def write() -> None:
            for number in range(EACH):
                text = f"Marker m{name}x{number} was set."
                written = memory.remember(text)
                assert memory.recall(text, k=1)[0].id == written
                assert memory.get(written).text == text

        return write

    run_together(*(writer(name) for name in range(6)))


def test_one_thread_that_keeps_failing_does_not_harm_the_others(memory: Memory) -> None:
    memory.remember("The width of the store is settled by this.")
    promised: list[int] = []

    def write() -> None:
        promised.extend(memory.remember("An ordinary note.") for _ in range(EACH))

    def forget_nothing() -> None:
        for _ in range(EACH):
            with pytest.raises(UnknownMemoryError):
                memory.forget(1_000_000)

    def bring_a_wrong_vector() -> None:
        for _ in range(EACH):
            with pytest.raises(DimensionMismatchError):
                memory.remember("never stored", vector=np.ones(3))

    run_together(write, forget_nothing, write, bring_a_wrong_vector, write)
    assert sorted(promised) == [record.id for record in memory.records(after_id=1)]
    assert len(set(promised)) == 3 * EACH
    assert memory.stats().entries == 3 * EACH + 1
    assert memory.verify().ok


def test_what_is_committed_after_another_write_has_failed_is_found_by_its_words(
    memory: Memory, open_memory: OpenMemory, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = memory.remember("Alpha, beta, gamma and delta.")
    memory.remember("Omega, sigma and tau.")
    memory.forget(gone)  # words are counted otherwise once the memories are read anew
    store, commit = memory._opened.store, memory._opened.store._commit_all
    failed = []

    def fail_and_ask() -> None:
        with pytest.raises(UnknownMemoryError):
            memory.remember("Of something that is not there.", derived_from=[999])
        asking = threading.Thread(target=lambda: memory.recall("omega", update=False))
        asking.start()
        asking.join()

    def commits_late() -> None:
        if store._pending and not failed:
            failed.append(True)
            fail_and_ask()  # a thread that came while this one gathered others for its commit
        commit()

    monkeypatch.setattr(store, "_commit_all", commits_late)
    memory.remember("Kappa, lambda and rho.")
    monkeypatch.undo()
    memory.remember("Zeta, eta and theta.")
    assert failed
    reader = open_memory(folder, read_only=True, embedder=memory.embedder)
    for word in ("kappa", "lambda", "zeta", "theta", "omega"):
        found, read = (each.recall(word, update=False)[0] for each in (memory, reader))
        assert word.capitalize() in found.text or word in found.text
        assert (found.text, dict(found.parts)) == (read.text, dict(read.parts))


@pytest.mark.parametrize("late", [False, True])
def test_what_recall_has_noted_outlives_a_write_that_fails(
    open_memory: OpenMemory, folder: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    memory = open_memory(folder)
    memory.remember("My budget for the trip is $900.", speaker="Ann", time="2026-03-01")
    memory.remember("We raised the budget for the trip to $1,200.", speaker="Ann", time="2026-04-11")
    memory.recall("How much is the budget for the trip?")
    noted = memory.get(1).accessed
    assert noted is not None
    store = memory._opened.store

    def breaks_off(*_: object, **__: object) -> None:
        if not late:
            raise StorageFailure("the disk is full")
        store._connection.execute("ROLLBACK")
        store._fail(StorageFailure("the disk is full"))

    with monkeypatch.context() as patched:
        if late:
            patched.setattr(store, "_commit_all", breaks_off)
        else:
            patched.setattr(memories, "link", breaks_off)
        for write in (lambda: memory.remember("Never stored."), memory._writer.flush_noted):
            with pytest.raises(StorageFailure):
                write()
    assert memory.get(1).accessed == noted
    assert [record.id for record in memory.history(1)] == [1, 2]
    memory.close()
    memory = open_memory(folder)
    assert memory.get(1).accessed == noted
    assert [record.id for record in memory.history(1)] == [1, 2]


def test_of_two_callers_who_settle_the_width_at_once_one_is_refused(open_memory: OpenMemory, folder: Path) -> None:
    memory = open_memory(folder)
    outcomes: list[str] = []

    def bring(width: int) -> Callable[[], None]:
        def write() -> None:
            try:
                memory.remember(f"with {width} numbers", vector=np.ones(width))
                outcomes.append("stored")
            except DimensionMismatchError:
                outcomes.append("refused")

        return write

    run_together(bring(8), bring(16))
    assert sorted(outcomes) == ["refused", "stored"]
    assert len(memory) == memory.stats().entries == 1
    assert memory.verify().ok


def test_the_same_external_id_from_many_threads_leaves_one_memory(memory: Memory) -> None:
    def writer(name: int) -> Callable[[], None]:
        return lambda: [memory.remember(f"Version {name}.{i}", external_id="one") for i in range(10)] and None

    run_together(*(writer(name) for name in range(6)))
    assert len(memory) == 1
    assert memory.get("one").text == next(iter(memory.records())).text
    assert [hit.text for hit in memory.recall("Version", k=99)] == [memory.get("one").text]
    assert memory.verify().ok


def test_nothing_of_a_failed_batch_is_visible_and_the_store_goes_on(memory: Memory, refused: Refused) -> None:
    memory.remember("The width of the store is settled by this.")
    with refused(memory, DimensionMismatchError):
        memory.remember_many(["half of a failing call", {"text": "the other half", "vector": [1.0]}])
    assert len(memory.recall("half of a failing call", profile="lexical")) == 0
    assert memory.recall(memory.get(memory.remember("The next note.")).text, k=1)[0].text == "The next note."
    assert memory.verify().ok


def limited(memory: Memory, pages: int) -> int:
    """Let the database grow by at most `pages` pages, as a full disk would; the limit that was in force."""
    connection = connection_of(memory)
    (before,) = connection.execute("PRAGMA max_page_count").fetchone()
    (used,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {used + pages}")
    return int(before)


def test_a_full_database_is_a_storage_failure_and_leaves_all_that_was_promised(
    memory: Memory, folder: Path, open_memory: OpenMemory
) -> None:
    promised = [memory.remember("Before the disk was full.")]
    before = limited(memory, pages=30)
    with pytest.raises(StorageFailure, match=r"store\.db"):  # noqa: PT012 - which call fails is not the point
        for number in range(10_000):
            promised.append(memory.remember(f"Note {number}. " + "It is long. " * 100))
    assert 1 < len(promised) < 10_000
    assert [record.id for record in memory.records()] == promised
    assert len(memory) == len(promised)
    assert memory.recall("Before the disk was full.", k=1)[0].id == promised[0]
    assert memory.verify().ok
    connection_of(memory).execute(f"PRAGMA max_page_count = {before}")
    promised.append(memory.remember("After the disk was cleared. " * 100))
    memory.close()
    again = open_memory(folder)
    assert [record.id for record in again.records()] == promised
    assert again.verify().ok


def test_writers_that_share_a_failing_transaction_are_all_told(memory: Memory) -> None:
    promised: list[int] = []
    failed: list[int] = []
    memory.remember("Before the disk was full.")
    before = limited(memory, pages=40)

    def writer(name: int) -> Callable[[], None]:
        def write() -> None:
            for number in range(12):
                try:
                    promised.append(memory.remember(f"Note {name}.{number}. " + "It is long. " * 200))
                except StorageFailure:
                    failed.append(number)

        return write

    run_together(*(writer(name) for name in range(8)))
    assert failed
    assert [record.id for record in memory.records(after_id=1)] == sorted(promised)
    assert memory.stats().entries == len(promised) + 1
    connection_of(memory).execute(f"PRAGMA max_page_count = {before}")
    assert memory.remember("After the disk was cleared.") == len(promised) + 2
    assert len(memory) == len(promised) + 2
    assert memory.verify().ok


_LIMITED = """
import resource, sys
from mnemoloom import Memory
from mnemoloom.errors import StorageFailure
memory = Memory.open(sys.argv[1])
promised = [memory.remember("Before the limit.")]
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
failures = 0
while failures < 3:
    try:
        promised.append(memory.remember(f"Note {len(promised)}. " + "It is long. " * 500))
    except StorageFailure:
        failures += 1
assert [record.id for record in memory.records()] == promised, "something is half there"
assert memory.recall("Before the limit.", k=1)[0].id == promised[0]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
promised.append(memory.remember("After the limit."))
assert [record.id for record in memory.records()] == promised
assert memory.verify().ok
if "close" in sys.argv:
    memory.close()
print(*promised, flush=True)
"""
_LIMITED_AT_THE_FIRST_WRITE = """
import os, resource, sys, threading
from mnemoloom import Memory
from mnemoloom.errors import StorageFailure
memory = Memory.open(sys.argv[1])
size = os.stat(memory._opened.store.where + "-wal").st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
gate, outcomes = threading.Barrier(8), []

def write(number):
    gate.wait()
    try:
        outcomes.append(memory.remember(f"Note {number}"))
    except StorageFailure:
        outcomes.append("failed")

threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert outcomes == ["failed"] * 8, outcomes
assert (len(memory), memory.stats().entries, memory.namespaces()) == (0, 0, [])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(memory.remember("After the limit."), memory.recall("limit")[0].text, memory.verify().ok, flush=True)
memory.close()
"""

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

if resource is not None:

    @pytest.mark.parametrize("end", ["close", "leave"])
    def test_a_commit_that_the_disk_refuses_is_a_storage_failure_and_loses_nothing(
        folder: Path, open_memory: OpenMemory, start_python: StartPython, end: str
    ) -> None:
        process = start_python("-c", _LIMITED, folder, end)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        memory = open_memory(folder)
        assert [record.id for record in memory.records()] == [int(word) for word in said.split()]
        assert memory.verify().ok

    def test_a_store_whose_very_first_writes_were_refused_takes_the_next_one(
        folder: Path, start_python: StartPython
    ) -> None:
        said, _ = start_python("-c", _LIMITED_AT_THE_FIRST_WRITE, folder).communicate(timeout=60)
        assert said == "1 After the limit. True\n"


def test_a_cache_that_cannot_be_written_fails_no_call_and_keeps_no_lock(
    folder: Path, open_memory: OpenMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    memory = open_memory(folder)
    memory.remember("The first.")
    memory.remember_many(f"Note {number} of many." for number in range(700))
    memory.recall("many")
    with monkeypatch.context() as patch:
        patch.setattr("mnemoloom.recall.live.write_cache", refuse)
        memory.close()
    assert len(open_memory(folder)) == 701


def test_a_failure_is_one_of_this_library(memory: Memory) -> None:
    connection_of(memory).execute("PRAGMA query_only = 1")
    with pytest.raises(LoomError):
        memory.remember("This cannot be written.")
    connection_of(memory).execute("PRAGMA query_only = 0")
    assert memory.remember("This can.") == 1
