"""`why`: the stages that a memory passed for a question, or the one that let it go."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.questions import question_options
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.records import Explanation

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Explain, and print the explanation."""
    key = int(arguments.id) if arguments.id.isascii() and arguments.id.isdigit() else arguments.id
    with open_memory(arguments, read_only=True) as memory:
        found = memory.why(arguments.query, key, **question_options(arguments))
    if arguments.json:
        emit(asdict(found) | {"parts": dict(found.parts)})
    else:
        print(_described(Screen.of_stdout(), found))
    return 0


def _described(screen: Screen, found: Explanation) -> str:
    verdict = "is recalled" if found.recalled else "is not recalled"
    stages = [(f"{'+' if stage.passed else '-'} {stage.name}", stage.detail) for stage in found.stages]
    lines = [screen.bold(f"#{found.memory_id} {verdict} (profile {found.profile})"), screen.columns(stages)]
    if found.parts:
        lines.append(f"  score {found.score:.3f} = {screen.figures(found.parts)}")
    return "\n".join(lines)
