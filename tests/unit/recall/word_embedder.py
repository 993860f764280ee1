"""A deterministic encoder for tests: a random direction for every word, summed; it shows its tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from mnemoloom import TokenVectors
from mnemoloom.ports import Rows

_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=10_000)
def _direction(word: str, width: int) -> Rows:
    seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
    row = np.random.default_rng(seed).standard_normal(width)
    return (row / np.linalg.norm(row)).astype(np.float32)


class WordEmbedder:
    """Encodes a text as the mean of its words' directions."""

    def __init__(self, width: int = 72) -> None:
        self.width = width

    @property
    def identity(self) -> str:
        return f"words/{self.width}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        return self.embed_tokens(texts, query=query)[0]

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        shown = []
        for text in texts:
            words = tuple(_WORD.findall(text.lower()))
            vectors = np.array([_direction(word, self.width) for word in words], np.float32)
            shown.append(TokenVectors(words, vectors.reshape(len(words), self.width)))
        silence = _direction("", self.width)
        rows = [tokens.vectors.sum(axis=0) if tokens.words else silence for tokens in shown]
        return np.array(rows, np.float32).reshape(len(texts), self.width), shown


class RowEmbedder:
    """The same without its tokens."""

    def __init__(self, width: int = 72) -> None:
        self._inner = WordEmbedder(width)

    @property
    def identity(self) -> str:
        return f"rows/{self._inner.width}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        return self._inner.embed(texts, query=query)
