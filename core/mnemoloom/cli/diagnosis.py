"""`doctor`: is this store well? Exit code 0 if it is, 1 if not. `repair` mends what is derived before it looks."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mnemoloom.cli.encryption_keys import encryption_key
from mnemoloom.cli.keys import key_given
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.doctor import Report, examine
from mnemoloom.repairing import Repaired, Salvaged, repair, salvage

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Examine the store, after repairing it and saving what is whole if that was asked for."""
    repaired = repair(arguments.store) if arguments.repair else None
    secret = encryption_key(arguments)
    saved = salvage(arguments.store, arguments.salvage, encryption_key=secret) if arguments.salvage else None
    report = examine(arguments.store, key=key_given(arguments), encryption_key=secret)
    if arguments.json:
        emit(_as_json(report, repaired, saved))
    else:
        print(_described(Screen.of_stdout(), report, repaired, saved))
    return 0 if report.ok else 1


def _as_json(report: Report, repaired: Repaired | None, saved: Salvaged | None) -> dict[str, object]:
    checks = [asdict(check) for check in report.checks]
    found: dict[str, object] = {"ok": report.ok, "path": str(report.path), "checks": checks}
    if repaired is not None:
        found["repaired"] = asdict(repaired)
    if saved is not None:
        folders = [
            {"namespace": list(labels), "folder": str(folder), "memories": count}
            for labels, (folder, count) in saved.folders.items()
        ]
        found["salvaged"] = {"folders": folders, "lost": list(saved.lost)}
    return found


def _described(screen: Screen, report: Report, repaired: Repaired | None, saved: Salvaged | None) -> str:
    rows = [(f"{'ok  ' if check.ok else 'BAD '} {check.name}", check.detail) for check in report.checks]
    lines = [screen.columns(rows, indent=0)]
    if repaired is not None:
        lines.append(_mended(repaired))
    if saved is not None:
        count = sum(count for _, count in saved.folders.values())
        lines.append(f"saved {count:,} memories of {len(saved.folders)} namespaces; lost: {_numbered(saved.lost)}")
    lines.append(screen.bold("this store is well" if report.ok else "something is wrong with this store"))
    if not report.ok:
        lines.append(_advice(report))
    return "\n".join(lines)


def _mended(repaired: Repaired) -> str:
    done = [
        f"dropped the caches, because of {', '.join(repaired.caches)}" if repaired.caches else "",
        "made the indexes anew" if repaired.indexes else "",
        f"removed {repaired.leftovers:,} rows that nothing refers to" if repaired.leftovers else "",
    ]
    said = "; ".join(filter(None, done)) or "nothing to repair"
    return f"{said}; damaged memories: {_numbered(repaired.damaged)}" if repaired.damaged else said


def _numbered(ids: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, ids[:20])) or "none"
    return f"{shown} and {len(ids) - 20:,} more" if len(ids) > 20 else shown


def _advice(report: Report) -> str:
    """What to do about the first thing that is wrong."""
    wrong = next(check.name for check in report.checks if not check.ok)
    if wrong == "caches":
        return "next: run `mnemoloom repair`; caches are rebuilt from the database, and nothing is lost"
    if wrong in ("truth", "database", "format", "vectors"):
        return (
            "next: put a copy of the folder aside; restore a backup, or save every memory that is whole with "
            "`mnemoloom repair --salvage DIR` and import it into a new store"
        )
    return "next: see the line marked BAD"
