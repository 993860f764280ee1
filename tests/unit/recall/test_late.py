"""MaxSim against loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom.ports import TokenVectors
from mnemoloom.recall.late import Projection, principal_projection, seeded_projection, token_matches

WEIGHTS = {"a": 1.0, "b": 2.5, "the": 0.0, "c": 0.25}


def tokens(rng: np.random.Generator, count: int, width: int = 24) -> NDArray[np.float32]:
    return rng.standard_normal((count, width)).astype(np.float32)


def maxsim(
    query: TokenVectors,
    memories: Sequence[NDArray[np.int8] | None],
    projection: Projection,
    weight: Callable[[str], float],
) -> NDArray[np.float64]:
    """The MaxSim of memories given one by one; None stands for one without tokens."""
    blocks = [np.zeros((0, projection.basis.shape[1]), np.int8) if codes is None else codes for codes in memories]
    counts = np.array([len(block) for block in blocks], np.int64)
    codes = np.concatenate([np.zeros((0, projection.basis.shape[1]), np.int8), *blocks])
    return token_matches(query, codes, counts, projection, weight).scores()


def slowly(
    query: TokenVectors, memories: list[NDArray[np.int8] | None], projection: Projection, weights: dict[str, float]
) -> list[float]:
    """Every word of the query finds its best token, one pair at a time."""
    rarity = [weights[word] for word in query.words]
    if not any(rarity):
        rarity = [1.0] * len(rarity)
    found: list[float | None] = []
    for codes in memories:
        if codes is None or not len(codes):
            found.append(None)
            continue
        total = 0.0
        for share, vector in zip(rarity, query.vectors, strict=True):
            word = (vector.astype(float) - projection.mean) @ projection.basis
            word /= np.linalg.norm(word)
            total += share * max(float(word @ (code.astype(float) / 127)) for code in codes)
        found.append(total / sum(rarity))
    lowest = min((score for score in found if score is not None), default=0.0)
    return [lowest if score is None else score for score in found]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    words=st.lists(st.sampled_from(sorted(WEIGHTS)), min_size=1, max_size=5),
    sizes=st.lists(st.none() | st.integers(0, 6), max_size=8),
)
def test_maxsim_equals_the_loop(seed: int, words: list[str], sizes: list[int | None]) -> None:
    rng = np.random.default_rng(seed)
    projection = seeded_projection(24, 16)
    query = TokenVectors(tuple(words), tokens(rng, len(words)))
    memories = [None if size is None else projection.codes(tokens(rng, size)) for size in sizes]
    got = maxsim(query, memories, projection, WEIGHTS.__getitem__)
    np.testing.assert_allclose(got, slowly(query, memories, projection, WEIGHTS), atol=1e-5)


def test_a_word_without_weight_does_not_count() -> None:
    rng = np.random.default_rng(0)
    projection, vectors = seeded_projection(24, 16), tokens(rng, 2)
    memories = [projection.codes(tokens(rng, 5)) for _ in range(4)]
    both = maxsim(TokenVectors(("the", "a"), vectors), memories, projection, WEIGHTS.__getitem__)
    one = maxsim(TokenVectors(("a",), vectors[1:]), memories, projection, WEIGHTS.__getitem__)
    np.testing.assert_allclose(both, one, atol=1e-7)


def test_words_without_any_weight_count_alike() -> None:
    rng = np.random.default_rng(0)
    projection, query = seeded_projection(24, 16), TokenVectors(("the", "the"), tokens(rng, 2))
    memories = [projection.codes(tokens(rng, 5)) for _ in range(4)]
    alike = maxsim(query, memories, projection, lambda _: 1.0)
    np.testing.assert_allclose(maxsim(query, memories, projection, WEIGHTS.__getitem__), alike, atol=1e-7)


def test_memories_without_tokens_get_the_lowest_of_the_others() -> None:
    rng = np.random.default_rng(2)
    projection, query = seeded_projection(24, 16), TokenVectors(("a",), tokens(rng, 1))
    codes = [projection.codes(tokens(rng, 3)) for _ in range(3)]
    scores = maxsim(query, [codes[0], None, codes[1], codes[2][:0], codes[2]], projection, lambda _: 1.0)
    assert scores[1] == scores[3] == min(scores[0], scores[2], scores[4])


def test_no_memory_with_tokens_gives_zeros() -> None:
    query = TokenVectors(("a",), np.ones((1, 24), np.float32))
    assert maxsim(query, [None, None], seeded_projection(24, 16), lambda _: 1.0).tolist() == [0.0, 0.0]


def test_equal_memories_score_equally_wherever_they_stand() -> None:
    rng = np.random.default_rng(3)
    projection, query = seeded_projection(24, 16), TokenVectors(("a", "b", "c"), tokens(rng, 3))
    twin = projection.codes(tokens(rng, 7))
    for count in range(2, 40):
        assert len(set(maxsim(query, [twin] * count, projection, WEIGHTS.__getitem__).tolist())) == 1, count


def test_codes_are_within_one_percent_of_the_unit_rows() -> None:
    projection, vectors = seeded_projection(384, 64), tokens(np.random.default_rng(1), 500, 384)
    exact, codes = projection.apply(vectors), projection.codes(vectors)
    assert codes.dtype == np.int8
    assert np.abs(codes / 127 - exact).max() <= 0.5 / 127 + 1e-6
    query = exact[:20]
    assert np.abs(query @ (codes / 127).T - query @ exact.T).max() < 0.01


def test_a_zero_token_has_zero_codes() -> None:
    assert not seeded_projection(8, 4).codes(np.zeros((2, 8))).any()


@pytest.mark.parametrize(("dimension", "width"), [(384, 64), (16, 16), (10, 64)])
def test_the_seeded_projection_is_orthonormal_and_always_the_same(dimension: int, width: int) -> None:
    projection = seeded_projection(dimension, width)
    kept = min(dimension, width)
    assert projection.basis.shape == (dimension, kept)
    np.testing.assert_allclose(projection.basis.T @ projection.basis, np.eye(kept), atol=1e-5)
    np.testing.assert_array_equal(projection.basis, seeded_projection(dimension, width).basis)
    assert not projection.mean.any()


def test_the_principal_projection_keeps_the_directions_that_vary() -> None:
    rng = np.random.default_rng(6)
    spread = np.array([0.1, 9.0, 0.1, 5.0, 0.1])
    data = rng.standard_normal((400, 5)) * spread + 3.0
    projection = principal_projection(data, 2)
    np.testing.assert_allclose(projection.mean, data.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(projection.basis.T @ projection.basis, np.eye(2), atol=1e-5)
    assert np.abs(projection.basis[[1, 3]]).max(axis=1).min() > 0.99
    assert projection.apply(data).shape == (400, 2)
