"""Beyond 8,000 memories an index picks the candidates: what it finds equals a scan of every vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mnemoloom import Draft, Memory
from mnemoloom.config import PROFILES, Config

WIDTH, COUNT = 384, Config().index.exact_below + 1_500
WORDS = [f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in ("n", "r", "st", "lt", "nd")]


def rows(rng: np.random.Generator, count: int) -> np.ndarray:
    """Vectors shaped like those of real encoders: about 20 dimensions deep, around topics, with a common mean."""
    basis = np.random.default_rng(0).standard_normal((20, WIDTH))
    topics = np.random.default_rng(9).standard_normal((60, 20))
    depth = topics[rng.integers(0, len(topics), count)] + 0.8 * rng.standard_normal((count, 20))
    return depth @ basis + 0.5 * rng.standard_normal((count, WIDTH)) + 0.5


def drafts(rng: np.random.Generator, *, roles: bool) -> Iterator[Draft]:
    speakers = ("user", "assistant") if roles else ("Marta", "Quentin")
    vectors = rows(rng, COUNT)
    for i in range(COUNT):
        text = " ".join(rng.choice(WORDS, rng.integers(3, 20)))
        encoded = None if roles and i % 2 else vectors[i]
        yield Draft(
            text=f"{text} n{i}", speaker=speakers[i % 2], session=f"s{i // 20}", time=float(10 * i), vector=encoded
        )


@pytest.fixture(scope="module", params=[False, True], ids=["names", "roles"])
def library(request: pytest.FixtureRequest) -> Iterator[Memory]:
    with Memory.open(":memory:") as memory:
        memory.remember_many(drafts(np.random.default_rng(1), roles=request.param))
        yield memory


def questions(count: int) -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    vectors = rows(rng, count)
    for vector in vectors:
        yield " ".join(rng.choice(WORDS, rng.integers(2, 6))), vector


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "concert"])
def test_recall_with_the_index_finds_what_a_scan_finds(library: Memory, profile: str) -> None:
    agreed = []
    for query, vector in questions(40):
        quick = library.recall(query, 10, profile=profile, vector=vector)
        exact = library.recall(query, 10, profile=profile, vector=vector, exact=True)
        agreed.append(len({hit.id for hit in quick} & {hit.id for hit in exact}) / max(len(exact), 1))
    assert np.mean(agreed) >= 0.995


def test_the_scores_of_what_the_index_finds_are_the_exact_ones(library: Memory) -> None:
    for query, vector in questions(20):
        quick = library.recall(query, 10, vector=vector)
        exact = {hit.id: hit for hit in library.recall(query, 50, vector=vector, exact=True)}
        for hit in quick:
            assert hit.score == pytest.approx(exact[hit.id].score, abs=1e-4)


def test_a_new_memory_is_found_at_once_and_a_forgotten_one_never() -> None:
    rng = np.random.default_rng(3)
    with Memory.open(":memory:") as memory:
        ids = memory.remember_many(drafts(rng, roles=False))
        vector = rows(rng, 1)[0] - 3.0
        memory.recall("anything", vector=vector)
        added = memory.remember("the newest of all", speaker="Marta", vector=vector)
        assert memory.recall("unheard", 1, vector=vector)[0].id == added
        memory.forget(added)
        for forgotten in ids[::7]:
            memory.forget(forgotten)
        found = {hit.id for hit in memory.recall("unheard", 100, vector=vector, profile="dense")}
        assert len(found) == 100
        assert not found & {added, *ids[::7]}


FILTERS = {
    "a speaker": {"speaker": "Marta"},
    "replies": {"speaker": "assistant"},
    "replies of a session": {"speaker": "assistant", "session": "s7"},
    "a session": {"session": "s11"},
    "a span of time": {"after": 1_000.0, "before": 60_000.0},
    "most of the time": {"after": 500.0},
    "until then": {"as_of": 30_000.0},
    "nothing": {"session": "nowhere"},
}


@pytest.mark.parametrize("narrowed", FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_finds_what_a_scan_with_it_finds(library: Memory, narrowed: dict[str, Any]) -> None:
    agreed = []
    for query, vector in questions(15):
        quick = library.recall(query, 10, vector=vector, **narrowed)
        exact = library.recall(query, 10, vector=vector, exact=True, **narrowed)
        assert len(quick) == len(exact)
        scores = {hit.id: hit.score for hit in exact}
        for hit in quick:
            if hit.id in scores:
                assert hit.score == pytest.approx(scores[hit.id], abs=1e-4)
        agreed.append(len({hit.id for hit in quick} & scores.keys()) / max(len(exact), 1) if exact else 1.0)
    assert np.mean(agreed) >= 0.99
