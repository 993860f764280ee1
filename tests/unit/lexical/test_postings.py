"""Vocabulary and postings against a dict of dicts."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.lexical import Postings, Vocabulary, postings

Oracle = dict[int, dict[int, int]]  # term → document → frequency

COUNTS = st.dictionaries(st.integers(0, 60), st.integers(1, 400), max_size=12)


def held(index: Postings, term: int) -> dict[int, float]:
    docs, tfs = index.of(term)
    assert list(docs) == sorted(set(docs.tolist()))
    return dict(zip(docs.tolist(), tfs.tolist(), strict=True))


def assert_equal(index: Postings, oracle: Oracle, terms: range) -> None:
    for term in terms:
        assert held(index, term) == {doc: min(count, 255) for doc, count in oracle.get(term, {}).items()}


def test_a_term_that_nobody_holds_has_no_documents() -> None:
    docs, tfs = Postings().of(7)
    assert len(docs) == len(tfs) == 0


@settings(deadline=None, max_examples=60)
@given(documents=st.lists(COUNTS, max_size=30), merge_at=st.integers(0, 40), saves=st.sets(st.integers(0, 30)))
def test_postings_equal_a_dict_of_dicts_across_merges_and_reloads(
    documents: list[dict[int, int]], merge_at: int, saves: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "_MERGE_AT_LEAST", merge_at)
        index, oracle = Postings(), defaultdict[int, dict[int, int]](dict)
        for doc, counts in enumerate(documents, start=1):
            index.add(doc, counts)
            for term, count in counts.items():
                oracle[term][doc] = count
            if doc in saves:
                index = Postings.from_arrays(index.arrays())
        assert_equal(index, oracle, range(64))
        assert_equal(Postings.from_arrays(index.arrays()), oracle, range(64))


def test_postings_merge_by_themselves_in_a_large_index() -> None:
    rng = np.random.default_rng(5)
    index, oracle = Postings(), defaultdict[int, dict[int, int]](dict)
    for doc in range(1, 1201):
        terms = rng.choice(500, size=60, replace=False)
        counts = dict(zip(terms.tolist(), rng.integers(1, 4, size=60).tolist(), strict=True))
        index.add(doc, counts)
        for term, count in counts.items():
            oracle[term][doc] = count
    assert_equal(index, oracle, range(501))


def test_saved_arrays_may_be_read_only_and_the_index_still_grows() -> None:
    index = Postings()
    index.add(1, {3: 2})
    arrays = index.arrays()
    for array in arrays.values():
        array.flags.writeable = False
    loaded = Postings.from_arrays(arrays)
    loaded.add(2, {3: 1, 9: 300})
    assert held(loaded, 3) == {1: 2, 2: 1}
    assert held(loaded, 9) == {2: 255}
    assert held(index, 3) == {1: 2}


def test_an_empty_index_can_be_saved_and_loaded() -> None:
    loaded = Postings.from_arrays(Postings().arrays())
    loaded.add(1, {0: 1})
    assert held(loaded, 0) == {1: 1}


def test_a_document_without_terms_leaves_no_trace() -> None:
    index = Postings()
    index.add(1, {})
    index.add(2, {0: 1})
    assert held(index, 0) == {2: 1}


@given(st.lists(st.lists(st.sampled_from("abcdefgh"))))
def test_a_vocabulary_numbers_terms_in_order_of_first_appearance(texts: list[list[str]]) -> None:
    vocabulary, order = Vocabulary(), list[str]()
    for text in texts:
        order += [term for term in dict.fromkeys(text) if term not in order]
        counts = vocabulary.number(text)
        assert counts == {order.index(term): text.count(term) for term in text}
    assert list(vocabulary) == order
    assert len(vocabulary) == len(order)
    assert [vocabulary.find(term) for term in order] == list(range(len(order)))
    assert vocabulary.find("z") is None
    assert list(Vocabulary(order)) == order
