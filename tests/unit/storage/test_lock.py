"""The lock of a folder: held by one, freed by letting go, and by nothing else."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest

from mnemoloom.errors import StorageFailure, StoreLockedError
from mnemoloom.storage.lock import WriterLock


def test_a_held_lock_is_refused_in_time(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path, timeout=0.1)
    started = time.monotonic()
    with pytest.raises(StoreLockedError, match=str(tmp_path)):
        WriterLock(tmp_path, timeout=0.2)
    assert 0.15 < time.monotonic() - started < 1.0
    lock.release()


def test_a_lock_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    for _ in range(3):
        WriterLock(tmp_path, timeout=0.1).release()


def test_a_refused_taker_does_not_free_the_holder(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path, timeout=0.1)
    for _ in range(2):
        with pytest.raises(StoreLockedError):
            WriterLock(tmp_path, timeout=0.0)
        gc.collect()
    lock.release()


def test_a_file_left_behind_by_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "LOCK").write_text("4711")
    WriterLock(tmp_path, timeout=0.1).release()


def test_a_folder_without_the_lock_s_place_is_a_storage_failure(tmp_path: Path) -> None:
    (tmp_path / "LOCK").mkdir()
    with pytest.raises(StorageFailure, match="LOCK"):
        WriterLock(tmp_path, timeout=0.1)
