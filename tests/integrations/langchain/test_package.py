"""What importing the package does, what it exports, and that its pages run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import langchain_mnemoloom
import mnemoloom

ROOT = Path(langchain_mnemoloom.__file__).resolve().parent
PATH = os.pathsep.join([str(ROOT.parent), str(Path(mnemoloom.__file__).resolve().parents[1])])
HEAVY = ["langchain", "langchain_classic", "langchain_ollama", "langchain_core", "langgraph", "torch"]
HEAVY += ["sentence_transformers", "ollama", "pydantic", "numpy.testing"]
MIGRATION = "\n".join(
    re.findall(r"```python\n(.*?)```", (ROOT / "MIGRATION.md").read_text(encoding="utf-8"), re.DOTALL)
)


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter for which every warning is an error."""
    environment = os.environ | {"PYTHONPATH": PATH}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=120,
    )


def test_importing_the_package_imports_no_framework(tmp_path: Path) -> None:
    done = run(f"import langchain_mnemoloom, sys; print([name for name in {HEAVY!r} if name in sys.modules])", tmp_path)
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "[]")


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("MnemoloomStore", ["langchain", "langchain_classic", "langgraph.pregel", "langgraph.graph", "torch"]),
        ("MnemoloomRetriever", ["langchain", "langchain_classic", "langgraph", "torch"]),
        ("MnemoloomVectorStore", ["langchain", "langchain_classic", "langgraph", "torch"]),
        ("MnemoloomEmbeddings", ["langchain", "langchain_classic", "langgraph", "torch"]),
        ("MnemoloomChatMessageHistory", ["langchain", "langchain_classic", "langgraph", "torch"]),
        ("MnemoloomMemory", ["langchain", "langgraph", "torch"]),
        ("create_memory_tools", ["langchain_classic", "torch"]),
        ("MemoryContext", ["langchain", "langchain_core", "langchain_classic", "langgraph", "torch"]),
    ],
)
def test_a_name_imports_its_own_libraries_only_and_warns_of_nothing(
    name: str, foreign: list[str], tmp_path: Path
) -> None:
    code = f"from langchain_mnemoloom import {name}; import sys; print([n for n in {foreign!r} if n in sys.modules])"
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "[]")


def test_the_public_names_all_have_a_home() -> None:
    assert len(set(langchain_mnemoloom.__all__)) == len(langchain_mnemoloom.__all__)
    assert set(langchain_mnemoloom._HOMES) | {"__version__"} == set(langchain_mnemoloom.__all__)
    assert set(langchain_mnemoloom.__all__) <= set(dir(langchain_mnemoloom))
    with pytest.raises(AttributeError, match="nothing_here"):
        langchain_mnemoloom.nothing_here  # noqa: B018


@pytest.mark.parametrize("name", sorted(langchain_mnemoloom._HOMES))
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(langchain_mnemoloom, name).__doc__


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("MnemoloomStore", "langchain_core", "langchain"),
        ("MnemoloomStore", "langgraph", "langchain"),
        ("MnemoloomMiddleware", "langchain", "langchain"),
        ("create_memory_tools", "langgraph", "langchain"),
        ("create_ollama_agent", "langchain", "langchain-ollama"),
        ("create_ollama_chat", "langchain_ollama", "langchain-ollama"),
        ("MnemoloomMemory", "langchain_classic", "langchain-classic"),
    ],
)
def test_a_library_that_is_missing_is_told_with_what_to_type(
    name: str, library: str, extra: str, tmp_path: Path
) -> None:
    done = run(f"import sys; sys.modules[{library!r}] = None; from langchain_mnemoloom import {name}", tmp_path)
    assert f"pip install 'mnemoloom[{extra}]'" in done.stderr


def test_the_type_marker_and_the_pages_are_in_the_package() -> None:
    for name in ("py.typed", "MIGRATION.md", "STORE.md"):
        assert files("langchain_mnemoloom").joinpath(name).is_file()


def test_the_migration_page_runs_as_it_stands(tmp_path: Path) -> None:
    done = run(MIGRATION, tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r'\[begin memories-\w+\]\n\{.*"text": "I moved to Oslo in May\."', done.stdout)
    assert "My violin is in the red case." in done.stdout
    assert "{'text': 'Ann lives in Oslo.'}" in done.stdout


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickle_no_sql_no_print_and_no_community_package(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not imported & {"pickle", "dill", "cloudpickle", "sqlite3", "langchain_community", "random"}
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"print", "eval", "exec"}
