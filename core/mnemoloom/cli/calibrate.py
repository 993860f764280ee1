"""`calibrate`: fit the threshold of confidence to questions that memory holds an answer to, one on each line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict

from mnemoloom.cli.opening import open_file, open_memory, require_store
from mnemoloom.cli.questions import tell_of_unused_vectors
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.errors import ValidationError

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Measure and keep the threshold, and print it."""
    require_store(arguments)
    with ExitStack() as stack:
        questions = list(_questions(arguments.file, stack))
        memory = stack.enter_context(open_memory(arguments))
        tell_of_unused_vectors(memory)
        found = memory.calibrate(questions, keep=arguments.keep)
    if arguments.json:
        emit(asdict(found))
        return 0
    rows = [
        ("threshold", f"{found.threshold:.3f}, for recall --min-confidence calibrated"),
        ("questions", f"{found.questions:,}, of which {found.kept:.0%} pass; {found.keep:.0%} were to"),
    ]
    print(Screen.of_stdout().columns(rows))
    return 0


def _questions(name: str, stack: ExitStack) -> Iterator[str]:
    for number, raw in enumerate(open_file(name, stack), 1):
        try:
            line = raw.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise ValidationError(f"{name} line {number} is not UTF-8: {error.reason}") from error
        if line:
            yield line
