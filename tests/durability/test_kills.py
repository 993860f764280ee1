"""What a call has returned for survives kill -9, with and without the cache files."""

from __future__ import annotations

import random
import runpy
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from durability.tiers import tier
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

if TYPE_CHECKING:
    from conftest import StartPython

SCRIPT = Path(__file__).with_name("doomed_writer.py")
WRITER = runpy.run_path(str(SCRIPT))
ROUNDS = 40  # kills of one store


@dataclass
class Promises:
    """What the writer has acknowledged. `open`: notes whose forgetting was begun and not acknowledged."""

    kept: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    def read(self, said: str) -> set[str]:
        """Take in a writer's output; the notes that it acknowledged. A torn last line promises nothing."""
        fresh: set[str] = set()
        for line in said.splitlines(keepends=True):
            if not line.endswith("\n"):
                continue
            word, *rest = line.split()
            if word == "remembered":
                turn, first, size = map(int, rest)
                fresh |= {WRITER["note"](turn, number) for number in range(first, first + size)}
            elif word in ("forgetting", "forgot"):
                text = WRITER["note"](*map(int, rest[0].split("-")))
                (self.open if word == "forgetting" else self.gone).add(text)
        fresh -= self.gone | self.open
        self.kept |= fresh
        return fresh


def kill_at_work(writer: subprocess.Popen[str], *, turn: int, delay: float, opened: bool) -> str:
    """Kill a writer `delay` seconds after it was told to begin, or after it has `opened` the store; what it said."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    writer.stdin.write(f"{turn}\n")
    writer.stdin.flush()
    if opened:
        assert writer.stdout.readline() == "open\n"
    time.sleep(delay)
    writer.kill()
    said = writer.stdout.read()
    assert writer.wait(30) != 0, "the writer was to be killed, not to end by itself"
    return said


def check(folder: Path, promises: Promises, fresh: set[str], chance: random.Random) -> None:
    embedder = HashingEmbedder(WRITER["WIDTH"])
    with Memory.open(folder, embedder=embedder, lock_timeout=5.0) as memory:
        report = memory.verify()
        assert report.ok, report.problem
        with closing(sqlite3.connect(f"{(folder / 'store.db').as_uri()}?mode=ro", uri=True)) as connection:
            stored = dict(connection.execute("SELECT text, vector FROM payloads"))
            (memories,) = connection.execute("SELECT count(*) FROM memories").fetchone()
        assert promises.kept <= stored.keys()
        assert not promises.gone & stored.keys()
        assert len(memory) == memories == len(stored)
        texts = sorted(fresh)
        if texts:
            rows = np.stack([np.frombuffer(stored[text], "<f4") for text in texts])
            assert np.array_equal(rows, embedder.embed(texts))
        for text in chance.sample(sorted(promises.kept), min(3, len(promises.kept))):
            assert memory.recall(text, k=1, update=False)[0].text == text


def harm_caches(folder: Path, chance: random.Random) -> None:
    """Leave the cache files alone, remove them, cut them or alter a byte."""
    deed = chance.choice(("leave", "leave", "remove", "cut", "flip"))
    for path in (folder / "cache").glob("*"):
        data = bytearray(path.read_bytes())
        if deed == "remove":
            path.unlink()
        elif deed == "cut":
            path.write_bytes(data[: chance.randrange(len(data))])
        elif deed == "flip":
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.write_bytes(data)


@tier(quick=40, torture=1000)
def test_what_was_acknowledged_survives_kills_at_random_moments(
    folder: Path, start_python: StartPython, size: int
) -> None:
    chance = random.Random(20261120)
    kept = 0
    for first in range(0, size, ROUNDS):  # a store that has grown large takes long to check
        kept += survive(folder / str(first), start_python, range(first, min(size, first + ROUNDS)), chance)
    assert kept > size, "the kills came too early to show anything"
    print(f"{size} kills, {kept} acknowledged memories, 0 lost")


def survive(folder: Path, start_python: StartPython, turns: range, chance: random.Random) -> int:
    """Kill one writer of a store after the other; how many memories were acknowledged and are there."""
    promises = Promises()
    folder.parent.mkdir(exist_ok=True)
    writer = start_python(SCRIPT, folder)
    for turn in turns:
        successor = start_python(SCRIPT, folder)  # it starts up while this writer works
        # most kills come while it writes, some while it makes or opens the store
        said = kill_at_work(writer, turn=turn, delay=chance.uniform(0.0, 0.3), opened=turn % 8 != 0)
        fresh = promises.read(said)
        check(folder, promises, fresh, chance)
        harm_caches(folder, chance)
        writer = successor
    writer.kill()
    return len(promises.kept)


def test_a_store_whose_making_was_killed_can_be_opened(tmp_path: Path, start_python: StartPython) -> None:
    chance = random.Random(4)
    for number in range(8):
        folder, promises = tmp_path / str(number), Promises()
        said = kill_at_work(start_python(SCRIPT, folder), turn=number, delay=chance.uniform(0.0, 0.05), opened=False)
        check(folder, promises, promises.read(said), chance)
