"""mnemoloom for LangChain and LangGraph: a store, a retriever, tools and middleware over one long-term memory.

Names are imported when they are first used, so that each needs only its own libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnemoloom.__about__ import __version__
from mnemoloom.errors import require

if TYPE_CHECKING:
    from .chat_history import MnemoloomChatMessageHistory
    from .chat_ollama import ollama_chat_model
    from .classic import MnemoloomMemory
    from .embeddings import LangChainEmbedder, MnemoloomEmbeddings
    from .middleware import MnemoloomMiddleware
    from .ollama import create_ollama_agent, create_ollama_chat
    from .recalling import Recollection
    from .remembering_chat import RememberingChat
    from .retrievers import MnemoloomRetriever
    from .scope import PER_USER, MemoryContext, Scope, memory_for, namespace_for
    from .store import MnemoloomStore, escape_label, unescape_label
    from .tools import create_memory_tools
    from .vectorstores import MnemoloomVectorStore

_HOMES = {
    "PER_USER": "scope",
    "LangChainEmbedder": "embeddings",
    "MemoryContext": "scope",
    "MnemoloomChatMessageHistory": "chat_history",
    "MnemoloomMemory": "classic",
    "MnemoloomEmbeddings": "embeddings",
    "MnemoloomMiddleware": "middleware",
    "MnemoloomRetriever": "retrievers",
    "MnemoloomStore": "store",
    "MnemoloomVectorStore": "vectorstores",
    "Recollection": "recalling",
    "RememberingChat": "remembering_chat",
    "Scope": "scope",
    "create_memory_tools": "tools",
    "create_ollama_agent": "ollama",
    "create_ollama_chat": "ollama",
    "escape_label": "store",
    "memory_for": "scope",
    "namespace_for": "scope",
    "ollama_chat_model": "chat_ollama",
    "unescape_label": "store",
}

__all__ = [
    "PER_USER",
    "LangChainEmbedder",
    "MemoryContext",
    "MnemoloomChatMessageHistory",
    "MnemoloomEmbeddings",
    "MnemoloomMemory",
    "MnemoloomMiddleware",
    "MnemoloomRetriever",
    "MnemoloomStore",
    "MnemoloomVectorStore",
    "Recollection",
    "RememberingChat",
    "Scope",
    "__version__",
    "create_memory_tools",
    "create_ollama_agent",
    "create_ollama_chat",
    "escape_label",
    "memory_for",
    "namespace_for",
    "ollama_chat_model",
    "unescape_label",
]


# The extra of a module, and the libraries that it cannot do without; for the others, langchain-core.
_NEEDS = {
    "chat_ollama": ("langchain-ollama", "langchain_core", "langchain_ollama"),
    "classic": ("langchain-classic", "langchain_core", "langchain_classic"),
    "middleware": ("langchain", "langchain_core", "langgraph", "langchain"),
    "ollama": ("langchain-ollama", "langchain_core", "langgraph", "langchain", "langchain_ollama"),
    "scope": ("langchain",),
    "store": ("langchain", "langchain_core", "langgraph"),
    "tools": ("langchain", "langchain_core", "langgraph"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    extra, *libraries = _NEEDS.get(_HOMES[name], ("langchain", "langchain_core"))
    for library in libraries:
        require(library, extra=extra)
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
