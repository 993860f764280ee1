"""Links and the strongest paths along them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.fabric import (
    KINDS,
    Links,
    episode_links,
    joined,
    related_to,
    similar_links,
    similar_links_from,
    superseding_links,
    without,
)

DAY = 86_400.0


def some(n: int, *, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
    """Ids that are not positions, unit rows that lean one way, times over a month in order."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 8)) + 1.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return 10 + 3 * np.arange(n), rows.astype(np.float32), np.sort(rng.uniform(0, 30 * DAY, n))


def as_dict(links: Links) -> dict[tuple[int, int, int], float]:
    keys = zip(links.sources.tolist(), links.targets.tolist(), links.kinds.tolist(), strict=True)
    return dict(zip(keys, links.strengths.tolist(), strict=True))


def test_equal_memories_are_linked_equally_wherever_their_rows_stand() -> None:
    rows = np.zeros((3, 8), np.float32)
    rows[:, 0], rows[:, 1] = np.float32(0.8), np.float32(0.6)
    rows[2, 0] = np.nextafter(np.float32(0.8), np.float32(1.0))  # as another order of summing leaves it
    ids, times = np.array([1, 2, 3]), np.zeros(3)
    one = similar_links_from(np.array([0]), ids, rows * 0.99, times, among=np.ones(3, np.bool_))
    assert one.targets.tolist() == [2, 3]
    assert as_dict(one).items() <= as_dict(similar_links(ids, rows * 0.99, times)).items()


def test_similar_links_are_those_of_the_formula_and_the_strongest_of_each_memory() -> None:
    ids, rows, times = some(60)
    wanted: dict[int, dict[int, float]] = {}
    for i in range(60):
        for j in range(60):
            cosine = float(rows[i] @ rows[j])
            if i != j and cosine >= 0.6:
                strength = 0.7 * cosine + 0.3 * (1 - min(1.0, abs(times[i] - times[j]) / (7 * DAY)))
                back = min(strength, max(0.1, 0.8 * strength))
                wanted.setdefault(int(ids[i]), {})[int(ids[j])] = strength if times[i] >= times[j] else back
    got = similar_links(ids, rows, times, threshold=0.6, most=5)
    for source, found in wanted.items():
        strongest = sorted(found.values(), reverse=True)[:5]
        mine = got.strengths[got.sources == source]
        np.testing.assert_allclose(mine, strongest, rtol=1e-5)
    for (source, target, kind), strength in as_dict(got).items():
        assert kind == KINDS.index("similar")
        assert strength == pytest.approx(wanted[source][target], rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=4), st.integers(0, 5))
def test_links_added_bit_by_bit_are_those_of_all_at_once(sizes: list[int], seed: int) -> None:
    ids, rows, times = some(sum(sizes), seed=seed)
    grown, end = Links.none(), 0
    for size in sizes:
        since, end = end, end + size
        new = similar_links(ids[:end], rows[:end], times[:end], since=since, threshold=0.5, most=4)
        grown = joined(grown, new, most=4)
    whole = as_dict(similar_links(ids, rows, times, threshold=0.5, most=4))
    assert as_dict(grown).keys() == whole.keys()
    for key, strength in as_dict(grown).items():
        assert strength == pytest.approx(whole[key], rel=1e-5)


def test_the_way_back_is_weaker_and_never_below_a_tenth() -> None:
    links = superseding_links([(7, 3)])
    assert as_dict(links) == {(7, 3, 2): 1.0, (3, 7, 2): pytest.approx(0.8)}
    ids = np.arange(6)
    weak = as_dict(episode_links(ids, np.zeros(6, np.int64), ids.astype(float), reach=4))
    assert weak[4, 0, 1] == pytest.approx(0.0625)
    assert weak[0, 4, 1] == pytest.approx(0.0625)  # no stronger than the link itself


def test_episode_links_join_the_next_memories_of_the_same_episode_in_time() -> None:
    ids, labels, times = np.array([1, 2, 3, 4]), np.array([0, 1, 0, 0]), np.array([0.0, 5.0, 2.0, 1.0])
    found = as_dict(episode_links(ids, labels, times, reach=2))
    assert {(s, t) for s, t, _ in found} == {(4, 1), (1, 4), (3, 4), (4, 3), (3, 1), (1, 3)}
    assert found[4, 1, 1] == found[3, 4, 1] == 0.5
    assert found[3, 1, 1] == 0.25


def test_links_of_every_kind_stand_beside_one_another_and_each_only_once() -> None:
    pairs = superseding_links([(2, 1)])
    both = joined(pairs, episode_links(np.array([1, 2]), np.zeros(2, np.int64), np.arange(2.0)), pairs)
    assert len(both.sources) == 4
    assert both.sources.tolist() == sorted(both.sources.tolist())


def test_links_of_forgotten_memories_go_with_them() -> None:
    ids, rows, times = some(30)
    links = without(similar_links(ids, rows, times), ids[:10])
    assert not set(ids[:10].tolist()) & (set(links.sources.tolist()) | set(links.targets.tolist()))
    assert len(links.sources) > 0


CHAIN = superseding_links([(2, 1), (3, 2), (4, 3), (5, 4)])


@pytest.mark.parametrize(("hops", "wanted"), [(0, []), (1, [2]), (2, [2, 3]), (9, [2, 3, 4, 5])])
def test_paths_go_as_far_as_the_hops(hops: int, wanted: list[int]) -> None:
    assert [each.id for each in related_to(CHAIN, 1, hops=hops)] == wanted


def test_a_path_is_as_strong_as_the_product_of_its_links_and_tells_its_way() -> None:
    found = related_to(CHAIN, 1, hops=3)
    assert found[-1].ids == (1, 2, 3, 4)
    assert found[-1].strength == pytest.approx(0.8**3)


def test_a_strong_way_around_beats_a_weak_link() -> None:
    direct = episode_links(np.arange(4), np.zeros(4, np.int64), np.arange(4.0), reach=3)
    links = joined(direct, superseding_links([(3, 2), (2, 0)]))
    best = related_to(links, 3)[0:2]
    assert {(each.id, each.ids) for each in best} == {(2, (3, 2)), (0, (3, 2, 0))}


def test_weak_paths_are_not_followed_and_only_k_are_told() -> None:
    assert [each.id for each in related_to(CHAIN, 1, hops=9, least=0.6)] == [2, 3]
    assert [each.id for each in related_to(CHAIN, 1, hops=9, k=1)] == [2]


def test_a_memory_without_links_is_related_to_nothing() -> None:
    assert related_to(CHAIN, 99) == []
    assert related_to(Links.none(), 1) == []


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] != pair[1]),
        st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0]),
        max_size=20,
    ),
    st.integers(0, 3),
)
def test_the_strength_is_the_best_over_all_paths_within_the_hops(
    edges: dict[tuple[int, int], float], hops: int
) -> None:
    pairs = np.array(list(edges), np.int64).reshape(-1, 2)
    links = joined(
        Links(pairs[:, 0], pairs[:, 1], np.array(list(edges.values()), np.float32), np.zeros(len(edges), np.uint8))
    )
    best: dict[int, float] = {}
    walks = [((0,), 1.0)]
    for _ in range(hops):
        walks = [((*path, t), total * s) for path, total in walks for (f, t), s in edges.items() if f == path[-1]]
        for path, total in walks:
            if total >= 0.05 and path[-1] != 0:
                best[path[-1]] = max(best.get(path[-1], 0.0), total)
    got = related_to(links, 0, hops=hops)
    assert {each.id: pytest.approx(each.strength, rel=1e-5) for each in got} == best
    for each in got:
        assert np.prod([edges[step] for step in pairwise(each.ids)]) == pytest.approx(each.strength, rel=1e-5)


def test_links_that_were_saved_are_the_same() -> None:
    links = Links(**{name: column.copy() for name, column in CHAIN.arrays().items()})
    assert as_dict(links) == as_dict(CHAIN)


def test_what_does_not_fit_is_refused() -> None:
    ids, rows, times = some(5)
    with pytest.raises(ValidationError, match="one length; got 4, 5, 5"):
        similar_links(ids[:4], rows, times)
    with pytest.raises(ConfigError, match="threshold must be"):
        similar_links(ids, rows, times, threshold=1.5)
    with pytest.raises(ConfigError, match="reach must be"):
        episode_links(ids, np.zeros(5, np.int64), times, reach=0)
    with pytest.raises(ConfigError, match="hops must be"):
        related_to(CHAIN, 1, hops=-1)
