"""What the core asks of the outside world.

An encoder implements `Embedder`; one that can also show a vector for every token implements
`TokenEmbedder`, and recall then reranks by late interaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Embedder", "Rows", "TokenEmbedder", "TokenVectors"]

Rows = NDArray[np.float32]  # (n, d)


class TokenVectors(NamedTuple):
    """The vectors of one text's tokens, special tokens left out.

    words: for each token, the lower-case word of the text that it is part of.
    vectors: shape (tokens, width).
    """

    words: tuple[str, ...]
    vectors: Rows


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors.

    `identity` names the model so that the same name always means the same vectors.
    It is stored, and a store opened with another identity says so.
    """

    @property
    def identity(self) -> str: ...

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        """Shape (len(texts), d), one row a text, in order; `query` tells questions from memories."""
        ...


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """An embedder that also shows the token vectors of the same pass."""

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        """The rows of `embed`, and for each text its token vectors."""
        ...
