"""Memory in mnemoloom: chats for LlamaIndex that remember across sessions, in one folder on your disk."""

from mnemoloom.errors import require

require("llama_index.core", extra="llama-index")

from llama_index.memory.mnemoloom.agents import RememberingAgent, RememberingReActAgent  # noqa: E402 - after the check
from llama_index.memory.mnemoloom.base import MnemoloomMemory  # noqa: E402
from llama_index.memory.mnemoloom.block import MnemoloomMemoryBlock  # noqa: E402
from llama_index.memory.mnemoloom.chat_store import MnemoloomChatBuffer, MnemoloomChatStore  # noqa: E402
from llama_index.memory.mnemoloom.tools import MnemoloomToolSpec, create_memory_tools  # noqa: E402
from llama_index.vector_stores.mnemoloom.embeddings import LlamaIndexEmbedder, MnemoloomEmbedding  # noqa: E402
from llama_index.vector_stores.mnemoloom.retriever import MnemoloomRetriever  # noqa: E402

__all__ = [
    "LlamaIndexEmbedder",
    "MnemoloomChatBuffer",
    "MnemoloomChatStore",
    "MnemoloomEmbedding",
    "MnemoloomMemory",
    "MnemoloomMemoryBlock",
    "MnemoloomRetriever",
    "MnemoloomToolSpec",
    "RememberingAgent",
    "RememberingReActAgent",
    "create_memory_tools",
]
