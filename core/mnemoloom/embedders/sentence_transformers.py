"""Encoding in this process, with a model of the sentence-transformers library.

One forward pass gives the row of a text and the vectors of its word pieces. Rows and token
vectors have length 1 and are float32, whatever precision the model computes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from mnemoloom.embedders.checking import checked, listed
from mnemoloom.embedders.model_folders import folder_identity
from mnemoloom.embedders.pieces import words_of_pieces
from mnemoloom.errors import ConfigError, EmbedderError, require
from mnemoloom.ports import Rows, TokenVectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["SentenceTransformerEmbedder"]


class EncodeTokens(Protocol):
    """`TokenEmbedder.embed_tokens`."""

    def __call__(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        """The rows of `embed`, and for each text its token vectors."""
        ...


class SentenceTransformerEmbedder:
    """Encodes with a sentence-transformers model (3.0 or newer); safe to share between threads.

    With `tokens` it is a `TokenEmbedder`: it has `embed_tokens`, which shows one vector for each word
    piece of a text. Pieces without a letter or digit, special tokens and the prompt are left out.

    Parameters
    ----------
    model: a folder, a name on the Hugging Face hub, or a loaded model. A folder, or whatever looks like one,
        is never looked for on the network.
    identity: names the vectors in the store. Default: the model's name, or its folder's name; of a folder whose name
        says nothing ("model", "checkpoint-500", a hash), a digest of settings and weights. A loaded model has no name
        of its own, so it needs one here.
    batch_size: texts in one forward pass.
    dtype: what the model computes in. A loaded model keeps its own.
    device: as torch names it; None picks the best. A loaded model stays where it is.
    query_prompt, memory_prompt: put before each question and each memory, as some models want it. Prompts of
        the model's own configuration are not used. A memory prompt becomes part of the default identity.
    tokens: whether token vectors can be asked for; they need a fast tokenizer.

    Raises
    ------
    ConfigError: a setting that contradicts the others, or a folder that does not exist.
    EmbedderError: the model cannot be loaded, or has no fast tokenizer.
    MissingExtraError: sentence-transformers is not installed.
    """

    embed_tokens: EncodeTokens

    def __init__(
        self,
        model: str | Path | SentenceTransformer,
        *,
        identity: str | None = None,
        batch_size: int = 32,
        dtype: Literal["float32", "bfloat16"] = "float32",
        device: str | None = None,
        query_prompt: str = "",
        memory_prompt: str = "",
        tokens: bool = True,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"SentenceTransformerEmbedder.batch_size must be at least 1; got {batch_size!r}")
        if dtype not in ("float32", "bfloat16"):
            raise ConfigError(f"SentenceTransformerEmbedder.dtype must be 'float32' or 'bfloat16'; got {dtype!r}")
        if isinstance(model, (str, Path)):
            self._identity = _name(model, identity, memory_prompt)
            self._model: Any = _load(model, dtype=dtype, device=device)
        elif identity is None or device is not None or dtype != "float32":
            raise ConfigError("a loaded model needs an identity, and keeps its own device and dtype; pass neither")
        else:
            self._identity, self._model = identity, model.eval()
        self._batch_size = batch_size
        self._query_prompt, self._memory_prompt = query_prompt, memory_prompt
        self._width = _width(self._model)
        self._lock = Lock()  # a fast tokenizer keeps its padding and truncation as state
        if tokens:
            if not getattr(self._model.tokenizer, "is_fast", False):
                raise EmbedderError(f"{self._identity} has no fast tokenizer to show its tokens; pass tokens=False")
            # set here, because having the method is what makes it a TokenEmbedder
            self.embed_tokens = self._rows_and_tokens

    @property
    def identity(self) -> str:
        return self._identity

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Rows:
        """Shape (len(texts), d), float32, each row of length 1.

        Raises
        ------
        EmbedderError: the forward pass failed, for instance for lack of memory.
        EmbedderAnswerError: the model answered with NaN, infinity or zeros.
        """
        return self._encode(texts, query=query, tokens=False)[0]

    def _rows_and_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[Rows, list[TokenVectors]]:
        return self._encode(texts, query=query, tokens=True)

    def _encode(self, texts: Sequence[str], *, query: bool, tokens: bool) -> tuple[Rows, list[TokenVectors]]:
        texts = listed(texts)
        prompt = self._query_prompt if query else self._memory_prompt
        # texts of about the same length share a batch, so that little of it is padding
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        rows: list[Rows] = []
        shown: list[TokenVectors] = []
        for start in range(0, len(order), self._batch_size):
            batch = [texts[index] for index in order[start : start + self._batch_size]]
            batch_rows, batch_shown = self._encode_batch(batch, prompt, tokens=tokens)
            rows.append(batch_rows)
            shown += batch_shown
        if not rows:
            return np.zeros((0, self._width or 0), np.float32), []
        places = np.argsort(order)
        return np.concatenate(rows)[places], [shown[place] for place in places] if tokens else []

    def _encode_batch(self, texts: list[str], prompt: str, *, tokens: bool) -> tuple[Rows, list[TokenVectors]]:
        with self._lock:
            try:
                features, answer = self._forward(texts, prompt)
                rows = answer["sentence_embedding"].float().cpu().numpy()
                vectors = answer["token_embeddings"].float().cpu().numpy() if tokens else None
            except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
                raise EmbedderError(f"{self._identity} failed to encode {len(texts)} texts: {error}") from error
            encodings = self._encodings(features, texts, prompt) if tokens else []
        cut = getattr(self._model, "truncate_dim", None)
        rows = checked(rows[:, :cut], count=len(texts), identity=self._identity, width=self._width)
        if vectors is None:
            return _unit(rows), []
        if vectors.ndim != 3 or vectors.shape[:2] != (len(texts), len(encodings[0].ids)):
            raise EmbedderError(f"{self._identity} does not show a vector for each token; pass tokens=False")
        shown = [
            _token_vectors(prompt + text, len(prompt), encoding, pieces)
            for text, encoding, pieces in zip(texts, encodings, vectors, strict=True)
        ]
        return _unit(rows), shown

    def _forward(self, texts: list[str], prompt: str) -> tuple[Any, dict[str, Any]]:
        import torch

        with torch.inference_mode():
            if hasattr(self._model, "preprocess"):
                features = self._model.preprocess(texts, prompt=prompt or None)
            else:  # sentence-transformers before 5.4
                features = self._model.tokenize([prompt + text for text in texts])
            device = self._model.device
            # a copy, because the modules of a model add their results to what they are given
            inputs = {name: value.to(device) if torch.is_tensor(value) else value for name, value in features.items()}
            return features, self._model(inputs)

    def _encodings(self, features: Any, texts: list[str], prompt: str) -> Sequence[Any]:  # noqa: ANN401 - a foreign type
        if features.get("modality", "text") != "text":  # a chat template was wrapped around the text
            raise EmbedderError(
                f"{self._identity} reads chat messages, whose tokens have no place in the text; pass tokens=False"
            )
        encodings: Sequence[Any] | None = getattr(features, "encodings", None)
        if encodings is not None:
            return encodings
        # sentence-transformers before 5.4 keeps only the numbers
        again = self._model.tokenizer(
            [prompt + text for text in texts],
            padding=True,
            truncation="longest_first",
            max_length=self._model.max_seq_length,
        )
        if again["input_ids"] != features["input_ids"].tolist():
            raise EmbedderError(f"{self._identity} changes a text before it is tokenized; pass tokens=False")
        found: Sequence[Any] = again.encodings
        return found


def _name(model: str | Path, identity: str | None, memory_prompt: str) -> str:
    folder = Path(model)
    is_folder = folder.is_dir()
    if not is_folder and (isinstance(model, Path) or model.startswith((".", "/", "~", "\\"))):
        raise ConfigError(f"no folder with a sentence-transformers model exists at {str(model)!r}")
    if identity is not None:
        return identity
    name = folder_identity(folder) if is_folder else str(model)
    return f"{name}#{memory_prompt}" if memory_prompt else name


def _load(model: str | Path, *, dtype: str, device: str | None) -> Any:  # noqa: ANN401 - a foreign type
    require("sentence_transformers", extra="sentence-transformers")
    from sentence_transformers import SentenceTransformer

    with _no_progress_bars():
        try:
            loaded = SentenceTransformer(str(model), device=device, local_files_only=Path(model).is_dir())
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            raise EmbedderError(f"the sentence-transformers model {str(model)!r} cannot be loaded: {error}") from error
    # by default transformers 5 computes in the precision that the file happens to have
    return (loaded.bfloat16() if dtype == "bfloat16" else loaded.float()).eval()


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _width(model: Any) -> int | None:  # noqa: ANN401 - a foreign type
    # renamed in 5.4; the old name warns there
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    width: int | None = ask()
    return width


def _token_vectors(text: str, begin: int, encoding: Any, vectors: Rows) -> TokenVectors:  # noqa: ANN401 - a foreign type
    positions, words = words_of_pieces(text, encoding.offsets, encoding.special_tokens_mask, begin=begin)
    return TokenVectors(words, _unit(vectors[positions]))


def _unit(rows: Rows) -> Rows:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Rows = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
