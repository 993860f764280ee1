"""Documents in mnemoloom: a vector store for LlamaIndex that lives in one folder on your disk."""

from mnemoloom.errors import require

require("llama_index.core", extra="llama-index")

from llama_index.vector_stores.mnemoloom.base import MnemoloomVectorStore  # noqa: E402 - after the check
from llama_index.vector_stores.mnemoloom.embeddings import LlamaIndexEmbedder, MnemoloomEmbedding  # noqa: E402
from llama_index.vector_stores.mnemoloom.refreshing import arefresh_documents, refresh_documents  # noqa: E402
from llama_index.vector_stores.mnemoloom.retriever import MnemoloomRetriever  # noqa: E402

__all__ = [
    "LlamaIndexEmbedder",
    "MnemoloomEmbedding",
    "MnemoloomRetriever",
    "MnemoloomVectorStore",
    "arefresh_documents",
    "refresh_documents",
]
