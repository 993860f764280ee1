"""Does sleep cost recall? One store a conversation, asked before and after cycles of sleep and days of silence.

    python tests/benchmarks/sleep.py --data FILE [--conversations 47,48] [--encoder minilm] [--settings] [--json]

The clock is set to a day after the last turn, moved on by the days of silence, and the store sleeps so many times, as
it does by default. Figures are recall@10 over turns (adversarial probes aside), strict: a turn that another one stands
for is not found, although the hit carries it. `changed` is how many probes came out differently. --settings also
measures policies that do more, each on a store of its own, slept once.
`versions`: made-up facts that change (changing_facts.py), hit@1 and hit@5 of the right version before sleep, after it,
and after one that merges by the cosine alone. `forgetting`: half of the turns are forgotten at random, and the files
before and after the next sleep are compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from changing_facts import changing_facts, small_talk
from probes import Conversation, Probe, encoder_named, fill, measures, read_conversations
from tqdm import tqdm

from mnemoloom import Embedder, ManualClock, Memory, SleepConfig, TokenEmbedder, TokenVectors

CYCLES = (1, 5, 20)
IDLE_DAYS = (0, 30, 365)
DAY = 86_400.0
SETTINGS = {
    "specifics": SleepConfig(alike="specifics"),
    "cosine alone": SleepConfig(alike="cosine"),
    "cosine .85": SleepConfig(alike="cosine", duplicates=0.85),
    "cosine .80": SleepConfig(alike="cosine", duplicates=0.8),
    "cosine .70": SleepConfig(alike="cosine", duplicates=0.7),
    "cold_share .05": SleepConfig(cold_share=0.05),
    "cold_share .10": SleepConfig(cold_share=0.1),
    "cold_share .20": SleepConfig(cold_share=0.2),
    "cold_share .30": SleepConfig(cold_share=0.3),
}
VERSIONS = {"before": None, "default": SleepConfig(), "cosine alone": SleepConfig(alike="cosine")}
Found = dict[str, list[float]]
Open = Callable[[], tuple[Memory, ManualClock]]


class Once:
    """An encoder that encodes each text once: every store of this benchmark holds the same ones."""

    def __init__(self, inner: TokenEmbedder) -> None:
        self.identity, self._inner = inner.identity, inner
        self._known: dict[tuple[str, bool], tuple[np.ndarray, TokenVectors]] = {}

    def embed(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        return self.embed_tokens(texts, query=query)[0]

    def embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> tuple[np.ndarray, list[TokenVectors]]:
        new = [text for text in dict.fromkeys(texts) if (text, query) not in self._known]
        if new:
            found = zip(new, *self._inner.embed_tokens(new, query=query), strict=True)
            self._known |= {(text, query): (row, tokens) for text, row, tokens in found}
        known = [self._known[text, query] for text in texts]
        return np.array([row for row, _ in known]), [tokens for _, tokens in known]


def asked_of(conversation: Conversation) -> list[Probe]:
    return [p for p in conversation.probes if p.kind == "recall" and p.category != "adversarial" and p.evidence]


def recalled(memory: Memory, probes: Sequence[Probe]) -> list[float]:
    """recall@10 of every probe; asking leaves no trace."""
    results = (memory.recall(probe.question, k=10, update=False) for probe in probes)
    return [
        measures([str(hit.external_id) for hit in result], probe.evidence)["recall@10"]
        for result, probe in zip(results, probes, strict=True)
    ]


def cycles(conversation: Conversation, fresh: Open, found: Found, slept: list[dict[str, float]]) -> None:
    """Ask before, and after each number of cycles and days of silence."""
    probes = asked_of(conversation)
    for days in IDLE_DAYS:
        memory, clock = fresh()
        with memory:
            if not days:
                found["before"] += recalled(memory, probes)
            clock.advance(days * DAY)
            done = 0
            for wanted in CYCLES:
                while done < wanted:
                    start = time.perf_counter()
                    report = memory.sleep()
                    seconds, done = time.perf_counter() - start, done + 1
                    assert done == 1 or not report.changes, "a second sleep changed something"
                    if done == 1 and not days:
                        merged = report.counts()["merged"]
                        sizes = {"bytes_before": report.before.bytes, "bytes_after": report.after.bytes}
                        slept.append({"memories": len(memory), "merged": merged, "seconds": seconds, **sizes})
                found[f"{wanted} cycles, {days} idle days"] += recalled(memory, probes)


def settings(conversation: Conversation, fresh: Open, found: Found, changed: dict[str, int]) -> None:
    """Ask after one sleep by each policy."""
    for name, policy in SETTINGS.items():
        memory, clock = fresh()
        with memory:
            clock.advance(30 * DAY)
            counts = memory.sleep(policy=policy).counts()
            changed[name] += counts["merged"] + counts["to_cold"]
            found[name] += recalled(memory, asked_of(conversation))


def forgetting(conversation: Conversation, fresh: Open, *, seed: int) -> dict[str, int]:
    """The bytes of the files when half of the turns were forgotten, and after the sleep that followed."""
    memory, _ = fresh()
    with memory:
        ids = [record.id for record in memory.records()]
        full = memory.sleep().after.bytes
        memory.forget_many(np.random.default_rng(seed).permutation(ids)[: len(ids) // 2].tolist())
        after = memory.sleep().after.bytes
        assert memory.verify().ok
    return {"full": full, "after_forgetting_half": after}


def versions(encoder: Embedder | None, *, seed: int) -> dict[str, dict[str, float]]:
    """hit@1 and hit@5 of the right version of a fact, by what the store did before."""
    facts, told = changing_facts(60, seed=seed)
    drafts = sorted([*told, *small_talk(600, seed=seed + 1)], key=lambda draft: str(draft.time))
    report = {}
    for name, policy in VERSIONS.items():
        with Memory.open(":memory:", embedder=encoder) as memory:
            memory.remember_many(drafts)
            merged = memory.sleep(policy=policy).counts()["merged"] if policy else 0
            found = []
            for fact in facts:
                for question, right in ((fact.current, -1), (fact.first, 0), (fact.plain, -1)):
                    ranked = [hit.external_id for hit in memory.recall(question, k=5, update=False)]
                    found.append((ranked[:1] == [fact.versions[right]], fact.versions[right] in ranked))
            first, among = np.mean(found, axis=0).round(4).tolist()
            report[name] = {"hit@1": first, "hit@5": among, "merged": merged}
    return report


def run(
    conversations: Sequence[Conversation], encoder: Embedder | None, *, with_settings: bool, quiet: bool
) -> dict[str, Any]:
    """All figures, as one JSON object."""
    found: Found = defaultdict(list)
    by_setting: Found = defaultdict(list)
    changed: dict[str, int] = defaultdict(int)
    slept: list[dict[str, float]] = []
    sizes: list[dict[str, int]] = []
    for conversation in tqdm(conversations, desc="conversations", disable=True if quiet else None):
        with tempfile.TemporaryDirectory() as folder:
            numbers = iter(range(1_000))

            def fresh(
                conversation: Conversation = conversation, folder: str = folder, numbers: Any = numbers
            ) -> tuple[Memory, ManualClock]:
                last = max(datetime.fromisoformat(turn.time) for turn in conversation.turns)
                clock = ManualClock(last.replace(tzinfo=last.tzinfo or timezone.utc).timestamp() + DAY)
                path = Path(folder) / str(next(numbers))
                memory = Memory.open(path, embedder=encoder, clock=clock, durability="normal")
                fill(memory, conversation)
                return memory, clock

            cycles(conversation, fresh, found, slept)
            if with_settings:
                settings(conversation, fresh, by_setting, changed)
            sizes.append(forgetting(conversation, fresh, seed=0))
    before = np.array(found.pop("before"))
    turns = sum(row["memories"] for row in slept)
    return {
        "encoder": "none" if encoder is None else encoder.identity,
        "n": len(before),
        "recall@10": round(float(before.mean()), 4),
        "after": {name: _against(before, rows) for name, rows in found.items()},
        "settings": {
            name: {**_against(before, rows), "touched": round(changed[name] / turns, 4)}
            for name, rows in by_setting.items()
        },
        "merged": round(sum(row["merged"] for row in slept) / turns, 4),
        "seconds_per_1000_memories": round(1000 * sum(row["seconds"] for row in slept) / turns, 3),
        "bytes": {name: int(sum(row[name] for row in slept)) for name in ("bytes_before", "bytes_after")},
        "versions": versions(encoder, seed=0),
        "forgetting": {name: sum(row[name] for row in sizes) for name in sizes[0]},
    }


def _against(before: np.ndarray, rows: Sequence[float]) -> dict[str, Any]:
    """recall@10, its difference to before in points with a 95 % bootstrap interval, and how many probes changed."""
    after = np.array(rows)
    paired = after - before
    picks = np.random.default_rng(0).integers(0, len(paired), (1000, len(paired)))
    low, high = np.percentile(paired[picks].mean(axis=1), (2.5, 97.5))
    return {
        "recall@10": round(float(after.mean()), 4),
        "points": round(100 * float(paired.mean()), 2),
        "interval": [round(100 * float(low), 2), round(100 * float(high), 2)],
        "changed": int(np.count_nonzero(paired)),
    }


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", default="")
    parser.add_argument("--encoder", choices=("none", "minilm", "hashing"), default="none")
    parser.add_argument("--settings", action="store_true", help="policies that do more than the default one, too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = [each for each in options.conversations.split(",") if each]
    encoder = encoder_named(options.encoder)
    report = run(
        read_conversations(options.data, wanted),
        Once(encoder) if isinstance(encoder, TokenEmbedder) else encoder,
        with_settings=options.settings,
        quiet=options.json,
    )
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"encoder {report['encoder']}, {report['n']} probes, recall@10 {report['recall@10']:.4f} before sleep")
    for name, row in {**report["after"], **report["settings"]}.items():
        touched = f"  touched {row['touched']:.1%}" if "touched" in row else ""
        print(
            f"{name:32}{row['recall@10']:.4f}  {row['points']:+.2f} {row['interval']}"
            f"  changed {row['changed']}{touched}"
        )
    rest = {name: report[name] for name in ("merged", "seconds_per_1000_memories", "bytes", "versions", "forgetting")}
    print(json.dumps(rest))


if __name__ == "__main__":
    main()
