"""Two sizes of one test: a quick one that always runs, and a long one under `-m torture`."""

from __future__ import annotations

import pytest

__all__ = ["tier"]

_LONGEST = 3600  # seconds


def tier(*, quick: int, torture: int) -> pytest.MarkDecorator:
    """Give the test an argument `size`. The long one is multiplied by `--torture-scale`."""
    long = pytest.param(torture, id="torture", marks=[pytest.mark.torture, pytest.mark.timeout(_LONGEST)])
    return pytest.mark.parametrize("size", [pytest.param(quick, id="quick"), long], indirect=True)
