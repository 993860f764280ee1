"""What was appended is there again, what was removed is not, and damage is repaired or named."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import ManualClock
from mnemoloom.errors import (
    ConfigError,
    CorruptionError,
    FormatError,
    StorageFailure,
    StoreClosedError,
    StoreLockedError,
    TextError,
    UnknownMemoryError,
    ValidationError,
)
from mnemoloom.pmll import ObjectLog
from mnemoloom.pmll.lines import framed

if TYPE_CHECKING:
    from conftest import StartPython

OpenLog = Callable[..., ObjectLog]


@pytest.fixture
def open_log(folder: Path, clock: ManualClock) -> Iterator[OpenLog]:
    """Opens the log of the test's folder anew, closing the handle before it."""
    opened: list[ObjectLog] = []

    def opening(**options: Any) -> ObjectLog:
        for log in opened:
            log.close()
        opened.append(ObjectLog(folder, clock=clock, **options))
        return opened[-1]

    yield opening
    for log in opened:
        log.close()


def values(log: ObjectLog) -> list[dict[str, Any]]:
    return [block.value for block in log.blocks()]


def lines(folder: Path) -> list[bytes]:
    return (folder / "pmll_log.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("count", [1, 49, 50, 51, 75, 99, 100, 130])
def test_every_block_is_there_again(open_log: OpenLog, count: int) -> None:
    log = open_log(snapshot_every=50, durable=False)
    for i in range(count):
        log.append({"i": i})
    before = log.blocks()
    again = open_log(snapshot_every=50)
    assert [block.value["i"] for block in again.blocks()] == list(range(count))
    assert again.blocks() == before
    assert again.append({"i": count}).seq == count + 1


def test_a_text_is_kept_object_by_object(open_log: OpenLog) -> None:
    blocks, faults = open_log().append_text('{"a": 1} and {"a": 2} and {oops')
    assert [block.value for block in blocks] == [{"a": 1}, {"a": 2}]
    assert [fault.position for fault in faults] == [27]
    assert values(open_log()) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("text", ["nothing here", "", '{"a": 1} {oops'])
def test_a_strict_text_is_refused_whole(open_log: OpenLog, text: str) -> None:
    log = open_log()
    with pytest.raises(TextError):
        log.append_text(text, strict=True)
    assert not log.blocks()
    assert log.append_text(text).faults or "oops" not in text


def test_what_was_popped_or_removed_stays_away(open_log: OpenLog) -> None:
    log = open_log()
    first, second, third = log.append_text("{} {} {}").blocks
    assert log.pop() == third
    log.remove(first.seq)
    assert open_log().blocks() == [second]
    log = open_log()
    log.pop()
    assert (log.pop(), log.peek(), len(log)) == (None, None, 0)
    assert open_log().append({}).seq == 4  # numbers are never used again
    with pytest.raises(UnknownMemoryError):
        open_log().remove(1)


def test_peeking_removes_nothing(open_log: OpenLog) -> None:
    log = open_log()
    block = log.append({"a": 1})
    assert (log.peek(), log.peek(), len(log)) == (block, block, 1)


def test_changing_a_value_changes_nothing_in_the_log(open_log: OpenLog) -> None:
    log = open_log()
    given_value: dict[str, Any] = {"a": [1]}
    block = log.append(given_value)
    given_value["a"].append(2)
    block.value["a"].append(3)
    assert values(log) == [{"a": [1]}]


def test_the_oldest_blocks_beyond_the_most_go_for_good(open_log: OpenLog) -> None:
    log = open_log(max_blocks=3)
    kept = log.append_text(" ".join(f'{{"i": {i}}}' for i in range(5))).blocks
    assert [block.value["i"] for block in kept] == [2, 3, 4]
    log.append({"i": 5})
    assert [value["i"] for value in values(open_log())] == [3, 4, 5]


def test_compacting_leaves_no_trace_of_what_was_removed(open_log: OpenLog, folder: Path) -> None:
    log = open_log()
    log.append({"secret": "canary-4711"})
    log.append({"a": 1})
    log.remove(1)
    assert b"canary-4711" in (folder / "pmll_log.jsonl").read_bytes()
    log.compact()
    assert not [path for path in folder.iterdir() if b"canary-4711" in path.read_bytes()]
    log.append({"b": 2})
    assert values(open_log()) == [{"a": 1}, {"b": 2}]


def test_equal_objects_share_an_id_whatever_the_order_of_their_keys(open_log: OpenLog) -> None:
    log = open_log()
    one, two = log.append({"a": 1, "b": 2}), log.append({"b": 2, "a": 1})
    assert one.id == two.id
    assert one.seq != two.seq
    assert open_log(salt=b"pepper").blocks()[0].id != one.id


def test_fetching_merges_and_the_newest_wins_if_it_shall(open_log: OpenLog) -> None:
    log = open_log()
    log.append_text('{"a": 1, "b": 1} {"b": 2, "c": 2}')
    assert log.fetch() == {"a": 1, "b": 2, "c": 2}
    assert log.fetch(newest_overrides=False) == {"a": 1, "b": 1, "c": 2}
    assert values(log) == [{"a": 1, "b": 1}, {"b": 2, "c": 2}]


def test_blocks_are_indexed_by_topic(open_log: OpenLog) -> None:
    log = open_log()
    log.append_text('{"topic": "x"} {"topic": 3} {"topic": "x"} {}')
    assert log.topic_index("topic") == {"x": [1, 3], "3": [2]}


@pytest.mark.parametrize(("depth", "expected"), [(None, [3, 2, 1]), (2, [3, 2]), (0, []), (9, [3, 2, 1])])
def test_iterating_runs_backwards_as_deep_as_asked(open_log: OpenLog, depth: int | None, expected: list[int]) -> None:
    log = open_log()
    log.append_text("{} {} {}")
    seen: list[int] = []

    async def read() -> list[int]:
        return [block.seq async for block in log.aiter_q(depth)]

    assert [block.seq for block in log.iter_q(depth)] == expected
    assert asyncio.run(read()) == expected
    assert log.rewind(lambda block: seen.append(block.seq), depth=depth) == len(expected)
    assert seen == expected
    assert [block.seq for block in log.iter_q(newest_first=False)] == [1, 2, 3]


def test_ten_thousand_blocks_are_rewound_without_recursion(open_log: OpenLog) -> None:
    log = open_log()
    log.append_text("{}" * 10_000)
    assert log.rewind(lambda _: None) == 10_000


def test_other_tasks_run_while_blocks_are_iterated(open_log: OpenLog) -> None:
    log = open_log()
    log.append_text("{}" * 20)

    async def main() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(count())
        async for _ in log.aiter_q():
            pass
        task.cancel()
        return turns

    assert asyncio.run(main()) >= 20


def test_threads_and_tasks_append_together_without_loss(open_log: OpenLog, folder: Path) -> None:
    log = open_log(durable=False, snapshot_every=10_000)

    async def many(name: str) -> None:
        await asyncio.gather(*(log.aappend({"by": name, "i": i}) for i in range(40)))

    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(lambda n=n: [log.append({"by": n, "i": i}) for i in range(40)]) for n in range(8)]
        asyncio.run(many("task"))
        for each in done:
            each.result()
    assert len(log) == 360
    assert len(lines(folder)) == 361  # and the header
    assert {(v["by"], v["i"]) for v in values(open_log())} == {(b, i) for b in [*range(8), "task"] for i in range(40)}


def test_the_async_verbs_do_what_the_others_do(open_log: OpenLog) -> None:
    log = open_log()

    async def main() -> None:
        blocks, _ = await log.aappend_text('{"a": 1} {"a": 2}')
        await log.aremove(blocks[0].seq)
        await log.acompact()
        assert await log.apop() == blocks[1]

    asyncio.run(main())
    assert not log.blocks()


@pytest.mark.parametrize(
    "value", [{"a": {1, 2}}, {"a": float("nan")}, {1: 2}, {"a": (1, 2)}, [1], "text", {"a": 10**700}]
)
def test_what_is_no_json_object_is_refused(open_log: OpenLog, value: Any) -> None:
    log = open_log()
    with pytest.raises(ValidationError):
        log.append(value)
    assert not log.blocks()


def test_an_object_may_nest_only_so_deep(open_log: OpenLog) -> None:
    value: dict[str, Any] = {}
    for _ in range(100):
        value = {"a": value}
    with pytest.raises(ValidationError, match="100 levels"):
        open_log().append(value)


@pytest.mark.parametrize("option", ["snapshot_every", "max_blocks"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5])
def test_a_setting_outside_its_bounds_is_refused(open_log: OpenLog, option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        open_log(**{option: value})


def test_a_second_handle_is_refused_and_a_closed_one_says_so(open_log: OpenLog, folder: Path) -> None:
    log = open_log()
    with pytest.raises(StoreLockedError):
        ObjectLog(folder, lock_timeout=0)
    log.close()
    log.close()
    for use in (log.blocks, log.pop, log.peek, lambda: log.append({}), lambda: log.append_text("none")):
        with pytest.raises(StoreClosedError):
            use()
    with ObjectLog(folder) as again:
        assert not again.blocks()


def test_a_torn_tail_is_cut_at_every_length(open_log: OpenLog, folder: Path) -> None:
    log = open_log()
    for i in range(3):
        log.append({"text": f"number {i}"})
    log.close()
    whole = lines(folder)
    start = sum(map(len, whole[:-1]))
    for length in range(len(whole[-1])):
        (folder / "pmll_log.jsonl").write_bytes(b"".join(whole)[: start + length])
        log = open_log()
        assert len(log) == 2
        assert log.repaired_bytes == length
        log.append({"after": length})
        assert values(open_log())[2:] == [{"after": length}]


@pytest.mark.parametrize(
    "tail",
    [b"\0" * 100, b'{"crc":"' + b"\0" * 50 + b"}\n", b"\0" * 10 + b"\n" + b"\0" * 9],
    ids=["zeros", "a hole in a line", "two runs"],
)
def test_a_tail_of_zeros_is_cut(open_log: OpenLog, folder: Path, tail: bytes) -> None:
    open_log().append({"a": 1})
    open_log().close()
    with open(folder / "pmll_log.jsonl", "ab") as file:
        file.write(tail)
    log = open_log()
    assert values(log) == [{"a": 1}]
    assert log.repaired_bytes == len(tail)


def test_a_changed_byte_is_named_by_its_line(open_log: OpenLog, folder: Path) -> None:
    log = open_log()
    for i in range(3):
        log.append({"text": f"number {i}"})
    log.close()
    whole = lines(folder)
    for number, line in enumerate(whole, start=1):
        for at in range(0, len(line) - 1, 3):
            changed = bytearray(line)
            changed[at] ^= 0x04
            (folder / "pmll_log.jsonl").write_bytes(b"".join([*whole[: number - 1], bytes(changed), *whole[number:]]))
            with pytest.raises(CorruptionError, match=f"line {number} of"):
                open_log()


def test_a_line_that_is_missing_or_moved_is_named(open_log: OpenLog, folder: Path) -> None:
    log = open_log()
    for i in range(4):
        log.append({"i": i})
    log.close()
    head, one, two, three, four = lines(folder)
    for wrong, name in (([one, three, four], "line 3"), ([two, one, three, four], "line 2"), ([one, one], "line 3")):
        (folder / "pmll_log.jsonl").write_bytes(b"".join([head, *wrong]))
        with pytest.raises(CorruptionError, match=name):
            open_log()


def test_a_damaged_or_lost_snapshot_is_named(open_log: OpenLog, folder: Path) -> None:
    log = open_log(snapshot_every=2)
    for i in range(5):
        log.append({"i": i})
    log.close()
    snapshot = folder / "pmll_snapshot.json"
    data = snapshot.read_bytes()
    for at in range(0, len(data) - 1, 5):
        snapshot.write_bytes(data[:at] + bytes([data[at] ^ 0x04]) + data[at + 1 :])
        with pytest.raises(CorruptionError, match=r"pmll_snapshot\.json"):
            open_log()
    snapshot.unlink()
    with pytest.raises(CorruptionError, match="must follow"):
        open_log()


def test_a_newer_format_is_left_alone(open_log: OpenLog, folder: Path) -> None:
    open_log().close()
    newer = framed({"format": 2})
    (folder / "pmll_log.jsonl").write_bytes(newer)
    with pytest.raises(FormatError, match="format 2"):
        open_log()
    assert lines(folder) == [newer]


def test_a_crash_between_snapshot_and_empty_log_loses_nothing_twice(open_log: OpenLog, folder: Path) -> None:
    log = open_log()
    log.append_text("{} {}")
    log.pop()
    log.append({"a": 1})
    before, full = log.blocks(), lines(folder)
    log.compact()
    log.close()
    (folder / "pmll_log.jsonl").write_bytes(b"".join(full))
    (folder / "pmll_log.new").write_bytes(b"half")
    log = open_log()
    assert log.blocks() == before
    log.append({"b": 2})
    assert open_log().blocks()[:-1] == before


@pytest.mark.parametrize("name", ["write", "fsync"])
def test_a_disk_that_fails_keeps_what_was_acknowledged(
    open_log: OpenLog, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    log = open_log()
    log.append({"a": 1})
    real = os.write

    def failing(file: int, *data: Any) -> int:
        if data and len(data[0]) > 10:
            return real(file, bytes(data[0])[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, name, failing)
        with pytest.raises(StorageFailure, match="No space left"):
            log.append({"b": 2})
    if name == "write":  # what half was written has been taken back, and the log goes on
        log.append({"c": 3})
        assert values(open_log()) == [{"a": 1}, {"c": 3}]
    else:  # nobody can tell what is on the disk
        with pytest.raises(StoreClosedError, match="open it again"):
            log.append({"c": 3})
        assert values(open_log())[0] == {"a": 1}


_WRITER = """
import sys
from mnemoloom.pmll import ObjectLog

log = ObjectLog(sys.argv[1], snapshot_every=5, max_blocks=30)
print("open", flush=True)
while True:
    blocks, _ = log.append_text('{"padding": "%s"} {"second": true}' % ("x" * 3000))
    print(blocks[-1].seq, flush=True)
"""


def test_what_was_acknowledged_survives_kills_at_random_moments(
    folder: Path, open_log: OpenLog, start_python: StartPython
) -> None:
    chance, newest = random.Random(3), 0
    for _ in range(8):
        writer = start_python("-c", _WRITER, folder)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        time.sleep(chance.uniform(0.0, 0.15))
        writer.kill()
        said = writer.stdout.read().split("\n")[:-1]
        writer.wait()
        acknowledged = int(said[-1]) if said else newest
        log = open_log()
        numbers = [block.seq for block in log.blocks()]
        newest = numbers[-1] if numbers else 0
        assert newest >= acknowledged
        assert newest % 2 == 0  # a call is there as a whole or not at all
        assert numbers == list(range(newest - len(numbers) + 1, newest + 1))
        assert len(numbers) == min(30, newest)
        log.close()
    assert newest > 24, "the kills came too early to show anything"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["append", "text", "pop", "remove", "compact", "reopen"]), max_size=40))
def test_the_log_is_a_list(tmp_path_factory: pytest.TempPathFactory, acts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("log")
    log, model = ObjectLog(folder, snapshot_every=3, max_blocks=6, durable=False), list[str]()
    try:
        for i, act in enumerate(acts):
            if act == "append":
                model.append(json.dumps({"i": i}))
                log.append({"i": i})
            elif act == "text":
                model += [json.dumps({"i": i}), json.dumps({"j": i})]
                log.append_text(f'{{"i": {i}}} {{"j": {i}}}')
            elif act == "pop":
                block = log.pop()
                assert (block.value if block else None) == (json.loads(model.pop()) if model else None)
            elif act == "remove" and model:
                log.remove(log.blocks()[0].seq)
                del model[0]
            elif act == "compact":
                log.compact()
            elif act == "reopen":
                log.close()
                log = ObjectLog(folder, snapshot_every=3, max_blocks=6, durable=False)
            model = model[-6:]
            assert values(log) == list(map(json.loads, model))
    finally:
        log.close()
