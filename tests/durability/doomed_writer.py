"""A writer that will be killed; test_kills.py starts it as `python doomed_writer.py FOLDER`.

It says "ready", waits for a line with a round number, says "open", and then writes until it dies. A line
says what a call is about to do ("forgetting 3-17") or, once the call has returned, what it did: "remembered
3 18 64" for the notes 18 to 81 of round 3, "forgot 3-17".
"""

from __future__ import annotations

import random
import sys

from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

WIDTH = 32
BATCHES = (1, 3, 17, 64)
_THINGS = ("lamp", "boat", "letter", "violin", "ladder", "kettle", "map", "bicycle", "clock", "apron")
_PLACES = ("harbour", "attic", "garden", "station", "library", "market", "cellar", "bridge")


def note(turn: int, number: int) -> str:
    """The text of a note; no two are alike."""
    chance = random.Random(turn * 1_000_003 + number)
    return f"Note n{turn}x{number}: the {chance.choice(_THINGS)} is in the {chance.choice(_PLACES)}."


def say(*words: object) -> None:
    print(*words, flush=True)


def write(folder: str, turn: int) -> None:
    chance = random.Random(turn)
    memory = Memory.open(folder, embedder=HashingEmbedder(WIDTH), lock_timeout=5.0)
    say("open")
    first = 0
    while True:
        size = chance.choice(BATCHES)
        ids = memory.remember_many(note(turn, number) for number in range(first, first + size))
        say("remembered", turn, first, size)
        if chance.random() < 0.2:
            say(f"forgetting {turn}-{first}")
            memory.forget(ids[0])
            say(f"forgot {turn}-{first}")
        first += size


if __name__ == "__main__":
    say("ready")
    write(sys.argv[1], int(sys.stdin.readline()))
