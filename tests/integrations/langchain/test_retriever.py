"""MnemoloomRetriever is Memory.recall, with LangChain's callbacks around it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from pydantic import ValidationError as PydanticError

from langchain_mnemoloom import MnemoloomRetriever
from mnemoloom import Config, Memory, where
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import FilterError, LoomError

QUERIES = ("Where does Ann live?", "the blue boat", "What did Bo say in May?")


@pytest.fixture(scope="module")
def filled() -> Iterator[Memory]:
    with Memory.open(":memory:", embedder=HashingEmbedder(64)) as memory:
        memory.remember_many(
            {
                "text": f"{('Ann', 'Bo')[n % 2]} lives in room {n} with a {('blue', 'red', 'green')[n % 3]} boat.",
                "speaker": ("Ann", "Bo")[n % 2],
                "session": str(n // 10),
                "metadata": {"n": n, "tags": ["odd"] if n % 2 else ["even", "boat"]},
                "external_id": f"x{n}" if n % 4 else None,
            }
            for n in range(60)
        )
        yield memory


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    "options", [{}, {"speaker": "Bo"}, {"profile": "lexical"}, {"session": ["1", "2"], "expand": 1}]
)
def test_the_documents_are_the_hits_of_recall(filled: Memory, query: str, options: dict[str, Any]) -> None:
    retriever = MnemoloomRetriever(memory=filled, k=6, options=options)
    hits = filled.recall(query, 6, **options)
    for documents in (retriever.invoke(query), asyncio.run(retriever.ainvoke(query))):
        assert [document.metadata["memory_id"] for document in documents] == [hit.id for hit in hits]
        assert [document.metadata["score"] for document in documents] == [hit.score for hit in hits]
        assert [document.metadata["parts"] for document in documents] == [dict(hit.parts) for hit in hits]
        assert [document.page_content for document in documents] == [hit.text for hit in hits]
        assert [document.id for document in documents] == [hit.external_id or str(hit.id) for hit in hits]
        assert json.loads(json.dumps([document.metadata for document in documents]))[0]["n"] == hits[0].metadata["n"]


def test_every_setting_can_be_given_for_one_call(filled: Memory) -> None:
    retriever = MnemoloomRetriever(memory=filled)
    assert len(retriever.invoke("boat")) == 4
    assert len(retriever.invoke("boat", k=9)) == 9
    scores = [document.metadata["score"] for document in retriever.invoke("blue boat", k=20)]
    floor = scores[5]
    chosen = retriever.invoke("blue boat", k=20, min_score=floor)
    assert [document.metadata["score"] for document in chosen] == [score for score in scores if score >= floor]
    assert {document.metadata["speaker"] for document in retriever.invoke("boat", speaker="Bo")} == {"Bo"}
    assert all(document.metadata["n"] < 5 for document in retriever.invoke("boat", filter={"n": {"$lt": 5}}))
    both = retriever.invoke("boat", filter={"n": {"$lt": 5}}, where={"speaker": "Ann"})
    assert {document.metadata["n"] for document in both} == {0, 2, 4}
    confidence = filled.recall("blue boat", 4).confidence
    assert {document.metadata["confidence"] for document in retriever.invoke("blue boat")} == {confidence}
    assert retriever.invoke("the price of zinc", min_confidence=1.0) == []
    assert MnemoloomRetriever(memory=filled, min_confidence=1.0).invoke("the price of zinc") == []
    assert len(MnemoloomRetriever(memory=filled, min_confidence=1.0).invoke("boat", min_confidence=0.0)) == 4
    neighbours = retriever.invoke("boat", k=1, expand=1)[0].metadata
    assert {"before", "after"} & set(neighbours)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"n": {"$in": [3, 50]}}, {3, 50}),
        (where("session").eq("5") & where("metadata.n").gt(57), {58, 59}),
        (lambda document: document.metadata["n"] >= 57, {57, 58, 59}),
        ({"tags": ["even", "boat"], "n": {"$gt": 55}}, {56, 58}),
    ],
    ids=str,
)
def test_a_filter_acts_before_the_best_are_taken(filled: Memory, given: Any, wanted: set[int]) -> None:
    retriever = MnemoloomRetriever(memory=filled, k=5, filter=given)
    for documents in (retriever.invoke("boat"), asyncio.run(retriever.ainvoke("boat"))):
        assert {document.metadata["n"] for document in documents} == wanted
    assert len(retriever.invoke("boat", k=2)) == 2


@pytest.mark.parametrize("told", ["settings", "options"])
def test_a_function_that_refuses_many_widens_no_sources_share(told: str) -> None:
    settings = Config(per_source=0.5) if told == "settings" else None
    with Memory.open(":memory:", config=settings) as memory:
        memory.remember_many({"text": f"The boat of {n} is blue, blue, blue.", "source": "web/forum"} for n in range(9))
        memory.remember_many({"text": f"A boat, number {n}."} for n in range(9))
        options = {} if told == "settings" else {"per_source": 0.5}
        retriever = MnemoloomRetriever(
            memory=memory, k=4, filter=lambda document: "number 0" not in document.page_content, options=options
        )
        found = retriever.invoke("the blue boat")
        assert [document.metadata.get("source") for document in found] == ["web/forum"] * 2 + [None] * 2


def test_callbacks_and_traces_are_told(filled: Memory) -> None:
    told: list[tuple[Any, ...]] = []

    class Handler(BaseCallbackHandler):
        def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
            told.append(("start", query, kwargs["tags"], kwargs["metadata"]))

        def on_retriever_end(self, documents: Any, **_: Any) -> None:
            told.append(("end", len(documents)))

        def on_retriever_error(self, error: BaseException, **_: Any) -> None:
            told.append(("error", type(error).__name__))

    retriever = MnemoloomRetriever(memory=filled, tags=["mine"])
    retriever.invoke("boat", {"callbacks": [Handler()]}, k=2)
    with pytest.raises(LoomError):
        retriever.invoke("boat", {"callbacks": [Handler()]}, k=0)
    assert told[0][:3] == ("start", "boat", ["mine"])
    assert told[0][3]["ls_vector_store_provider"] == "mnemoloom"
    assert told[0][3]["ls_embedding_provider"] == "hashing/64"
    assert told[1] == ("end", 2)
    assert told[3] == ("error", "ValidationError")


def test_settings_that_nobody_knows_are_refused(filled: Memory) -> None:
    with pytest.raises(PydanticError, match="foo"):
        MnemoloomRetriever(memory=filled, foo=1)  # type: ignore[call-arg]
    named = "a MnemoloomRetriever has no setting 'foo'; it takes k, filter, min_score, .*min_confidence"
    with pytest.raises(PydanticError, match=named):
        MnemoloomRetriever(memory=filled, options={"foo": 1})
    with pytest.raises(TypeError, match=named):
        MnemoloomRetriever(memory=filled).invoke("boat", foo=1)
    with pytest.raises(TypeError, match=named):
        asyncio.run(MnemoloomRetriever(memory=filled).ainvoke("boat", foo=1))
    with pytest.raises(FilterError):
        MnemoloomRetriever(memory=filled, filter="n > 3").invoke("boat")


def test_a_retriever_costs_little_more_than_recall(filled: Memory) -> None:
    """The bound is 0.3 ms on a quiet machine (tests/benchmarks/langchain.py); here it is ten times that."""
    retriever = MnemoloomRetriever(memory=filled, k=5)

    def seconds(call: Any) -> float:
        started = perf_counter()
        call()
        return perf_counter() - started

    plain, wrapped = [], []
    for _ in range(50):
        plain.append(seconds(lambda: filled.recall("blue boat", 5)))
        wrapped.append(seconds(lambda: retriever.invoke("blue boat")))
    assert median(wrapped) - median(plain) < 3e-3
