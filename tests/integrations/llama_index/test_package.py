"""The packages: what they are called, and what they say when something is missing."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pkgutil import walk_packages

import pytest

import llama_index.memory.mnemoloom as memory
import llama_index.vector_stores.mnemoloom as vector_stores

MODULES = sorted(
    module.name
    for package in (memory, vector_stores)
    for module in walk_packages(package.__path__, f"{package.__name__}.")
)


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("package", [memory, vector_stores], ids=lambda package: package.__name__)
def test_the_public_names_are_sorted_and_importable(package: object) -> None:
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_holds_and_has_the_names_that_it_lists(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for each in module.__all__:
        assert hasattr(module, each)


@pytest.mark.parametrize("package", ["vector_stores", "memory"])
def test_importing_warns_of_nothing_opens_no_socket_and_loads_no_model_library(package: str) -> None:
    code = (
        "import sys\n"
        "import llama_index.core\n"
        "refused = []\n"
        "sys.addaudithook(lambda event, args: refused.append(event) if event.startswith('socket.') else None)\n"
        f"import llama_index.{package}.mnemoloom\n"
        "print(refused, [name for name in ('torch', 'ollama', 'faiss', 'openai') if name in sys.modules])"
    )
    done = run(code, "-W", "error")
    assert (done.returncode, done.stdout.strip()) == (0, "[] []"), done.stderr


@pytest.mark.parametrize(
    ("missing", "module", "extra"),
    [
        ("llama_index.core", "llama_index.vector_stores.mnemoloom", "llama-index"),
        ("llama_index.core", "llama_index.memory.mnemoloom", "llama-index"),
        ("llama_index.llms.ollama", "llama_index.memory.mnemoloom.ollama", "llama-index-ollama"),
        ("llama_index.embeddings.ollama", "llama_index.memory.mnemoloom.ollama", "llama-index-ollama"),
    ],
)
def test_without_a_library_the_import_says_what_to_install(missing: str, module: str, extra: str) -> None:
    code = (
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        f"util.find_spec = lambda name, *rest: None if name == {missing!r} else real(name, *rest)\n"
        f"import {module}"
    )
    done = run(code)
    assert done.returncode == 1
    assert f"pip install 'mnemoloom[{extra}]'" in done.stderr.splitlines()[-1]
