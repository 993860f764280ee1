"""mnemoloom for LangChain and LangGraph: a store, a retriever, tools and middleware over one long-term memory.

Names are imported when they are first used, so that each needs only its own libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnemoloom.__about__ import __version__

if TYPE_CHECKING:
    from .scope import PER_USER, MemoryContext, Scope, memory_for, namespace_for

_HOMES = {
    "PER_USER": "scope",
    "MemoryContext": "scope",
    "Scope": "scope",
    "memory_for": "scope",
    "namespace_for": "scope",
}

__all__ = ["PER_USER", "MemoryContext", "Scope", "__version__", "memory_for", "namespace_for"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
