"""The contract on LangGraph's own InMemoryStore; not collected with the others: test_store_report runs it."""

from __future__ import annotations

from langgraph.store.base import BaseStore, IndexConfig
from langgraph.store.memory import InMemoryStore

from integrations.langchain.store_contract import INDEX, StoreContract


class TestLangGraphs(StoreContract):
    """InMemoryStore as it comes."""

    def make_store(self, index: IndexConfig | None = INDEX) -> BaseStore:
        return InMemoryStore(index=index)
