"""A Titans memory as bytes: what was saved loads equal, and goes on as if it had not been."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.errors import ValidationError
from mnemoloom.titans import TitansConfig, TitansState, learn, load_state, retrieve, save_state


def taught(depth: int) -> TitansState:
    rng = np.random.default_rng(depth)
    new = TitansState.new(6, 4, depth=depth, rng=rng)
    return learn(new, rng.standard_normal((13, 6)), rng.standard_normal((13, 4)), TitansConfig(chunk=4)).state


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_what_was_saved_loads_equal_to_the_last_bit(depth: int) -> None:
    state = taught(depth)
    loaded = load_state(save_state(state))
    assert loaded.seen == state.seen == 13
    for name in ("memory", "past", "start"):
        for got, want in zip(getattr(loaded, name), getattr(state, name), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
    assert save_state(loaded) == save_state(state)


def test_a_loaded_memory_goes_on_in_the_middle_of_a_chunk_as_if_it_had_not_been_saved() -> None:
    rng, state = np.random.default_rng(9), taught(2)
    keys, values = rng.standard_normal((9, 6)), rng.standard_normal((9, 4))
    settings = TitansConfig(chunk=4)
    went_on = learn(state, keys, values, settings)
    loaded = learn(load_state(save_state(state)), keys, values, settings)
    np.testing.assert_array_equal(retrieve(loaded.state, keys), retrieve(went_on.state, keys))
    np.testing.assert_array_equal(loaded.surprise, went_on.surprise)


def test_damaged_or_other_bytes_are_refused() -> None:
    data = save_state(taught(2))
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(ValidationError, match="Titans memory"):
            load_state(bytes(damaged))
    for other in (b"", b"MNTITAN1", data[:-1], data + b"x", data[1:]):
        with pytest.raises(ValidationError, match="Titans memory"):
            load_state(other)


@pytest.mark.parametrize(
    "header", ["{}", "[1]", '{"seen": -1, "shapes": [[2, 2]]}', '{"seen": 1, "shapes": [[2, 3], [2, 3]]}', "no"]
)
def test_a_header_that_makes_no_sense_is_refused_though_its_digest_holds(header: str) -> None:
    from hashlib import blake2b

    body = b"MNTITAN1" + len(header).to_bytes(4, "little") + header.encode()
    with pytest.raises(ValidationError, match="Titans memory"):
        load_state(body + blake2b(body, digest_size=32).digest())


def test_rows_that_are_too_few_are_refused() -> None:
    from hashlib import blake2b

    data = save_state(taught(1))[:-32][:-8]
    with pytest.raises(ValidationError, match="bytes of rows"):
        load_state(data + blake2b(data, digest_size=32).digest())
