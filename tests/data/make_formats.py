"""How the stores in this folder were made: format-N.db.xz is the store.db that a release with format N writes.

    python tests/data/make_formats.py [N …]

It puts the source of the last commit of each format into a temporary folder and runs FILL with it. A new format adds a
line to COMMITS once the next one has begun; an old store is never made again, for it stands for those that users have.
"""

from __future__ import annotations

import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
COMMITS = {1: "d3de9fc~1", 2: "bb8417c~1", 3: "710407f~1", 4: "95bf295"}
KEYED_FROM = 3
FILL = """
import sys
from datetime import datetime, timezone
from mnemoloom import ManualClock, Memory, Tier
from mnemoloom.embedders import HashingEmbedder

keyed = {"key": b"a key of 16 bytes"} if sys.argv[2] == "keyed" else {}
clock = ManualClock(datetime(2026, 5, 14, 12, tzinfo=timezone.utc))
with Memory.open(sys.argv[1], embedder=HashingEmbedder(8), clock=clock, **keyed) as memory:
    memory.remember("I moved to Oslo in May.", speaker="Ann", session="monday", metadata={"city": "Oslo"})
    memory.remember("I'm still in Bergen.", speaker="Ben", session="monday", external_id="ben")
    memory.remember("The rent is $700.", speaker="Ann", source="mail", time="2026-04-01")
    memory.forget(memory.remember("This is gone."))
    memory.pin(memory.remember("The key is under the pot."))
    memory.move(memory.remember("The sea was calm."), Tier.COLD)
    memory.remember("Her own vector.", vector=[1, 0, 0, 0, 0, 0, 0, 2])
    memory.at("somebody", "else").remember("Not for Ann.")
"""


def make(number: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["tar", "-x", "-C", place], input=_archived(number), check=True)
        kind = "keyed" if number >= KEYED_FROM else "plain"
        subprocess.run(
            [sys.executable, "-c", FILL, f"{place}/store", kind],
            check=True,
            env=os.environ | {"PYTHONPATH": f"{place}/core"},
        )
        data = Path(place, "store", "store.db").read_bytes()
    packed = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    (HERE / f"format-{number}.db.xz").write_bytes(packed)
    print(f"format {number}: {len(data):,} bytes, packed {len(packed):,}")


def _archived(number: int) -> bytes:
    top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=HERE, capture_output=True, text=True, check=True)
    command = ["git", "archive", COMMITS[number], "core"]
    return subprocess.run(command, cwd=top.stdout.strip(), capture_output=True, check=True).stdout


if __name__ == "__main__":
    for chosen in map(int, sys.argv[1:] or COMMITS):
        make(chosen)
