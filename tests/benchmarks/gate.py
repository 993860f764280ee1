"""How much may the write gate drop before evidence is lost? One memory a conversation, through the public API.

    python tests/benchmarks/gate.py --data FILE [--splits "26,30;47,48"] [--encoder minilm] [--budgets .825] [--json]

Every conversation is remembered a session at a time, once without a gate and once for each budget with
`Config(gate=Gate(budget=…))`, and every recall probe (adversarial ones aside) is asked. `kept` is the share of the
recall@10 without a gate that remains, `dropped` the share of turns that went to the cold tier, with the least and the
most of any conversation. The control moves the same number of turns there at random. --weights are those of surprise,
specifics, statement and answer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from probes import Conversation, encoder_named, fill, measures, read_conversations
from tqdm import tqdm

from mnemoloom import Config, Embedder, Gate, Memory, Tier
from mnemoloom.titans import Signals

LOCOMO_SPLITS = "26,30,41,42,43,44;47,48,49,50"
BUDGETS = (0.85, 0.825, 0.8, 0.77, 0.74, 0.7, 0.65)
MEASURES = ("recall@10", "recall@20")
Figures = dict[str, float]


def gate(budget: float, weights: Sequence[float]) -> Gate:
    """The gate's settings with these weights of the signals, in their order."""
    return Gate(budget=budget, **dict(zip(Signals._fields, weights, strict=True)))


def gated(
    conversation: Conversation, encoder: Embedder | None, settings: Gate
) -> tuple[NDArray[np.bool_], list[Figures]]:
    """For each turn, whether the gate dropped it; and the measures of a memory that was written through it."""
    with Memory.open(":memory:", embedder=encoder, config=Config(gate=settings)) as memory:
        fill(memory, conversation)
        drops = np.array([not memory.gated(turn.id).write for turn in conversation.turns])
        assert drops.sum() == memory.stats().tiers.get("cold", 0)
        return drops, asked(memory, conversation)


def asked(memory: Memory, conversation: Conversation) -> list[Figures]:
    """The measures of every recall probe."""
    probes = [p for p in conversation.probes if p.kind == "recall" and p.category != "adversarial" and p.evidence]
    return [measures([str(hit.external_id) for hit in memory.recall(p.question, k=20)], p.evidence) for p in probes]


def without(memory: Memory, conversation: Conversation, drops: NDArray[np.bool_]) -> list[Figures]:
    """The measures while some turns are cold."""
    cold = [turn.id for turn, drop in zip(conversation.turns, drops, strict=True) if drop]
    for turn in cold:
        memory.move(turn, Tier.COLD)
    found = asked(memory, conversation)
    for turn in cold:
        memory.move(turn, Tier.LONG_TERM)
    return found


def run(
    conversations: Sequence[Conversation],
    *,
    encoder: Embedder | None,
    budgets: Sequence[float],
    weights: Sequence[float],
    quiet: bool = False,
) -> dict[str, Any]:
    """The figures of one split: by budget, how much was dropped and how much of recall is kept."""
    rng = np.random.default_rng(0)
    whole: list[Figures] = []
    by_budget: dict[float, list[Figures]] = {budget: [] for budget in budgets}
    by_chance: dict[float, list[Figures]] = {budget: [] for budget in budgets}
    shares: dict[float, list[float]] = {budget: [] for budget in budgets}
    turns = 0
    for conversation in tqdm(conversations, desc="conversations", disable=True if quiet else None):
        turns += len(conversation.turns)
        with Memory.open(":memory:", embedder=encoder) as memory:
            fill(memory, conversation)
            whole += asked(memory, conversation)
            for budget in budgets:
                drops, found = gated(conversation, encoder, gate(budget, weights))
                shares[budget].append(float(drops.mean()))
                by_budget[budget] += found
                by_chance[budget] += without(memory, conversation, rng.permutation(drops))
    rows = [
        {
            "budget": budget,
            "dropped": round(float(np.mean(shares[budget])), 4),
            "dropped_range": [round(min(shares[budget]), 4), round(max(shares[budget]), 4)],
            **{f"kept_{name}": _kept(by_budget[budget], whole, name) for name in MEASURES},
            "kept_at_random": _kept(by_chance[budget], whole, "recall@10"),
        }
        for budget in budgets
    ]
    return {
        "conversations": len(conversations),
        "turns": turns,
        "n": len(whole),
        "recall@10": round(float(np.mean([row["recall@10"] for row in whole])), 4),
        "budgets": rows,
        "dropped_at_99": max((row["dropped"] for row in rows if row["kept_recall@10"] >= 0.99), default=0.0),
        "dropped_at_98": max((row["dropped"] for row in rows if row["kept_recall@10"] >= 0.98), default=0.0),
        "farthest_from_budget": max(abs(share - (1.0 - budget)) for budget in budgets for share in shares[budget]),
    }


def _kept(found: list[Figures], whole: list[Figures], name: str) -> float:
    return round(float(np.sum([row[name] for row in found]) / np.sum([row[name] for row in whole])), 4)


def show(report: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for split, found in report.items():
        lines.append(f"{split}: {found['n']} probes, recall@10 {found['recall@10']:.3f} without a gate")
        for row in found["budgets"]:
            low, high = row["dropped_range"]
            lines.append(
                f"  budget {row['budget']:.3f}  dropped {row['dropped']:.3f} [{low:.3f}, {high:.3f}]  kept R@10 "
                f"{row['kept_recall@10']:.4f}, R@20 {row['kept_recall@20']:.4f}, at random {row['kept_at_random']:.4f}"
            )
        lines.append(f"  dropped at 99 %: {found['dropped_at_99']:.3f}, at 98 %: {found['dropped_at_98']:.3f}")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", default=LOCOMO_SPLITS, help="conversations of each split; '' for all together")
    parser.add_argument("--encoder", choices=("none", "minilm", "hashing"), default="minilm")
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    parser.add_argument("--weights", default=",".join(str(getattr(Gate(), name)) for name in Signals._fields))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    encoder = encoder_named(options.encoder)
    weights = [float(weight) for weight in options.weights.split(",")]
    report = {
        split or "all": run(
            read_conversations(options.data, [each for each in split.split(",") if each]),
            encoder=encoder,
            budgets=[float(budget) for budget in options.budgets.split(",")],
            weights=weights,
            quiet=options.json,
        )
        for split in options.splits.split(";")
    }
    print(json.dumps(report, indent=2) if options.json else show(report))


if __name__ == "__main__":
    main()
