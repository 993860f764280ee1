"""Encoders: adapters that turn texts into vectors.

Importing this package imports no encoder library; each adapter asks for its own when it is built.
"""

from __future__ import annotations

from mnemoloom.embedders.cached import CachedQueries
from mnemoloom.embedders.checking import checked
from mnemoloom.embedders.guarded import Guarded, guarded
from mnemoloom.embedders.hashing import HashingEmbedder
from mnemoloom.embedders.ollama import OllamaEmbedder
from mnemoloom.embedders.sentence_transformers import SentenceTransformerEmbedder
from mnemoloom.embedders.spec import from_spec

__all__ = [
    "CachedQueries",
    "Guarded",
    "HashingEmbedder",
    "OllamaEmbedder",
    "SentenceTransformerEmbedder",
    "checked",
    "from_spec",
    "guarded",
]
