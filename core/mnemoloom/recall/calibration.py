"""A threshold of confidence from a user's own answered questions: split conformal."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from mnemoloom.errors import CorruptionError
from mnemoloom.recall.confidence import THRESHOLD
from mnemoloom.storage.facts import read_fact, write_fact

__all__ = [
    "Calibration",
    "conformal_threshold",
    "fewest_questions",
    "forget_threshold",
    "keep_threshold",
    "kept_threshold",
]

_ROUNDING = 1e-9  # 1 − .9 is a little less than .1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A threshold that a share `keep` of the questions with an answer passes.

    questions: how many it was taken from; a hundred fix it to about ±6 points. kept: the share of them that passes.
    """

    threshold: float
    keep: float
    questions: int
    kept: float


def conformal_threshold(confidences: Sequence[float], *, keep: float) -> Calibration:
    """The threshold that a new answerable question passes with a probability of at least `keep`.

    It is the ⌊(1 − keep)(n + 1)⌋-th lowest of n confidences; 0 where n is too small to promise so much
    (Vovk et al. 2005; Angelopoulos and Bates 2021, eq. 1).
    """
    ordered = sorted(confidences)
    place = min(math.floor((1.0 - keep) * (len(ordered) + 1) + _ROUNDING), len(ordered))
    threshold = ordered[place - 1] if place else 0.0
    kept = sum(each >= threshold for each in ordered) / max(len(ordered), 1)
    return Calibration(threshold=threshold, keep=keep, questions=len(ordered), kept=kept)


def fewest_questions(keep: float) -> int:
    """The smallest n that can promise `keep` with a threshold above 0: ⌊(1 − keep)(n + 1)⌋ is at least 1."""
    return max(1, math.ceil((1.0 - _ROUNDING) / (1.0 - keep)) - 1)


def keep_threshold(connection: sqlite3.Connection, namespace: int, found: Calibration, *, encoder: str | None) -> None:
    """Store the threshold of a namespace; it holds for the encoder that it was measured with."""
    written = json.dumps({"threshold": found.threshold, "encoder": encoder})
    write_fact(connection, _key(namespace), written.encode())


def forget_threshold(connection: sqlite3.Connection, namespace: int) -> None:
    """Remove the threshold of a namespace."""
    write_fact(connection, _key(namespace), None)


def kept_threshold(connection: sqlite3.Connection, namespace: int, *, encoder: str | None) -> float:
    """The threshold of a namespace, or that of the library where none was measured with this encoder.

    Raises CorruptionError if what is stored cannot be read.
    """
    written = read_fact(connection, _key(namespace))
    if written is None:
        return THRESHOLD
    try:
        found = json.loads(written)
        return float(found["threshold"]) if found["encoder"] == encoder else THRESHOLD
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptionError(f"table meta of the store is damaged: {_key(namespace)}: {error!r}") from error


def _key(namespace: int) -> str:
    return f"threshold of {namespace}"
