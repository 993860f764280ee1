"""LangChain's own conformance suites, with sockets disabled; none of their tests is left out or expected to fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests, ToolsUnitTests

from langchain_mnemoloom import (
    LangChainEmbedder,
    MnemoloomEmbeddings,
    MnemoloomRetriever,
    MnemoloomVectorStore,
    create_memory_tools,
)
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

pytestmark = pytest.mark.usefixtures("no_sockets")

EXAMPLES = {
    "save_memory": {"content": "Ann likes tea."},
    "search_memory": {"query": "tea"},
    "update_memory": {"memory_id": 1, "content": "Ann likes coffee."},
    "forget_memory": {"memory_id": 2},
}


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:  # type: ignore[override]
        with Memory.open(":memory:", embedder=LangChainEmbedder(self.get_embeddings())) as memory:
            yield MnemoloomVectorStore(memory)


class TestVectorStoreWithTheCoresEncoder(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:  # type: ignore[override]
        with Memory.open(":memory:", embedder=HashingEmbedder(64)) as memory:
            yield MnemoloomVectorStore(memory)


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _memory(self) -> Iterator[None]:
        with Memory.open(":memory:", embedder=HashingEmbedder(64)) as self.memory:
            self.memory.remember_many(f"The boat of room {number} is red." for number in range(5))
            yield

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return MnemoloomRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": self.memory, "k": 2}

    @property
    def retriever_query_example(self) -> str:
        return "boat"


class _Tool:
    """One of the memory tools, over a memory that all runs share."""

    name = "save_memory"

    @pytest.fixture(autouse=True)
    def _memory(self) -> Iterator[None]:
        with Memory.open(":memory:") as memory:
            memory.at("team").remember_many(["Ann likes water.", "Bo likes milk."])
            (self.made,) = create_memory_tools(memory, scope=("team",), names=[self.name])  # type: ignore[list-item]
            yield

    @property
    def tool_constructor(self) -> BaseTool:
        return self.made

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return EXAMPLES[self.name]


class TestSaveToolUnit(_Tool, ToolsUnitTests):
    name = "save_memory"


class TestSaveToolIntegration(_Tool, ToolsIntegrationTests):
    name = "save_memory"


class TestSearchToolUnit(_Tool, ToolsUnitTests):
    name = "search_memory"


class TestSearchToolIntegration(_Tool, ToolsIntegrationTests):
    name = "search_memory"


class TestUpdateToolUnit(_Tool, ToolsUnitTests):
    name = "update_memory"


class TestUpdateToolIntegration(_Tool, ToolsIntegrationTests):
    name = "update_memory"


class TestForgetToolUnit(_Tool, ToolsUnitTests):
    name = "forget_memory"


class TestForgetToolIntegration(_Tool, ToolsIntegrationTests):
    name = "forget_memory"


class _Embeddings:
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return MnemoloomEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": HashingEmbedder(64)}


class TestEmbeddingsUnit(_Embeddings, EmbeddingsUnitTests):
    pass


class TestEmbeddingsIntegration(_Embeddings, EmbeddingsIntegrationTests):
    pass


class TestEmbeddingsThereAndBack(EmbeddingsIntegrationTests):
    """LangChain's embeddings, through the core's port, as LangChain's embeddings again."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return MnemoloomEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": LangChainEmbedder(DeterministicFakeEmbedding(size=16))}
