"""What follows from the whole shelf: pure functions over its columns, each of shape (slots,)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.titans import rank_within

__all__ = [
    "age_ranks",
    "answered_slots",
    "calendar",
    "saturation",
    "smoothed_lengths",
    "surprise_ranks",
]

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Numbers = NDArray[np.integer[Any]]

_DAY = 86_400_000
_MONTH_EPOCH = 1970 * 12


def answered_slots(replies: Mask, before: NDArray[np.int32]) -> NDArray[np.int32]:
    """For each slot the nearest earlier one of its session that is no reply, 0 if none."""
    answered = before.copy()
    while (open_ := np.flatnonzero(replies[answered] & (answered > 0))).size:
        answered[open_] = before[answered[open_]]
    return answered


def smoothed_lengths(lengths: Floats, gammas: tuple[float, ...], before: Numbers, after: Numbers) -> Floats:
    """Lengths with the shares of the neighbours that the window of BM25 gives them."""
    smoothed = lengths.copy()
    earlier: Numbers = np.arange(len(lengths))
    later = earlier
    for gamma in gammas:
        earlier, later = before[earlier], after[later]
        smoothed += np.float32(gamma) * (lengths[earlier] + lengths[later])
    return smoothed


def saturation(lengths: Floats, eligible: Mask, *, k1: float, b: float) -> tuple[int, Floats]:
    """How many slots are eligible, and k1 · (1 − b + b · l / mean l of the eligible)."""
    n = int(np.count_nonzero(eligible))
    mean = float(lengths[eligible].mean()) if n else 1.0
    scaled = np.float32(k1) * (np.float32(1 - b) + np.float32(b / max(mean, 1e-9)) * lengths)
    return n, scaled.astype(np.float32)


def surprise_ranks(surprise: Floats, speakers: Numbers, ordered: Mapping[int, Floats]) -> Floats:
    """Where each surprise stands among those of its speaker, in [0, 1]; 0 for a speaker without any."""
    ranks = np.zeros(len(surprise), np.float32)
    for speaker in np.unique(speakers):
        if (sample := ordered.get(int(speaker))) is not None:
            of_speaker = speakers == speaker
            ranks[of_speaker] = rank_within(surprise[of_speaker], sample)
    return ranks


def age_ranks(times: Numbers, alive: Mask) -> NDArray[np.float64]:
    """0 for the oldest memory, 1 for the newest; equal times in the order of remembering."""
    living = np.flatnonzero(alive)
    ranks = np.zeros(len(times))
    order = np.argsort(times[living], kind="stable")
    ranks[living[order]] = np.arange(len(living)) / max(len(living) - 1, 1)
    return ranks


def calendar(times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Days since 1970, and 12 · year + month − 1, of times in milliseconds."""
    months = times.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) + _MONTH_EPOCH
    return times // _DAY, months
