"""Which memories sleep moves between the long-term and the cold tier: by surprise and use, and nothing else.

Cold is kept and out of the index. It is for conversations between named speakers alone, as the write gate is; pinned
memories and those whose tier a user chose stay where they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.consolidation.sleepers import Sleepers
from mnemoloom.errors import ConfigError

__all__ = ["Moves", "moves_of"]


class Moves(NamedTuple):
    """Ids to move, ascending: what said little and was not used, to cold; what was used all the same, back."""

    to_cold: tuple[int, ...]
    to_long_term: tuple[int, ...]


def moves_of(sleepers: Sleepers, ranks: NDArray[np.floating], *, share: float, wake: float = 0.5) -> Moves:
    """The moves that leave the dullest `share` of each named speaker cold, but for what is used.

    Parameters
    ----------
    ranks: shape (n,), where the surprise of each stands among those of its speaker, 0 to 1. share: 0 moves nothing to
        cold. wake: the activation from which a memory counts as used; one use is 1, and it halves with time.
    """
    if not 0.0 <= share < 1.0:
        raise ConfigError(f"share must be in [0, 1); got {share!r}")
    if not wake > 0.0:
        raise ConfigError(f"wake must be above 0; got {wake!r}")
    free = ~sleepers.pinned & ~sleepers.placed
    used = sleepers.active >= wake
    cool = free & ~sleepers.cold & sleepers.named & ~used & (ranks < share)
    # what half faded again stays until it is dull and unused by the rule above: no memory moves to and fro in one sleep
    warm = free & sleepers.cold & used
    return Moves(tuple(sleepers.ids[cool].tolist()), tuple(sleepers.ids[warm].tolist()))
