"""Objects of one process share a store, and the last one closes it."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest

from llama_index.vector_stores.mnemoloom.sharing import share
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, NotAStoreError, StoreClosedError, StoreLockedError


def test_two_shares_of_a_folder_are_one_store_seen_from_two_namespaces(folder: Path) -> None:
    one, two = share(folder, namespace=("a",)), share(str(folder), namespace=("b",))
    one.memory.remember("tea")
    assert (len(one.memory), len(two.memory)) == (1, 0)
    assert one.path == two.path == str(folder.resolve())
    one.close()
    two.memory.remember("dog")
    two.close()
    with pytest.raises(StoreClosedError):
        two.memory.remember("late")
    with Memory.open(folder, namespace=("b",)) as memory:
        assert len(memory) == 1


def test_a_share_that_nobody_holds_any_more_is_given_back(folder: Path) -> None:
    kept = share(folder, namespace=("a",))
    with pytest.raises(StoreLockedError):
        Memory.open(folder, lock_timeout=0.0)
    del kept
    gc.collect()
    Memory.open(folder, lock_timeout=0.0).close()


def test_closing_a_share_twice_is_closing_it_once(folder: Path) -> None:
    one, two = share(folder, namespace=("a",)), share(folder, namespace=("a",))
    one.close()
    one.close()
    two.memory.remember("still open")
    two.close()


def test_an_embedder_is_used_by_all_and_another_one_is_refused(folder: Path) -> None:
    one = share(folder, namespace=("a",), embedder=HashingEmbedder(64))
    two = share(folder, namespace=("b",))
    assert two.memory.embedder is one.memory.embedder
    share(folder, namespace=("b",), embedder=HashingEmbedder(64)).close()
    with pytest.raises(ConfigError, match="hashing"):
        share(folder, namespace=("b",), embedder=HashingEmbedder(32))
    one.close()
    two.close()


def test_a_store_that_its_owner_closed_is_opened_again(folder: Path) -> None:
    with Memory.open(folder) as memory:
        lent = share(memory, namespace=("a",))
        lent.memory.remember("tea")
    again = share(folder, namespace=("a",))
    assert len(again.memory) == 1
    lent.close()
    assert len(again.memory) == 1
    again.close()


def test_memories_that_live_in_memory_are_told_apart() -> None:
    with Memory.open(":memory:") as one, Memory.open(":memory:") as two:
        first, second = share(one, namespace=("a",)), share(two, namespace=("a",))
        first.memory.remember("tea")
        assert first.path != second.path
        assert (len(share(first.path, namespace=("a",)).memory), len(second.memory)) == (1, 0)
        first.close()
        second.close()
    gc.collect()
    with pytest.raises(NotAStoreError):
        share(first.path, namespace=("a",))


def test_many_threads_that_open_a_folder_at_once_open_it_once(folder: Path) -> None:
    shares, errors = [], []

    def work(number: int) -> None:
        try:
            shares.append(share(folder, namespace=(f"n{number}",)))
        except BaseException as error:  # noqa: BLE001 - for the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(shares), errors) == (8, [])
    for each in shares:
        each.close()
    Memory.open(folder, lock_timeout=0.0).close()
