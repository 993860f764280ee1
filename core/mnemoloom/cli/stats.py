"""`stats`: what a namespace and its store hold, in numbers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.hgns import IndexReport
from mnemoloom.statistics import Stats

__all__ = ["run"]

_MOST_SPEAKERS = 8


def run(arguments: argparse.Namespace) -> int:
    """Count, and print the counts."""
    with open_memory(arguments, read_only=True) as memory:
        found, namespace = memory.stats(), memory.namespace
    if arguments.json:
        plain = {field.name: getattr(found, field.name) for field in fields(found)}
        plain = {name: dict(value) if isinstance(value, Mapping) else value for name, value in plain.items()}
        plain["index"] = asdict(found.index)
        emit({"namespace": list(namespace), **plain})
    else:
        print(_described(Screen.of_stdout(), found, namespace))
    return 0


def _described(screen: Screen, found: Stats, namespace: tuple[str, ...]) -> str:
    here = [
        ("memories", f"{found.memories:,}"),
        ("tiers", _counts(found.tiers)),
        *([("write gate", _counts(found.gated))] if found.gated else []),
        ("repetitions", f"{found.merged:,}"),
        ("quadrants", _counts(found.quadrants)),
        ("speakers", _counts(found.speakers)),
        ("sessions", f"{found.sessions:,}"),
        ("encoded", f"{found.encoded:,}"),
        ("profile", found.profile),
        *([("quarantined", f"{found.quarantined:,}")] if found.quarantined else []),
        ("index", _searched(found.index)),
    ]
    store = [
        ("namespaces", f"{found.namespaces:,}"),
        ("encoder", f"{found.encoder}, width {found.width}" if found.encoder else "none"),
        ("waiting", f"{found.waiting:,} texts for this embedder"),
        ("log entries", f"{found.entries:,}"),
        ("anchor", found.anchor or "none"),
        ("size", f"{found.bytes:,} bytes"),
        ("SQLite", found.sqlite),
    ]
    blocks = [(f"namespace {'/'.join(namespace)}", here), ("store", store)]
    return "\n".join(f"{screen.bold(title)}\n{screen.columns(rows)}" for title, rows in blocks)


def _searched(index: IndexReport) -> str:
    if index.way == "exact":
        return "every vector compared"
    seen = "not measured yet" if index.recall is None else f"recall {index.recall:.3f} of {index.sampled:,} queries"
    return f"{index.entries:,} codes ({index.way}), {index.candidates:,} candidates, {seen}"


def _counts(counted: Mapping[Any, int]) -> str:
    shown = [f"{name} {number:,}" for name, number in list(counted.items())[:_MOST_SPEAKERS]]
    more = len(counted) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "") if shown else "none"
