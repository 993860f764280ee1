"""What a folder with a model is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mnemoloom.embedders.model_folders import folder_identity

FILES = {
    "config.json": b"{}",
    "modules.json": b"[]",
    "model.safetensors": b"weights" * 1000,
    "1_Pooling/config.json": b"{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "one" / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "one" / "model"


def renamed(folder: Path, name: str) -> Path:
    return folder.rename(folder.with_name(name))


@pytest.mark.parametrize(
    "name",
    ["all-MiniLM-L6-v2", "bge-m3", "e5", "model-of-ann", "minilm-final", "checkpoint-e5", "faded", "main-street"],
)
def test_a_name_that_says_something_is_kept(folder: Path, name: str) -> None:
    assert folder_identity(renamed(folder, name)) == name


@pytest.mark.parametrize(
    "name",
    [
        *("model", "Models", "final_model", "snapshot", "checkpoint-500", "output", "latest", "7"),
        *("c9745ed1d9f207416be6d2e6f8de32d1f16199bf", "550e8400-e29b-41d4-a716-446655440000"),
    ],
)
def test_a_name_that_says_nothing_gives_way_to_a_digest_of_the_contents(folder: Path, name: str) -> None:
    identity = folder_identity(folder)
    assert identity.startswith("model-")
    assert folder_identity(renamed(folder, name)) == identity


def test_copies_have_the_same_digest_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "two" / "snapshot")
    (copy / "README.md").write_text("what it is")
    (copy / "optimizer.bin").write_bytes(b"state")
    (copy / "checkpoint-5").mkdir()
    (copy / "checkpoint-5" / "model.safetensors").write_bytes(b"old")
    assert folder_identity(copy) == folder_identity(folder)


@pytest.mark.parametrize("changed", FILES)
def test_models_that_differ_in_a_file_differ_in_the_digest(folder: Path, tmp_path: Path, changed: str) -> None:
    """Also two trainings of one model, which have the same settings and sizes."""
    copy = shutil.copytree(folder, tmp_path / "two" / "model")
    data = (copy / changed).read_bytes()
    (copy / changed).write_bytes(data[:-1] + b"!")
    assert folder_identity(copy) != folder_identity(folder)
