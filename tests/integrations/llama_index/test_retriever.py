"""The retriever gives what `Memory.recall` gives, with the same ids and scores."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle, TextNode
from llama_index.core.tools import RetrieverTool

from integrations.llama_index.doubles import BagEmbedding, bag, scripted, shown
from llama_index.vector_stores.mnemoloom import MnemoloomRetriever, MnemoloomVectorStore
from mnemoloom import Draft, Memory
from mnemoloom.embedders import HashingEmbedder

TURNS = [
    ("Ann", "I moved to Oslo in May."),
    ("Bo", "I am still in Bergen, at the old bridge."),
    ("Ann", "My dog is called Rex."),
    ("Bo", "Green tea is the best tea."),
]


@pytest.fixture
def chat() -> Iterator[Memory]:
    with Memory.open(":memory:", namespace=("users", "ann"), embedder=HashingEmbedder(64)) as memory:
        memory.remember_many(
            [
                Draft(text=text, speaker=speaker, session="may", time="2026-05-14T18:00", metadata={"n": n})
                for n, (speaker, text) in enumerate(TURNS)
            ]
        )
        yield memory


@pytest.mark.parametrize("query", ["Where does Ann live?", "tea", "who has a dog", "the bridge in Bergen"])
@pytest.mark.parametrize(
    "options", [{}, {"profile": "document"}, {"speaker": "Ann"}, {"where": {"metadata.n": {"$gt": 0}}}], ids=str
)
def test_ids_and_scores_are_those_of_recall(chat: Memory, query: str, options: dict[str, object]) -> None:
    want = [(str(hit.id), hit.score) for hit in chat.recall(query, 3, **options)]
    retriever = MnemoloomRetriever(chat, k=3, recall=options)
    assert [(each.node.node_id, each.score) for each in retriever.retrieve(query)] == want
    assert [(each.node.node_id, each.score) for each in asyncio.run(retriever.aretrieve(query))] == want


def test_a_node_says_who_spoke_and_when(chat: Memory) -> None:
    [found] = MnemoloomRetriever(chat, k=1).retrieve("Where did Ann move?")
    assert found.node.metadata == {
        "n": 0,
        "speaker": "Ann",
        "session": "may",
        "time": "2026-05-14T18:00:00+00:00",
        "trust": "user",
    }
    told = found.node.get_content(MetadataMode.LLM)
    assert "speaker: Ann" in told
    assert "session" not in told
    assert found.node.get_content(MetadataMode.EMBED) == "n: 0\n\nI moved to Oslo in May."


def test_the_external_id_is_the_id_of_the_node(chat: Memory) -> None:
    chat.remember("I bought a kayak.", speaker="Ann", external_id="message 17")
    assert MnemoloomRetriever(chat, k=1).retrieve("kayak")[0].node.node_id == "message 17"


def test_neighbours_join_the_text_when_they_are_asked_for(chat: Memory) -> None:
    [found] = MnemoloomRetriever(chat, k=1, recall={"expand": 1}).retrieve("dog called Rex")
    assert found.node.get_content().splitlines() == [TURNS[1][1], TURNS[2][1], TURNS[3][1]]


def test_weak_hits_can_be_left_out(chat: Memory) -> None:
    scores = [hit.score for hit in chat.recall("green tea", 4)]
    kept = MnemoloomRetriever(chat, k=4, min_score=scores[0]).retrieve("green tea")
    assert [each.score for each in kept] == scores[:1]


def test_a_question_that_is_encoded_already_is_used_as_it_is(chat: Memory) -> None:
    row = HashingEmbedder(64).embed(["green tea"])[0]
    got = MnemoloomRetriever(chat, k=2).retrieve(QueryBundle("something else", embedding=row.tolist()))
    want = chat.recall("something else", 2, vector=row)
    assert [(each.node.node_id, each.score) for each in got] == [(str(hit.id), hit.score) for hit in want]


def test_the_nodes_of_a_vector_store_come_back_as_they_went_in(store: MnemoloomVectorStore) -> None:
    nodes = [TextNode(id_=text, text=text, metadata={"a": 1}, embedding=bag(text)) for text in ("green tea", "a dog")]
    store.add(nodes)
    [found] = MnemoloomRetriever(store, k=1, embed_model=BagEmbedding()).retrieve("dog")
    assert found.node == nodes[1].model_copy(update={"embedding": None})
    assert found.node.hash == nodes[1].hash


def test_it_serves_engines_tools_and_callbacks(chat: Memory) -> None:
    heard = LlamaDebugHandler(print_trace_on_end=False)
    retriever = MnemoloomRetriever(chat, k=1, callback_manager=CallbackManager([heard]))
    llm, seen = scripted("In Oslo.")
    assert str(RetrieverQueryEngine.from_args(retriever, llm=llm).query("Where did Ann move?")) == "In Oslo."
    assert "I moved to Oslo in May." in shown(seen[0])
    assert "Oslo" in str(RetrieverTool.from_defaults(retriever).call("Where did Ann move?"))
    assert len(heard.get_event_pairs(CBEventType.RETRIEVE)) == 2


def test_another_users_memory_is_never_retrieved(chat: Memory) -> None:
    assert MnemoloomRetriever(chat.at("users", "bo"), k=10).retrieve("Oslo dog tea bridge") == []


def test_a_retriever_that_is_not_sure_finds_nothing(chat: Memory) -> None:
    question = "What does the submarine captain cook on Mars?"
    assert MnemoloomRetriever(chat, recall={"min_confidence": 0.999}).retrieve(question) == []
    assert MnemoloomRetriever(chat, recall={"min_confidence": 0.0}).retrieve("dog")


def test_one_retriever_serves_several_loops_and_at_least_one_question_at_once(chat: Memory) -> None:
    retriever = MnemoloomRetriever(chat, k=1, at_once=1)

    async def work() -> list[str]:
        found = await asyncio.gather(*(retriever.aretrieve("dog Rex") for _ in range(5)))
        return [each[0].node.get_content() for each in found]

    for _ in range(2):
        assert asyncio.run(work()) == ["My dog is called Rex."] * 5
    with pytest.raises(ValueError, match="at_once"):
        MnemoloomRetriever(chat, at_once=0)
