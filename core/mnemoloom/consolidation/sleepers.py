"""What sleep looks at: one column for each thing that it must know of the memories of a namespace."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import ValidationError

__all__ = ["Sleepers", "check"]

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


class Sleepers(NamedTuple):
    """n memories as columns of shape (n,); rows has shape (n, d).

    ids: ascending. rows: unit vectors, zeros for a memory without one. speakers: a number for each label, −1 for none.
    named: the label is a name, not a role. surprise: at least 0. active: activation from use, at least 0.
    age: seconds since it was remembered. stress: 0 to 1, how pressing things were then; zeros if it is not known.
    cold, pinned: where it lives. placed: a user chose its tier, so sleep leaves the tier alone.
    merged: an earlier sleep found it to be a duplicate of another.
    """

    ids: NDArray[np.int64]
    rows: NDArray[np.float32]
    speakers: NDArray[np.int64]
    named: Mask
    surprise: Floats
    active: Floats
    age: Floats
    stress: Floats
    cold: Mask
    pinned: Mask
    placed: Mask
    merged: Mask


def check(sleepers: Sleepers) -> None:
    """Raise ValidationError unless the columns are of one length, ascending ids, finite numbers in their bounds."""
    n = len(sleepers.ids)
    for name, column in sleepers._asdict().items():
        if len(column) != n:
            raise ValidationError(f"column {name} must have {n} entries as ids has; it has {len(column)}")
        if not np.isfinite(column).all():
            raise ValidationError(f"column {name} must be finite")
    if not (np.diff(sleepers.ids) > 0).all():
        raise ValidationError("ids must ascend, each of them once")
    for name in ("surprise", "active", "stress"):
        column = getattr(sleepers, name)
        if len(column) and (column.min() < 0.0 or (name == "stress" and column.max() > 1.0)):
            raise ValidationError(f"column {name} must be at least 0{' and at most 1' * (name == 'stress')}")
