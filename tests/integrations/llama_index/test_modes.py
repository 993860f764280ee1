"""Every query mode against an exact oracle: LlamaIndex's own store, numpy in float64, and BM25 by its formula."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from math import log
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.simple import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore
from mnemoloom import Memory
from mnemoloom.config import Config
from mnemoloom.lexical import Analyzer

COUNT, WIDTH = 160, 24
WORDS = ["tea", "dog", "cup", "oslo", "river", "bridge", "winter", "garden", "letter", "music", "stone", "bread"]
Mode = VectorStoreQueryMode


def corpus() -> list[TextNode]:
    rng = np.random.default_rng(7)
    return [
        TextNode(
            id_=f"n{i}",
            text=" ".join(rng.choice(WORDS, size=rng.integers(2, 9))),
            metadata={"year": int(2000 + i % 20), "tags": [WORDS[i % 12]], "city": "Oslo" if i % 3 else "Bergen"},
            embedding=(rng.standard_normal(WIDTH) * rng.uniform(0.2, 5.0)).tolist(),
        )
        for i in range(COUNT)
    ]


NODES = corpus()
OSLO = MetadataFilters(
    filters=[MetadataFilter(key="city", value="Oslo"), MetadataFilter(key="year", value=2010, operator=">=")]
)


@pytest.fixture(scope="module")
def ours() -> Iterator[MnemoloomVectorStore]:
    store = MnemoloomVectorStore()
    store.add(NODES)
    yield store
    store.close()


@pytest.fixture(scope="module")
def theirs() -> SimpleVectorStore:
    store = SimpleVectorStore()
    store.add(NODES)
    return store


def queries(**options: Any) -> list[VectorStoreQuery]:
    rng = np.random.default_rng(11)
    return [
        VectorStoreQuery(
            query_embedding=rng.standard_normal(WIDTH).tolist(),
            query_str=" ".join(rng.choice(WORDS, size=3, replace=False)),
            **{"similarity_top_k": 10, **options},
        )
        for _ in range(6)
    ]


def agree(got: VectorStoreQueryResult, ids: list[str], values: list[float]) -> None:
    """The same scores place by place, and the same ids wherever the scores are not tied."""
    np.testing.assert_allclose(got.similarities, values, atol=2e-6)
    for place, (mine, wanted) in enumerate(zip(got.ids, ids, strict=True)):
        if mine != wanted:
            tied = [i for i, value in enumerate(values) if abs(value - values[place]) < 4e-6]
            assert len(tied) > 1, (place, mine, wanted)


@pytest.mark.parametrize("filters", [None, OSLO], ids=["all", "filtered"])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_default_equals_llama_indexs_own_store(
    ours: MnemoloomVectorStore, theirs: SimpleVectorStore, k: int, filters: MetadataFilters | None
) -> None:
    for query in queries(similarity_top_k=k, filters=filters):
        want = theirs.query(query)
        agree(ours.query(query), want.ids, want.similarities)


@pytest.mark.parametrize("filters", [None, OSLO], ids=["all", "filtered"])
@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 1.0, None])
def test_mmr_over_every_node_equals_llama_indexs_own_store(
    ours: MnemoloomVectorStore, theirs: SimpleVectorStore, threshold: float | None, filters: MetadataFilters | None
) -> None:
    for query in queries(mode=Mode.MMR, filters=filters):
        want = theirs.query(query, mmr_threshold=threshold)
        agree(ours.query(query, mmr_threshold=threshold, mmr_prefetch_k=COUNT), want.ids, want.similarities)


@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.MMR, Mode.HYBRID])
def test_a_bound_on_sources_is_none_on_nodes(mode: Mode) -> None:
    with Memory.open(":memory:", config=Config(per_source=0.5)) as memory:
        store = MnemoloomVectorStore(memory)
        store.add(NODES)
        assert [len(store.query(query).ids) for query in queries(mode=mode)] == [10] * 6


def test_feedback_and_sleep_leave_default_what_it_is(theirs: SimpleVectorStore) -> None:
    store = MnemoloomVectorStore()
    store.add(NODES)
    [asked, *others] = queries()
    farthest = store.query(VectorStoreQuery(asked.query_embedding, similarity_top_k=COUNT)).ids[-1]
    for _ in range(4):
        store.client.useful(farthest, query="unheard", vector=asked.query_embedding)
    for query in (asked, *others):
        want = theirs.query(query)
        agree(store.query(query), want.ids, want.similarities)
    again = [TextNode(id_=f"again {i}", text="the same words", embedding=asked.query_embedding) for i in range(5)]
    store.add(again)
    assert store.client.sleep().counts()["merged"] == 4
    assert set(store.query(asked).ids) > {node.node_id for node in again}
    store.close()


def test_mmr_for_variety_alone_begins_with_the_nearest_node(ours: MnemoloomVectorStore) -> None:
    rows = {node.node_id: np.array(node.embedding) / np.linalg.norm(node.embedding) for node in NODES}
    for query in queries(mode=Mode.MMR)[:3]:
        asked = np.array(query.query_embedding)
        left = sorted(rows, key=lambda name: -float(rows[name] @ asked))
        wanted = [left.pop(0)]
        while len(wanted) < 10:  # each the least like the one before it, which is LlamaIndex's rule
            wanted.append(min(left, key=lambda name: float(rows[name] @ rows[wanted[-1]])))
            left.remove(wanted[-1])
        assert ours.query(query, mmr_threshold=0.0, mmr_prefetch_k=COUNT).ids == wanted


def test_mmr_chooses_among_four_times_as_many_as_it_returns(ours: MnemoloomVectorStore) -> None:
    for query in queries(mode=Mode.MMR):
        default, near = ours.query(query), VectorStoreQuery(**{**vars(query), "mode": Mode.DEFAULT})
        near.similarity_top_k = 40
        assert set(default.ids) <= set(ours.query(near).ids)
        assert default.ids == ours.query(query, mmr_prefetch_k=40).ids
        assert default.ids == ours.query(query, mmr_prefetch_factor=4.0).ids


def test_the_threshold_of_the_call_wins_over_that_of_the_query_and_zero_is_one(ours: MnemoloomVectorStore) -> None:
    [query, *_] = queries(mode=Mode.MMR, mmr_threshold=1.0)
    assert ours.query(query).ids == ours.query(query, mmr_threshold=1.0).ids
    assert ours.query(query, mmr_threshold=0.0).ids != ours.query(query, mmr_threshold=1.0).ids


def bm25(text: str) -> np.ndarray:
    """BM25 with k1 = 1.2 and b = 0.5 over stemmed words, in float64; shape (COUNT,)."""
    analyzer = Analyzer("english")
    counted = [Counter(analyzer.terms(node.text)) for node in NODES]
    lengths = np.array([sum(each.values()) for each in counted], float)
    holding = Counter(term for each in counted for term in each)
    scores = np.zeros(COUNT)
    for term in dict.fromkeys(analyzer.terms(text)):
        idf = log(1 + (COUNT - holding[term] + 0.5) / (holding[term] + 0.5))
        found = np.array([each[term] for each in counted], float)
        scores += idf * found * 2.2 / (found + 1.2 * (0.5 + 0.5 * lengths / lengths.mean()))
    return scores


def best(values: np.ndarray, allowed: np.ndarray, k: int) -> tuple[list[str], list[float]]:
    order = [i for i in np.lexsort((np.arange(COUNT), -values)) if allowed[i]][:k]
    return [NODES[i].node_id for i in order], [float(values[i]) for i in order]


@pytest.mark.parametrize(("mode", "limits"), [("sparse", {"sparse_top_k": 7}), ("sparse", {}), ("text_search", {})])
def test_the_modes_by_words_equal_bm25_by_its_formula(
    ours: MnemoloomVectorStore, mode: str, limits: dict[str, int]
) -> None:
    for query in queries(mode=Mode(mode), **limits):
        query.query_embedding = None
        scores = bm25(query.query_str or "")
        ids, values = best(scores / scores.max(), scores > 0, limits.get("sparse_top_k", 10))
        agree(ours.query(query), ids, values)


@pytest.mark.parametrize("alpha", [None, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("limit", [None, 6])
def test_hybrid_equals_the_two_scaled_scores_weighed_by_alpha(
    ours: MnemoloomVectorStore, alpha: float | None, limit: int | None
) -> None:
    rows = np.array([node.embedding for node in NODES])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    share = 0.5 if alpha is None else alpha
    for query in queries(mode=Mode.HYBRID, alpha=alpha, hybrid_top_k=limit):
        asked = np.array(query.query_embedding)
        cosines = rows @ asked / np.linalg.norm(asked)
        words = bm25(query.query_str or "")
        dense = (cosines - cosines.mean()) / (cosines.max() - cosines.mean())
        values = share * dense + (1 - share) * words / words.max()
        allowed = np.full(COUNT, True) if share else words > 0
        ids, wanted = best(values, allowed, limit or 10)
        agree(ours.query(query), ids, wanted)


def test_alpha_outside_its_bounds_is_refused(ours: MnemoloomVectorStore) -> None:
    for alpha in (-0.1, 1.1):
        with pytest.raises(ValueError, match="alpha"):
            ours.query(queries(mode=Mode.HYBRID, alpha=alpha)[0])


@pytest.mark.parametrize("mode", ["default", "mmr", "hybrid", "sparse", "text_search"])
def test_a_filter_that_the_store_has_no_words_for_gives_what_python_gives(
    ours: MnemoloomVectorStore, mode: str
) -> None:
    filters = MetadataFilters(
        filters=[
            MetadataFilter(key="city", value="OSL", operator="text_match_insensitive"),
            MetadataFilters(
                filters=[
                    MetadataFilter(key="tags", value="tea", operator="contains"),
                    MetadataFilter(key="missing", value=None, operator="is_empty"),
                ],
                condition="and",
            ),
        ]
    )
    allowed = {node.node_id for node in NODES if node.metadata["city"] == "Oslo" and "tea" in node.metadata["tags"]}
    for query in queries(mode=Mode(mode), filters=filters, similarity_top_k=COUNT):
        found = set(ours.query(query, **({"mmr_prefetch_k": COUNT} if mode == "mmr" else {})).ids)
        assert found <= allowed
        if mode in ("default", "mmr", "hybrid"):
            assert found == allowed


@pytest.mark.parametrize("mode", ["default", "mmr", "hybrid", "sparse", "text_search"])
def test_a_coroutine_finds_the_same(ours: MnemoloomVectorStore, mode: str) -> None:
    for query in queries(mode=Mode(mode))[:3]:
        got, want = asyncio.run(ours.aquery(query)), ours.query(query)
        assert (got.ids, got.similarities) == (want.ids, want.similarities)


@pytest.mark.parametrize("mode", ["default", "mmr", "hybrid", "sparse", "text_search"])
def test_nothing_asked_for_is_nothing_found(ours: MnemoloomVectorStore, mode: str) -> None:
    [query, *_] = queries(mode=Mode(mode), similarity_top_k=0)
    assert ours.query(query).ids == []


def test_beyond_the_size_of_the_index_exact_search_can_be_asked_for() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((Config().index.exact_below + 200, 16))
    store = MnemoloomVectorStore()
    store.add([TextNode(id_=str(i), text="t", embedding=row.tolist()) for i, row in enumerate(rows)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    shared = 0
    for _ in range(10):
        asked = rng.standard_normal(16)
        cosines = rows @ asked / np.linalg.norm(asked)
        want = [str(i) for i in np.argsort(-cosines)[:10]]
        query = VectorStoreQuery(query_embedding=asked.tolist(), similarity_top_k=10)
        assert store.query(query, exact=True).ids == want
        quick = store.query(query)
        np.testing.assert_allclose(quick.similarities, [cosines[int(each)] for each in quick.ids], atol=2e-6)
        shared += len(set(quick.ids) & set(want))
    assert shared >= 80  # of 100; vectors without any order are the hardest for an index
    store.close()
