from __future__ import annotations

import pytest

from mnemoloom.embedders import HashingEmbedder, OllamaEmbedder, from_spec
from mnemoloom.errors import ConfigError


def test_none_is_no_embedder():
    assert from_spec("none") is None


@pytest.mark.parametrize(("spec", "identity"), [("hashing", "hashing/512"), ("hashing:256", "hashing/256")])
def test_hashing_takes_a_width(spec, identity):
    embedder = from_spec(spec)
    assert isinstance(embedder, HashingEmbedder)
    assert embedder.identity == identity


def test_an_ollama_model_may_have_a_tag():
    embedder = from_spec("ollama:nomic-embed-text:v1.5")
    assert isinstance(embedder, OllamaEmbedder)
    assert embedder.identity == "ollama/nomic-embed-text:v1.5"


@pytest.mark.minilm
def test_a_sentence_transformers_folder_is_named_by_its_path(minilm_folder):
    embedder = from_spec(f"sentence-transformers:{minilm_folder}")
    assert embedder.embed(["a"]).shape == (1, 384)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "minilm",
        "None",
        "none:",
        "hashing:",
        "hashing:x",
        "hashing:-1",
        "hashing:1_000",
        "hashing:²",
        "ollama",
        "ollama:",
        "ollama: ",
        "sentence-transformers",
        "sentence-transformers:",
        "openai:ada",
    ],
)
def test_anything_else_is_refused_with_the_forms(spec):
    with pytest.raises(ConfigError, match="none, hashing, hashing:WIDTH, ollama:MODEL or sentence-transformers:"):
        from_spec(spec)


def test_a_width_outside_its_bounds_is_refused():
    with pytest.raises(ConfigError, match="from 8 to 65536; got 7"):
        from_spec("hashing:7")
