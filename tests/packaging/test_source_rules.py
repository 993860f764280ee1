"""Rules of the source that a linter does not know."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mnemoloom

ROOT = Path(mnemoloom.__file__).resolve().parent
SOURCES = sorted(ROOT.rglob("*.py"))
IDS = [str(path.relative_to(ROOT)) for path in SOURCES]

# PRAGMA takes no bound values; both numbers are formatted with :d.
COMPOSED_SQL_ALLOWED = {
    'storage/migrations.py: f"PRAGMA user_version = {number:d}"',
    'storage/migrations.py: f"PRAGMA application_id = {APPLICATION_ID:d}"',
}
EXECUTING = {"execute", "executemany", "executescript"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def composed(argument: ast.expr) -> bool:
    """Whether an SQL argument is put together on the spot."""
    if isinstance(argument, ast.JoinedStr):
        return True
    if isinstance(argument, ast.BinOp) and isinstance(argument.op, (ast.Mod, ast.Add)):
        return True
    return (
        isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute) and argument.func.attr == "format"
    )


def in_cli(path: Path) -> bool:
    return "cli" in path.relative_to(ROOT).parts or path.name == "__main__.py"


@pytest.mark.parametrize("path", [path for path in SOURCES if not in_cli(path)], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_prints_nothing(path: Path) -> None:
    assert not [call.lineno for call in calls(path) if name_of(call) in {"print", "pprint", "sys.stdout.write"}]


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_nothing_is_pickled(path: Path) -> None:
    assert not imported(path) & {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
    for call in calls(path):
        assert not [k for k in call.keywords if k.arg == "allow_pickle"], call.lineno
        assert name_of(call) not in {"np.load", "np.save", "torch.load", "eval", "exec"}, call.lineno


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_sql_is_never_composed_in_the_call_that_executes_it(path: Path) -> None:
    for call in calls(path):
        if isinstance(call.func, ast.Attribute) and call.func.attr in EXECUTING and call.args:
            argument = call.args[0]
            text = ast.get_source_segment(path.read_text(encoding="utf-8"), argument)
            place = f"{path.relative_to(ROOT).as_posix()}: {text}"
            assert not composed(argument) or place in COMPOSED_SQL_ALLOWED, place


def test_the_allowed_exceptions_exist() -> None:
    migrations = (ROOT / "storage" / "migrations.py").read_text(encoding="utf-8")
    assert all(place.split(": ", 1)[1] in migrations for place in COMPOSED_SQL_ALLOWED)


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "clock.py"], ids=lambda p: p.name)
def test_the_clock_is_an_argument(path: Path) -> None:
    forbidden = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    assert not [call.lineno for call in calls(path) if name_of(call) in forbidden]


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_chance_is_seeded_and_local(path: Path) -> None:
    assert "random" not in imported(path)
    for call in calls(path):
        assert not name_of(call).startswith(("np.random.seed", "np.random.rand", "numpy.random.seed")), call.lineno
        if name_of(call).endswith("default_rng"):
            assert call.args or call.keywords, call.lineno


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_no_error_is_swallowed_whole(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            kind = "" if node.type is None else ast.unparse(node.type)
            inside = [inner for statement in node.body for inner in ast.walk(statement)]
            raises = any(isinstance(inner, ast.Raise) for inner in inside)
            hands_on = any(isinstance(inner, ast.Attribute) and inner.attr == "set_exception" for inner in inside)
            assert kind not in ("", "Exception", "BaseException") or raises or hands_on, node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_callers_input_is_never_asserted(path: Path) -> None:
    assert not [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Assert)]
