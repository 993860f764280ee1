"""`doctor`: is this store well? Exit code 0 if it is, 1 if not."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mnemoloom.cli.screen import Screen, emit
from mnemoloom.doctor import Report, examine, repair

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Examine the store, after repairing it if that was asked for."""
    repaired = repair(arguments.store) if arguments.repair else ()
    report = examine(arguments.store)
    if arguments.json:
        checks = [asdict(check) for check in report.checks]
        emit({"ok": report.ok, "path": str(report.path), "checks": checks, "repaired": list(repaired)})
    else:
        print(_described(Screen.of_stdout(), report, repaired, asked=arguments.repair))
    return 0 if report.ok else 1


def _described(screen: Screen, report: Report, repaired: tuple[str, ...], *, asked: bool) -> str:
    rows = [(f"{'ok  ' if check.ok else 'BAD '} {check.name}", check.detail) for check in report.checks]
    lines = [screen.columns(rows, indent=0)]
    if asked:
        lines.append(f"dropped the caches, because of {', '.join(repaired)}" if repaired else "nothing to repair")
    lines.append(screen.bold("this store is well" if report.ok else "something is wrong with this store"))
    if not report.ok:
        lines.append(_advice(report))
    return "\n".join(lines)


def _advice(report: Report) -> str:
    """What to do about the first thing that is wrong."""
    wrong = next(check.name for check in report.checks if not check.ok)
    if wrong == "caches":
        return "next: run `mnemoloom doctor --repair`; caches are rebuilt from the database, and nothing is lost"
    if wrong in ("truth", "database", "format", "vectors"):
        return (
            "next: put a copy of the folder aside; restore a backup, or save what still reads with `mnemoloom export` "
            "and check what it gives, for a damaged text is exported as it stands"
        )
    return "next: see the line marked BAD"
