"""`sleep`: put a namespace in order, tell what that would do, or take back what it did."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.progress import progress_bar
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.consolidation import SleepConfig
from mnemoloom.memory import Memory
from mnemoloom.sleeping import SleepReport, SleepState

__all__ = ["run"]

_MOST_CHANGES = 20


def run(arguments: argparse.Namespace) -> int:
    """Sleep, plan or undo, and print what that changed."""
    require_store(arguments)
    with open_memory(arguments, read_only=arguments.plan) as memory:
        if arguments.undo is not None:
            return _undo(memory, arguments)
        policy = SleepConfig(cold_share=arguments.cold_share, duplicates=arguments.duplicates)
        with progress_bar(arguments, "sleeping") as move:
            report = memory.sleep(plan_only=arguments.plan, policy=policy, progress=move)
    if arguments.json:
        emit(report.to_json())
    else:
        print(_described(Screen.of_stdout(), report))
    return 0


def _undo(memory: Memory, arguments: argparse.Namespace) -> int:
    undone = memory.undo_sleep(arguments.undo)
    if arguments.json:
        emit(asdict(undone))
        return 0
    rows = [
        ("moved back", f"{undone.moved:,}"),
        ("apart again", f"{undone.separated:,}"),
        ("left, moved since", f"{undone.left:,}"),
        ("gone for good", f"{undone.forgotten:,}"),
    ]
    print(Screen.of_stdout().columns(rows))
    return 0


def _described(screen: Screen, report: SleepReport) -> str:
    lines = [
        f"{change.what.replace('_', ' ')} #{change.id}: {change.reason}" for change in report.changes[:_MOST_CHANGES]
    ]
    more = len(report.changes) - len(lines)
    lines += [f"and {more:,} more; --json tells of all"] if more > 0 else []
    title = "would change" if report.planned_only else "changed"
    if report.id is not None:
        title += f" (sleep {report.id}; --undo {report.id} takes it back)"
    return "\n".join(
        [
            screen.bold(title),
            *(screen.wrapped(line, indent=2) for line in lines or ["nothing"]),
            screen.bold("before"),
            screen.columns(_state(report.before)),
            screen.bold("after"),
            screen.columns(_state(report.after)),
        ]
        + ["a reader holds an older state; the files shrink when it is done"] * report.pending_checkpoint
        + [f"the files could not be made smaller: {report.not_compacted}"] * bool(report.not_compacted)
    )


def _state(state: SleepState) -> list[tuple[str, object]]:
    return [
        ("memories", f"{state.memories:,}"),
        ("tiers", _counts(state.tiers)),
        ("repetitions", f"{state.merged:,}"),
        ("quadrants", _counts(state.quadrants)),
        ("size", f"{state.bytes:,} bytes"),
    ]


def _counts(counted: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counted.items()) or "none"
