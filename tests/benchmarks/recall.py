"""Does the memory find the evidence? One store a conversation, all through the public API.

python tests/benchmarks/recall.py --data FILE [--conversations 47,48] [--encoder minilm] [--baselines] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from abstention import Confidences, foreign_probes
from baselines import rankers
from probes import Conversation, Probe, encoder_named, fill, interval, mean, measures, read_conversations
from tqdm import tqdm

from mnemoloom import Config, Embedder, Memory, RecallResult
from mnemoloom.config import Profile

Rows = list[dict[str, Any]]


def run(
    conversations: list[Conversation],
    *,
    encoder: Embedder | None,
    profile: str | Profile = "auto",
    config: Config | None = None,
    with_baselines: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Ask every probe of every conversation; the figures as one JSON object."""
    rows: Rows = []
    sure = Confidences()
    by_baseline: dict[str, Rows] = defaultdict(list)
    milliseconds: list[float] = []
    ingested, seconds, profiles = 0, 0.0, set()
    for conversation in tqdm(conversations, desc="conversations", disable=True if quiet else None):
        with Memory.open(":memory:", embedder=encoder, config=config) as memory:
            start = time.perf_counter()
            fill(memory, conversation)
            seconds += time.perf_counter() - start
            ingested += len(conversation.turns)
            for probe in conversation.probes:
                result, took = ask(memory, probe, profile)
                sure.add(result, probe, conversation.id)
                if probe.evidence:
                    ranked = [str(hit.external_id) for hit in result]
                    rows.append(row_of(probe, ranked) | {"conversation": conversation.id})
                    milliseconds.append(took)
                    profiles.add(result.profile)
            for probe in foreign_probes(conversation, conversations):
                sure.add_foreign(memory.recall(probe.question, profile=None if profile == "auto" else profile))
        if with_baselines:
            for name, rank in rankers(conversation, encoder).items():
                by_baseline[name] += [
                    row_of(probe, rank(probe.question)) for probe in conversation.probes if probe.evidence
                ]
    report = report_of(rows)
    return {
        "encoder": "none" if encoder is None else encoder.identity,
        "profile": ",".join(sorted(profiles)),
        "n": len([row for row in rows if row["kind"] == "recall"]),
        **report,
        "abstention": sure.report(),
        "query_ms": {f"p{p}": round(float(np.percentile(milliseconds, p)), 3) for p in (50, 95)},
        "ingest_per_s": round(ingested / seconds, 1),
        "baselines": {name: _flat(report_of(found)) for name, found in by_baseline.items()},
    }


def ask(memory: Memory, probe: Probe, profile: str | Profile) -> tuple[RecallResult, float]:
    """A probe's result; the time of asking again in milliseconds, which leaves out the encoding of the question."""
    chosen = None if profile == "auto" else profile
    result = memory.recall(probe.question, k=20, profile=chosen)
    start = time.perf_counter()
    memory.recall(probe.question, k=20, profile=chosen)
    return result, (time.perf_counter() - start) * 1000


def row_of(probe: Probe, ranked: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": probe.kind, "category": probe.category}
    if probe.kind == "update" and probe.stale:
        place = {turn: at for at, turn in reversed(list(enumerate(ranked)))}
        fresh = min((place[turn] for turn in probe.evidence if turn in place), default=len(ranked))
        stale = min((place[turn] for turn in probe.stale - probe.evidence if turn in place), default=len(ranked))
        row["update"] = {
            "fresh_above_stale": float(fresh < stale),
            "joint@5": float(fresh < 5 and fresh < stale),
            "hit@1": float(fresh == 0),
        }
    return row | {"measures": measures(ranked, probe.evidence)}


def report_of(rows: Rows) -> dict[str, Any]:
    asked = [row for row in rows if row["kind"] == "recall"]
    by_category, by_conversation = defaultdict(list), defaultdict(list)
    for row in asked:
        by_category[row["category"]].append(row["measures"])
        by_conversation[row.get("conversation")].append(row["measures"]["recall@10"])
    return {
        "all": mean(row["measures"] for row in asked),
        "without_adversarial": mean(row["measures"] for row in asked if row["category"] != "adversarial"),
        "by_category": {name: mean(found) for name, found in sorted(by_category.items())},
        "interval@10": interval(list(by_conversation.values())) if asked else None,
        "update": mean(row["update"] for row in rows if "update" in row),
    }


def _flat(report: dict[str, Any]) -> dict[str, Any]:
    """A baseline's figures: those over all probes on top, the others by name beside them."""
    rest = {name: value for name, value in report.items() if name not in ("all", "interval@10")}
    return (report["all"] or {}) | rest


def show(report: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"encoder {report['encoder']}, profile {report['profile']}, {report['n']} probes"]
    named = [("all", report["all"]), ("without adversarial", report["without_adversarial"])]
    named += [(f"  {name}", found) for name, found in report["by_category"].items()]
    named += [(f"baseline {name}", found["without_adversarial"]) for name, found in report["baselines"].items()]
    for name, found in named:
        if found:
            lines.append(f"{name:28}" + "  ".join(f"{key} {value:.3f}" for key, value in found.items()))
    lines.append(f"recall@10 interval by conversation {report['interval@10']}   update {report['update']}")
    lines.append(f"query {report['query_ms']} ms beyond encoding   ingest {report['ingest_per_s']} turns/s")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", default="")
    parser.add_argument("--encoder", choices=("none", "minilm", "hashing"), default="none")
    parser.add_argument("--profile", default="auto")
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = [each for each in options.conversations.split(",") if each]
    report = run(
        read_conversations(options.data, wanted),
        encoder=encoder_named(options.encoder),
        profile=options.profile,
        with_baselines=options.baselines,
        quiet=options.json,
    )
    print(json.dumps(report, indent=2) if options.json else show(report))


if __name__ == "__main__":
    main()
