"""Filters: the same answers as LlamaIndex's own reference, from the store's SQL and from Python alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from integrations.llama_index.doubles import bag
from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore
from llama_index.vector_stores.mnemoloom.filters import matches
from mnemoloom.errors import FilterError

Op = FilterOperator

SCALARS = st.sampled_from(["", "a", "ab", "b", "A", "ü", 0, 1, 2, -1, 1.0, 1.5, 0.0])
METADATA = st.dictionaries(
    st.sampled_from(["x", "y", "z.w", "k k"]),
    SCALARS | st.booleans() | st.none() | st.lists(SCALARS, max_size=3) | st.just({"a": 1}),
    max_size=3,
)
LISTS = (
    st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=3)
    | st.lists(st.sampled_from([0, 1, 2]), max_size=3)
    | st.lists(st.sampled_from([0.0, 1.0, 1.5]), max_size=3)
)


@st.composite
def leaves(draw: st.DrawFn) -> MetadataFilter:
    operator = draw(st.sampled_from(list(Op)))
    if operator in (Op.IN, Op.NIN, Op.ANY, Op.ALL):
        value: Any = draw(LISTS)
    elif operator in (Op.TEXT_MATCH, Op.TEXT_MATCH_INSENSITIVE):
        value = draw(st.sampled_from(["a", "A", "", "Ü"]))
    elif operator is Op.IS_EMPTY:
        value = None
    else:
        value = draw(SCALARS)
    return MetadataFilter(key=draw(st.sampled_from(["x", "y", "z.w", "k k"])), operator=operator, value=value)


CONDITIONS = st.sampled_from([*FilterCondition, None])
FLAT = st.builds(MetadataFilters, filters=st.lists(leaves(), max_size=3), condition=CONDITIONS)
NESTED = st.recursive(
    FLAT,
    lambda inner: st.builds(
        MetadataFilters, filters=st.lists(leaves() | inner, min_size=1, max_size=3), condition=CONDITIONS
    ),
    max_leaves=6,
)


def reference(filters: MetadataFilters, metadata: Mapping[str, Any]) -> bool:
    """LlamaIndex's own function, leaf by leaf; what it cannot compare does not match."""
    found = []
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            found.append(reference(each, metadata))
            continue
        try:
            alone = build_metadata_filter_fn(lambda _: metadata, MetadataFilters(filters=[each]))
            found.append(alone("the node"))
        except TypeError:
            if each.operator in (Op.TEXT_MATCH, Op.TEXT_MATCH_INSENSITIVE):
                raise
            found.append(False)
    if not found:
        return True
    if filters.condition is FilterCondition.OR:
        return any(found)
    return not any(found) if filters.condition is FilterCondition.NOT else all(found)


def holds_object_element(filters: MetadataFilters, metadata: Mapping[str, Any]) -> bool:
    """Whether a filter looks for an element in an object: Python finds its keys, we find nothing."""
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            if holds_object_element(each, metadata):
                return True
        elif each.operator in (Op.CONTAINS, Op.ANY, Op.ALL) and isinstance(metadata.get(each.key), dict):
            return True
    return False


@given(NESTED, METADATA)
@settings(max_examples=400, deadline=None)
def test_a_filter_means_what_it_means_to_llama_index(filters: MetadataFilters, metadata: dict[str, Any]) -> None:
    if holds_object_element(filters, metadata):
        return
    try:
        wanted = reference(filters, metadata)
    except TypeError:
        with pytest.raises(TypeError):
            matches(filters, metadata)
        return
    assert matches(filters, metadata) is wanted


@given(NESTED, st.lists(METADATA, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_store_lets_through_what_matches_and_nothing_else(
    filters: MetadataFilters, found: list[dict[str, Any]]
) -> None:
    store = MnemoloomVectorStore()
    nodes = [
        TextNode(id_=f"n{i}", text=f"text {i}", metadata=each, embedding=bag(f"text {i}"))
        for i, each in enumerate(found)
    ]
    store.add(nodes)
    try:
        try:
            wanted = [node.node_id for node in nodes if matches(filters, node.metadata)]
        except TypeError:
            return
        assert [node.node_id for node in store.get_nodes(filters=filters)] == wanted
    finally:
        store.close()


@pytest.mark.parametrize(
    ("operator", "value"), [(Op.IN, 3), (Op.NIN, None), (Op.ANY, 3), (Op.ALL, 1.5)], ids=lambda v: str(v)
)
def test_an_operand_that_an_operator_cannot_take_is_refused(
    store: MnemoloomVectorStore, operator: FilterOperator, value: Any
) -> None:
    filters = MetadataFilters(filters=[MetadataFilter(key="x", operator=operator, value=value)])
    with pytest.raises(FilterError, match="takes a list"):
        store.get_nodes(filters=filters)


def test_a_text_match_with_what_is_no_text_says_so_as_llama_index_does(store: MnemoloomVectorStore) -> None:
    store.add([TextNode(id_="n", text="t", metadata={"year": 2024}, embedding=bag("t"))])
    for key, value in (("year", "20"), ("other", 20)):
        with pytest.raises(TypeError):
            store.get_nodes(
                filters=MetadataFilters(filters=[MetadataFilter(key=key, operator="text_match", value=value)])
            )


def test_not_equal_and_not_in_also_match_nodes_that_lack_the_key(store: MnemoloomVectorStore) -> None:
    store.add([TextNode(id_=name, text=name, metadata=m, embedding=bag(name)) for name, m in
               [("red", {"colour": "red"}), ("blue", {"colour": "blue"}), ("none", {})]])  # fmt: skip
    for operator, value in ((Op.NE, "red"), (Op.NIN, ["red"])):
        filters = MetadataFilters(filters=[MetadataFilter(key="colour", operator=operator, value=value)])
        assert {node.node_id for node in store.get_nodes(filters=filters)} == {"blue", "none"}


def test_booleans_are_found_by_one_and_zero(store: MnemoloomVectorStore) -> None:
    store.add(
        [TextNode(id_=str(flag), text="t", metadata={"flag": flag}, embedding=bag("t")) for flag in (True, False)]
    )
    found = store.get_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="flag", value=1)]))
    assert [node.node_id for node in found] == ["True"]


def test_llama_indexs_own_keys_can_be_filtered(store: MnemoloomVectorStore) -> None:
    store.add([TextNode(id_="n", text="t", embedding=bag("t"))])
    for key, value in (("_node_type", "TextNode"), ("doc_id", "None")):
        assert store.get_nodes(filters=MetadataFilters(filters=[MetadataFilter(key=key, value=value)]))


def test_a_list_of_thousands_of_values_is_no_trouble(store: MnemoloomVectorStore) -> None:
    store.add([TextNode(id_=str(i), text=f"t {i}", metadata={"i": i}, embedding=bag(f"t {i}")) for i in range(20)])
    filters = MetadataFilters(filters=[MetadataFilter(key="i", operator="in", value=list(range(5, 5000)))])
    assert [node.node_id for node in store.get_nodes(filters=filters)] == [str(i) for i in range(5, 20)]
