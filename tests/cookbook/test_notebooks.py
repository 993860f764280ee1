"""Each notebook runs from its first cell to its last, over HTTP, and shows what its text claims."""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cookbook.reading_model import answer
from mnemoloom.testing import OllamaServer, ServedModel

COOKBOOK = Path(__file__).parents[2] / "cookbook"
NOTEBOOKS = sorted(COOKBOOK.glob("*.ipynb"))
MODELS = [
    ServedModel(name="llama3.2"),
    ServedModel(name="nomic-embed-text", capabilities=frozenset({"embedding"}), width=256),
]
Names = dict[str, Any]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Names]]:
    """Run the code cells of a notebook, one after the other, as Jupyter does; the names that they leave behind."""
    left: Names = {}
    with OllamaServer(otherwise=answer, models=MODELS) as server:

        def run(name: str) -> Names:
            notebook = json.loads((COOKBOOK / f"{name}.ipynb").read_text(encoding="utf-8"))
            names = left
            names["__name__"] = "__main__"
            for number, cell in enumerate(notebook["cells"]):
                if cell["cell_type"] != "code":
                    continue
                run_cell("".join(cell["source"]), f"{name}.ipynb, cell {number}", names)
                if "parameters" in cell["metadata"].get("tags", ()):
                    names.update(HOST=server.url, FOLDER=tmp_path)
            return names

        yield run
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # LangChain's own clients cannot be closed
        left.clear()
        gc.collect()


def run_cell(source: str, place: str, names: Names) -> None:
    code = compile(source, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):

        async def awaited() -> None:
            await outcome

        asyncio.run(awaited())


def test_the_agent_remembers_keeps_users_apart_and_recovers(run, capsys):
    names = run("agent_with_memory")
    out = capsys.readouterr().out
    assert names["on_tuesday"] == "I moved to Oslo in May, and I play the cello."
    assert "I play the cello." in names["block"]
    assert names["block"].startswith("[begin memories-")
    assert names["for_bob"] == "I do not know."
    assert "user_id" in str(names["refused"])
    assert names["saved"] == ["The user says: I am allergic to nuts."]
    assert names["home"].city == "Oslo"
    assert "ollama pull no-such-model" in out
    assert "memories added: 0" in out
    assert out.rstrip().endswith("[]")


# the program as it was uses deprecated classes: that is its point
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainDeprecationWarning")
def test_the_migration_moves_everything_once_and_the_agent_answers_from_it(run, capsys):
    names = run("migration")
    out = capsys.readouterr().out
    assert out.count("before      user: My printer is a Laser 300.") == 1
    assert out.count("facts      user: Never call me before ten.") == 1
    assert "['The stripes are gone.', 'Good.']" in out
    assert "My office is in Bergen." in out
    assert "Laser 300" in names["answer"]
    assert names["stranger"] == "I do not know."
    assert (names["FOLDER"] / "export").is_dir()


def test_the_store_serves_a_graph_and_outlives_it(run, capsys):
    names = run("langgraph_store")
    out = capsys.readouterr().out
    assert names["asked"]["known"][0] == "I always want a window seat on trains."
    assert names["asked"]["answer"] == "I always want a window seat on trains."
    assert names["bobs"]["known"] == ["I travel with my dog."]
    assert "['Paris']" in out
    assert names["again"]["known"] == names["asked"]["known"]
    assert names["card"].value["text"].startswith("My loyalty card number 2")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_well_formed_and_kept_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], len(notebook["cells"]) > 10) == (4, True)
    identities = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_every_notebook_is_run_here_or_by_the_tests_of_llama_index():
    run_here = {"agent_with_memory", "migration", "langgraph_store"}
    assert {path.stem for path in NOTEBOOKS if not path.stem.startswith("llama_index_")} == run_here
