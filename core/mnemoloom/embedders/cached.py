"""The encodings of recent questions, so that asking again costs nothing."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.embedders.checking import checked, checked_tokens
from mnemoloom.errors import ConfigError
from mnemoloom.ports import Embedder, TokenEmbedder, TokenVectors

__all__ = ["CachedQueries", "EncodedQuery"]


class EncodedQuery(NamedTuple):
    """A question's row, shape (d,), and its token vectors if they were asked for; read-only arrays."""

    row: NDArray[np.float32]
    tokens: TokenVectors | None


class CachedQueries:
    """Encodes single questions, remembering the most recent ones; safe to share between threads.

    Failures are not remembered. Two threads that ask the same new question at once both encode it:
    nobody waits for a lock while an encoder works.

    Parameters
    ----------
    embedder: what encodes.
    size: how many questions are kept, at least 1.
    """

    def __init__(self, embedder: Embedder, size: int = 256) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"CachedQueries.size must be a whole number of at least 1; got {size!r}")
        self._embedder = embedder
        self._token_embedder = embedder if isinstance(embedder, TokenEmbedder) else None
        self._size = size
        self._kept: OrderedDict[tuple[str, bool], EncodedQuery] = OrderedDict()
        self._lock = Lock()

    def encode(self, text: str, *, tokens: bool, width: int | None = None) -> EncodedQuery:
        """The row of a question and, if `tokens` and the embedder can show them, its token vectors.

        Raises what the embedder raises, and EmbedderAnswerError for an answer that is no encoding (of `width`).
        """
        key = (text, tokens and self._token_embedder is not None)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        encoded = self._encode(text, tokens=tokens, width=width)
        with self._lock:
            self._kept[key] = encoded
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return encoded

    def _encode(self, text: str, *, tokens: bool, width: int | None) -> EncodedQuery:
        identity = self._embedder.identity
        if not tokens or self._token_embedder is None:
            rows = self._embedder.embed([text], query=True)
            return EncodedQuery(_frozen(checked(rows, count=1, identity=identity, width=width)[0]), None)
        rows, shown = self._token_embedder.embed_tokens([text], query=True)
        words, vectors = checked_tokens(shown, count=1, identity=identity)[0]
        row = checked(rows, count=1, identity=identity, width=width)[0]
        return EncodedQuery(_frozen(row), TokenVectors(words, _frozen(vectors)))


def _frozen(array: NDArray[np.float32]) -> NDArray[np.float32]:
    copy = array.copy()  # the embedder may still own the original
    copy.flags.writeable = False
    return copy
