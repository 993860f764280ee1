"""What goes into an encoder and what comes out of it is checked here.

An encoder's answer is never trusted: a wrong count or width would bind vectors to the wrong
memories, and one NaN would poison every score that it enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnemoloom.errors import EmbedderAnswerError, TextError
from mnemoloom.ports import Rows, TokenVectors

__all__ = ["checked", "checked_tokens", "listed"]


def listed(texts: Sequence[str]) -> list[str]:
    """Return the texts as a list; raise TextError for a bare string or anything else than strings."""
    if isinstance(texts, str):
        raise TextError("texts must be a sequence of strings; got one string (put it in a list)")
    texts = list(texts)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TextError(f"texts must be strings; texts[{index}] is of type {type(text).__name__}")
    return texts


def checked(rows: Any, *, count: int, identity: str, width: int | None) -> Rows:  # noqa: ANN401 - an untrusted answer
    """Return an encoder's answer as C-contiguous float32 of shape (count, d).

    Parameters
    ----------
    rows: what the encoder gave: an array or nested sequences of numbers.
    count: how many texts it was given.
    identity: the encoder's name, for the message.
    width: the d it must have; None accepts any.

    Raises
    ------
    EmbedderAnswerError: not a matrix of numbers, wrong count or width, NaN, infinity or a row of zeros.
    """
    matrix = _matrix(rows, identity)
    if matrix.size == 0 and count == 0:
        return np.zeros((0, matrix.shape[1] if matrix.ndim == 2 and matrix.shape[1] else width or 0), np.float32)
    if matrix.ndim != 2:
        raise EmbedderAnswerError(f"{identity} must answer with one row a text; got an array of shape {matrix.shape}")
    if len(matrix) != count:
        raise EmbedderAnswerError(f"{identity} must answer with one row a text: {count} texts, {len(matrix)} rows")
    if matrix.shape[1] != width and (width is not None or matrix.shape[1] == 0):
        raise EmbedderAnswerError(f"{identity} must answer with rows of width {width or 1}; got {matrix.shape[1]}")
    _refuse_useless(matrix, identity)
    return matrix


def checked_tokens(tokens: Any, *, count: int, identity: str) -> list[TokenVectors]:  # noqa: ANN401 - an untrusted answer
    """Return an encoder's token vectors, one entry a text, each with as many finite float32 rows as words.

    Raises
    ------
    EmbedderAnswerError: wrong count, words and rows that do not pair up, NaN or infinity.
    """
    tokens = list(tokens)
    if len(tokens) != count:
        raise EmbedderAnswerError(f"{identity} must show the tokens of {count} texts; got {len(tokens)}")
    return [_checked_entry(index, *entry, identity=identity) for index, entry in enumerate(tokens)]


def _checked_entry(index: int, words: Sequence[str], vectors: Any, *, identity: str) -> TokenVectors:  # noqa: ANN401
    matrix = _matrix(vectors, identity)
    if matrix.ndim != 2 or len(matrix) != len(words):
        raise EmbedderAnswerError(
            f"{identity} must show one vector a token; text {index} has {len(words)} tokens and shape {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        raise EmbedderAnswerError(f"{identity} showed NaN or infinity in the token vectors of text {index}")
    return TokenVectors(tuple(words), matrix)


def _matrix(rows: Any, identity: str) -> Rows:  # noqa: ANN401 - an untrusted answer
    try:
        array: NDArray[Any] = np.asarray(rows)
    except (ValueError, TypeError) as error:  # rows of different widths
        raise EmbedderAnswerError(f"{identity} must answer with rows of one width; got ragged rows") from error
    if array.dtype.kind not in "fiu":
        raise EmbedderAnswerError(f"{identity} must answer with numbers; got values of type {array.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, which is refused
        # ascontiguousarray would make a row of a single number
        return np.asarray(array, dtype=np.float32, order="C")


def _refuse_useless(matrix: Rows, identity: str) -> None:
    # the length in float32, because that is what scoring divides by: it must neither overflow nor vanish
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    if (np.isfinite(lengths) & (lengths > 0)).all():
        return
    row = int(np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))[0])
    fault = "only zeros" if lengths[row] == 0 else "NaN, infinity or numbers too large"
    raise EmbedderAnswerError(f"{identity} answered row {row} with {fault}")
