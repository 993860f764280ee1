"""What do Titans' variants cost or bring? One memory a conversation, through the public API.

    python tests/benchmarks/variants.py --data FILE [--splits "26,30;47,48"] [--encoder minilm] [--window 4] [--json]

Every recall probe (adversarial ones aside) is asked for ten hits as ever and by MAC, MAG and MAL: alone, which shows
what the neural memory's question does, and with the last turns of the conversation as the window, which takes places of
the ten. Without an encoder the question stays as it is. Figures are recall@10, the difference to the default in points
with a 95 % interval over questions, and the median time of a question that is encoded already, in ms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from probes import Conversation, encoder_named, fill, read_conversations
from tqdm import tqdm

from mnemoloom import Embedder, Memory
from mnemoloom.titans import VARIANTS

LOCOMO_SPLITS = "26,30,41,42,43,44;47,48,49,50"
K = 10


def run(
    conversations: Sequence[Conversation], *, encoder: Embedder | None, window: int, quiet: bool = False
) -> dict[str, Any]:
    """The figures of one split, by variant."""
    found: dict[str, list[float]] = defaultdict(list)
    took: dict[str, list[float]] = defaultdict(list)
    for conversation in tqdm(conversations, desc="conversations", disable=True if quiet else None):
        with Memory.open(":memory:", embedder=encoder) as memory:
            fill(memory, conversation)
            last = memory.short_term(conversation.turns[-1].session, size=window)
            ways: dict[str, dict[str, Any]] = {each: {"variant": each} for each in VARIANTS}
            ways |= {f"{each}, window of {window}": {"variant": each, "window": last} for each in VARIANTS[1:]}
            for probe in conversation.probes:
                if probe.kind != "recall" or probe.category == "adversarial" or not probe.evidence:
                    continue
                for way, options in ways.items():
                    memory.recall(probe.question, k=K, **options)
                    start = time.perf_counter()
                    hits = memory.recall(probe.question, k=K, **options)
                    took[way].append((time.perf_counter() - start) * 1000)
                    shown = {str(hit.external_id) for hit in hits}
                    found[way].append(len(probe.evidence & shown) / len(probe.evidence))
    plain = np.array(found["memory"])
    return {
        "n": len(plain),
        "recall@10": {
            way: {
                "recall@10": round(float(np.mean(each)), 4),
                "difference": difference(np.array(each) - plain),
                "ms": round(float(np.median(took[way])), 2),
            }
            for way, each in found.items()
        },
    }


def difference(paired: NDArray[np.float64]) -> list[float]:
    """The mean in points, and its 95 % bootstrap interval."""
    picks = np.random.default_rng(0).integers(0, len(paired), (1000, len(paired)))
    low, high = np.percentile(paired[picks].mean(axis=1), (2.5, 97.5))
    return [round(100 * float(value), 1) for value in (paired.mean(), low, high)]


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", default=LOCOMO_SPLITS, help="conversations of each split; '' for all together")
    parser.add_argument("--encoder", choices=("none", "minilm", "hashing"), default="minilm")
    parser.add_argument("--window", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    encoder = encoder_named(options.encoder)
    report = {
        split or "all": run(
            read_conversations(options.data, [each for each in split.split(",") if each]),
            encoder=encoder,
            window=options.window,
            quiet=options.json,
        )
        for split in options.splits.split(";")
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for split, figures in report.items():
        print(f"{split}: {figures['n']} probes")
        for way, row in figures["recall@10"].items():
            mean, low, high = row["difference"]
            print(f"  {way:24}{row['recall@10']:.3f}  {mean:+.1f} [{low:+.1f}, {high:+.1f}]  {row['ms']:.2f} ms")


if __name__ == "__main__":
    main()
