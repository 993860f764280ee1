"""VectorStoreIndex on our store, end to end: insert, refresh, delete, restart, every mode, engines and pipelines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms.mock import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import IndexNode, QueryBundle, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

from integrations.llama_index.doubles import BagEmbedding, bag, scripted, shown
from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore, arefresh_documents, refresh_documents

FACTS = {
    "tea": "Alice likes green tea in the morning",
    "dog": "The dog of Bob is called Rex",
    "oslo": "Carol moved to Oslo last winter",
    "bike": "Dave rides a red bike to work",
    "bridge": "The old bridge in Bergen is closed",
}


def documents(**changed: str) -> list[Document]:
    return [Document(text=text, id_=name, metadata={"letters": len(name)}) for name, text in (FACTS | changed).items()]


def made(store: MnemoloomVectorStore, embedding: BagEmbedding, found: list[Document] | None = None) -> VectorStoreIndex:
    context = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex.from_documents(
        documents() if found is None else found, storage_context=context, embed_model=embedding
    )


def opened(store: MnemoloomVectorStore, embedding: BagEmbedding) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(store, embed_model=embedding)


def found(index: VectorStoreIndex, query: str, **options: object) -> list[str]:
    return [hit.node.ref_doc_id for hit in index.as_retriever(**options).retrieve(query)]


def test_what_was_inserted_is_found_by_cosine_in_the_exact_order(
    store: MnemoloomVectorStore, embedding: BagEmbedding
) -> None:
    index = made(store, embedding)
    asked = bag("green tea in Oslo")
    nodes = {node.ref_doc_id: node.embedding for node in store.get_nodes()}
    wanted = sorted(nodes, key=lambda name: -sum(x * y for x, y in zip(nodes[name], asked, strict=True)))
    assert found(index, "green tea in Oslo", similarity_top_k=5) == wanted
    assert found(opened(store, embedding), "green tea in Oslo", similarity_top_k=2) == wanted[:2]


def test_refreshing_inserts_what_is_new_and_replaces_what_has_changed(
    store: MnemoloomVectorStore, embedding: BagEmbedding
) -> None:
    index = made(store, embedding)
    changed = [*documents(tea="Alice drinks coffee now"), Document(text="Erin plays chess", id_="chess")]
    assert index.refresh_ref_docs(changed) == [True, False, False, False, False, True]
    assert index.refresh_ref_docs(changed) == [False] * 6
    assert found(index, "coffee", similarity_top_k=1) == ["tea"]
    assert sorted(node.ref_doc_id for node in store.get_nodes()) == sorted([*FACTS, "chess"])


def test_after_a_restart_refreshing_needs_no_docstore(folder: Path, embedding: BagEmbedding) -> None:
    store = MnemoloomVectorStore(folder)
    made(store, embedding)
    store.close()
    store = MnemoloomVectorStore(folder)
    index = opened(store, embedding)
    embedding.asked = 0
    changed = [*documents(tea="Alice drinks coffee now"), Document(text="Erin plays chess", id_="chess")]
    assert refresh_documents(index, changed) == [True, False, False, False, False, True]
    assert embedding.asked == 2
    assert asyncio.run(arefresh_documents(index, [*changed[:-1], Document(text="Erin plays go", id_="chess")])) == [
        *[False] * 5,
        True,
    ]
    assert sorted(node.get_content() for node in store.get_nodes(filters=None))[0] == "Alice drinks coffee now"
    assert len(store.get_nodes()) == 6
    store.close()


def test_refreshing_removes_an_older_version_that_llama_index_left_beside_the_new_one(
    folder: Path, embedding: BagEmbedding
) -> None:
    made(MnemoloomVectorStore(folder), embedding)
    store = MnemoloomVectorStore(folder)
    changed = documents(tea="Alice drinks coffee now", dog="The dog of Bob is called Max")
    opened(store, embedding).refresh_ref_docs(changed[:2])  # knows nothing of the first process
    assert len(store.get_nodes()) == 7
    assert refresh_documents(opened(store, embedding), changed[:1]) == [True]
    assert asyncio.run(arefresh_documents(opened(store, embedding), changed)) == [False, True, False, False, False]
    assert sorted(node.get_content() for node in store.get_nodes()) == sorted(each.text for each in changed)
    assert refresh_documents(opened(store, embedding), changed) == [False] * 5


def test_refreshing_needs_our_store(embedding: BagEmbedding) -> None:
    with pytest.raises(ValueError, match="SimpleVectorStore"):
        refresh_documents(VectorStoreIndex.from_documents(documents(), embed_model=embedding), documents())


def test_a_document_is_deleted_by_its_id(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    index = made(store, embedding)
    index.delete_ref_doc("tea")
    asyncio.run(index.adelete_ref_doc("dog"))
    assert sorted(node.ref_doc_id for node in store.get_nodes()) == ["bike", "bridge", "oslo"]
    assert "tea" not in found(index, "green tea", similarity_top_k=5)


def test_an_updated_document_takes_the_place_of_the_old_one(
    store: MnemoloomVectorStore, embedding: BagEmbedding
) -> None:
    index = made(store, embedding)
    index.update_ref_doc(Document(text="Alice sold her tea", id_="tea"))
    assert len(store.get_nodes()) == len(FACTS)
    assert index.as_retriever(similarity_top_k=1).retrieve("Alice tea")[0].node.get_content() == "Alice sold her tea"


def test_an_index_is_persisted_and_loaded_with_its_docstore(
    store: MnemoloomVectorStore, embedding: BagEmbedding, tmp_path: Path
) -> None:
    index = made(store, embedding)
    index.storage_context.persist(str(tmp_path / "rest"))
    assert not list((tmp_path / "rest").glob("*vector_store*")) or all(
        "default" not in path.name for path in (tmp_path / "rest").glob("*vector_store*")
    )
    context = StorageContext.from_defaults(persist_dir=str(tmp_path / "rest"), vector_store=store)
    again = load_index_from_storage(context, embed_model=embedding)
    assert isinstance(again, VectorStoreIndex)
    assert found(again, "red bike", similarity_top_k=1) == ["bike"]


def test_a_retriever_asks_in_every_mode(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    index = made(store, embedding)
    for mode in ("default", "mmr", "hybrid", "sparse", "text_search"):
        assert found(index, "red bike", similarity_top_k=1, vector_store_query_mode=mode) == ["bike"], mode


def test_the_settings_of_mmr_come_through_a_retriever(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    copies = [Document(text="green tea", id_=f"tea {i}") for i in range(3)] + [
        Document(text="tea and cake", id_="cake")
    ]
    index = made(store, embedding, copies)
    similar, varied = (
        found(
            index,
            "green tea",
            similarity_top_k=2,
            vector_store_query_mode="mmr",
            vector_store_kwargs={"mmr_threshold": threshold},
        )
        for threshold in (1.0, 0.2)
    )
    assert "cake" not in similar
    assert "cake" in varied


def test_alpha_moves_between_vectors_and_words(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    index = made(store, embedding)
    for alpha in (0.0, 0.4, 1.0):
        assert found(index, "Rex", similarity_top_k=1, vector_store_query_mode="hybrid", alpha=alpha) == ["dog"]


def test_filters_and_cutoffs_work_as_everywhere(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    index = made(store, embedding)
    short = MetadataFilters(filters=[MetadataFilter(key="letters", value=3, operator="<=")])
    assert set(found(index, "red bike", similarity_top_k=5, filters=short)) == {"tea", "dog"}
    engine = index.as_query_engine(
        llm=MockLLM(), similarity_top_k=5, node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=0.5)]
    )
    assert [hit.node.ref_doc_id for hit in engine.query("Dave rides a red bike").source_nodes] == ["bike"]


def test_a_query_engine_shows_the_model_what_was_found(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    llm, seen = scripted("Green tea.")
    answer = made(store, embedding).as_query_engine(llm=llm, similarity_top_k=1).query("What does Alice like?")
    assert str(answer) == "Green tea."
    assert "Alice likes green tea" in shown(seen[0])


def test_callbacks_hear_of_retrieval_and_embedding(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    heard = LlamaDebugHandler(print_trace_on_end=False)
    made(store, embedding)
    manager = CallbackManager([heard])
    listening = BagEmbedding(callback_manager=manager)
    index = VectorStoreIndex.from_vector_store(store, embed_model=listening, callback_manager=manager)
    index.as_retriever().retrieve("tea")
    assert heard.get_event_pairs(CBEventType.RETRIEVE)
    assert heard.get_event_pairs(CBEventType.EMBEDDING)


def test_a_pipeline_upserts_by_document(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=512), embedding],
        docstore=SimpleDocumentStore(),
        vector_store=store,
        docstore_strategy=DocstoreStrategy.UPSERTS,
    )
    pipeline.run(documents=documents())
    pipeline.run(documents=documents(tea="Alice drinks coffee now"))
    assert len(store.get_nodes()) == len(FACTS)
    assert "Alice drinks coffee now" in [node.get_content() for node in store.get_nodes()]


def test_coroutines_insert_retrieve_and_delete(store: MnemoloomVectorStore, embedding: BagEmbedding) -> None:
    async def work() -> list[str]:
        index = made(store, embedding)
        await index.ainsert(Document(text="Erin plays chess", id_="chess"))
        hits = await index.as_retriever(similarity_top_k=1).aretrieve("chess")
        await index.adelete_ref_doc("tea")
        return [hit.node.ref_doc_id for hit in hits]

    assert asyncio.run(work()) == ["chess"]
    assert "tea" not in {node.ref_doc_id for node in store.get_nodes()}


def test_index_nodes_need_an_index_that_does_not_know_them(
    store: MnemoloomVectorStore, embedding: BagEmbedding
) -> None:
    """LlamaIndex restricts an index that was given IndexNodes to these; the one from the store finds all."""
    nodes = [
        TextNode(id_="plain", text="plain tea"),
        IndexNode(id_="pointer", text="pointing to tea", index_id="elsewhere"),
    ]
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)
    assert {hit.node.node_id for hit in index.as_retriever(similarity_top_k=5).retrieve("tea")} == {"pointer"}
    fresh = opened(store, embedding)
    assert {hit.node.node_id for hit in fresh.as_retriever(similarity_top_k=5).retrieve("tea")} == {"plain", "pointer"}


def test_a_question_that_is_encoded_already_is_not_encoded_again(
    store: MnemoloomVectorStore, embedding: BagEmbedding
) -> None:
    index = made(store, embedding)
    embedding.asked = 0
    hits = index.as_retriever(similarity_top_k=1).retrieve(QueryBundle("anything", embedding=bag("red bike")))
    assert (hits[0].node.ref_doc_id, embedding.asked) == ("bike", 0)
