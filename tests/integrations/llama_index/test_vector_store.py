"""The vector store: nodes go in and come out unchanged, found by cosine, words or filters."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from integrations.llama_index.doubles import bag
from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore
from mnemoloom import Memory
from mnemoloom.errors import ConfigError, DimensionMismatchError, NotAStoreError, ValidationError


def node(name: str, text: str | None = None, document: str | None = None, **metadata: Any) -> TextNode:
    words = text or f"text of {name}"
    relations = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)} if document else {}
    return TextNode(id_=name, text=words, metadata=metadata, embedding=bag(words), relationships=relations)


def ids(store: MnemoloomVectorStore) -> list[str]:
    return [each.node_id for each in store.get_nodes()]


def asked(text: str, k: int = 3, **options: Any) -> VectorStoreQuery:
    return VectorStoreQuery(query_embedding=bag(text), query_str=text, similarity_top_k=k, **options)


def test_it_is_a_vector_store_of_llama_index() -> None:
    assert issubclass(MnemoloomVectorStore, BasePydanticVectorStore)
    assert MnemoloomVectorStore.class_name() == "MnemoloomVectorStore"


def test_the_ids_come_back_in_the_order_of_the_nodes(store: MnemoloomVectorStore) -> None:
    nodes = [node(name) for name in "cab"]
    assert store.add(nodes) == ["c", "a", "b"]
    assert store.add([]) == []


def test_adding_leaves_the_callers_nodes_as_they_were(store: MnemoloomVectorStore) -> None:
    given = node("a", city="Oslo")
    before = given.model_dump()
    store.add([given])
    assert given.model_dump() == before


def test_a_node_with_a_known_id_replaces_the_older_one(store: MnemoloomVectorStore) -> None:
    store.add([node("a", "old words"), node("b")])
    store.add([node("a", "new words")])
    assert sorted(ids(store)) == ["a", "b"]
    assert store.get_nodes(["a"])[0].get_content() == "new words"
    assert len(store.query(asked("words", 10)).ids) == 2


def test_a_node_without_an_embedding_is_refused_and_nothing_is_kept(store: MnemoloomVectorStore) -> None:
    with pytest.raises(ValueError, match="embedding not set"):
        store.add([node("a"), TextNode(id_="b", text="no embedding")])
    assert ids(store) == []


def test_an_embedding_of_another_width_is_refused_and_nothing_is_kept(store: MnemoloomVectorStore) -> None:
    store.add([node("a")])
    with pytest.raises(DimensionMismatchError):
        store.add([node("b"), TextNode(id_="c", text="c", embedding=[1.0, 2.0])])
    assert ids(store) == ["a"]


KINDS: list[BaseNode] = [
    TextNode(id_="text", text="some text", metadata={"nested": {"a": [1, {"b": None}]}, "n": 1.5}, start_char_idx=3),
    TextNode(id_="text", text="with\0a NUL and <b>markup</b>"),
    TextNode(id_="blank", text="  \n "),
    IndexNode(id_="index", text="points on", index_id="other"),
    ImageNode(id_="image", image="aGVsbG8=", text="a picture"),
    ImageNode(id_="image without words", image_url="http://127.0.0.1/a.png"),
    Node(id_="node", text_resource=MediaResource(text="# Title", mimetype="text/markdown")),
]


@pytest.mark.parametrize("given", KINDS, ids=lambda each: f"{type(each).__name__}-{each.node_id}")
def test_every_kind_of_node_comes_back_as_it_went_in(store: MnemoloomVectorStore, given: BaseNode) -> None:
    given = given.model_copy(update={"embedding": [3.0, 4.0, 0.5]})
    store.add([given])
    [found] = store.get_nodes([given.node_id])
    assert type(found) is type(given)
    assert found.embedding == pytest.approx(given.embedding, rel=1e-6)
    assert found.model_copy(update={"embedding": given.embedding}) == given
    assert found.hash == given.hash


def test_a_document_comes_back_as_a_text_node_as_in_every_store(store: MnemoloomVectorStore) -> None:
    store.add([Document(id_="d", text="whole document", metadata={"a": 1}, embedding=bag("x"))])
    [found] = store.get_nodes()
    assert (type(found), found.get_content(), found.metadata) == (TextNode, "whole document", {"a": 1})


def test_relationships_are_kept(store: MnemoloomVectorStore) -> None:
    given = node("a", document="doc")
    given.relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id="b")
    store.add([given])
    [found] = store.get_nodes()
    assert found.ref_doc_id == "doc"
    assert found.relationships == given.relationships


def test_a_query_returns_nodes_ids_and_plain_floats_best_first(store: MnemoloomVectorStore) -> None:
    store.add([node("tea", "green tea"), node("dog", "a dog"), node("cup", "a cup of tea")])
    result = store.query(asked("green tea", 2))
    assert result.ids == ["tea", "cup"]
    assert [each.node_id for each in result.nodes] == result.ids
    assert all(type(each) is float for each in result.similarities)
    assert result.similarities == sorted(result.similarities, reverse=True)
    assert result.similarities[0] == pytest.approx(1.0)


@pytest.mark.parametrize("mode", ["default", "mmr", "hybrid", "sparse", "text_search"])
def test_nothing_found_is_an_empty_result(store: MnemoloomVectorStore, mode: str) -> None:
    result = store.query(asked("anything", mode=VectorStoreQueryMode(mode)))
    assert (result.nodes, result.similarities, result.ids) == ([], [], [])


@pytest.mark.parametrize("mode", ["semantic_hybrid", "svm", "logistic_regression", "linear_regression"])
def test_a_mode_that_is_not_served_is_refused(store: MnemoloomVectorStore, mode: str) -> None:
    store.add([node("a")])
    with pytest.raises(ValueError, match="Invalid query mode"):
        store.query(asked("a", mode=VectorStoreQueryMode(mode)))


@pytest.mark.parametrize("mode", ["hybrid", "sparse", "text_search"])
def test_a_mode_by_words_needs_words(store: MnemoloomVectorStore, mode: str) -> None:
    store.add([node("a")])
    with pytest.raises(ValueError, match="needs a query text"):
        store.query(VectorStoreQuery(query_embedding=bag("a"), mode=VectorStoreQueryMode(mode)))


@pytest.mark.parametrize("mode", ["mmr", "hybrid"])
def test_a_mode_by_vectors_needs_an_embedding(store: MnemoloomVectorStore, mode: str) -> None:
    store.add([node("a")])
    with pytest.raises(ValueError, match="needs an embedding"):
        store.query(VectorStoreQuery(query_str="a", mode=VectorStoreQueryMode(mode)))


def test_an_empty_list_of_node_ids_restricts_nothing_and_one_of_documents_everything(
    store: MnemoloomVectorStore,
) -> None:
    store.add([node("a", document="d1"), node("b", document="d2")])
    assert len(store.query(asked("text", node_ids=[])).ids) == 2
    assert store.query(asked("text", node_ids=["b", "missing"])).ids == ["b"]
    assert store.query(asked("text", doc_ids=[])).ids == []
    assert store.query(asked("text", doc_ids=["d1"])).ids == ["a"]
    assert store.query(asked("text", doc_ids=["d1"], node_ids=["b"])).ids == []


def test_filters_alone_find_nodes_without_an_embedding(store: MnemoloomVectorStore) -> None:
    store.add([node("a", city="Oslo"), node("b", city="Bergen"), node("c", city="Oslo")])
    oslo = MetadataFilters(filters=[MetadataFilter(key="city", value="Oslo")])
    result = store.query(VectorStoreQuery(filters=oslo, similarity_top_k=5))
    assert (result.ids, result.similarities) == (["a", "c"], [1.0, 1.0])
    with pytest.raises(ValueError, match="needs an embedding"):
        store.query(VectorStoreQuery(similarity_top_k=5))


def test_getting_without_arguments_gives_all_and_with_no_ids_none(store: MnemoloomVectorStore) -> None:
    store.add([node("a"), node("b"), node("c")])
    assert ids(store) == ["a", "b", "c"]
    assert store.get_nodes([]) == []
    assert [each.node_id for each in store.get_nodes(["c", "unknown", "a"])] == ["c", "a"]


def test_ids_and_filters_together_must_both_match(store: MnemoloomVectorStore) -> None:
    store.add([node("a", n=1), node("b", n=2), node("c", n=1)])
    ones = MetadataFilters(filters=[MetadataFilter(key="n", value=1)])
    assert [each.node_id for each in store.get_nodes(["a", "b"], ones)] == ["a"]
    store.delete_nodes(["a", "b"], ones)
    assert ids(store) == ["b", "c"]


def test_a_document_is_deleted_with_all_its_nodes_and_an_unknown_one_in_silence(store: MnemoloomVectorStore) -> None:
    store.add([node("a", document="d1"), node("b", document="d2"), node("c", document="d1"), node("d1")])
    store.delete("d1")
    store.delete("no such document")
    assert ids(store) == ["b", "d1"]


def test_deleting_no_nodes_in_particular_deletes_nothing(store: MnemoloomVectorStore) -> None:
    store.add([node("a")])
    store.delete_nodes([])
    store.delete_nodes(["unknown"])
    with pytest.raises(ValidationError, match="clear"):
        store.delete_nodes()
    assert ids(store) == ["a"]


def test_clearing_empties_this_namespace_alone_and_the_store_can_be_used_on(
    store: MnemoloomVectorStore, folder: Path
) -> None:
    other = MnemoloomVectorStore(folder, namespace=("other",))
    store.add([node("a")])
    other.add([node("a"), node("b")])
    store.clear()
    assert (ids(store), ids(other)) == ([], ["a", "b"])
    store.add([node("c")])
    assert ids(store) == ["c"]
    other.close()


def test_namespaces_of_one_folder_see_nothing_of_each_other(store: MnemoloomVectorStore, folder: Path) -> None:
    other = MnemoloomVectorStore(folder, namespace="other")
    store.add([node("a", "green tea")])
    assert other.query(asked("green tea", 5)).ids == []
    assert other.get_nodes(["a"]) == []
    other.delete_nodes(["a"])
    other.delete("a")
    assert ids(store) == ["a"]
    other.close()


def test_what_was_added_is_there_after_a_restart(folder: Path) -> None:
    store = MnemoloomVectorStore(folder)
    store.add([node("a", "green tea")])
    store.close()
    again = MnemoloomVectorStore.from_local(folder)
    assert again.query(asked("green tea")).ids == ["a"]
    again.close()


def test_it_can_be_written_down_and_made_again(store: MnemoloomVectorStore, folder: Path) -> None:
    store.add([node("a")])
    made: list[MnemoloomVectorStore] = [
        MnemoloomVectorStore.from_dict(store.to_dict()),
        MnemoloomVectorStore.from_json(store.to_json()),
        pickle.loads(pickle.dumps(store)),
        copy.deepcopy(store),
        store.model_copy(),
    ]
    for each in made:
        assert ids(each) == ["a"]
    written = store.to_dict()
    for each in (store, *made):
        each.close()
    again = MnemoloomVectorStore.from_dict(written)
    assert ids(again) == ["a"]
    again.close()


def test_a_store_in_memory_is_shared_while_it_lasts_and_its_loss_is_told() -> None:
    store = MnemoloomVectorStore()
    store.add([node("a")])
    written = store.to_dict()
    again = MnemoloomVectorStore.from_dict(written)
    assert ids(again) == ["a"]
    assert ids(MnemoloomVectorStore()) == []
    store.close()
    again.close()
    with pytest.raises(NotAStoreError, match="in memory"):
        MnemoloomVectorStore.from_dict(written)


def test_persisting_makes_no_file_and_is_refused_where_nothing_would_last(
    store: MnemoloomVectorStore, tmp_path: Path
) -> None:
    store.persist(str(tmp_path / "default__vector_store.json"), fs=None)
    assert not (tmp_path / "default__vector_store.json").exists()
    with pytest.raises(ConfigError, match="in memory"):
        MnemoloomVectorStore().persist("anywhere")


def test_a_store_lives_beside_the_files_of_a_storage_context(tmp_path: Path) -> None:
    (tmp_path / "docstore.json").write_text("{}")
    store = MnemoloomVectorStore.from_persist_dir(str(tmp_path))
    store.add([node("a")])
    store.close()
    again = MnemoloomVectorStore.from_persist_dir(str(tmp_path))
    assert ids(again) == ["a"]
    again.close()


def test_an_open_memory_lends_its_store_and_stays_the_callers(folder: Path) -> None:
    with Memory.open(folder, namespace=("users", "ann")) as memory:
        memory.remember("I drink green tea.")
        store = MnemoloomVectorStore(memory, namespace=("documents",))
        store.add([node("a", "green tea")])
        assert store.query(asked("green tea")).ids == ["a"]
        store.close()
        assert len(memory) == 1


def test_what_was_remembered_as_text_is_no_node_and_is_never_deleted_as_one(folder: Path) -> None:
    with Memory.open(folder, namespace=("mixed",)) as memory:
        memory.remember("I drink green tea.", session="d")
        store = MnemoloomVectorStore(memory, namespace=("mixed",))
        store.add([node("a", "green tea", document="d")])
        assert ids(store) == ["a"]
        store.delete("d")
        store.clear()
        assert [record.text for record in memory.records()] == ["I drink green tea."]
        store.close()


def test_the_nodes_of_a_document_are_neighbours(store: MnemoloomVectorStore) -> None:
    store.add([node("a", "first words", document="d"), node("b", "second", document="d"), node("c", "x", document="e")])
    [hit] = store.client.recall("second", 1, profile="lexical", expand=2)
    assert [each.external_id for each in (*hit.before, hit.record, *hit.after)] == ["a", "b"]


def test_an_unknown_setting_of_a_query_is_refused(store: MnemoloomVectorStore) -> None:
    with pytest.raises(TypeError, match="mmr_treshold"):
        store.query(asked("a"), mmr_treshold=0.3)


@pytest.mark.parametrize(
    "settings", [{"mmr_threshold": 1.5}, {"mmr_prefetch_factor": 0.5}, {"mmr_prefetch_k": 0}], ids=str
)
def test_a_setting_outside_its_bounds_is_refused(store: MnemoloomVectorStore, settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="got"):
        store.query(asked("a", mode=VectorStoreQueryMode.MMR), **settings)


def test_reading_leaves_no_trace_so_that_asking_again_gives_the_same(store: MnemoloomVectorStore) -> None:
    store.add([node(name, f"green tea {name}") for name in "abcde"])
    first = store.query(asked("green tea"))
    for _ in range(3):
        again = store.query(asked("green tea"))
        assert (again.ids, again.similarities) == (first.ids, first.similarities)
    assert all(record.accessed is None for record in store.client.records())
