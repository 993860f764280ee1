"""One by one, all at once, reopened or rebuilt: the same memories give the same answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from equivalence.comparing import QUESTIONS, SPEAKERS, assert_equal_results, conversation, open_at
from mnemoloom import Draft, Embedder, ManualClock, Memory, Tier
from mnemoloom.config import PROFILES
from unit.recall.small_stores import NOW
from unit.recall.word_embedder import WordEmbedder


def fill_one_by_one(folder: Path, drafts: list[Draft], embedder: Embedder | None) -> Memory:
    memory = open_at(folder, embedder)
    for draft in drafts:
        memory.remember_many([draft])
    return memory


def fill_at_once(folder: Path, drafts: list[Draft], embedder: Embedder | None) -> Memory:
    memory = open_at(folder, embedder)
    memory.remember_many(drafts)
    return memory


def fill_and_reopen(folder: Path, drafts: list[Draft], embedder: Embedder | None) -> Memory:
    for start in range(0, len(drafts), 45):
        with open_at(folder, embedder) as memory:
            memory.remember_many(drafts[start : start + 45])
            memory.recall("dog")
    return open_at(folder, embedder)


def fill_and_reopen_from_the_cache(folder: Path, drafts: list[Draft], embedder: Embedder | None) -> Memory:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnemoloom.recall.live._REPLAY_AT_MOST", 0)
        for start in range(0, len(drafts), 45):
            with open_at(folder, embedder) as memory:
                memory.remember_many(drafts[start : start + 45])
                memory.recall("dog")
    assert any((folder / "cache").iterdir())
    return open_at(folder, embedder)


def fill_and_rebuild(folder: Path, drafts: list[Draft], embedder: Embedder | None) -> Memory:
    fill_and_reopen_from_the_cache(folder, drafts, embedder).close()
    shutil.rmtree(folder / "cache")
    return open_at(folder, embedder)


def fill_and_read_only(folder: Path, drafts: list[Draft], embedder: Embedder | None) -> Memory:
    fill_at_once(folder, drafts, embedder).close()
    return Memory.open(folder, embedder=embedder, clock=ManualClock(NOW), read_only=True)


WAYS: list[Callable[[Path, list[Draft], Embedder | None], Memory]] = [
    fill_one_by_one,
    fill_and_reopen,
    fill_and_reopen_from_the_cache,
    fill_and_rebuild,
    fill_and_read_only,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", SPEAKERS)
@pytest.mark.parametrize("embedder", [None, WordEmbedder()], ids=["words", "encoded"])
def test_every_way_to_fill_a_memory_gives_the_same_answers(
    tmp_path: Path,
    way: Callable[[Path, list[Draft], Embedder | None], Memory],
    kind: str,
    embedder: Embedder | None,
) -> None:
    drafts = conversation(kind)
    with (
        fill_at_once(tmp_path / "whole", drafts, embedder) as whole,
        way(tmp_path / "other", drafts, embedder) as other,
    ):
        surprise = [record.surprise for record in whole.records()]
        assert [record.surprise for record in other.records()] == pytest.approx(surprise, rel=1e-12)
        assert len(set(surprise)) > len(drafts) / 2
        for question in QUESTIONS:
            for profile in [None, *PROFILES]:
                assert_equal_results(
                    whole.recall(question, 25, profile=profile, expand=2),
                    other.recall(question, 25, profile=profile, expand=2),
                )


@pytest.mark.parametrize("way", [fill_and_reopen, fill_and_reopen_from_the_cache], ids=lambda way: way.__name__)
def test_a_reopened_memory_is_surprised_like_one_that_stayed_open(
    tmp_path: Path, way: Callable[[Path, list[Draft], Embedder | None], Memory]
) -> None:
    drafts = conversation("people")
    with fill_one_by_one(tmp_path / "open", drafts, None) as stayed, way(tmp_path / "other", drafts, None) as reopened:
        for text in ("word1 word2 word3", "something quite different", "unique5"):
            numbers = stayed.remember(text, speaker="Ann"), reopened.remember(text, speaker="Ann")
            assert stayed.get(numbers[0]).surprise == pytest.approx(reopened.get(numbers[1]).surprise, rel=1e-9)


def test_a_reader_beside_a_writer_follows_it(tmp_path: Path) -> None:
    drafts, embedder = conversation("people"), WordEmbedder()
    with (
        fill_at_once(tmp_path / "store", drafts[:20], embedder) as writer,
        Memory.open(tmp_path / "store", embedder=embedder, clock=ManualClock(NOW), read_only=True) as reader,
    ):
        for start in range(20, 95, 25):
            ids = writer.remember_many(drafts[start : start + 25])
            writer.forget(ids[3])
            writer.move(ids[7], Tier.COLD)
            writer.move(ids[7] - 20, Tier.LONG_TERM)
            for question in QUESTIONS:
                assert_equal_results(reader.recall(question, 25, expand=1), writer.recall(question, 25, expand=1))
