"""One writer a folder: who comes second is told at once, and gets the folder as soon as it is free."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import EmbedderMismatchError, NotAStoreError, StoreLockedError, ValidationError

if TYPE_CHECKING:
    from conftest import OpenMemory, StartPython

_HOLDER = """
import sys
from mnemoloom import Memory
memory = Memory.open(sys.argv[1])
memory.remember("written by the other process")
print("open", flush=True)
sys.stdin.readline()
memory.close()
print("closed", flush=True)
"""


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def assert_locked(folder: Path) -> None:
    started = time.monotonic()
    with pytest.raises(StoreLockedError, match="another handle or process"):
        Memory.open(folder)
    assert time.monotonic() - started < 1.0


def test_a_second_writer_of_the_same_process_is_refused_within_a_second(memory: Memory, folder: Path) -> None:
    assert_locked(folder)
    memory.remember("The first writer goes on undisturbed.")


def test_a_writer_opens_once_the_first_has_closed(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    memory.remember("The kettle is in the attic.")
    memory.close()
    assert open_memory(folder).recall("kettle")[0].text == "The kettle is in the attic."


def test_a_patient_writer_waits_until_the_first_lets_go(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    threading.Timer(0.3, memory.close).start()
    assert len(open_memory(folder, lock_timeout=10.0)) == 0


def test_a_second_writer_is_refused_while_another_process_writes(
    folder: Path, open_memory: OpenMemory, start_python: StartPython
) -> None:
    with start_python("-c", _HOLDER, folder) as holder:
        assert heard(holder) == "open"
        assert_locked(folder)
        holder.communicate("close\n", timeout=30)
    assert len(open_memory(folder)) == 1


def test_a_writer_opens_at_once_after_the_other_process_was_killed(
    folder: Path, open_memory: OpenMemory, start_python: StartPython
) -> None:
    with start_python("-c", _HOLDER, folder) as holder:
        assert heard(holder) == "open"
        holder.kill()
        holder.wait(timeout=30)
    memory = open_memory(folder)
    assert [record.text for record in memory.records()] == ["written by the other process"]


def test_an_opening_that_fails_keeps_no_lock(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    memory.remember("Encoded with 64 numbers.")
    memory.close()
    with pytest.raises(EmbedderMismatchError):
        Memory.open(folder, embedder=HashingEmbedder(32))
    assert len(open_memory(folder)) == 1


def test_a_refused_folder_gets_no_lock_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NotAStoreError):
        Memory.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("timeout", [-1, float("nan"), "5"])
def test_a_waiting_time_that_makes_no_sense_is_refused(folder: Path, timeout: object) -> None:
    # filelock takes a negative timeout for "wait for ever", and no call here may do that
    with pytest.raises((ValidationError, TypeError)):
        Memory.open(folder, lock_timeout=timeout).close()  # type: ignore[arg-type]


def test_closing_twice_is_closing_once(memory: Memory, folder: Path, open_memory: OpenMemory) -> None:
    memory.close()
    other = open_memory(folder)
    memory.close()
    assert_locked(folder)
    other.close()


if hasattr(os, "fork"):
    _FORKING = """
import asyncio, gc, os, sys
from mnemoloom import Memory, Tier
from mnemoloom.errors import ForkedStoreError, StoreLockedError

memory = Memory.open(sys.argv[1])
memory.remember("written before the fork")

def in_the_child():
    verbs = {
        "remember": lambda: memory.remember("x"), "recall": lambda: memory.recall("x"),
        "why": lambda: memory.why("x", 1), "get": lambda: memory.get(1), "forget": lambda: memory.forget(1),
        "pin": lambda: memory.pin(1), "move": lambda: memory.move(1, Tier.COLD), "len": lambda: len(memory),
        "records": lambda: list(memory.records()), "stats": memory.stats, "verify": memory.verify,
        "namespaces": memory.namespaces, "at": lambda: memory.at("other").remember("x"),
        "arecall": lambda: asyncio.run(memory.arecall("x")),
    }
    for name, verb in verbs.items():
        try:
            verb()
        except ForkedStoreError:
            continue
        print(name, "was not refused", flush=True)

def locked():
    try:
        Memory.open(sys.argv[1])
    except StoreLockedError:
        return True
    return False

for way in ("use", "collect", "close", "exit"):
    child = os.fork()
    if child == 0:
        if way == "use":
            in_the_child()
        elif way == "collect":
            del memory
            gc.collect()
        elif way == "close":
            try:
                memory.close()
            except ForkedStoreError:
                pass
        else:
            sys.exit()
        os._exit(0)
    os.waitpid(child, 0)
    if not locked():
        print("the parent lost its lock after the child's", way, flush=True)
    memory.remember("written after the fork")
print(len(memory), memory.verify().ok, flush=True)
memory.close()
"""

    def test_after_a_fork_the_child_is_refused_and_the_parent_goes_on(folder: Path, start_python: StartPython) -> None:
        # a process of its own forks: a child of the test run would inherit all that the test run has open
        with start_python("-c", _FORKING, folder) as process:
            said, _ = process.communicate(timeout=60)
        assert said.splitlines() == ["5 True"]
