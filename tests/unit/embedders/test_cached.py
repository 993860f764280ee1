from __future__ import annotations

import threading

import numpy as np
import pytest

from mnemoloom.embedders import CachedQueries, HashingEmbedder
from mnemoloom.errors import ConfigError, EmbedderAnswerError, EmbedderUnavailableError
from mnemoloom.ports import TokenVectors


class Counting:
    """A hashing embedder that keeps a list of what it was asked."""

    identity = "counting"

    def __init__(self):
        self.asked = []

    def embed(self, texts, *, query=False):
        self.asked.append(("rows", *texts, query))
        return HashingEmbedder(8).embed(texts)


class CountingTokens(Counting):
    def embed_tokens(self, texts, *, query=False):
        self.asked.append(("tokens", *texts, query))
        words = [tuple(text.split()) for text in texts]
        return HashingEmbedder(8).embed(texts), [TokenVectors(w, HashingEmbedder(8).embed(w)) for w in words]


def test_a_question_asked_again_is_not_encoded_again():
    embedder = Counting()
    queries = CachedQueries(embedder)
    first, second = queries.encode("where", tokens=False), queries.encode("where", tokens=False)
    assert embedder.asked == [("rows", "where", True)]
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[0], HashingEmbedder(8).embed(["where"])[0])
    assert first[1] is None


def test_token_vectors_come_with_the_row_when_the_embedder_has_them():
    embedder = CountingTokens()
    row, tokens = CachedQueries(embedder).encode("ann moved", tokens=True)
    assert embedder.asked == [("tokens", "ann moved", True)]
    assert row.shape == (8,)
    assert tokens.words == ("ann", "moved")
    np.testing.assert_array_equal(tokens.vectors, HashingEmbedder(8).embed(["ann", "moved"]))


def test_an_embedder_without_token_vectors_is_asked_once_whatever_is_wanted():
    embedder = Counting()
    queries = CachedQueries(embedder)
    assert queries.encode("where", tokens=True).tokens is None
    queries.encode("where", tokens=False)
    assert len(embedder.asked) == 1


def test_a_row_without_tokens_does_not_answer_for_tokens():
    queries = CachedQueries(CountingTokens())
    assert queries.encode("where", tokens=False).tokens is None
    assert queries.encode("where", tokens=True).tokens is not None


def test_the_question_unused_for_longest_makes_room():
    embedder = Counting()
    queries = CachedQueries(embedder, size=2)
    for text in ["a", "b", "a", "c", "a", "b"]:
        queries.encode(text, tokens=False)
    assert [asked[1] for asked in embedder.asked] == ["a", "b", "c", "b"]


def test_a_failure_is_not_remembered():
    class Failing(Counting):
        def embed(self, texts, *, query=False):
            if not self.asked:
                self.asked.append("failed")
                raise EmbedderUnavailableError("no server")
            return super().embed(texts, query=query)

    queries = CachedQueries(Failing())
    with pytest.raises(EmbedderUnavailableError):
        queries.encode("where", tokens=False)
    assert queries.encode("where", tokens=False).row.shape == (8,)


@pytest.mark.parametrize("rows", [np.zeros((1, 4)), np.ones((2, 4)), np.full((1, 4), np.nan)])
def test_an_answer_that_is_no_encoding_is_refused(rows):
    class Broken(Counting):
        def embed(self, texts, *, query=False):
            return rows

    with pytest.raises(EmbedderAnswerError, match="counting"):
        CachedQueries(Broken()).encode("where", tokens=False)


def test_the_arrays_are_read_only_and_not_the_embedders_own():
    class Reusing(Counting):
        buffer = np.ones((1, 4), np.float32)

        def embed(self, texts, *, query=False):
            return self.buffer

    embedder = Reusing()
    row = CachedQueries(embedder).encode("where", tokens=False).row
    with pytest.raises(ValueError, match="read-only"):
        row[0] = 0.0
    embedder.buffer[0, 0] = 5.0
    assert row[0] == 1.0
    tokens = CachedQueries(CountingTokens()).encode("ann moved", tokens=True).tokens
    with pytest.raises(ValueError, match="read-only"):
        tokens.vectors[0, 0] = 0.0


def test_threads_share_one_cache():
    queries, wrong = CachedQueries(CountingTokens(), size=3), []
    expected = {str(n): HashingEmbedder(8).embed([str(n)])[0] for n in range(6)}

    def ask(start):
        for step in range(200):
            text = str((start + step) % 6)
            if not np.array_equal(queries.encode(text, tokens=step % 2 == 0).row, expected[text]):
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_size_outside_its_bounds_is_refused(size):
    with pytest.raises(ConfigError, match=r"CachedQueries\.size"):
        CachedQueries(Counting(), size)
