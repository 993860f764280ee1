"""The Titans long-term memory: a small network that learns k → v while it is used.

Symbols follow Behrouz et al. 2024 (Titans, eqs. 8–15): M memory, S past surprise, eta keeps S, theta lets the
new gradient in, alpha forgets M.

    loss     l(M; k, v) = |M(k) − v|²
    S_t = eta_t · S_{t−1} − theta_t · ∇l(M_c; k_t, v_t)
    M_t = (1 − alpha_t) · M_{t−1} + S_t            retrieve: M(q), nothing moves

M is linear (depth 1) or layers with SiLU between them; its last layer begins at zero, so that an untrained memory
answers 0. M_c is the memory at the start of the chunk of `chunk` tokens; 1 is the recurrent form, more is the
paper's parallel one. Chunks are counted from the first token ever, so tokens may come one by one or together.

A gradient longer than `clip` is shortened to it (the one departure from the paper; None is the paper). With
constant rates that bounds |S| by theta·clip / (1 − eta), and |M| by its start plus that divided by alpha.

Keys and values that come from one pooled embedding carry little surprise; `titans.surprise` is the form that
does (areas under the curve for evidence .54 and .77). Use it on keys and values of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError

__all__ = ["Learned", "TitansConfig", "TitansState", "gradient", "learn", "retrieve"]

Floats = NDArray[np.float64]
Layers = tuple[Floats, ...]  # each of shape (out, in)
_LARGEST = 1e30  # so that no product of gradients overflows


@dataclass(frozen=True, slots=True, kw_only=True)
class TitansConfig:
    """eta, theta, alpha: momentum, step and forgetting. clip: the longest gradient. chunk: tokens of one M_c."""

    eta: float = 0.5
    theta: float = 0.05
    alpha: float = 0.001
    clip: float | None = 4.0
    chunk: int = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta < 1.0:
            raise ConfigError(f"TitansConfig.eta must be in [0, 1); got {self.eta!r}")
        if not 0.0 < self.theta <= 10.0:
            raise ConfigError(f"TitansConfig.theta must be in (0, 10]; got {self.theta!r}")
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigError(f"TitansConfig.alpha must be in [0, 1]; got {self.alpha!r}")
        if self.clip is not None and not self.clip > 0.0:
            raise ConfigError(f"TitansConfig.clip must be above 0 or None; got {self.clip!r}")
        if isinstance(self.chunk, bool) or not isinstance(self.chunk, int) or self.chunk < 1:
            raise ConfigError(f"TitansConfig.chunk must be a whole number of at least 1; got {self.chunk!r}")


class TitansState(NamedTuple):
    """A memory as a value: its layers M, the past surprise S, M at the start of the chunk, and the tokens so far."""

    memory: Layers
    past: Layers
    start: Layers
    seen: int

    @classmethod
    def new(
        cls, keys: int, values: int, *, depth: int = 1, hidden: int | None = None, rng: np.random.Generator
    ) -> TitansState:
        """An untrained memory from keys of one width to values of another.

        Parameters
        ----------
        depth: layers, 1 to 4. hidden: width between them, by default the wider of the two ends. rng: draws all
            layers but the last; depth 1 draws nothing.
        """
        if isinstance(depth, bool) or depth not in (1, 2, 3, 4):
            raise ConfigError(f"depth must be 1, 2, 3 or 4; got {depth!r}")
        between = [hidden or max(keys, values)] * (depth - 1)
        widths = [keys, *between, values]
        if min(widths) < 1:
            raise ConfigError(f"widths of a memory must be at least 1; got {widths}")
        shapes = list(zip(widths[1:], widths[:-1], strict=True))
        layers = [rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in shapes[:-1]]
        memory = (*layers, np.zeros(shapes[-1]))
        return cls(memory, tuple(np.zeros(shape) for shape in shapes), memory, 0)

    @property
    def depth(self) -> int:
        return len(self.memory)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything this state holds, as arrays that `from_arrays` takes back."""
        named = {"memory": self.memory, "past": self.past, "start": self.start}
        layers = {f"{name}_{i}": layer for name, each in named.items() for i, layer in enumerate(each)}
        return {**layers, "seen": np.array([self.seen])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> TitansState:
        depth = sum(name.startswith("memory_") for name in arrays)

        def layers(name: str) -> Layers:
            return tuple(np.array(arrays[f"{name}_{i}"], np.float64) for i in range(depth))

        return cls(layers("memory"), layers("past"), layers("start"), int(arrays["seen"][0]))


class Learned(NamedTuple):
    """The state after learning, and for each token, shape (n,), what M_c thought of it.

    surprise: |M_c(k) − v|² / |v|², free of the scale of the values: 1 for an untrained memory.
    gradient: |∇l|, the paper's momentary surprise, before any clipping.
    """

    state: TitansState
    surprise: Floats
    gradient: Floats


def learn(
    state: TitansState,
    keys: ArrayLike,
    values: ArrayLike,
    config: TitansConfig | None = None,
    *,
    eta: ArrayLike | None = None,
    theta: ArrayLike | None = None,
    alpha: ArrayLike | None = None,
) -> Learned:
    """Learn tokens in order, keys of shape (n, k) and values of shape (n, v); `state` stays as it is.

    Parameters
    ----------
    eta, theta, alpha: shape (n,) or a number, instead of those of the config: the paper's data-dependent rates.

    Raises
    ------
    DimensionMismatchError, ValidationError
    """
    config = config or TitansConfig()
    k = _checked(keys, state.memory[0].shape[1])
    v = _checked(values, state.memory[-1].shape[0])
    if len(k) != len(v):
        raise ValidationError(f"keys and values must be of one length; got {len(k)} and {len(v)}")
    rates = [
        _rate(name, given, default, len(k))
        for name, given, default in (
            ("eta", eta, config.eta),
            ("theta", theta, config.theta),
            ("alpha", alpha, config.alpha),
        )
    ]
    surprise, length = np.empty(len(k)), np.empty(len(k))
    start = 0
    while start < len(k):
        end = min(len(k), start + config.chunk - state.seen % config.chunk)
        part = slice(start, end)
        found = _gradients(state.start, k[part], v[part])
        length[part] = _lengths(found)
        surprise[part] = _relative((found.residual**2).sum(axis=1), (v[part] ** 2).sum(axis=1))
        shrink = np.ones(end - start) if config.clip is None else config.clip / np.maximum(length[part], config.clip)
        state = _advance(state, found, [rate[part] for rate in rates], shrink, config.chunk)
        start = end
    return Learned(state, surprise, length)


def retrieve(state: TitansState, queries: ArrayLike) -> Floats:
    """M(q) for queries of shape (n, k): shape (n, v). The memory does not move."""
    return _forward(state.memory, _checked(queries, state.memory[0].shape[1]))[2]


def gradient(memory: Layers, keys: Floats, values: Floats, weights: Floats) -> Layers:
    """Σ_i weights_i · ∇|M(k_i) − v_i|² with respect to each layer; weights of shape (n,)."""
    return _weighted(_gradients(memory, keys, values), weights)


class _Gradients(NamedTuple):
    """The gradients of n tokens as outer products: that of a token in a layer is delta · inputᵀ."""

    inputs: Layers  # of each layer, shape (n, in)
    deltas: Layers  # d loss / d (the sums of each layer), shape (n, out)
    residual: Floats  # M(k) − v


def _gradients(memory: Layers, keys: Floats, values: Floats) -> _Gradients:
    inputs, slopes, output = _forward(memory, keys)
    residual = output - values
    deltas = [2.0 * residual]
    for layer, slope in zip(reversed(memory[1:]), reversed(slopes), strict=True):
        deltas.append((deltas[-1] @ layer) * slope)
    return _Gradients(inputs, tuple(deltas[::-1]), residual)


def _forward(memory: Layers, rows: Floats) -> tuple[Layers, Layers, Floats]:
    """The inputs of each layer, the slopes of SiLU after each but the last, and the output."""
    inputs, slopes = [rows], []
    for layer in memory[:-1]:
        sums = inputs[-1] @ layer.T
        gate = 0.5 * (1.0 + np.tanh(0.5 * sums))  # the logistic function, without overflow
        inputs.append(sums * gate)
        slopes.append(gate * (1.0 + sums * (1.0 - gate)))
    return tuple(inputs), tuple(slopes), inputs[-1] @ memory[-1].T


def _weighted(found: _Gradients, weights: Floats) -> Layers:
    """The sum of the tokens' gradients, times their weights."""
    return tuple((weights * delta.T) @ rows for delta, rows in zip(found.deltas, found.inputs, strict=True))


def _lengths(found: _Gradients) -> Floats:
    """|∇l| of each token over all layers, shape (n,)."""
    squares = np.zeros(len(found.residual))
    for delta, rows in zip(found.deltas, found.inputs, strict=True):
        squares += (delta**2).sum(axis=1) * (rows**2).sum(axis=1)
    return np.sqrt(squares)


def _advance(state: TitansState, found: _Gradients, rates: list[Floats], shrink: Floats, chunk: int) -> TitansState:
    """Move over the tokens of (part of) one chunk.

    Within a chunk S and M are linear in the gradients, so the recurrences run over the gradients' weights and two
    weighted sums suffice: S' = s·S + Σ aᵢ ∇lᵢ and M' = m·M + c·S + Σ bᵢ ∇lᵢ.
    """
    count = len(shrink)
    in_past, in_memory = np.zeros(count), np.zeros(count)
    keep_past, keep_memory, carried = 1.0, 1.0, 0.0
    for i, (eta, theta, alpha) in enumerate(zip(*rates, strict=True)):
        keep_past *= eta
        in_past *= eta
        in_past[i] = -theta * shrink[i]
        keep_memory *= 1.0 - alpha
        carried = (1.0 - alpha) * carried + keep_past
        in_memory = (1.0 - alpha) * in_memory + in_past
    new_past = _weighted(found, in_past)
    new_memory = new_past if count == 1 else _weighted(found, in_memory)
    past = tuple(keep_past * old + new for old, new in zip(state.past, new_past, strict=True))
    memory = tuple(
        keep_memory * old + carried * before + new
        for old, before, new in zip(state.memory, state.past, new_memory, strict=True)
    )
    seen = state.seen + count
    return TitansState(memory, past, memory if seen % chunk == 0 else state.start, seen)


def _relative(error: Floats, size: Floats) -> Floats:
    """Error over size; a value of zeros is no surprise when it is met, and infinitely one when it is missed."""
    missed = np.where(error == 0.0, 0.0, np.inf)
    return np.divide(error, size, out=missed, where=size > 0.0)


def _checked(rows: ArrayLike, width: int) -> Floats:
    table = np.asarray(rows, np.float64)
    if table.ndim != 2 or table.shape[1] != width:
        raise DimensionMismatchError(expected=width, got=table.shape[-1] if table.ndim else 0)
    if not np.all(np.abs(table) <= _LARGEST):
        raise ValidationError(f"keys and values must be numbers of size at most {_LARGEST:g}; one is not")
    return table


def _rate(name: str, given: ArrayLike | None, default: float, count: int) -> Floats:
    rate = np.asarray(default if given is None else given, np.float64)
    if rate.shape not in ((), (count,)):
        raise ValidationError(f"{name} must be a number or of shape ({count},); got shape {rate.shape}")
    if not np.all((rate >= 0.0) & (rate <= (10.0 if name == "theta" else 1.0))):
        raise ValidationError(f"{name} must be in [0, {10 if name == 'theta' else 1}]")
    return np.broadcast_to(rate, (count,))
