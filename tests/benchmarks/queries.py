"""Do other forms of the question find more? Dense search, the question as it is against what a memory makes of it.

    python tests/benchmarks/queries.py --data FILE [--conversations 47,48,49,50] [--encoder minilm] [--json]

MAC, MAG and MAL ask by a Titans memory (linear) that learned the conversation before, each turn as its own value, or
the next turn as the value. Feedback learns after each question from all of its evidence, in three random orders: an
upper bound, since real feedback is noisier. Names of the speakers are left out of the questions; adversarial probes are
not asked. Figures are recall@10, and the difference to the question as it is with a 95 % interval over questions.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from probes import Conversation, encoder_named, read_conversations
from tqdm import tqdm
from vectors import unit

from mnemoloom import Embedder
from mnemoloom.fabric import Feedback, asked, useful
from mnemoloom.lexical import Analyzer
from mnemoloom.recall.cues import CUES
from mnemoloom.recall.speakers import Names
from mnemoloom.titans import TitansState, learn, query_of, retrieve

FORMS = (("mac", 0.1), ("mac", 0.3), ("mag", 0.0), ("mal", 0.0))
ORDERS = 3


def run(conversations: Sequence[Conversation], encoder: Embedder) -> dict[str, Any]:
    """recall@10 of every form of the question."""
    found: dict[str, list[float]] = defaultdict(list)
    analyzer = Analyzer()
    for conversation in tqdm(conversations, desc="conversations"):
        rows = unit(encoder.embed([turn.text for turn in conversation.turns]))
        names = Names.of({turn.speaker for turn in conversation.turns}, CUES["english"], analyzer.stop_words)
        probes = [p for p in conversation.probes if p.kind == "recall" and p.category != "adversarial" and p.evidence]
        questions = unit(encoder.embed([names.split(p.question)[0] or p.question for p in probes], query=True))
        place = {turn.id: number for number, turn in enumerate(conversation.turns)}
        evidence = [np.array([place[turn] for turn in sorted(p.evidence) if turn in place]) for p in probes]
        for query, wanted in zip(questions, evidence, strict=True):
            found["as it is"].append(recall(rows, query, wanted))
        for name, memory in memories(rows).items():
            answers = retrieve(memory, questions)
            for form, lam in FORMS:
                label = f"{form}{f' {lam}' if lam else ''}, {name}"
                for query, answer, wanted in zip(questions, answers, evidence, strict=True):
                    found[label].append(recall(rows, query_of(form, query, answer, lam=lam), wanted))
        found["feedback"] += with_feedback(rows, questions, evidence).tolist()
    plain = np.array(found["as it is"])
    return {
        "n": len(plain),
        "recall@10": {
            label: {"recall@10": round(float(np.mean(each)), 4), "difference": difference(np.array(each) - plain)}
            for label, each in found.items()
        },
    }


def memories(rows: NDArray[np.float32]) -> dict[str, TitansState]:
    """Linear memories after the conversation: of each turn itself, and of the turn that follows."""
    new = TitansState.new(rows.shape[1], rows.shape[1], rng=np.random.default_rng(0))
    return {"itself": learn(new, rows, rows).state, "the next turn": learn(new, rows[:-1], rows[1:]).state}


def with_feedback(
    rows: NDArray[np.float32], questions: NDArray[np.float32], evidence: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """recall@10 of each question when those before it in a random order were answered and learned from; the mean."""
    total = np.zeros(len(questions))
    for seed in range(ORDERS):
        feedback = Feedback.none(rows.shape[1])
        for number in np.random.default_rng(seed).permutation(len(questions)).tolist():
            query, wanted = questions[number], evidence[number]
            total[number] += recall(rows, asked(feedback, query), wanted) / ORDERS
            if len(wanted):
                feedback = useful(feedback, query, rows[wanted])
    return total


def recall(rows: NDArray[np.float32], query: NDArray[np.floating], wanted: NDArray[np.int64]) -> float:
    best = np.argpartition(-(rows @ query), 10)[:10]
    return float(np.isin(wanted, best).mean()) if len(wanted) else 0.0


def difference(paired: NDArray[np.float64]) -> list[float]:
    """The mean in points, and its 95 % bootstrap interval."""
    picks = np.random.default_rng(0).integers(0, len(paired), (1000, len(paired)))
    low, high = np.percentile(paired[picks].mean(axis=1), (2.5, 97.5))
    return [round(100 * float(value), 1) for value in (paired.mean(), low, high)]


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", default="")
    parser.add_argument("--encoder", choices=("minilm", "hashing"), default="minilm")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    encoder = encoder_named(options.encoder)
    assert encoder is not None
    wanted = [each for each in options.conversations.split(",") if each]
    report = run(read_conversations(options.data, wanted), encoder)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for label, row in report["recall@10"].items():
            mean, low, high = row["difference"]
            print(f"{label:24}{row['recall@10']:.3f}  {mean:+.1f} [{low:+.1f}, {high:+.1f}]")


if __name__ == "__main__":
    main()
