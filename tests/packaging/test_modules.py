"""What the package promises about itself: names, versions, and what importing it does."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from pkgutil import walk_packages

import pytest

import mnemoloom
from mnemoloom import __about__
from mnemoloom.errors import MissingExtraError

ROOT = Path(mnemoloom.__file__).resolve().parent
MODULES = sorted(module.name for module in walk_packages(mnemoloom.__path__, "mnemoloom."))
ENTRY_POINTS = {"mnemoloom.__main__"}  # importing it would run the command
HEAVY = ["torch", "sentence_transformers", "transformers", "ollama", "faiss", "tqdm", "sqlite_vec", "langchain_core"]
HEAVY += ["llama_index", "requests", "httpx", "matplotlib", "pandas", "scipy"]


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter for which every warning is an error."""
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )


def test_the_public_names_are_sorted_and_importable() -> None:
    assert mnemoloom.__all__ == sorted(mnemoloom.__all__)
    for name in mnemoloom.__all__:
        assert getattr(mnemoloom, name) is not None


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ENTRY_POINTS])
def test_every_module_can_be_imported_and_has_the_names_that_it_lists(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except MissingExtraError as missing:
        assert "pip install 'mnemoloom[" in str(missing)  # noqa: PT017 - only without the extra
        return
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    for each in listed:
        assert hasattr(module, each), f"{name} lists {each}"


@pytest.mark.parametrize("name", [name for name in MODULES if not name.rsplit(".", 1)[-1].startswith("_")])
def test_every_module_says_what_it_holds(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    assert source.startswith('"""')


def test_importing_the_package_warns_of_nothing_prints_nothing_and_loads_no_extra() -> None:
    done = run(f"import mnemoloom, sys; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"


def test_remembering_and_recalling_loads_no_extra_either() -> None:
    code = (
        "import mnemoloom, sys\n"
        "with mnemoloom.Memory.open(':memory:') as memory:\n"
        "    memory.remember('a dog', speaker='Ann')\n"
        "    assert len(memory.recall('dog')) == 1\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"


def test_importing_the_package_makes_no_file_and_opens_no_socket(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "refused = []\n"
        "def watch(event, args):\n"
        "    writing = event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')\n"
        "    if event.startswith(('socket.', 'subprocess.', 'sqlite3.connect')) or writing:\n"
        "        refused.append((event, str(args[:1])))\n"
        "sys.dont_write_bytecode = True\n"
        "sys.addaudithook(watch)\n"
        "import mnemoloom\n"
        "print(refused)"
    )
    done = run(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"


def test_the_types_and_word_lists_are_in_the_package() -> None:
    assert files("mnemoloom").joinpath("py.typed").is_file()
    assert files("mnemoloom.lexical").joinpath("stop_words_english.txt").is_file()


def test_the_version_is_that_of_about() -> None:
    assert mnemoloom.__version__ == __about__.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?", mnemoloom.__version__)


def test_an_installed_distribution_has_the_same_version() -> None:
    try:
        installed = version("mnemoloom")
    except PackageNotFoundError:  # the source root is on the path
        return
    assert installed == mnemoloom.__version__


@pytest.mark.parametrize("package", ["mnemoloom", "mnemoloom.titans"])
def test_the_example_in_a_package_runs(package: str) -> None:
    outcome = doctest.testmod(importlib.import_module(package))
    assert outcome.attempted > 0
    assert outcome.failed == 0
