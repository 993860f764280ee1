"""What the wheel holds: our packages, and nothing that would hide somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMESPACES = ["llama_index", "llama_index/vector_stores", "llama_index/memory"]
LEAVES = ["llama_index/vector_stores/mnemoloom", "llama_index/memory/mnemoloom"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the working tree, without anything from outside."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("package", NAMESPACES)
def test_no_init_stands_above_our_leaves(unpacked: Path, package: str) -> None:
    assert (unpacked / package).is_dir()
    assert not (unpacked / package / "__init__.py").exists()


@pytest.mark.parametrize("package", LEAVES)
def test_our_leaves_are_typed_packages(unpacked: Path, package: str) -> None:
    assert (unpacked / package / "__init__.py").is_file()
    assert (unpacked / package / "py.typed").is_file()


def test_nothing_but_our_packages_is_in_the_wheel(unpacked: Path) -> None:
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.py")}
    theirs = [path for path in found if path.startswith("llama_index/") and not path.startswith(tuple(LEAVES))]
    assert theirs == []
    assert not [path for path in found if path.startswith("tests/")]


def test_another_vector_store_package_beside_ours_keeps_working(unpacked: Path, tmp_path: Path) -> None:
    other = tmp_path / "llama_index" / "vector_stores" / "other"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("class OtherVectorStore: ...\n")
    code = (
        "from llama_index.core import VectorStoreIndex\n"
        "from llama_index.vector_stores.other import OtherVectorStore\n"
        "from llama_index.vector_stores.mnemoloom import MnemoloomVectorStore\n"
        "from llama_index.memory.mnemoloom import MnemoloomMemory\n"
        "import llama_index.vector_stores.mnemoloom as ours\n"
        "print(ours.__file__)\n"
    )
    rest = [path for path in sys.path if path and Path(path).resolve() not in (ROOT / "core", ROOT / "integrations")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(unpacked), str(tmp_path), *rest])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(unpacked)
