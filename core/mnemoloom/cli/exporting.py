"""`export`: a namespace as a bundle of plain files."""

from __future__ import annotations

import argparse

from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.progress import progress_bar
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.transfer import export_bundle

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Write the bundle, and print what is in it."""
    with open_memory(arguments, read_only=True) as memory, progress_bar(arguments, "exporting") as move:
        done = export_bundle(memory, arguments.folder, progress=move)
    if arguments.json:
        emit(
            {
                "folder": str(done.folder),
                "memories": done.memories,
                "vectors": done.vectors,
                "encoder": done.encoder,
                "bytes": done.bytes,
                "links": done.links,
            }
        )
        return 0
    vectors = f"{done.vectors:,}" + (f" of {done.encoder}" if done.encoder else "")
    rows = [("bundle", done.folder), ("memories", f"{done.memories:,}"), ("vectors", vectors)]
    print(Screen.of_stdout().columns([*rows, ("size", f"{done.bytes:,} bytes")]))
    return 0
