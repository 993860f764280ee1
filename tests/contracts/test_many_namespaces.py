"""One process, many tenants: what each gets is the same, however few of them are kept in memory."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mnemoloom import Config, Memory
from mnemoloom.errors import ConfigError

TENANTS = 12


def remembered(memory: Memory) -> dict[int, list[tuple[str, float]]]:
    return {
        tenant: [(hit.text, round(hit.score, 6)) for hit in memory.at("users", str(tenant)).recall("Which boat?", 3)]
        for tenant in range(TENANTS)
    }


def filled(folder: Path | str, kept: int) -> Memory:
    memory = Memory.open(folder, config=Config(open_namespaces=kept))
    for turn in range(6):
        for tenant in range(TENANTS):
            memory.at("users", str(tenant)).remember(f"Boat {turn} of {tenant} is called Gull {turn * tenant}.")
    return memory


@pytest.mark.parametrize("kept", [1, 3])
def test_few_namespaces_in_memory_answer_as_all_of_them_do(tmp_path: Path, kept: int) -> None:
    with filled(tmp_path / "few", kept) as few, filled(":memory:", 1000) as all_kept:
        assert remembered(few) == remembered(all_kept)
        assert sum(shelf.loaded for shelf in few._opened.shelves()) <= kept + 1
        assert sum(shelf.loaded for shelf in all_kept._opened.shelves()) == TENANTS


def test_what_a_resting_namespace_was_asked_is_not_forgotten(tmp_path: Path) -> None:
    with filled(tmp_path, 1) as memory:
        hit = memory.at("users", "3").recall("Which boat?")[0]
        remembered(memory)
        assert memory.at("users", "3").get(hit.id).accessed is not None
    with Memory.open(tmp_path, namespace=("users", "3"), read_only=True) as memory:
        assert memory.get(hit.id).accessed is not None
        assert memory.verify().ok


def test_threads_that_take_turns_among_tenants_lose_nothing(tmp_path: Path) -> None:
    with Memory.open(tmp_path, config=Config(open_namespaces=1)) as memory:

        def write(tenant: int) -> None:
            for turn in range(25):
                handle = memory.at("users", str(tenant))
                handle.remember(f"Note {turn} of {tenant}.")
                assert handle.recall(f"note {turn}", 50)[0].text.endswith(f"of {tenant}.")

        threads = [threading.Thread(target=write, args=(tenant,)) for tenant in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for tenant in range(4):
            found = [record.text for record in memory.at("users", str(tenant)).records()]
            assert found == [f"Note {turn} of {tenant}." for turn in range(25)]


@pytest.mark.parametrize("kept", [0, -1, 1.5, True, "many"])
def test_the_number_of_namespaces_is_a_whole_number_of_at_least_one(kept: object) -> None:
    with pytest.raises(ConfigError, match="open_namespaces"):
        Config(open_namespaces=kept)  # type: ignore[arg-type]
