"""Sizes of the durability tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def quick_disk() -> Iterator[Path]:
    """A folder where a sync costs nothing, if there is one."""
    usable = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    with tempfile.TemporaryDirectory(prefix="mnemoloom-", dir=_IN_MEMORY if usable else None) as place:
        yield Path(place)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> int:
    """What `tier` says, scaled when it is the long one."""
    if request.node.get_closest_marker("torture") is None:
        return int(request.param)
    return max(1, round(request.param * request.config.getoption("--torture-scale")))
