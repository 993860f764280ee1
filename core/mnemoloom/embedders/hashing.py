"""An encoder without a model: words and letter trigrams, hashed into signed buckets.

The row of a text depends on the text and the width alone: not on the process, its hash seed or
the machine. Only exactly rounded operations are used (square root, division, fsum), because a
logarithm or a BLAS sum may differ in the last bit between machines.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mnemoloom.embedders.checking import listed
from mnemoloom.errors import ConfigError
from mnemoloom.ports import Rows

__all__ = ["HashingEmbedder"]

WORD = re.compile(r"[^\W_]+")
TRIGRAM_WEIGHT = 0.5  # a word has about as many trigrams as letters; whole words should still lead
LONGEST_CACHED_WORD = 40
SIGN_BIT = np.uint64(63)

Codes = NDArray[np.uint64]  # (features,)


class HashingEmbedder:
    """Encodes with feature hashing: texts that share words, or parts of words, are near each other.

    It knows no synonyms. It needs no download, and encodes a message in about a tenth of a millisecond.

    Parameters
    ----------
    dimension: the width of the rows, 8 to 65,536.
    """

    def __init__(self, dimension: int = 512) -> None:
        if isinstance(dimension, bool) or not isinstance(dimension, int) or not 8 <= dimension <= 65_536:
            raise ConfigError(f"HashingEmbedder.dimension must be a whole number from 8 to 65536; got {dimension!r}")
        self._dimension = dimension

    @property
    def identity(self) -> str:
        return f"hashing/{self._dimension}"

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:  # noqa: ARG002 - questions are texts, too
        """Shape (len(texts), dimension), float32, each row of length 1; every text has a row."""
        texts = listed(texts)
        rows = np.empty((len(texts), self._dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = self._row(text)
        return rows

    def _row(self, text: str) -> NDArray[np.float64]:
        words = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        row = self._buckets(_word_codes(words), 1.0) + self._buckets(_trigram_codes(words), TRIGRAM_WEIGHT)
        if not row.any():  # no word in it, or features that cancel out
            row = self._buckets(_codes([f"text:{text}"]), 1.0)
        return row / math.sqrt(math.fsum(row * row))

    def _buckets(self, codes: Codes, weight: float) -> NDArray[np.float64]:
        distinct, counts = np.unique(codes, return_counts=True)
        signs = 1.0 - 2.0 * (distinct >> SIGN_BIT).astype(np.float64)
        buckets = (distinct % np.uint64(self._dimension)).astype(np.intp)
        weights = weight * signs * np.sqrt(counts)
        return np.bincount(buckets, weights=weights, minlength=self._dimension).astype(np.float64, copy=False)


def _word_codes(words: list[str]) -> Codes:
    return np.array([_features(word)[0] for word in words], np.uint64)


def _trigram_codes(words: list[str]) -> Codes:
    return np.concatenate([np.empty(0, np.uint64), *(_features(word)[1] for word in words)])


def _features(word: str) -> tuple[int, Codes]:
    # a megabyte without a space is one word: it must not stay in the cache
    return _cached_features(word) if len(word) <= LONGEST_CACHED_WORD else _compute_features(word)


def _compute_features(word: str) -> tuple[int, Codes]:
    fenced = f"<{word}>"
    trigrams = [f"part:{fenced[start : start + 3]}" for start in range(len(fenced) - 2)]
    return int(_codes([f"word:{word}"])[0]), _codes(trigrams)


_cached_features = lru_cache(maxsize=1 << 14)(_compute_features)


def _codes(features: Sequence[str]) -> Codes:
    # surrogatepass: half of a pair is no valid text, but it must not stop a query
    digests = b"".join(blake2b(f.encode("utf-8", "surrogatepass"), digest_size=8).digest() for f in features)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
