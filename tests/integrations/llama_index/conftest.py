"""Fixtures of the LlamaIndex tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.llama_index.doubles import BagEmbedding
from llama_index.memory.mnemoloom import MnemoloomMemory
from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore

HERE = Path(__file__).parent

# of LlamaIndex and its workflows themselves, whatever is plugged into them
FOREIGN = (
    "ignore::pydantic.warnings.PydanticDeprecatedSince20",
    "ignore::pydantic.warnings.PydanticDeprecatedSince211",
    "ignore:is_running called from within a step:DeprecationWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for each in FOREIGN:
                item.add_marker(pytest.mark.filterwarnings(each))


@pytest.fixture
def embedding() -> BagEmbedding:
    return BagEmbedding()


@pytest.fixture
def store(folder: Path) -> Iterator[MnemoloomVectorStore]:
    """An empty vector store on disk."""
    made = MnemoloomVectorStore(folder, durability="normal")
    yield made
    made.close()


@pytest.fixture
def remember(folder: Path) -> Iterator[Callable[..., MnemoloomMemory]]:
    """`remember("ann", "monday")`: that user's memory in that session; closed at the end."""
    made: list[MnemoloomMemory] = []

    def make(user_id: str = "ann", session_id: str = "monday", **options: Any) -> MnemoloomMemory:
        options.setdefault("path", folder.parent / "memory")
        options.setdefault("embedder", "hashing:64")
        made.append(MnemoloomMemory.from_defaults(session_id, user_id=user_id, **options))
        return made[-1]

    yield make
    for memory in made:
        memory.close()
