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
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple

from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.titans.signals import Signals

__all__ = ["Decision", "GateConfig", "Reason", "SpeakerGate", "decide"]

Reason = Literal["telling", "expected", "first turns", "roles"]
_COUNTED = len(Signals._fields) + 1  # the signals, and their weighted sum


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """budget: the share of turns to write, the one knob.

    surprise, specifics, statement, answer: weights of the signals' z-scores, from a logistic regression on the evidence
        in LoCoMo 26, 30 and 41–44, rounded.
    gain: how fast the threshold moves, in z a turn.
    first: turns of a speaker that are written whatever they say, while his means and spreads are not yet known.
    """

    budget: float = 0.825
    surprise: float = 1.0
    specifics: float = 0.7
    statement: float = 0.35
    answer: float = 0.5
    gain: float = 0.1
    first: int = 16

    def __post_init__(self) -> None:
        if not 0.0 < self.budget < 1.0:
            raise ConfigError(f"GateConfig.budget must lie between 0 and 1, both excluded; got {self.budget!r}")
        for name in Signals._fields:
            if not 0.0 <= getattr(self, name) <= 10.0:
                raise ConfigError(f"GateConfig.{name} must be in [0, 10]; got {getattr(self, name)!r}")
        if not 0.0 < self.gain <= 1.0:
            raise ConfigError(f"GateConfig.gain must be in (0, 1]; got {self.gain!r}")
        if isinstance(self.first, bool) or not isinstance(self.first, int) or self.first < 1:
            raise ConfigError(f"GateConfig.first must be a whole number of at least 1; got {self.first!r}")

    @property
    def weights(self) -> tuple[float, ...]:
        """Of the signals, in their order."""
        return tuple(getattr(self, name) for name in Signals._fields)


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
    reason: "telling" (z ≥ h), "expected" (z < h: dropped), "first turns" of a speaker, or "roles": this is no
        conversation between named speakers, so all is written.
    """

    write: bool
    z: float
    threshold: float
    reason: Reason


def decide(
    gate: SpeakerGate, signals: Signals, config: GateConfig | None = None, *, named: bool
) -> tuple[SpeakerGate, Decision]:
    """Show a turn to its speaker's gate: the gate after it, and the decision.

    Parameters
    ----------
    gate: `SpeakerGate()` for a new speaker. named: whether this is a conversation between named speakers; if not, the
        turn is written and the gate only learns.

    Raises
    ------
    ValidationError: a signal is not a number of at least 0.
    """
    config = config or GateConfig()
    if not all(math.isfinite(value) and value >= 0.0 for value in signals):
        raise ValidationError(f"signals must be finite numbers of at least 0; got {signals!r}")
    goal = 1.0 - config.budget
    h = NormalDist().inv_cdf(goal) if gate.threshold is None else gate.threshold
    gate, z = _observed(gate, signals, config.weights)
    if not named:
        return gate, Decision(True, z, h, "roles")
    if gate.seen <= config.first:
        return gate._replace(threshold=h), Decision(True, z, h, "first turns")
    dropped = z < h
    after = gate._replace(threshold=h + config.gain * (goal - dropped))
    return after, Decision(not dropped, z, h, "expected" if dropped else "telling")


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
