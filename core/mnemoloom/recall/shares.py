"""How much of a result one source may make up: influence that no number of texts can buy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["most_per_source", "within_share"]

_ROUNDING = 1e-9  # .29 of 100 is a little less than 29


def most_per_source(share: float, k: int) -> int:
    """How many of `k` hits a share allows: at least one."""
    return max(1, int(share * k + _ROUNDING))


def within_share(sources: Sequence[str | None], most: int) -> NDArray[np.bool_]:
    """Which places of a ranking stay when each source keeps its `most` best; those without a source all stay."""
    seen: Counter[str] = Counter()
    kept = np.ones(len(sources), np.bool_)
    for place, source in enumerate(sources):
        if source is not None:
            seen[source] += 1
            kept[place] = seen[source] <= most
    return kept
