"""The contract on our store; and on LangGraph's InMemoryStore, whose shortcomings are listed and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from langgraph.store.base import BaseStore, IndexConfig

from integrations.langchain.store_contract import INDEX, StoreContract
from langchain_mnemoloom import MnemoloomStore


class TestInMemory(StoreContract):
    """Ours, in memory."""

    def make_store(self, index: IndexConfig | None = INDEX) -> BaseStore:
        return MnemoloomStore.open(":memory:", index=index)


class TestOnDisk(StoreContract):
    """Ours, in a folder."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "store"

    def make_store(self, index: IndexConfig | None = INDEX) -> BaseStore:
        return MnemoloomStore.open(self.folder, index=index)
