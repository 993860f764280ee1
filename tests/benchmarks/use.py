"""What do use and feedback do to recall? Activation at several weights, and a thousand questions on one topic.

    python tests/benchmarks/use.py --data FILE [--conversations 47,48,49,50] [--encoder minilm] [--json]

recall@10: the questions of a conversation, asked in their order in one store, each answer a use of the ten hits. The
difference to weight 0 comes with a 95 % interval over conversations. One topic: 1,000 questions, each the text of a
memory of the largest topic, so that its hits are used again and again; then every memory outside that topic is looked
for by its own text, and counts as found if it, or one with the same text, stands first. `feedback`: the same, with
1,000 times the best hit said to be useful instead of used.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from probes import Conversation, encoder_named, fill, interval, measures, read_conversations
from tqdm import tqdm

from mnemoloom import Config, Embedder, Memory, WeightedProfile

QUESTIONS = 1_000
K = 10


class Remembering:
    """An encoder that encodes no text twice, whichever store asks."""

    def __init__(self, inner: Embedder) -> None:
        self.inner, self.identity, self.known = inner, inner.identity, {}
        if hasattr(inner, "embed_tokens"):
            self.embed_tokens = self._embed_tokens

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        self._learn(texts, query)
        return np.stack([self.known[query, text][0] for text in texts])

    def _embed_tokens(self, texts: Sequence[str], *, query: bool = False) -> Any:
        self._learn(texts, query)
        return self.embed(texts, query=query), [self.known[query, text][1] for text in texts]

    def _learn(self, texts: Sequence[str], query: bool) -> None:
        new = list(dict.fromkeys(text for text in texts if (query, text) not in self.known))
        if not new:
            return
        if hasattr(self.inner, "embed_tokens"):
            rows, tokens = self.inner.embed_tokens(new, query=query)
        else:
            rows, tokens = self.inner.embed(new, query=query), [None] * len(new)
        self.known |= {(query, text): each for text, each in zip(new, zip(rows, tokens, strict=True), strict=True)}


def opened(conversation: Conversation, encoder: Embedder | None, weight: float) -> Memory:
    """A store that holds a conversation."""
    memory = Memory.open(":memory:", embedder=encoder, config=Config(profile=WeightedProfile(activation=weight)))
    fill(memory, conversation)
    return memory


def asked_in_order(conversation: Conversation, encoder: Embedder | None, weight: float) -> list[float]:
    """recall@10 of each question, when those before it were asked as well."""
    with opened(conversation, encoder, weight) as memory:
        return [
            measures([hit.external_id or "" for hit in memory.recall(probe.question, k=K)], probe.evidence)["recall@10"]
            for probe in conversation.probes
            if probe.kind == "recall" and probe.evidence
        ]


def one_topic(conversation: Conversation, encoder: Embedder, weight: float, *, useful: bool = False) -> dict[str, int]:
    """How many memories outside the largest topic their own text finds first, before and after."""
    with opened(conversation, encoder, weight) as memory:
        topic = memory.topics(1)[0].id
        records = list(memory.records())
        inside = [record for record in records if memory.topic_of(record.id) == topic]
        outside = [record for record in records if memory.topic_of(record.id) != topic]

        def found() -> set[int]:
            hits = ((record, memory.recall(record.text, k=1, update=False)) for record in outside)
            return {record.id for record, hit in hits if hit and hit[0].text == record.text}

        before = found()
        for number in range(QUESTIONS):
            query = inside[number % len(inside)].text
            hits = memory.recall(query, k=K, update=not useful)
            if useful:
                memory.useful(hits[0], query=query)
        after = found()
    return {
        "topic": len(inside),
        "others": len(outside),
        "first_before": len(before),
        "first_after": len(after),
        "lost": len(before - after),
    }


def run(conversations: Sequence[Conversation], encoder: Embedder | None, weights: Sequence[float]) -> dict[str, Any]:
    """All figures."""
    encoder = None if encoder is None else Remembering(encoder)
    plain = [asked_in_order(each, encoder, 0.0) for each in tqdm(conversations, desc="weight 0")]
    report: dict[str, Any] = {"recall@10": {"0": round(float(np.mean(np.concatenate(plain))), 4)}, "one_topic": {}}
    for weight in weights:
        if weight:
            got = [asked_in_order(each, encoder, weight) for each in tqdm(conversations, desc=f"weight {weight}")]
            gained = [np.subtract(mine, theirs) for mine, theirs in zip(got, plain, strict=True)]
            report["recall@10"][f"{weight:g}"] = {
                "recall@10": round(float(np.mean(np.concatenate(got))), 4),
                "difference": round(float(np.mean(np.concatenate(gained))), 4),
                "interval": interval(gained),
            }
        if encoder is not None:
            report["one_topic"][f"{weight:g}"] = summed(one_topic(each, encoder, weight) for each in conversations)
    if encoder is not None:
        report["one_topic"]["feedback"] = summed(one_topic(each, encoder, 0.0, useful=True) for each in conversations)
    return report


def summed(counted: Any) -> dict[str, int]:
    """Counts of several conversations together."""
    rows = list(tqdm(counted, desc="one topic"))
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", default="")
    parser.add_argument("--encoder", default="minilm", choices=("none", "hashing", "minilm"))
    parser.add_argument("--weights", default="0,0.02,0.05,0.1")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = [name for name in options.conversations.split(",") if name]
    conversations = read_conversations(options.data, wanted)
    weights = [float(weight) for weight in options.weights.split(",")]
    report = run(conversations, encoder_named(options.encoder), weights)
    print(json.dumps(report, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
