"""The write gate: what tells too little is not worth an index entry. One knob, the write budget.

Each speaker has a gate of his own. Every signal of a turn (`titans.signals`) becomes a z-score by the speaker's running
mean and spread; their weighted sum becomes one again, z; the turn is written unless z lies below the threshold h.
Integral control holds the budget (Robbins & Monro 1951):

    h' = h + gain · ((1 − budget) − [dropped])

h starts at the (1 − budget) quantile of the normal distribution, and the first turns of a speaker are all written.
After n turns the share dropped is off 1 − budget by |h_n − h_0| / (gain · n) and by those first turns, and no more.

Dropping loses evidence, though far less than chance would: measured in tests/benchmarks/README.md. It is an option,
off by default; what it drops is kept cold; and it is for conversations between named speakers alone: on
user/assistant chats it did worse than chance.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, NamedTuple

from mnemoloom.config import Gate
from mnemoloom.errors import ValidationError
from mnemoloom.titans.signals import Signals

__all__ = ["Decision", "Reason", "SpeakerGate", "decide"]

Reason = Literal["telling", "expected", "first turns", "roles", "placed"]
_COUNTED = len(Signals._fields) + 1  # the signals, and their weighted sum


class SpeakerGate(NamedTuple):
    """One speaker's gate: the turns seen, and h, which is None before the first.

    means, squares: of each signal and of their weighted sum, the mean and the sum of squared deviations from it.
    Plain numbers, which JSON can hold: `SpeakerGate.from_json` takes back what `to_json` gave.
    """

    seen: int = 0
    threshold: float | None = None
    means: tuple[float, ...] = (0.0,) * _COUNTED
    squares: tuple[float, ...] = (0.0,) * _COUNTED

    def to_json(self) -> list[object]:
        return [self.seen, self.threshold, list(self.means), list(self.squares)]

    @classmethod
    def from_json(cls, numbers: list[object]) -> SpeakerGate:
        """Raises ValidationError for what `to_json` did not make."""
        try:
            seen, threshold, means, squares = numbers
            gate = cls(int(seen), threshold, tuple(map(float, means)), tuple(map(float, squares)))  # type: ignore[call-overload, arg-type]
        except (TypeError, ValueError) as error:
            raise ValidationError(f"not the numbers of a gate: {numbers!r}") from error
        if len(gate.means) != _COUNTED or len(gate.squares) != _COUNTED:
            raise ValidationError(f"a gate has {_COUNTED} means and squares; got {numbers!r}")
        return gate


class Decision(NamedTuple):
    """Whether to write a turn, and why.

    z: how telling it is, in standard deviations above what this speaker usually says; 0 while there is no spread.
    threshold: h before this turn.
    reason: "telling" (z ≥ h), "expected" (z < h: dropped), "first turns" of a speaker, "roles": this is no
        conversation between named speakers, so all is written; or "placed": whoever wrote it said where it goes.
    """

    write: bool
    z: float
    threshold: float
    reason: Reason


def decide(
    gate: SpeakerGate, signals: Signals, config: Gate | None = None, *, named: bool, placed: bool = False
) -> tuple[SpeakerGate, Decision]:
    """Show a turn to its speaker's gate: the gate after it, and the decision.

    Parameters
    ----------
    gate: `SpeakerGate()` for a new speaker. named: whether this is a conversation between named speakers; if not, the
        turn is written and the gate only learns. placed: as well if the turn's place is settled already.

    Raises
    ------
    ValidationError: a signal is not a number of at least 0.
    """
    config = config or Gate()
    if not all(math.isfinite(value) and value >= 0.0 for value in signals):
        raise ValidationError(f"signals must be finite numbers of at least 0; got {signals!r}")
    goal = 1.0 - config.budget
    h = NormalDist().inv_cdf(goal) if gate.threshold is None else gate.threshold
    gate, z = _observed(gate, signals, _weights(config))
    if not named:
        return gate, Decision(True, z, h, "roles")
    if placed:
        return gate, Decision(True, z, h, "placed")
    if gate.seen <= config.first:
        return gate._replace(threshold=h), Decision(True, z, h, "first turns")
    dropped = z < h
    after = gate._replace(threshold=h + config.gain * (goal - dropped))
    return after, Decision(not dropped, z, h, "expected" if dropped else "telling")


def _weights(config: Gate) -> tuple[float, ...]:
    """Of the signals, in their order."""
    return tuple(getattr(config, name) for name in Signals._fields)


def _observed(gate: SpeakerGate, signals: Signals, weights: tuple[float, ...]) -> tuple[SpeakerGate, float]:
    """The gate that has seen this turn too, and the turn's z."""
    seen = gate.seen + 1
    known = list(zip(gate.means, gate.squares, strict=True))
    counted = [_counted(value, *each, seen) for value, each in zip(signals, known[:-1], strict=True)]
    total = sum(weight * each.z for weight, each in zip(weights, counted, strict=True))
    counted.append(_counted(total, *known[-1], seen))
    means, squares = tuple(each.mean for each in counted), tuple(each.squares for each in counted)
    return SpeakerGate(seen, gate.threshold, means, squares), counted[-1].z


class _Counted(NamedTuple):
    mean: float
    squares: float
    z: float


def _counted(value: float, mean: float, squares: float, seen: int) -> _Counted:
    """Mean and squares that count this value too (Welford 1962), and its z-score by them."""
    before = value - mean
    mean += before / seen
    squares += before * (value - mean)
    spread = math.sqrt(squares / seen)
    return _Counted(mean, squares, (value - mean) / spread if spread > 1e-12 * abs(mean) else 0.0)
