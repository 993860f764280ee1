"""Episodes: stretches of time without a long pause."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ConfigError, ValidationError

__all__ = ["Episodes", "episodes_of"]

HOUR = 3600.0


class Episodes(NamedTuple):
    """Which episode each memory is part of, shape (n,); and by episode its start and its end in seconds, shape (e,).

    Episodes are numbered in the order of time, from 0.
    """

    labels: NDArray[np.int64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]


def episodes_of(times: ArrayLike, *, gap: float = HOUR) -> Episodes:
    """Part times, in seconds and in any order, shape (n,), where more than `gap` seconds lie between neighbours.

    That is single linkage on the time line: the order of the memories does not matter. Raises ValidationError for times
    that are not finite, ConfigError for a gap below 0.
    """
    at = np.asarray(times, np.float64)
    if at.ndim != 1 or not np.isfinite(at).all():
        raise ValidationError(f"times must be finite seconds of shape (n,); got shape {at.shape}")
    if not gap >= 0.0:
        raise ConfigError(f"gap must be a number of seconds of at least 0; got {gap!r}")
    if not len(at):
        return Episodes(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    order = np.argsort(at, kind="stable")
    ordered = at[order]
    opens = np.append(True, np.diff(ordered) > gap)
    labels = np.empty(len(at), np.int64)
    labels[order] = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    return Episodes(labels, ordered[first], ordered[np.append(first[1:], len(at)) - 1])
