"""What cannot be remembered is refused with a typed error, and nothing changes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnemoloom import Config, Draft, Limits, Memory
from mnemoloom.errors import (
    ConfigError,
    DimensionMismatchError,
    LoomError,
    MetadataError,
    NamespaceError,
    TextError,
    ValidationError,
    VectorError,
)

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

SURROGATE = "half a pair: \ud83d"
WIDTH = 64


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


@pytest.fixture
def started(memory: Memory) -> Memory:
    """A memory that holds one text, encoded with 64 numbers."""
    memory.remember("The violin is in the attic.", external_id="violin")
    return memory


@pytest.mark.parametrize(
    "text",
    ["", "   ", "\n\t\u3000", "x" * (2 << 20), "é" * (1 << 19) + "xx", "with \0 inside", SURROGATE, None, 7, b"bytes"],
    ids=["empty", "blank", "white", "2 MiB", "just over 1 MiB", "NUL", "surrogate", "None", "number", "bytes"],
)
def test_a_text_that_cannot_be_stored_is_refused(started: Memory, refused: Refused, text: Any) -> None:
    with refused(started, TextError, "text must"):
        started.remember(text)
    with refused(started, TextError):
        started.remember_many(["a good one", {"text": text}])


def test_a_text_of_exactly_one_mebibyte_is_remembered(started: Memory) -> None:
    text = "word " * ((1 << 20) // 5)
    text += "x" * ((1 << 20) - len(text))
    assert started.get(started.remember(text)).text == text


@pytest.mark.parametrize("field", ["speaker", "session", "external_id", "source", "trust"])
@pytest.mark.parametrize(
    "label", ["", "  ", "a\0b", SURROGATE, "x" * 513, 7], ids=["empty", "blank", "NUL", "surrogate", "long", "number"]
)
def test_a_label_that_cannot_be_stored_is_refused(started: Memory, refused: Refused, field: str, label: Any) -> None:
    with refused(started, ValidationError, field):
        started.remember("A good text.", **{field: label})


@pytest.mark.parametrize(
    "metadata",
    [
        {7: "x"},
        {None: "x"},
        {"a": {1.5: "x"}},
        {"a": float("nan")},
        {"a": [float("inf")]},
        {"a": {1, 2}},
        {"a": b"bytes"},
        {"a": object()},
        {"a": np.float32(1)},
        {"a": datetime(2026, 1, 1)},
        {"a": 1 << 63},
        {"a": SURROGATE},
        {SURROGATE: "a"},
        {"a": "x\0y"},
        nested(17),
        {"a": "x" * (64 << 10)},
        {"a": ["é"] * (20 << 10)},
        ["a", "b"],
        "a",
        7,
    ],
    ids=lambda value: repr(value)[:24],
)
def test_metadata_that_json_cannot_hold_is_refused(started: Memory, refused: Refused, metadata: Any) -> None:
    with refused(started, MetadataError, "metadata"):
        started.remember("A good text.", metadata=metadata)


def test_metadata_that_contains_itself_is_refused(started: Memory, refused: Refused) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with refused(started, MetadataError, "deep"):
        started.remember("A good text.", metadata=endless)


@pytest.mark.parametrize(
    "metadata",
    [nested(16), {"a": "x" * ((64 << 10) - 8)}, {"": None, "ключ": [1, 2.5, -(1 << 63), True, {"b": "🦉"}]}],
    ids=["16 levels", "64 KiB", "mixed"],
)
def test_metadata_at_its_bounds_comes_back_equal(started: Memory, metadata: dict[str, Any]) -> None:
    assert started.get(started.remember("A good text.", metadata=metadata)).metadata == metadata


BAD_ROWS = {
    "NaN": np.full(WIDTH, np.nan),
    "one NaN": np.r_[np.ones(WIDTH - 1), np.nan],
    "infinity": np.full(WIDTH, np.inf),
    "zeros": np.zeros(WIDTH),
    "nothing": [],
    "a matrix": np.ones((1, WIDTH)),
    "a number": 5.0,
    "a truth value": True,
    "words": ["one"] * WIDTH,
    "a string": "1.0",
    "a mapping": {"a": 1.0},
    "ragged rows": [[1.0], [1.0, 2.0]],
    "beyond float32": [1e300] * WIDTH,
    "complex": np.ones(WIDTH) * 1j,
}


@pytest.mark.parametrize("vector", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_vector_that_is_no_row_of_finite_numbers_is_refused(started: Memory, refused: Refused, vector: Any) -> None:
    with refused(started, VectorError, "vector"):
        started.remember("A good text.", vector=vector)
    with refused(started, VectorError, "vector"):
        started.remember_many([Draft(text="A good text.", vector=vector)])


@pytest.mark.parametrize("vector", [BAD_ROWS["a number"], BAD_ROWS["a truth value"]], ids=["a number", "a truth value"])
def test_a_single_number_is_no_first_vector_of_a_store(
    open_memory: OpenMemory, folder: Path, refused: Refused, vector: Any
) -> None:
    with refused(memory := open_memory(folder), VectorError):
        memory.remember("A good text.", vector=vector)


@pytest.mark.parametrize("width", [1, 63, 65, 6400])
def test_a_vector_of_another_width_is_refused_by_both_numbers(started: Memory, refused: Refused, width: int) -> None:
    with refused(started, DimensionMismatchError, f"width 64; got {width}"):
        started.remember("A good text.", vector=np.ones(width))


def test_two_widths_in_the_first_batch_are_refused(open_memory: OpenMemory, folder: Path, refused: Refused) -> None:
    memory = open_memory(folder)
    with refused(memory, DimensionMismatchError):
        memory.remember_many([Draft(text="a", vector=[1.0, 2.0]), Draft(text="b", vector=[1.0, 2.0, 3.0])])
    memory.remember("The width is still open.", vector=[1.0, 2.0, 3.0, 4.0])
    assert memory.stats().width == 4


@pytest.mark.parametrize("vector", [np.full(WIDTH, 3e38), np.full(WIDTH, 1e-25)], ids=["huge", "tiny"])
def test_a_vector_of_any_finite_length_is_remembered_by_its_direction(started: Memory, vector: Any) -> None:
    note = started.remember("A far one.", vector=vector)
    hit = started.recall("attic", vector=np.ones(WIDTH), profile="dense")[0]
    assert (hit.id, np.isfinite(hit.score)) == (note, True)


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "",
        "2026-02-30",
        float("nan"),
        float("inf"),
        1e18,
        -1e18,
        True,
        b"2026-01-01",
        [2026],
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.9999",
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=14))),
    ],
    ids=repr,
)
def test_a_time_that_no_calendar_shows_is_refused(started: Memory, refused: Refused, time: Any) -> None:
    with refused(started, ValidationError, "time"):
        started.remember("A good text.", time=time)
    assert len(list(started.records())) == 1


@pytest.mark.parametrize("tier", ["warm", "", "LONG_TERM", 7])
def test_an_unknown_tier_is_refused(started: Memory, refused: Refused, tier: Any) -> None:
    with refused(started, ValidationError, "tier"):
        started.remember("A good text.", tier=tier)


@pytest.mark.parametrize("pinned", [1, "yes", None])
def test_a_pin_that_is_neither_true_nor_false_is_refused(started: Memory, refused: Refused, pinned: Any) -> None:
    with refused(started, ValidationError, "pinned"):
        started.remember("A good text.", pinned=pinned)


@pytest.mark.parametrize(
    "draft", [None, 7, ("text",), {}, {"txt": "x"}, {"text": "x", 7: "y"}, {"text": "x", "vektor": [1]}], ids=repr
)
def test_what_is_no_draft_is_refused_with_the_whole_batch(started: Memory, refused: Refused, draft: Any) -> None:
    with refused(started, ValidationError):
        started.remember_many(["a good one", draft])


@pytest.mark.parametrize("drafts", ["one text", {"text": "one"}], ids=["a text", "a mapping"])
def test_a_single_draft_is_not_taken_for_a_list(started: Memory, refused: Refused, drafts: Any) -> None:
    with refused(started, ValidationError, "use remember"):
        started.remember_many(drafts)


def test_an_unknown_way_with_existing_memories_is_refused(started: Memory, refused: Refused) -> None:
    with refused(started, ValidationError, "existing"):
        started.remember_many(["a good one"], existing="merge")  # type: ignore[arg-type]


def test_a_list_that_fails_while_it_is_read_leaves_nothing(started: Memory, refused: Refused) -> None:
    def drafts() -> Any:
        yield "a good one"
        raise RuntimeError("the caller's own")

    with refused(started, RuntimeError, "the caller's own"):
        started.remember_many(drafts())


@pytest.mark.parametrize(
    "namespace",
    [
        (),
        "users",
        ("users", ""),
        ("users", " "),
        ("users", 7),
        (None,),
        ("a\0b",),
        (SURROGATE,),
        ("x",) * 17,
        ("x" * 513,),
        {"users"},
        None,
        7,
    ],
    ids=repr,
)
def test_a_namespace_that_is_no_tuple_of_labels_is_refused(
    started: Memory, refused: Refused, tmp_path: Path, namespace: Any
) -> None:
    with pytest.raises(NamespaceError):
        Memory.open(tmp_path / "other", namespace=namespace)
    assert not (tmp_path / "other").exists()
    if isinstance(namespace, tuple):
        with refused(started, NamespaceError):
            started.at(*namespace)


@pytest.mark.parametrize("labels", [("../../etc",), ("CON", "nul"), ("a/b\\c", "é", "e\u0301"), ("x" * 512,) * 16])
def test_labels_are_data_and_never_paths(started: Memory, folder: Path, labels: tuple[str, ...]) -> None:
    started.at(*labels).remember("A good text.")
    assert started.namespaces() == [("default",), labels]
    assert {path.name for path in folder.iterdir()} <= {"store.db", "store.db-wal", "store.db-shm", "LOCK", "cache"}


@pytest.mark.parametrize("durability", ["fast", "", None, 1])
def test_an_unknown_durability_is_refused_before_anything_is_made(tmp_path: Path, durability: Any) -> None:
    with pytest.raises(ConfigError, match="durability"):
        Memory.open(tmp_path / "store", durability=durability)
    assert not (tmp_path / "store").exists()


def test_limits_can_be_set(open_memory: OpenMemory, folder: Path, refused: Refused) -> None:
    memory = open_memory(folder, config=Config(limits=Limits(text_bytes=10, metadata_bytes=20, metadata_depth=2, k=3)))
    memory.remember("ten bytes.")
    for act in (
        lambda: memory.remember("11 bytes ..."),
        lambda: memory.remember("x", metadata={"a": "x" * 20}),
        lambda: memory.remember("x", metadata={"a": [[1]]}),
        lambda: memory.recall("x", k=4),
    ):
        with refused(memory, LoomError):
            act()
