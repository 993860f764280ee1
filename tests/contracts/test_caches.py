"""Caches change nothing but the time that opening takes: damaged, foreign or missing, the answers are the same."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from mnemoloom import ManualClock, Memory, Tier
from mnemoloom.embedders import HashingEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory

QUERIES = (
    "Where is the violin?",
    "What did Ann say about the boat in the harbour?",
    "Which kettle did Ben find on 3 March 2026?",
    "What is the latest news of the ladder?",
)
PROFILES = (None, "document", "concert", "assistant")
FLIPS = 60


class Answer(NamedTuple):
    """What a memory answers to a query: ids in order, scores, and what `why` says of the best hit and of memory 5."""

    ids: list[int]
    scores: list[float]
    parts: list[dict[str, float]]
    why: list[tuple[bool, list[tuple[str, bool]], int | None]]


def drafts(count: int, *, seed: int, first: int = 0) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    things = ("violin", "boat", "kettle", "ladder", "letter", "clock", "apron", "bicycle")
    places = ("harbour", "attic", "garden", "station", "library", "market")
    return [
        {
            "text": f"Note {first + i}: the {chance.choice(things)} is in the {chance.choice(places)}.",
            "speaker": chance.choice(("Ann", "Ben", "assistant", None)),
            "session": f"session {i // 20}",
            "time": f"2026-03-{1 + i % 28:02d}T12:00:00",
        }
        for i in range(count)
    ]


def answers(memory: Memory, *, k: int = 10, profiles: tuple[str | None, ...] = PROFILES) -> list[Answer]:
    found = []
    for query in QUERIES:
        for profile in profiles:
            hits = memory.recall(query, k=k, profile=profile, update=False)
            reasons = [memory.why(query, key, k=k, profile=profile) for key in (*[hit.id for hit in hits[:1]], 5)]
            found.append(
                Answer(
                    [hit.id for hit in hits],
                    [hit.score for hit in hits],
                    [dict(hit.parts) for hit in hits],
                    [(each.recalled, [(s.name, s.passed) for s in each.stages], each.rank) for each in reasons],
                )
            )
    return found


def assert_same(got: list[Answer], want: list[Answer]) -> None:
    for mine, theirs in zip(got, want, strict=True):
        assert mine.ids == theirs.ids
        assert mine.why == theirs.why
        assert mine.scores == pytest.approx(theirs.scores, abs=1e-6)
        assert [each.keys() for each in mine.parts] == [each.keys() for each in theirs.parts]
        for my_parts, their_parts in zip(mine.parts, theirs.parts, strict=True):
            assert my_parts == pytest.approx(their_parts, abs=1e-6)


def cache_file(folder: Path) -> Path:
    (path,) = (folder / "cache").iterdir()
    return path


def changed(memory: Memory) -> Memory:
    """Forget, pin, cool and replace some memories."""
    for note in (3, 20, 21, 22, 400):
        memory.forget(note)
    memory.pin(30)
    memory.move(31, Tier.COLD)
    memory.move(50, Tier.COLD)
    memory.move(50, Tier.LONG_TERM)
    return memory


@pytest.fixture
def filled(memory: Memory) -> Memory:
    """700 memories, some forgotten, pinned or cold; still open."""
    memory.remember_many(drafts(700, seed=1))
    memory.recall("violin", update=False)
    return changed(memory)


@pytest.fixture
def reopened(
    folder: Path, clock: ManualClock, hashing: HashingEmbedder, open_memory: OpenMemory
) -> Callable[..., Memory]:
    """`reopened(**options)`: the same store, opened again."""
    return lambda **options: open_memory(folder, clock=clock, embedder=hashing, **options)


def test_kept_open_and_reopened_with_and_without_caches_answer_alike(
    filled: Memory, folder: Path, reopened: Callable[..., Memory]
) -> None:
    kept_open = answers(filled)
    filled.close()
    assert cache_file(folder).stat().st_size > 100_000
    with reopened() as with_cache:
        assert_same(answers(with_cache), kept_open)
    shutil.rmtree(folder / "cache")
    assert_same(answers(reopened()), kept_open)


def test_a_large_first_batch_leaves_a_cache_behind(memory: Memory, folder: Path) -> None:
    memory.remember_many(drafts(700, seed=1))
    memory.close()
    assert cache_file(folder).stat().st_size > 100_000


def test_what_is_written_after_opening_from_a_cache_is_answered_as_without_it(
    filled: Memory, folder: Path, reopened: Callable[..., Memory]
) -> None:
    filled.close()
    with reopened() as memory:
        memory.recall("violin", update=False)
        memory.remember_many(drafts(60, seed=2, first=700))
        for note in (1, 699, memory.stats().entries):
            memory.forget(note)
        memory.move(2, Tier.COLD)
        memory.move(31, Tier.LONG_TERM)
        kept_open = answers(memory)
    with reopened() as with_cache:  # the cache is older than the last writes
        assert_same(answers(with_cache), kept_open)
    shutil.rmtree(folder / "cache")
    assert_same(answers(reopened()), kept_open)


def test_no_flipped_byte_of_a_cache_changes_an_answer(
    filled: Memory, folder: Path, reopened: Callable[..., Memory]
) -> None:
    want = answers(filled, profiles=(None,))
    filled.close()
    path = cache_file(folder)
    intact, chance = path.read_bytes(), random.Random(7)
    header = 48 + int.from_bytes(intact[8:16], "little")
    places = [*range(0, 48, 6), *chance.sample(range(48, header), 12)]
    places += [header + (len(intact) - header) * i // (FLIPS - len(places)) for i in range(FLIPS - len(places))]
    for place in places:
        damaged = bytearray(intact)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with reopened(read_only=True) as memory:
            assert_same(answers(memory, profiles=(None,)), want)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.9999])
def test_a_torn_cache_is_rebuilt_and_written_anew(
    filled: Memory, folder: Path, reopened: Callable[..., Memory], share: float
) -> None:
    want = answers(filled, profiles=(None,))
    filled.close()
    path = cache_file(folder)
    intact = path.read_bytes()
    path.write_bytes(intact[: int(len(intact) * share)])
    with reopened() as memory:
        assert_same(answers(memory, profiles=(None,)), want)
    assert cache_file(folder).stat().st_size > 0.9 * len(intact)
    assert_same(answers(reopened(), profiles=(None,)), want)


def test_a_cache_with_bytes_behind_its_end_is_not_trusted(
    filled: Memory, folder: Path, reopened: Callable[..., Memory]
) -> None:
    want = answers(filled, profiles=(None,))
    filled.close()
    with open(cache_file(folder), "ab") as file:
        file.write(b"more")
    assert_same(answers(reopened(), profiles=(None,)), want)


def test_a_cache_from_before_more_writes_is_brought_up_to_date(
    filled: Memory, folder: Path, reopened: Callable[..., Memory]
) -> None:
    filled.close()
    old = cache_file(folder).read_bytes()
    with reopened() as memory:
        memory.remember_many(drafts(600, seed=3, first=700))
        memory.forget(7)
        memory.pin(8)
        want = answers(memory)
    newer = cache_file(folder)
    assert newer.read_bytes() != old
    newer.write_bytes(old)
    assert_same(answers(reopened()), want)


def test_a_cache_from_after_a_restored_backup_is_not_trusted(
    filled: Memory, folder: Path, tmp_path: Path, reopened: Callable[..., Memory]
) -> None:
    want = answers(filled)
    filled.close()
    shutil.copytree(folder, tmp_path / "backup")
    with reopened() as memory:
        memory.remember_many(drafts(600, seed=4, first=700))
        memory.forget(9)
    shutil.copy(tmp_path / "backup" / "store.db", folder / "store.db")
    assert_same(answers(reopened()), want)


def test_a_cache_of_another_history_of_the_same_store_is_not_trusted(
    filled: Memory, folder: Path, tmp_path: Path, reopened: Callable[..., Memory]
) -> None:
    filled.close()
    shutil.copytree(folder, tmp_path / "backup")
    with reopened() as memory:
        memory.remember_many(drafts(600, seed=5, first=700))
    other_history = cache_file(folder).read_bytes()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    with reopened() as memory:
        memory.remember_many(drafts(600, seed=6, first=700))
        want = answers(memory)
    cache_file(folder).write_bytes(other_history)
    assert_same(answers(reopened()), want)


def test_a_cache_of_another_store_is_not_trusted(
    filled: Memory,
    folder: Path,
    tmp_path: Path,
    hashing: HashingEmbedder,
    open_memory: OpenMemory,
    reopened: Callable[..., Memory],
) -> None:
    want = answers(filled)
    filled.close()
    other = open_memory(tmp_path / "other", embedder=hashing)
    other.remember_many(drafts(700, seed=8))
    other.recall("violin", update=False)
    changed(other).close()
    shutil.copy(cache_file(tmp_path / "other"), cache_file(folder))
    assert_same(answers(reopened()), want)


def test_a_cache_of_another_encoder_is_not_trusted(
    filled: Memory, folder: Path, open_memory: OpenMemory, clock: ManualClock
) -> None:
    filled.close()
    before = cache_file(folder).read_bytes()
    with open_memory(folder, clock=clock, embedder=HashingEmbedder(32), reembed=True) as memory:
        want = answers(memory)
    cache_file(folder).write_bytes(before)
    assert_same(answers(open_memory(folder, clock=clock, embedder=HashingEmbedder(32))), want)


def test_a_cache_folder_that_is_a_file_does_not_stop_anybody(
    filled: Memory, folder: Path, reopened: Callable[..., Memory]
) -> None:
    want = answers(filled, profiles=(None,))
    filled.close()
    shutil.rmtree(folder / "cache")
    (folder / "cache").write_text("in the way")
    with reopened() as memory:
        assert_same(answers(memory, profiles=(None,)), want)


def test_every_namespace_has_a_cache_of_its_own(memory: Memory, folder: Path, reopened: Callable[..., Memory]) -> None:
    memory.remember_many(drafts(600, seed=9))
    other = memory.at("other")
    other.remember_many(drafts(600, seed=10))
    want = answers(memory, profiles=(None,)), answers(other, profiles=(None,))
    memory.close()
    assert len(list((folder / "cache").iterdir())) == 2
    again = reopened()
    assert_same(answers(again, profiles=(None,)), want[0])
    assert_same(answers(again.at("other"), profiles=(None,)), want[1])
