"""What a LangGraph store promises, as tests to be run on any store: subclass and define `make_store`.

The `test_strict_…` cases go beyond what LangGraph's own stores do.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from mnemoloom.embedders import HashingEmbedder

INDEX: IndexConfig = {
    "dims": 64,
    "embed": lambda texts: HashingEmbedder(64).embed(list(texts)).tolist(),
    "fields": ["text"],
}
ACME = ("t", "acme")


def keys(found: list[Any]) -> list[str]:
    return [item.key for item in found]


class StoreContract(ABC):
    """A store that indexes the field "text" with a bag-of-words encoder."""

    @abstractmethod
    def make_store(self, index: IndexConfig | None = INDEX) -> BaseStore: ...

    @pytest.fixture
    def store(self) -> Iterator[BaseStore]:
        made = self.make_store()
        yield made
        getattr(made, "close", lambda: None)()

    # -- items --------------------------------------------------------------------------------------

    def test_an_item_is_put_read_replaced_and_deleted(self, store: BaseStore) -> None:
        assert store.get(ACME, "a") is None
        store.put(ACME, "a", {"n": 1})
        item = store.get(ACME, "a")
        assert item is not None
        assert (item.namespace, item.key, item.value) == (ACME, "a", {"n": 1})
        assert item.created_at.tzinfo is not None
        store.put(ACME, "a", {"n": 2})
        assert store.get(ACME, "a").value == {"n": 2}
        store.delete(ACME, "a")
        store.delete(ACME, "a")
        assert store.get(ACME, "a") is None

    def test_results_stand_in_order_and_reads_see_what_was_before_the_batch(self, store: BaseStore) -> None:
        store.put(ACME, "a", {"n": 1})
        results = store.batch(
            [
                PutOp(ACME, "a", {"n": 2}),
                GetOp(ACME, "a"),
                PutOp(("new",), "b", {"n": 3}),
                SearchOp(("new",)),
                ListNamespacesOp(),
                GetOp(ACME, "nothing"),
            ]
        )
        assert [results[0], results[2], results[3], results[5]] == [None, None, [], None]
        assert results[1].value == {"n": 1}
        assert results[4] == [ACME]
        assert store.get(ACME, "a").value == {"n": 2}

    def test_the_last_put_of_a_batch_wins(self, store: BaseStore) -> None:
        store.batch(
            [PutOp(ACME, "a", {"n": n}) for n in range(5)] + [PutOp(ACME, "b", {"n": 1}), PutOp(ACME, "b", None)]
        )
        assert store.get(ACME, "a").value == {"n": 4}
        assert store.get(ACME, "b") is None

    def test_the_same_key_in_two_namespaces_is_two_items(self, store: BaseStore) -> None:
        store.put(("a",), "k", {"n": 1})
        store.put(("b",), "k", {"n": 2})
        store.delete(("a",), "k")
        assert store.get(("b",), "k").value == {"n": 2}

    def test_the_async_methods_do_the_same(self, store: BaseStore) -> None:
        async def scenario() -> None:
            await store.aput(ACME, "a", {"text": "a red boat"})
            assert (await store.aget(ACME, "a")).value == {"text": "a red boat"}
            assert keys(await store.asearch(ACME, query="boat")) == ["a"]
            assert await store.alist_namespaces() == [ACME]
            await store.adelete(ACME, "a")
            assert await store.abatch([GetOp(ACME, "a"), SearchOp(())]) == [None, []]

        asyncio.run(scenario())

    # -- namespaces ---------------------------------------------------------------------------------

    def test_a_prefix_ends_at_a_label(self, store: BaseStore) -> None:
        for labels in (ACME, (*ACME, "sub"), ("t", "acme-corp"), ("t", "acm"), ("T", "acme"), ("acme",)):
            store.put(labels, "k", {"at": list(labels)})
        assert sorted(item.namespace for item in store.search(ACME)) == [ACME, (*ACME, "sub")]
        assert len(store.search(())) == 6
        assert sorted(store.list_namespaces(prefix=ACME)) == [ACME, (*ACME, "sub")]

    @pytest.mark.parametrize(
        "label", ["%", "_", "*x", "a/b", "a|b", "'; DROP TABLE memories;--", '","', "ä", "\\", " x "]
    )
    def test_a_label_is_compared_as_it_stands(self, store: BaseStore, label: str) -> None:
        store.put(("t", label), "k", {"n": 1})
        store.put(("t", "other"), "k", {"n": 2})
        assert [item.value["n"] for item in store.search(("t", label))] == [1]
        assert ("t", label) in store.list_namespaces()

    def test_namespaces_are_listed_by_prefix_suffix_wildcard_depth_and_page(self, store: BaseStore) -> None:
        known = [("a", "x", "v1"), ("a", "y", "v1"), ("a", "y", "v2"), ("b", "x", "v1"), ("b",)]
        for labels in known:
            store.put(labels, "k", {"n": 1})
        assert store.list_namespaces() == sorted(known)
        assert store.list_namespaces(prefix=("a", "*", "v1")) == [("a", "x", "v1"), ("a", "y", "v1")]
        assert store.list_namespaces(suffix=("v1",), prefix=("b",)) == [("b", "x", "v1")]
        assert store.list_namespaces(prefix=("*",), suffix=("x", "*")) == [("a", "x", "v1"), ("b", "x", "v1")]
        assert store.list_namespaces(max_depth=2) == [("a", "x"), ("a", "y"), ("b",), ("b", "x")]
        assert store.list_namespaces(limit=2, offset=1) == sorted(known)[1:3]
        conditions = (MatchCondition("prefix", ("a",)), MatchCondition("suffix", ("v2",)))
        assert store.batch([ListNamespacesOp(conditions)]) == [[("a", "y", "v2")]]

    @pytest.mark.parametrize("labels", [(), ("langgraph",), ("a", ""), ("a.b",), ("a", 3), ("a\0b",)])
    def test_a_bad_namespace_is_refused(self, store: BaseStore, labels: Any) -> None:
        with pytest.raises(ValueError):
            store.put(labels, "k", {"n": 1})
        assert store.search(()) == []

    # -- search -------------------------------------------------------------------------------------

    FILTERS = (
        ({"color": "red"}, "ac"),
        ({"color": {"$eq": "red"}, "n": {"$gt": 1}}, "c"),
        ({"n": {"$gte": 2, "$lt": 3}}, "b"),
        ({"n": {"$lte": 2}}, "ab"),
        ({"color": {"$ne": "red"}}, "bd"),
        ({"owner": {"name": "Ann"}}, "a"),
        ({"tags": ["x", "y"]}, "b"),
        ({"n": None}, "d"),
        ({"color": "green"}, ""),
        ({}, "abcd"),
    )

    @pytest.mark.parametrize(("given", "want"), FILTERS, ids=[str(given) for given, _ in FILTERS])
    def test_a_filter_lets_through_what_it_says(self, store: BaseStore, given: dict[str, Any], want: str) -> None:
        # every field that is compared in order is there: see the strict cases for those that are not
        number = {"d": {}} if "$" not in str(given.get("n")) else {"d": {"n": 99}}
        store.put(ACME, "a", {"text": "one", "color": "red", "n": 1, "owner": {"name": "Ann", "age": 3}})
        store.put(ACME, "b", {"text": "two", "color": "blue", "n": 2, "tags": ["x", "y"]})
        store.put(ACME, "c", {"text": "three", "color": "red", "n": 3, "tags": ["x"]})
        store.put(ACME, "d", {"text": "four", **number["d"]})
        assert "".join(sorted(keys(store.search(ACME, filter=given)))) == want
        assert "".join(sorted(keys(store.search(ACME, filter=given, query="two three")))) == want

    def test_an_unknown_operator_is_refused(self, store: BaseStore) -> None:
        store.put(ACME, "a", {"n": 1})
        with pytest.raises(ValueError):
            store.search(ACME, filter={"n": {"$regex": "x"}})

    def test_a_query_finds_by_meaning_below_a_prefix(self, store: BaseStore) -> None:
        store.put(("u", "ann"), "boat", {"text": "the red boat sails"})
        store.put(("u", "ann", "deep"), "kettle", {"text": "the kettle boils"})
        store.put(("u", "bob"), "other", {"text": "the red boat sails"})
        found = store.search(("u", "ann"), query="red boat")
        assert keys(found) == ["boat", "kettle"]
        assert found[0].score > found[1].score
        assert keys(store.search(("u", "ann"), query="kettle boils", limit=1)) == ["kettle"]

    def test_an_item_has_a_vector_for_each_text_and_scores_by_the_best(self, store: BaseStore) -> None:
        store.put(ACME, "both", {"parts": [{"t": "boat"}, {"t": "kettle"}], "text": "x"}, index=["parts[*].t"])
        store.put(ACME, "one", {"parts": [{"t": "boat kettle map"}], "text": "x"}, index=["parts[*].t"])
        for word in ("boat", "kettle"):
            found = store.search(ACME, query=word)
            assert keys(found) == ["both", "one"]
            assert found[0].score == pytest.approx(1.0, abs=1e-5)

    def test_an_item_that_is_not_indexed_is_still_read_and_filtered(self, store: BaseStore) -> None:
        store.put(ACME, "a", {"text": "boat", "n": 1}, index=False)
        assert store.get(ACME, "a").value["n"] == 1
        assert keys(store.search(ACME, filter={"n": 1})) == ["a"]
        assert all(item.score is None for item in store.search(ACME, query="boat"))

    def test_pages_of_a_query_join_without_gap_or_overlap(self, store: BaseStore) -> None:
        for number in range(23):
            store.put(
                ACME,
                f"{number:02}",
                {"text": "boat " * (number % 3) + f"word{number}", "two": "boat"},
                index=["text", "two"],
            )
        pages = [keys(store.search(ACME, query="boat", limit=5, offset=offset)) for offset in range(0, 30, 5)]
        joined = [key for page in pages for key in page]
        assert [len(page) for page in pages] == [5, 5, 5, 5, 3, 0]
        assert len(set(joined)) == 23

    def test_pages_of_a_listing_join_without_gap_or_overlap(self, store: BaseStore) -> None:
        store.batch([PutOp(("a", str(number % 4)), f"{number:02}", {"n": number}) for number in range(23)])
        joined = [key for offset in range(0, 25, 5) for key in keys(store.search(("a",), limit=5, offset=offset))]
        assert sorted(joined) == [f"{number:02}" for number in range(23)]

    def test_without_an_index_a_query_is_ignored(self) -> None:
        store = self.make_store(None)
        store.put(ACME, "a", {"text": "boat"}, index=["text"])
        found = store.search(ACME, query="kettle")
        assert [(item.key, item.score) for item in found] == [("a", None)]
        getattr(store, "close", lambda: None)()

    def test_a_time_to_live_is_kept_or_refused_as_declared(self, store: BaseStore) -> None:
        if store.supports_ttl:
            store.put(ACME, "a", {"n": 1}, ttl=5)
            assert store.get(ACME, "a") is not None
        else:
            with pytest.raises(NotImplementedError):
                store.put(ACME, "a", {"n": 1}, ttl=5)

    def test_texts_of_every_script_come_back_unchanged(self, store: BaseStore) -> None:
        value = {"text": "naïve 東京 🎻 \u202e", "nested": {"키": ["ü", None, True, 1.5, -3]}}
        store.put(ACME, "ключ 🎻", value)
        assert store.get(ACME, "ключ 🎻").value == value

    # -- stricter than LangGraph's own stores -------------------------------------------------------

    def test_strict_the_time_of_creation_survives_an_overwrite(self, store: BaseStore) -> None:
        store.put(ACME, "a", {"n": 1})
        created = store.get(ACME, "a").created_at
        store.put(ACME, "a", {"n": 2})
        item = store.get(ACME, "a")
        assert item.created_at == created <= item.updated_at

    def test_strict_one_text_may_be_put_twice_in_a_batch(self, store: BaseStore) -> None:
        store.batch([PutOp(ACME, "a", {"text": "boat"}), PutOp(("u",), "b", {"text": "boat"})])
        assert sorted(keys(store.search((), query="boat"))) == ["a", "b"]

    def test_strict_reading_makes_no_namespace_and_deleting_leaves_none(self, store: BaseStore) -> None:
        store.get(("ghost",), "a")
        store.put(ACME, "a", {"n": 1})
        store.delete(ACME, "a")
        assert store.list_namespaces() == []

    def test_strict_a_vector_goes_with_the_value_that_it_was_made_of(self, store: BaseStore) -> None:
        store.put(ACME, "a", {"text": "boat"})
        store.put(ACME, "a", {"text": "secret"}, index=False)
        assert [item.key for item in store.search(ACME, query="boat") if item.score is not None] == []
        store.put(ACME, "b", {"x": ["boat", "kettle", "map"], "text": "x"}, index=["x[*]"])
        store.put(ACME, "b", {"x": ["map"], "text": "x"}, index=["x[*]"])
        assert store.search(ACME, query="kettle")[0].score < 0.5

    def test_strict_a_value_is_not_shared_with_the_caller(self, store: BaseStore) -> None:
        value = {"text": "x", "deep": {"list": [1]}}
        store.put(ACME, "a", value)
        value["deep"]["list"].append(2)
        store.get(ACME, "a").value["deep"]["list"].append(3)
        assert store.get(ACME, "a").value["deep"]["list"] == [1]

    @pytest.mark.parametrize("bad", [object(), {1, 2}, float("nan")], ids=["object", "set", "nan"])
    def test_strict_a_value_that_is_not_json_is_refused(self, store: BaseStore, bad: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            store.put(ACME, "a", {"bad": bad}, index=False)
        assert store.get(ACME, "a") is None

    @pytest.mark.parametrize(
        "op",
        [
            GetOp(("a.b",), "k"),
            SearchOp(("a", "")),
            PutOp(("a.b",), "k", {"n": 1}),
            PutOp((), "k", {"n": 1}),
            ListNamespacesOp((MatchCondition("prefix", ("a.b",)),)),
        ],
        ids=str,
    )
    def test_strict_operations_of_a_batch_are_checked_too(self, store: BaseStore, op: Any) -> None:
        with pytest.raises(ValueError):
            store.batch([PutOp(ACME, "good", {"n": 1}), op])
        assert store.search(()) == []
        with pytest.raises(ValueError):
            asyncio.run(store.abatch([op]))

    @pytest.mark.parametrize(
        ("given", "want"),
        [
            ({"when": {"$gt": "2026-05-01"}}, "b"),
            ({"n": {"$gte": 9}}, "b"),
            ({"n": {"$lt": 9}}, ""),
            ({"flag": 1}, ""),
            ({"n": "10"}, ""),
        ],
        ids=str,
    )
    def test_strict_filters_are_typed_and_what_is_missing_is_not_less(
        self, store: BaseStore, given: dict[str, Any], want: str
    ) -> None:
        store.put(ACME, "a", {"when": "2026-04-30", "flag": True, "n": "1"})
        store.put(ACME, "b", {"when": "2026-05-02", "n": 10})
        store.put(ACME, "c", {})
        assert "".join(sorted(keys(store.search(ACME, filter=given)))) == want

    def test_strict_a_search_is_newest_first_without_a_query(self, store: BaseStore) -> None:
        for key in "abc":
            store.put(ACME, key, {"n": 1})
        store.put(ACME, "a", {"n": 2})
        assert keys(store.search(ACME)) == ["a", "c", "b"]

    def test_strict_equal_scores_are_paged_in_one_order(self, store: BaseStore) -> None:
        for key in "gbeadcf":
            store.put((*ACME, key), key, {"text": "the same words"})
        pages = [keys(store.search(ACME, query="words", limit=2, offset=offset)) for offset in range(0, 8, 2)]
        assert pages == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]
