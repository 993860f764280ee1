"""Whatever tables and files a store has: no byte of an erased memory stays in any of them."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnemoloom import Config, Draft, ManualClock, Memory, Tier, where
from mnemoloom.embedders import HashingEmbedder

KEY = bytes(range(32))
WIDTH = 256
CANARY = "xyzzy7f3a"
# Tables whose numbers may name what is gone: the log tells that it was there, a call what it answered.
MAY_NAME_IT = {"log", "calls"}


def vector_of(number: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(number).normal(size=WIDTH).astype(np.float32)


def draft_of(number: int) -> Draft:
    """A memory whose every field bears its number in a way that is found again."""
    name = f"{CANARY}{number}q"
    fields: dict[str, Any] = {
        "text": f"{name} costs ${number} now, says the {'boat' if number % 2 else 'sea'}.",
        "speaker": f"{name}-who",
        "session": f"{name}-when",
        "metadata": {f"{name}-key": [f"{name}-value"], "number": number},
        "external_id": f"{name}-id",
        "source": f"{name}-source",
        "vector": vector_of(number) if number % 3 == 0 else None,
        "tier": Tier.COLD if number % 7 == 0 else Tier.LONG_TERM,
        "pinned": number % 11 == 0,
        "ttl": 10**6 if number % 5 == 0 and number % 11 else None,
    }
    return Draft(**fields)


def digests(numbers: list[int], embedder: HashingEmbedder) -> list[bytes]:
    """What must not be found of memories beside their names: texts as digests, vectors as they are stored and used."""
    found = []
    for number in numbers:
        draft = draft_of(number)
        row = vector_of(number) if draft.vector is not None else embedder.embed([draft.text])[0]
        unit = row / np.linalg.norm(row)
        digest = sha256(draft.text.encode()).digest()
        found += [digest, digest.hex().encode()]
        found += [each.astype("<f4").tobytes() for each in (row, unit)]
    return found


def named_in(data: bytes) -> set[int]:
    """The numbers of the memories that some bytes name, whatever the case of the letters."""
    return {int(number) for number in re.findall(CANARY.encode() + rb"(\d+)q", data.lower())}


def rows_of(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        assert {"memories", "payloads", "usage", "links", "calls", "meta", "log"} <= set(tables)
        for table in tables:
            for row in connection.execute(f"SELECT * FROM {table}"):
                yield table, dict(row)


def assert_gone(folder: Path, gone: list[int], ids: list[int], embedder: HashingEmbedder) -> None:
    content = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    dead, by_table = set(ids), dict[str, list[bytes]]()
    for table, row in rows_of(folder):
        if table not in MAY_NAME_IT:
            named = {column: value for column, value in row.items() if column in ("memory", "source", "target")}
            named |= {"id": row["id"]} if table == "memories" else {}
            assert not dead & {value for value in named.values() if isinstance(value, int)}, (table, row)
        values = (value.encode() if isinstance(value, str) else value for value in row.values())
        by_table.setdefault(table, []).extend(value for value in values if isinstance(value, bytes))
    # the rows as well: in a file, a long value may stand in pieces
    content |= {table: b"\n".join(values) for table, values in by_table.items()}
    wanted = digests(gone, embedder)
    for name, data in content.items():
        assert not named_in(data) & set(gone), name
        assert not [needle for needle in wanted if needle in data], name


def erase_one_after_another(folder: Path, count: int, every: int, encryption_key: bytes | None) -> None:
    """Use what a store offers, erase memories one by one, and look everywhere every so often."""
    chance, clock, embedder = random.Random(7), ManualClock(1e9), HashingEmbedder(WIDTH)
    options: dict[str, Any] = {"clock": clock, "embedder": embedder, "config": Config(token_width=8)}
    options["encryption_key"] = encryption_key
    with Memory.open(folder, **options) as memory:
        ids = memory.remember_many([draft_of(number) for number in range(count + 510)], idem_key="all of them")
    living = dict(enumerate(ids))
    gone: list[int] = []
    memory = Memory.open(folder, **options)
    try:
        for step in range(1, count + 1):
            number = chance.choice([number for number in living if number < count + 510])
            if step % 6 == 0:
                memory.recall(f"How much is {CANARY}{number}q now?", k=5)
                memory._live.note_superseded([(living[number], chance.choice(list(living.values())))])
            if step % 10 == 0:
                made = memory.remember(f"Of {CANARY}{number}q a summary.", derived_from=[living[number]])
                assert made in memory
            memory_id = living.pop(number)
            assert memory.erase(where("id").eq(memory_id)).count == 1 + (step % 10 == 0)
            gone.append(number)
            if step % every == 0:
                assert_gone(folder, gone, [ids[each] for each in gone], embedder)
                assert memory.verify().ok
                assert len(memory) == len(living)
            if step % (3 * every) == 0:
                memory.close()
                assert_gone(folder, gone, [ids[each] for each in gone], embedder)
                memory = Memory.open(folder, **options)
        clock.advance(10**6)
        ended = [number for number in living if draft_of(number).ttl is not None]
        assert memory.purge().count == len(ended)
        gone += ended
        assert memory.verify().ok
    finally:
        memory.close()
    assert_gone(folder, gone, [ids[each] for each in gone], embedder)


@pytest.mark.parametrize(("encryption_key", "count"), [(None, 60), (KEY, 20)], ids=["plain", "encrypted"])
def test_no_table_and_no_file_keeps_a_byte_of_what_was_erased(
    folder: Path, encryption_key: bytes | None, count: int
) -> None:
    erase_one_after_another(folder, count, 20, encryption_key)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_a_thousand_erasures_leave_no_byte(folder: Path) -> None:
    erase_one_after_another(folder, 1000, 100, None)


def test_the_search_finds_what_is_there(folder: Path) -> None:
    embedder = HashingEmbedder(WIDTH)
    with Memory.open(folder, embedder=embedder) as memory:
        ids = memory.remember_many([draft_of(number) for number in range(600)])
    content = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for number in (1, 3):
        assert any(number in named_in(data) for data in content)
        assert any(digests([number], embedder)[0] in data for data in content)
        with pytest.raises(AssertionError):
            assert_gone(folder, [number], [ids[number]], embedder)
    raw = vector_of(3).astype("<f4").tobytes()
    assert raw in (folder / "store.db").read_bytes()
