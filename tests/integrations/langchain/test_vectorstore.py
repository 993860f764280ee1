"""MnemoloomVectorStore: exact cosines, filters before the cut, ids that replace, both twins alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_mnemoloom import LangChainEmbedder, MnemoloomEmbeddings, MnemoloomVectorStore
from mnemoloom import Memory, where
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, EmbedderError, FilterError, MetadataError, ValidationError

DOCUMENTS = [
    Document(page_content=f"{colour} {noun} of year {year}", metadata={"colour": colour, "year": year}, id=f"d{year}")
    for year, (colour, noun) in enumerate(
        [(c, n) for c in ("red", "blue", "green") for n in ("boat", "kettle", "map", "violin")], start=2000
    )
]


@pytest.fixture
def store() -> Iterator[MnemoloomVectorStore]:
    with Memory.open(":memory:", embedder=HashingEmbedder(64)) as memory:
        store = MnemoloomVectorStore(memory)
        store.add_documents(DOCUMENTS)
        yield store


@pytest.fixture
def exact() -> InMemoryVectorStore:
    """LangChain's own, with the same vectors: the oracle."""
    other = InMemoryVectorStore(MnemoloomEmbeddings(HashingEmbedder(64)))
    other.add_documents(DOCUMENTS)
    return other


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


@pytest.mark.parametrize("query", ["red boat", "the violin of 2007", "nothing alike"])
def test_scores_and_order_are_those_of_an_exact_store(
    store: MnemoloomVectorStore, exact: InMemoryVectorStore, query: str
) -> None:
    got, want = store.similarity_search_with_score(query, 12), exact.similarity_search_with_score(query, 12)
    assert dict(zip(ids([d for d, _ in got]), (s for _, s in got), strict=True)) == pytest.approx(
        dict(zip(ids([d for d, _ in want]), (s for _, s in want), strict=True)), abs=1e-6
    )
    assert [score for _, score in got] == sorted((score for _, score in got), reverse=True)
    assert store.similarity_search(query, 3) == [document for document, _ in got[:3]]


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.7, 1.0])
def test_mmr_chooses_what_an_exact_store_chooses(
    store: MnemoloomVectorStore, exact: InMemoryVectorStore, spread: float
) -> None:
    got = store.max_marginal_relevance_search("red violin", k=4, fetch_k=8, lambda_mult=spread)
    want = exact.max_marginal_relevance_search("red violin", k=4, fetch_k=8, lambda_mult=spread)
    assert ids(got) == ids(want)
    row = HashingEmbedder(64).embed(["red violin"], query=True)[0].tolist()
    assert got == store.max_marginal_relevance_search_by_vector(row, k=4, fetch_k=8, lambda_mult=spread)
    assert store.max_marginal_relevance_search("red violin", k=0) == []


FILTERS: list[tuple[Any, set[str]]] = [
    ({"colour": "blue"}, {"d2004", "d2005", "d2006", "d2007"}),
    ({"colour": {"$in": ["red", "green"]}, "year": {"$gte": 2003, "$lt": 2009}}, {"d2003", "d2008"}),
    ({"colour": {"$ne": "red"}, "year": {"$lte": 2004}}, {"d2004"}),
    (where("metadata.year").gt(2009) & where("external_id").ne("d2010"), {"d2011"}),
    (lambda document: document.metadata["year"] % 5 == 0, {"d2000", "d2005", "d2010"}),
    ({"colour": ["red"]}, set()),
    ({"$or": [{"year": 2001}, {"year": 2002}]}, {"d2001", "d2002"}),
    ({"$and": [{"colour": "red"}, {"year": {"$gt": 2002}}]}, {"d2003"}),
    ({"$not": {"year": {"$gt": 2000}}}, {"d2000"}),
    ({"colour": "blue", "$or": [{"year": 2001}, {"$not": {"year": {"$lt": 2007}}}]}, {"d2007"}),
    ({"$or": [{"colour": ["red"]}, {"colour": "red", "year": 2001}]}, {"d2001"}),
    ({"$not": {"$or": [{"colour": {"$ne": ["red"]}}, {"year": 2001}]}}, set()),
    ({"$and": [{"$not": {"colour": ["red"]}}, {"year": 2001}]}, {"d2001"}),
]


@pytest.mark.parametrize(("given", "want"), FILTERS, ids=str)
def test_a_filter_acts_before_the_best_are_taken(store: MnemoloomVectorStore, given: Any, want: set[str]) -> None:
    assert set(ids(store.similarity_search("red boat", 12, filter=given))) == want
    assert len(store.similarity_search("red boat", 2, filter=given)) == min(2, len(want))
    assert set(ids(store.max_marginal_relevance_search("red boat", k=12, filter=given))) == want
    assert set(ids(store.similarity_search_by_vector([1.0] * 64, 12, filter=given))) == want


def test_the_async_twins_do_the_same(store: MnemoloomVectorStore) -> None:
    async def scenario() -> None:
        row, options = [1.0] * 64, {"k": 3, "filter": {"colour": "blue"}}
        assert await store.asimilarity_search("boat", **options) == store.similarity_search("boat", **options)
        assert await store.asimilarity_search_with_score("boat", **options) == store.similarity_search_with_score(
            "boat", **options
        )
        assert await store.asimilarity_search_by_vector(row, **options) == store.similarity_search_by_vector(
            row, **options
        )
        assert await store.amax_marginal_relevance_search("boat", **options) == store.max_marginal_relevance_search(
            "boat", **options
        )
        assert await store.amax_marginal_relevance_search_by_vector(
            row, **options
        ) == store.max_marginal_relevance_search_by_vector(row, **options)
        assert await store.asimilarity_search_with_relevance_scores(
            "boat", k=3
        ) == store.similarity_search_with_relevance_scores("boat", k=3)
        assert await store.aadd_texts(["x"], ids=["new"]) == ["new"]
        assert await store.aadd_documents([Document(page_content="y", id="newer")]) == ["newer"]
        assert ids(await store.aget_by_ids(["newer", "none", "new"])) == ["newer", "new"]
        assert await store.adelete(["new", "none"])
        assert await store.aget_by_ids(["new"]) == []
        await store.adelete(delete_all=True)
        assert await store.asimilarity_search("boat") == []

    asyncio.run(scenario())


def test_an_id_that_is_added_again_replaces_the_document(store: MnemoloomVectorStore) -> None:
    store.add_texts(["a piano"], [{"colour": "black"}], ids=["d2000"])
    assert store.get_by_ids(["d2000"]) == [Document(page_content="a piano", metadata={"colour": "black"}, id="d2000")]
    assert len(store.similarity_search("piano", 50)) == len(DOCUMENTS)
    assert ids(store.similarity_search("a piano", 1)) == ["d2000"]


def test_given_ids_come_before_the_documents_own_and_new_ones_are_made(store: MnemoloomVectorStore) -> None:
    documents = [
        Document(page_content="a", id="own"),
        Document(page_content="b", id="other"),
        Document(page_content="c"),
    ]
    got = store.add_documents(documents, ids=[None, "asked", None])
    assert got[:2] == ["own", "asked"]
    assert [document.page_content for document in store.get_by_ids(got)] == ["a", "b", "c"]
    assert documents[2].id is None


def test_a_generator_of_texts_is_added_whole(store: MnemoloomVectorStore) -> None:
    got = store.add_texts(f"generated {number}" for number in range(5))
    assert len(set(got)) == 5
    assert len(store.get_by_ids(got)) == 5


@pytest.mark.parametrize("column", [{"ids": ["1"]}, {"metadatas": [{}]}, {"ids": ["1", "2", "3"]}])
def test_lists_of_different_lengths_are_refused_and_nothing_is_added(
    store: MnemoloomVectorStore, column: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match="as many"):
        store.add_texts(["one", "two"], **column)
    with pytest.raises(MetadataError):
        store.add_texts(["one", "two"], [{}, {"bad": object()}])
    assert len(store.memory) == len(DOCUMENTS)


def test_everything_is_deleted_only_on_demand(store: MnemoloomVectorStore) -> None:
    for call in ({}, {"ids": ["d2000"], "delete_all": True}, {"ids": "d2000"}):
        with pytest.raises(ValidationError, match=r"delete takes|list of strings"):
            store.delete(**call)
    assert store.delete(["d2000", "no such id"])
    assert len(store.memory) == len(DOCUMENTS) - 1
    assert store.delete(delete_all=True)
    assert len(store.memory) == 0


def test_relevance_is_the_cosine_within_zero_and_one(store: MnemoloomVectorStore) -> None:
    scored = store.similarity_search_with_relevance_scores("red boat of year 2000", k=12)
    assert scored[0][1] == pytest.approx(1.0, abs=1e-6)
    assert all(0.0 <= score <= 1.0 for _, score in scored)
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.99})
    assert ids(retriever.invoke("red boat of year 2000")) == ["d2000"]
    assert len(store.as_retriever(search_type="mmr", search_kwargs={"k": 2}).invoke("boat")) == 2


def test_from_texts_fills_a_folder_that_can_be_opened_again(tmp_path: Path) -> None:
    embedding = DeterministicFakeEmbedding(size=16)
    store = MnemoloomVectorStore.from_texts(
        iter(["a", "b"]), embedding, [{"n": 1}, {"n": 2}], ids=["1", "2"], path=tmp_path / "s", namespace=("docs",)
    )
    assert store.embeddings is embedding
    store.memory.close()
    with Memory.open(tmp_path / "s", namespace=("docs",), embedder=LangChainEmbedder(embedding)) as memory:
        assert ids(MnemoloomVectorStore(memory).similarity_search("b", 1)) == ["2"]
    other = asyncio.run(MnemoloomVectorStore.afrom_texts(["c"], embedding))
    assert len(other.similarity_search("c")) == 1
    other.memory.close()


def test_from_texts_lets_go_of_the_folder_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        MnemoloomVectorStore.from_texts(["a"], DeterministicFakeEmbedding(size=16), ids=[], path=tmp_path / "s")
    Memory.open(tmp_path / "s").close()


def test_a_namespace_sees_its_own_documents_only(store: MnemoloomVectorStore) -> None:
    other = MnemoloomVectorStore(store.memory.at("other"))
    other.add_texts(["red boat"], ids=["d2000"])
    assert len(other.similarity_search("boat", 50)) == 1
    other.delete(["d2000", "d2001"])
    other.delete(delete_all=True)
    assert len(store.similarity_search("boat", 50)) == len(DOCUMENTS)


def test_langchains_indexing_keeps_the_store_in_step(store: MnemoloomVectorStore) -> None:
    manager = InMemoryRecordManager("test")
    manager.create_schema()
    sources = [Document(page_content=f"page {n}", metadata={"source": str(n)}) for n in range(4)]
    options: dict[str, Any] = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    store.delete(delete_all=True)
    assert index(sources, manager, store, **options)["num_added"] == 4
    assert index(sources, manager, store, **options)["num_skipped"] == 4
    assert index(sources[:1], manager, store, **options)["num_deleted"] == 3
    assert len(store.memory) == 1


def test_without_an_encoder_a_search_by_meaning_says_so() -> None:
    with Memory.open(":memory:") as memory:
        store = MnemoloomVectorStore(memory)
        store.add_texts(["a boat"])
        assert store.embeddings is None
        for search in (store.similarity_search, store.max_marginal_relevance_search):
            with pytest.raises(EmbedderError, match=r"a vector store needs an embedder.*MnemoloomVectorStore.open"):
                search("boat")


def test_a_folder_is_opened_again_with_its_encoder(tmp_path: Path) -> None:
    embedding = MnemoloomEmbeddings(HashingEmbedder(64))
    first = MnemoloomVectorStore.from_texts(["a red boat", "a map"], embedding, path=tmp_path / "docs")
    first.memory.close()
    again = MnemoloomVectorStore.open(tmp_path / "docs", embedding)
    assert [document.page_content for document in again.similarity_search("boat", 1)] == ["a red boat"]
    again.memory.close()


def test_what_is_no_memory_is_refused_with_the_way_to_open_one() -> None:
    embedding: Any = MnemoloomEmbeddings(HashingEmbedder(64))
    with Memory.open(":memory:") as memory:
        for bad in (
            lambda: MnemoloomVectorStore(embedding=embedding),
            lambda: MnemoloomVectorStore(embedding, path="./docs"),
            lambda: MnemoloomVectorStore(memory, embedding=embedding),
            lambda: MnemoloomVectorStore(),
        ):
            with pytest.raises(ConfigError, match=r"MnemoloomVectorStore.open\(path, embedding\)"):
                bad()


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"colour": ["red"]}
    for _ in range(levels):
        found = {"$not": found}
    return found


MEANINGLESS: list[Any] = [
    "colour",
    {"colour": {"$like": "r"}},
    {"colour": {"$gt": [1]}},
    {3: 4},
    [1],
    {"$nor": [{"colour": "red"}]},
    {"$or": {"colour": "red"}},
    {"$or": []},
    {"$and": [{}]},
    {"$not": [{"colour": "red"}]},
    nested(2_000),
]


@pytest.mark.parametrize("bad", MEANINGLESS, ids=range(len(MEANINGLESS)))
def test_a_filter_that_means_nothing_is_refused(store: MnemoloomVectorStore, bad: Any) -> None:
    with pytest.raises(FilterError):
        store.similarity_search("boat", filter=bad)


def test_a_key_written_as_a_field_of_the_core_is_refused(store: MnemoloomVectorStore) -> None:
    for bad in ({"metadata.year": 2001}, {"$or": [{"metadata.year": 2001}]}):
        with pytest.raises(FilterError, match=r"'year', not 'metadata\.year'"):
            store.similarity_search("boat", filter=bad)
    store.add_texts(["a canoe"], [{"metadata.year": 2001}], ids=["canoe"])
    assert ids(store.similarity_search("boat", filter=where("metadata", "metadata.year").eq(2001))) == ["canoe"]


def test_vectors_come_from_the_encoder_as_documents_and_queries() -> None:
    class Asymmetric(DeterministicFakeEmbedding):
        def embed_query(self, text: str) -> list[float]:
            return super().embed_query("query: " + text)

    embedding = Asymmetric(size=16)
    store = MnemoloomVectorStore.from_texts(["query: a", "a"], embedding)
    stored = store.memory.vectors([1, 2])
    row = np.asarray(embedding.embed_documents(["a"])[0])
    assert stored[1] == pytest.approx(row / np.linalg.norm(row), abs=1e-6)
    assert [document.page_content for document in store.similarity_search("a", 1)] == ["query: a"]
    store.memory.close()


def test_one_string_is_no_list_of_texts(store: MnemoloomVectorStore) -> None:
    for add in (store.add_texts, lambda texts: asyncio.run(store.aadd_texts(texts))):
        with pytest.raises(ValidationError, match="list of texts"):
            add("a red boat")
    assert len(store.memory) == len(DOCUMENTS)


def test_a_number_is_no_id_of_a_document(store: MnemoloomVectorStore) -> None:
    """The core would take it for the number of a memory, which may be any document's."""
    number = store.memory.get("d2000").id
    for call in (store.delete, store.get_by_ids, lambda ids: asyncio.run(store.adelete(ids))):
        for ids_given in ([number], "d2000", [None]):
            with pytest.raises(ValidationError, match="list of strings"):
                call(ids_given)  # type: ignore[arg-type]
    assert len(store.memory) == len(DOCUMENTS)


def test_mmr_goes_on_without_what_is_deleted_meanwhile(store: MnemoloomVectorStore) -> None:
    def keeps(document: Document) -> bool:
        if document.id != "d2000":
            store.delete(["d2000", "d2003"])
        return True

    found = store.max_marginal_relevance_search("red boat", k=3, fetch_k=5, filter=keeps)
    assert len(found) == 3
    assert not {"d2000", "d2003"} & set(ids(found))


@pytest.mark.parametrize("options", [{"lambda_mult": 7}, {"lambda_mult": float("nan")}, {"k": -1}, {"query": " "}])
def test_mmr_refuses_what_it_cannot_weigh(store: MnemoloomVectorStore, options: Any) -> None:
    with pytest.raises(ValidationError):
        store.max_marginal_relevance_search(**{"query": "boat", **options})
