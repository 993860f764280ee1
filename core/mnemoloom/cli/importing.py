"""`import`: the memories of a bundle, all or none."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.progress import progress_bar
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.transfer import import_bundle

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Take the bundle in, and print what was stored."""
    with open_memory(arguments) as memory, progress_bar(arguments, "importing") as move:
        done = import_bundle(memory, arguments.folder, existing=arguments.existing, progress=move)
    if arguments.json:
        emit(asdict(done))
        return 0
    rows = [
        ("added", f"{done.added:,}" + (f", {done.replaced:,} of them in place of another" if done.replaced else "")),
        ("known already", f"{done.skipped:,}"),
        ("vectors", f"{done.vectors:,}" + (f" of {done.encoder}" if done.encoder else "")),
    ]
    print(Screen.of_stdout().columns(rows))
    return 0
