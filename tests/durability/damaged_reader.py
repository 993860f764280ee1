"""Opens damaged copies of a store and says what a caller sees; test_damage.py starts it as a process of its own.

`python damaged_reader.py INTACT WORK` reads lines of JSON, {"file", "kind", "at", "bits"}, and answers each with one:
"same", "detected", "healed", "silent …" or "untyped …". The store lives in INTACT, a copy is made in WORK.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from mnemoloom import Memory, read_seal
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import LoomError
from mnemoloom.recall import live
from mnemoloom.storage import read_cache

KEY = b"a key of 16 bytes"
WIDTH = 16
SMALL = 10  # memories from which on a cache is written: a small store is read sooner


def seen(memory: Memory, seal: Any) -> list[Any]:
    """Everything a caller gets to see; the first is whether verify finds it well."""
    other = memory.at("somebody", "else")
    report = memory.verify(seal=seal)
    return [
        report.ok,
        memory.namespaces(),
        [_plain(record) for record in memory.records()],
        [_plain(record) for record in other.records()],
        [(hit.id, hit.text, round(hit.score, 9)) for hit in memory.recall("Where is the boat?", k=20, update=False)],
        [(hit.id, hit.text) for hit in memory.recall("kettle", where={"metadata.number": {"$gte": 20}}, update=False)],
        memory.get("doc 3").text,
        memory.vectors([5, 6]).tolist(),
    ]


def _plain(record: Any) -> list[Any]:
    fields = ("id", "text", "speaker", "session", "time", "metadata", "tier", "pinned", "created", "pointer")
    return [str(getattr(record, name)) for name in (*fields, "external_id", "source", "trust", "surprise")]


def damage(path: Path, kind: str, at: int, bits: int) -> None:
    data = bytearray(path.read_bytes())
    if kind == "flip":
        data[at] ^= bits
    elif kind == "cut":
        del data[at:]
    elif kind == "zero":
        data[at : at + bits] = bytes(len(data[at : at + bits]))
    path.write_bytes(data)


def outcome(folder: Path, want: list[Any], seal: Any, *, writing: bool) -> str:
    """What a caller sees of a damaged store: the same as ever, an error of this library, or something worse."""
    try:
        with Memory.open(folder, embedder=HashingEmbedder(WIDTH), key=KEY, read_only=not writing) as memory:
            got = seen(memory, seal)
    except LoomError:
        return "detected"
    except BaseException as error:  # noqa: BLE001 - the test wants to know of every one
        return f"untyped {type(error).__name__}: {error}"
    if got == want:
        return "same"
    return "detected" if not got[0] else f"silent {[one for one, other in zip(got, want, strict=True) if one != other]}"


def main(intact: Path, work: Path) -> None:
    seal = read_seal(intact / "seal.json")
    copy = work / "copy"
    shutil.copytree(intact / "store", copy)
    with Memory.open(copy, embedder=HashingEmbedder(WIDTH), key=KEY, read_only=True) as memory:
        want = seen(memory, seal)
    assert want[0], "the store was damaged before"
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        asked = json.loads(line)
        shutil.rmtree(copy)
        shutil.copytree(intact / "store", copy)
        damage(copy / asked["file"], asked["kind"], asked["at"], asked["bits"])
        cache = asked["file"].startswith("cache")
        said = outcome(copy, want, seal, writing=cache or number % 4 == 0)
        if cache and said == "same":  # and once more, from the cache that was made anew
            again = outcome(copy, want, seal, writing=False)
            kept = read_cache(copy / "cache", Path(asked["file"]).stem)
            said = "healed" if again == "same" and kept is not None else f"silent, not healed: {again}"
        print(said[:300].replace("\n", " "), flush=True)


if __name__ == "__main__":
    live._REPLAY_AT_MOST = SMALL
    main(Path(sys.argv[1]), Path(sys.argv[2]))
