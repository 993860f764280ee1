"""Vectors and how near they are."""

from mnemoloom.columns import Column
from mnemoloom.index.exact import VectorRows
from mnemoloom.index.ragged import RaggedRows
from mnemoloom.index.top import top_set, top_slots

__all__ = ["Column", "RaggedRows", "VectorRows", "top_set", "top_slots"]
