"""Texts to vectors and token codes, by the encoder of the store; without one, nothing is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import Guard
from mnemoloom.embedders.cached import CachedQueries, EncodedQuery
from mnemoloom.embedders.checking import checked, checked_tokens
from mnemoloom.embedders.guarded import behind
from mnemoloom.errors import EmbedderAnswerError, EmbedderError, EmbedderMismatchError
from mnemoloom.ports import Embedder, TokenEmbedder
from mnemoloom.recall.late import Projection, seeded_projection
from mnemoloom.storage.facts import StoreFacts

__all__ = ["EncodedText", "Encoding", "is_down"]


class EncodedText(NamedTuple):
    """A raw row (d,) as the encoder gave it, and int8 token codes (tokens, w) if it shows tokens."""

    row: NDArray[np.float32]
    codes: NDArray[np.int8] | None


class Encoding:
    """An embedder, checked, with the store's token projection; safe to share between threads.

    Parameters
    ----------
    width: the width of the store's vectors, None before the first; whoever stores the first sets it.
    projection: the token projection that the store learned, stacked; None for the seeded one.
    guard: the deadline and the breaker between us and the embedder; None asks it as it is; its errors are ours anyway.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        token_width: int,
        width: int | None,
        projection: NDArray[np.float32] | None,
        guard: Guard | None = None,
    ) -> None:
        self.embedder = embedder
        self.asked: Embedder = behind(embedder, guard)
        self.width = width
        self._followed: StoreFacts | None = None
        self.token_width = token_width
        self._projection: Projection | None = None
        self.adopt(token_width, projection)
        self._queries = CachedQueries(self.asked)

    @property
    def identity(self) -> str:
        return self.embedder.identity

    def texts(self, texts: Sequence[str]) -> list[EncodedText]:
        """Encode memories. Raises EmbedderError."""
        if not texts:
            return []
        if isinstance(self.asked, TokenEmbedder):
            rows, shown = self.asked.embed_tokens(texts)
            tokens = checked_tokens(shown, count=len(texts), identity=self.identity)
            codes = [self.projection(each.vectors.shape[1]).codes(each.vectors) for each in tokens]
            return list(map(EncodedText, self._checked(rows, len(texts)), codes))
        rows = self.asked.embed(texts)
        return [EncodedText(row, None) for row in self._checked(rows, len(texts))]

    def query(self, text: str, *, tokens: bool) -> EncodedQuery:
        """Encode a question; recent ones are remembered. Raises EmbedderError."""
        return self._queries.encode(text, tokens=tokens, width=self.width)

    def projection(self, dimension: int) -> Projection:
        """The token projection for token vectors of this width."""
        if self._projection is None or len(self._projection.mean) != dimension:
            self._projection = seeded_projection(dimension, self.token_width)
            self.token_width = self._projection.basis.shape[1]  # no more than the encoder's tokens have
        return self._projection

    def follow(self, facts: StoreFacts) -> None:
        """Keep in step with a store that another process writes.

        Raises EmbedderMismatchError if that process has encoded it anew with another embedder.
        """
        if facts is self._followed:
            return
        if facts.encoder not in (None, self.identity):
            raise EmbedderMismatchError(stored=str(facts.encoder), offered=self.identity)
        if facts.encoder is not None:
            self.width = facts.width
            if facts.token_width is not None:
                self.adopt(facts.token_width, facts.projection)
        self._followed = facts

    def adopt(self, token_width: int, projection: NDArray[np.float32] | None) -> None:
        """Use another projection from now on, given stacked; None is the seeded one of that width."""
        self.token_width = token_width
        self._projection = None if projection is None else Projection.from_stacked(projection)

    def _checked(self, rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        return checked(rows, count=count, identity=self.identity, width=self.width)


def is_down(error: EmbedderError) -> bool:
    """Whether an error says that the encoder cannot do its work now, not that it is the wrong one or talks nonsense."""
    return not isinstance(error, (EmbedderMismatchError, EmbedderAnswerError))
