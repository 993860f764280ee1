"""An encoder from one word of the command line."""

from __future__ import annotations

from mnemoloom.embedders.hashing import HashingEmbedder
from mnemoloom.embedders.ollama import OllamaEmbedder
from mnemoloom.embedders.sentence_transformers import SentenceTransformerEmbedder
from mnemoloom.errors import ConfigError
from mnemoloom.ports import Embedder

__all__ = ["from_spec"]

FORMS = "none, hashing, hashing:WIDTH, ollama:MODEL or sentence-transformers:NAME_OR_FOLDER"


def from_spec(spec: str) -> Embedder | None:
    """Return the embedder that a specification names, or None for `none`.

    Raises
    ------
    ConfigError: not one of the forms, or a setting outside its bounds.
    MissingExtraError: the library that it needs is not installed.
    """
    kind, colon, name = spec.partition(":")
    if spec == "none":
        return None
    if kind == "hashing" and not colon:
        return HashingEmbedder()
    if kind == "hashing" and name.isascii() and name.isdigit():
        return HashingEmbedder(int(name))
    if kind == "ollama" and name.strip():
        return OllamaEmbedder(name)
    if kind == "sentence-transformers" and name.strip():
        return SentenceTransformerEmbedder(name)
    raise ConfigError(f"an embedder must be given as {FORMS}; got {spec!r}")
