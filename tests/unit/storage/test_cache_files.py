"""Cache files: what was written is read back, mapped and aligned; anything else is as if it were not there."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from mnemoloom.storage import drop_caches, read_cache, write_cache

ARRAYS = {
    "vectors": np.arange(30, dtype=np.float32).reshape(10, 3),
    "ids": np.array([1, 2, 1 << 60]),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 7), np.float32),
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder with the cache `shelf` in it."""
    write_cache(tmp_path / "cache", "shelf", ARRAYS, {"position": 7})
    return tmp_path / "cache"


def crafted(folder: Path, header: Any, body: bytes = bytes(64)) -> None:
    """A cache file with a right checksum over whatever it holds."""
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    digest = blake2b(written + body, digest_size=32).digest()
    folder.mkdir(exist_ok=True)
    (folder / "shelf.1").write_bytes(b"mnlmcch1" + len(written).to_bytes(8, "little") + digest + written + body)


def test_what_was_written_is_read_back(cache: Path) -> None:
    found = read_cache(cache, "shelf")
    assert found is not None
    arrays, facts = found
    assert facts == {"position": 7}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(arrays[name], array)
        assert not arrays[name].flags.writeable


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.sampled_from([np.bool_, np.int8, np.uint8, np.int32, np.int64, np.float32, np.float64]).flatmap(
            lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_side=0, max_side=4))
        ),
        max_size=4,
    )
)
def test_any_arrays_are_read_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, given_arrays: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    write_cache(folder, "shelf", given_arrays, {})
    found = read_cache(folder, "shelf")
    assert found is not None
    assert {name: (a.shape, a.tobytes()) for name, a in found[0].items()} == {
        name: (a.shape, a.tobytes()) for name, a in given_arrays.items()
    }


def test_a_new_cache_takes_the_place_of_the_old_one(cache: Path) -> None:
    write_cache(cache, "shelf", {"ids": np.array([9])}, {"position": 8})
    assert [path.name for path in cache.iterdir()] == ["shelf.2"]
    found = read_cache(cache, "shelf")
    assert found is not None
    assert found[1] == {"position": 8}


def test_an_array_that_is_mapped_outlives_its_file(cache: Path) -> None:
    found = read_cache(cache, "shelf")
    assert found is not None
    write_cache(cache, "shelf", {}, {})
    assert np.array_equal(found[0]["vectors"], ARRAYS["vectors"])


def test_a_damaged_newest_cache_gives_way_to_an_older_intact_one(cache: Path) -> None:
    (cache / "shelf.2").write_bytes(b"mnlmcch1 torn")
    found = read_cache(cache, "shelf")
    assert found is not None
    assert found[1] == {"position": 7}


def test_every_single_flipped_bit_is_noticed(cache: Path) -> None:
    path = cache / "shelf.1"
    intact = path.read_bytes()
    for place in range(len(intact)):
        damaged = bytearray(intact)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert read_cache(cache, "shelf") is None, place


def test_every_torn_end_is_noticed(cache: Path) -> None:
    path = cache / "shelf.1"
    intact = path.read_bytes()
    for size in range(len(intact)):
        path.write_bytes(intact[:size])
        assert read_cache(cache, "shelf") is None, size


ENTRY = {"dtype": "<f4", "shape": [4], "offset": 0}


@pytest.mark.parametrize(
    "header",
    [
        b"no json",
        [],
        {"arrays": {}, "size": 64},
        {"arrays": {}, "facts": {}, "size": 63},
        {"arrays": {"a": ENTRY | {"dtype": "|O"}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"dtype": "<U4"}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"shape": [1 << 60]}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"shape": [17]}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"offset": 1000}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"offset": -64}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"offset": "0"}}, "facts": {}, "size": 64},
        {"arrays": {"a": {"dtype": "<f4"}}, "facts": {}, "size": 64},
        {"arrays": {"a": ENTRY | {"more": 1}}, "facts": {}, "size": 64},
        {"arrays": {"a": 7}, "facts": {}, "size": 64},
        {"arrays": [ENTRY], "facts": {}, "size": 64},
    ],
    ids=lambda header: str(header)[:60],
)
def test_a_header_that_makes_no_sense_is_no_cache_whatever_its_checksum(tmp_path: Path, header: Any) -> None:
    crafted(tmp_path / "cache", header)
    assert read_cache(tmp_path / "cache", "shelf") is None


def test_a_missing_folder_or_name_is_no_cache(cache: Path, tmp_path: Path) -> None:
    assert read_cache(tmp_path / "nowhere", "shelf") is None
    assert read_cache(cache, "shel") is None
    assert read_cache(cache, "shelf-1") is None


def test_names_that_begin_alike_are_kept_apart(cache: Path) -> None:
    write_cache(cache, "shelf-1", {}, {"of": 1})
    write_cache(cache, "shelf-11", {}, {"of": 11})
    write_cache(cache, "shelf-1", {}, {"of": "1 again"})
    facts = {name: found[1] for name in ("shelf", "shelf-1", "shelf-11") if (found := read_cache(cache, name))}
    assert facts == {"shelf": {"position": 7}, "shelf-1": {"of": "1 again"}, "shelf-11": {"of": 11}}


def test_dropping_removes_every_file(cache: Path, tmp_path: Path) -> None:
    (cache / "shelf.2.part").write_bytes(b"left behind")
    drop_caches(cache)
    drop_caches(tmp_path / "nowhere")
    assert not any(cache.iterdir())


def test_what_a_killed_writer_left_half_written_is_never_read_and_soon_removed(cache: Path) -> None:
    (cache / "shelf.2.part").write_bytes((cache / "shelf.1").read_bytes())
    found = read_cache(cache, "shelf")
    assert found is not None
    assert found[1] == {"position": 7}
    write_cache(cache, "shelf", {}, {"position": 8})
    assert [path.name for path in cache.iterdir()] == ["shelf.2"]
