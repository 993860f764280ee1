"""Run the code cells of a notebook one after the other, in one event loop, as a notebook server does."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import sys
from pathlib import Path
from typing import Any


async def run(cells: list[str], names: dict[str, Any]) -> None:
    for number, source in enumerate(cells):
        code = compile(source, f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]
    asyncio.run(run(cells, {"__name__": "__main__"}))


if __name__ == "__main__":
    main()
