"""The Titans memory against its formulas, finite differences and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mnemoloom.errors import ConfigError, DimensionMismatchError, ValidationError
from mnemoloom.titans import TitansConfig, TitansState, learn, retrieve
from mnemoloom.titans.memory import Layers, gradient

DEPTHS = pytest.mark.parametrize("depth", [1, 2, 3, 4])
Floats = NDArray[np.float64]


def trained(depth: int, *, seed: int = 0, keys: int = 5, values: int = 3) -> TitansState:
    """A memory none of whose layers is zero."""
    rng = np.random.default_rng(seed)
    state = TitansState.new(keys, values, depth=depth, hidden=7, rng=rng)
    return learn(state, rng.standard_normal((30, keys)), rng.standard_normal((30, values))).state


def tokens(count: int, *, seed: int = 1, keys: int = 5, values: int = 3) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, keys)), rng.standard_normal((count, values))


def loss(memory: Layers, keys: Floats, values: Floats, weights: Floats) -> float:
    """Σ wᵢ |M(kᵢ) − vᵢ|² written out."""
    rows = keys
    for number, layer in enumerate(memory):
        rows = rows @ layer.T
        if number < len(memory) - 1:
            rows = rows / (1 + np.exp(-rows))
    return float((weights * ((rows - values) ** 2).sum(axis=1)).sum())


@DEPTHS
def test_the_gradient_equals_central_differences(depth: int) -> None:
    memory, (keys, values) = trained(depth).memory, tokens(4)
    weights = np.array([1.0, -0.5, 2.0, 0.25])
    found = gradient(memory, keys, values, weights)
    for number, layer in enumerate(memory):
        for place in np.ndindex(*layer.shape):
            moved = [each.copy() for each in memory]
            moved[number][place] += 1e-5
            above = loss(tuple(moved), keys, values, weights)
            moved[number][place] -= 2e-5
            below = loss(tuple(moved), keys, values, weights)
            assert found[number][place] == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-7)


def torch_output(layers: list[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    for layer in layers[:-1]:
        rows = torch.nn.functional.silu(rows @ layer.T)
    return rows @ layers[-1].T


@DEPTHS
def test_the_gradient_equals_that_of_torch(depth: int) -> None:
    memory, (keys, values) = trained(depth).memory, tokens(6)
    layers = [torch.tensor(layer, requires_grad=True) for layer in memory]
    ((torch_output(layers, torch.tensor(keys)) - torch.tensor(values)) ** 2).sum().backward()
    for got, layer in zip(gradient(memory, keys, values, np.ones(6)), layers, strict=True):
        np.testing.assert_allclose(got, layer.grad.numpy(), rtol=1e-10, atol=1e-12)


@DEPTHS
@pytest.mark.parametrize("chunk", [1, 4])
def test_learning_is_the_papers_recurrence_with_gradients_from_torch(depth: int, chunk: int) -> None:
    state, (keys, values) = trained(depth), tokens(10)
    config = TitansConfig(eta=0.6, theta=0.03, alpha=0.02, clip=None, chunk=chunk)
    state = state._replace(seen=0, start=state.memory)
    memory = [torch.tensor(layer) for layer in state.memory]
    past = [torch.tensor(layer) for layer in state.past]
    for number in range(10):
        if number % chunk == 0:
            start = [layer.clone().requires_grad_() for layer in memory]
        error = torch_output(start, torch.tensor(keys[number : number + 1])) - torch.tensor(values[number])
        gradients = torch.autograd.grad((error**2).sum(), start)
        past = [0.6 * s - 0.03 * g for s, g in zip(past, gradients, strict=True)]
        memory = [(1 - 0.02) * m + s for m, s in zip(memory, past, strict=True)]
    after = learn(state, keys, values, config).state
    for got, want in zip((*after.memory, *after.past), (*memory, *past), strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-9, atol=1e-12)


@DEPTHS
@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("pieces", [[1] * 50, [13, 30, 7], [49, 1]])
def test_streaming_equals_batch(depth: int, chunk: int, pieces: list[int]) -> None:
    config = TitansConfig(eta=0.7, theta=0.04, alpha=0.01, clip=2.0, chunk=chunk)
    state, (keys, values) = trained(depth), tokens(50)
    whole = learn(state, keys, values, config)
    surprise, start = [], 0
    for size in pieces:
        part = learn(state, keys[start : start + size], values[start : start + size], config)
        state, start = part.state, start + size
        surprise += part.surprise.tolist()
    np.testing.assert_allclose(surprise, whole.surprise, rtol=1e-9)
    assert state.seen == whole.state.seen
    for name, array in whole.state.arrays().items():
        np.testing.assert_allclose(state.arrays()[name], array, rtol=1e-9, atol=1e-12, err_msg=name)


def test_rates_may_be_given_token_by_token() -> None:
    state, (keys, values) = trained(2), tokens(6)
    eta, theta, alpha = np.random.default_rng(3).uniform(0.01, 0.4, (3, 6))
    whole = learn(state, keys, values, TitansConfig(chunk=1), eta=eta, theta=theta, alpha=alpha).state
    for i in range(6):
        config = TitansConfig(eta=eta[i], theta=theta[i], alpha=alpha[i])
        state = learn(state, keys[i : i + 1], values[i : i + 1], config).state
    np.testing.assert_allclose(state.memory[0], whole.memory[0], rtol=1e-12)


def adversarial(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Ten thousand pairs of width 2, in stretches of 250 of one kind: each tries to make the memory run away."""
    turning = 2.4 * np.arange(250)
    flipping = np.where(np.arange(250) % 2, 1.0, -1.0)[:, None]
    kinds = [
        (np.ones((250, 2)), flipping * np.ones((250, 2))),
        (1e6 * rng.standard_normal((250, 2)), 1e6 * rng.standard_normal((250, 2))),
        (np.stack((np.cos(turning), np.sin(turning)), axis=1), 10.0 ** (np.arange(250) % 7)[:, None] * np.ones((1, 2))),
        (np.full((250, 2), 1e-9), np.ones((250, 2))),
    ]
    stretches = [kinds[number % 4] for number in range(40)]
    keys, values = zip(*stretches, strict=True)
    return np.concatenate(keys), np.concatenate(values)


@pytest.mark.parametrize(("depth", "chunk"), [(1, 1), (2, 16), (3, 1), (4, 16)])
def test_the_norms_stay_within_the_stated_bound_over_ten_thousand_adversarial_steps(depth: int, chunk: int) -> None:
    config = TitansConfig(eta=0.5, theta=0.05, alpha=0.01, clip=4.0, chunk=chunk)
    rng = np.random.default_rng(0)
    state = TitansState.new(2, 2, depth=depth, hidden=3, rng=rng)
    first = norm(state.memory)
    keys, values = adversarial(rng)
    for start in range(0, 10_000, 50):
        state = learn(state, keys[start : start + 50], values[start : start + 50], config).state
        assert norm(state.past) <= 0.05 * 4.0 / 0.5 + 1e-9
        assert norm(state.memory) <= first + 0.05 * 4.0 / (0.5 * 0.01) + 1e-9
    assert state.seen == 10_000


def norm(layers: Layers) -> float:
    return float(np.sqrt(sum((layer**2).sum() for layer in layers)))


@DEPTHS
def test_a_pair_that_is_repeated_surprises_less_each_time(depth: int) -> None:
    state = TitansState.new(6, 6, depth=depth, rng=np.random.default_rng(2))
    key = np.random.default_rng(3).standard_normal((1, 6))
    key /= np.linalg.norm(key)
    found = learn(state, np.repeat(key, 5, axis=0), np.repeat(key, 5, axis=0)).surprise
    assert found[0] == 1.0
    assert found.tolist() == sorted(found.tolist(), reverse=True)
    assert found[4] < found[0]


@DEPTHS
def test_what_was_learned_can_be_retrieved_and_what_is_new_surprises_more(depth: int) -> None:
    rng = np.random.default_rng(4)
    keys = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    values = rng.standard_normal((16, 8))
    state = TitansState.new(16, 8, depth=depth, hidden=32, rng=rng)
    config = TitansConfig(theta=0.05, alpha=0.0)
    for _ in range(150):
        state = learn(state, keys[:8], values[:8], config).state
    known = learn(state, keys[:8], values[:8], config).surprise
    novel = learn(state, keys[8:], values[8:], config).surprise
    assert known.max() < 0.05
    assert novel.min() > 0.5
    np.testing.assert_allclose(retrieve(state, keys[:8]), values[:8], atol=0.5)


def test_surprise_does_not_depend_on_the_scale_of_the_values() -> None:
    state, (keys, values) = TitansState.new(5, 3, rng=np.random.default_rng(0)), tokens(1)
    for scale in (1e-4, 1.0, 1e4):
        assert learn(state, keys, scale * values).surprise[0] == pytest.approx(1.0)


def test_forgetting_of_one_erases_all_but_the_last_surprise_and_none_keeps_it() -> None:
    state, (keys, values) = trained(1), tokens(1)
    erased = learn(state, keys, values, TitansConfig(alpha=1.0)).state
    np.testing.assert_array_equal(erased.memory[0], erased.past[0])
    kept = learn(state, keys, values, TitansConfig(alpha=0.0)).state
    np.testing.assert_allclose(kept.memory[0], state.memory[0] + kept.past[0])


def test_an_untrained_memory_answers_zero() -> None:
    for depth in (1, 2, 3, 4):
        state = TitansState.new(4, 2, depth=depth, rng=np.random.default_rng(0))
        assert retrieve(state, np.ones((3, 4))).tolist() == [[0.0, 0.0]] * 3


def test_retrieving_and_learning_leave_the_state_that_came_in_as_it_was() -> None:
    state, (keys, values) = trained(3), tokens(9)
    before = {name: array.copy() for name, array in state.arrays().items()}
    retrieve(state, keys)
    learn(state, keys, values)
    for name, array in state.arrays().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


@DEPTHS
def test_a_state_that_was_saved_goes_on_exactly_as_if_it_had_not_been(depth: int) -> None:
    config, (keys, values) = TitansConfig(chunk=8), tokens(21)
    state = learn(trained(depth), keys[:11], values[:11], config).state
    loaded = TitansState.from_arrays({name: array.copy() for name, array in state.arrays().items()})
    one, other = learn(state, keys[11:], values[11:], config), learn(loaded, keys[11:], values[11:], config)
    np.testing.assert_array_equal(one.surprise, other.surprise)
    for name, array in one.state.arrays().items():
        np.testing.assert_array_equal(array, other.state.arrays()[name], err_msg=name)
    np.testing.assert_array_equal(retrieve(one.state, keys), retrieve(other.state, keys))


def test_no_tokens_change_nothing() -> None:
    state = trained(2)
    learned = learn(state, np.zeros((0, 5)), np.zeros((0, 3)))
    assert learned.state.seen == state.seen
    assert len(learned.surprise) == len(learned.gradient) == 0


def test_tokens_that_do_not_fit_are_refused() -> None:
    state, (keys, values) = trained(1), tokens(2)
    with pytest.raises(DimensionMismatchError, match="width 5; got 3"):
        learn(state, values, values)
    with pytest.raises(ValidationError, match="one length; got 2 and 1"):
        learn(state, keys, values[:1])
    for value in (np.nan, np.inf, -1e31):
        with pytest.raises(ValidationError, match=r"numbers of size at most 1e\+30"):
            learn(state, np.full((1, 5), value), values[:1])
    with pytest.raises(ValidationError, match=r"eta must be a number or of shape \(2,\)"):
        learn(state, keys, values, eta=np.ones(3))
    with pytest.raises(ValidationError, match=r"alpha must be in \[0, 1\]"):
        learn(state, keys, values, alpha=1.5)


@pytest.mark.parametrize("setting", [{"eta": 1.0}, {"theta": 0.0}, {"alpha": 1.1}, {"clip": 0.0}, {"chunk": 0}])
def test_settings_outside_their_bounds_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"TitansConfig.{next(iter(setting))} must be"):
        TitansConfig(**setting)


@pytest.mark.parametrize("depth", [0, 5, True])
def test_a_depth_outside_one_to_four_is_refused(depth: int) -> None:
    with pytest.raises(ConfigError, match="depth must be 1, 2, 3 or 4"):
        TitansState.new(4, 4, depth=depth, rng=np.random.default_rng(0))
