from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from mnemoloom import embedders
from mnemoloom.embedders import OllamaEmbedder, SentenceTransformerEmbedder
from mnemoloom.errors import MissingExtraError


def test_importing_the_package_imports_no_encoder_library():
    code = (
        "import sys, mnemoloom.embedders; "
        "print(sorted({'torch', 'sentence_transformers', 'transformers', 'ollama', 'httpx'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_exported_name_exists():
    assert [name for name in embedders.__all__ if not hasattr(embedders, name)] == []


@pytest.mark.parametrize(
    ("module", "extra", "build"),
    [
        ("ollama", "ollama", lambda: OllamaEmbedder("tinyemb")),
        ("sentence_transformers", "sentence-transformers", lambda: SentenceTransformerEmbedder("some/model")),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch, module, extra, build):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find_spec(name))
    with pytest.raises(MissingExtraError, match=rf"pip install 'mnemoloom\[{extra}\]'"):
        build()
