"""`why`: the stages that a memory passed for a question, or the one that let it go."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.questions import question_options, tell_of_unused_vectors
from mnemoloom.cli.screen import Screen, emit, visible
from mnemoloom.cli.values import key_of
from mnemoloom.records import Explanation

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Explain, and print the explanation."""
    key, options = key_of(arguments.id, arguments), question_options(arguments)
    with open_memory(arguments, read_only=True) as memory:
        tell_of_unused_vectors(memory, profile=arguments.profile)
        found = memory.why(arguments.query, key, **options)
    if arguments.json:
        emit(asdict(found) | {"parts": dict(found.parts), "missing": dict(found.missing)})
    else:
        print(_described(Screen.of_stdout(), found))
    return 0


def _described(screen: Screen, found: Explanation) -> str:
    verdict = "is recalled" if found.recalled else "is not recalled"
    stages = [(f"{'+' if stage.passed else '-'} {stage.name}", stage.detail) for stage in found.stages]
    lines = [screen.bold(f"#{found.memory_id} {verdict} (profile {found.profile})"), screen.columns(stages)]
    if found.parts:
        lines.append(f"  score {found.score:.3f} = {screen.figures(found.parts)}")
    weak = ", ".join(f"{visible(word)} {fit:.2f}" for word, fit in found.missing.items())
    lines.append(f"  confidence {found.confidence:.2f}" + (f"; matched worst: {weak}" if weak else ""))
    return "\n".join(lines)
