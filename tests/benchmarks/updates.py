"""Does recall put the right version of a changing fact first? Made-up facts in a haystack of talk.

    python tests/benchmarks/updates.py [--data FILE --conversations 26,30] [--encoder minilm] [--json]

Without --data the haystack is made up, too; with it, the turns of those conversations are.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from changing_facts import Fact, changing_facts, small_talk
from probes import encoder_named, read_conversations
from tqdm import tqdm

from mnemoloom import Config, Draft, Embedder, Memory

WORDINGS = ("current", "first", "plain")


def measure(
    facts: list[Fact], drafts: Iterable[Draft], *, encoder: Embedder | None, rule: bool, quiet: bool
) -> dict[str, Any]:
    """Hit@1 and hit@5 of the right version by kind of value and wording; `rule` switches the update rule."""
    config = Config() if rule else Config(update_rule=None)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with Memory.open(":memory:", embedder=encoder, config=config) as memory:
        memory.remember_many(sorted(drafts, key=lambda draft: str(draft.time)))
        for fact in tqdm(facts, desc="facts", disable=True if quiet else None):
            for wording in WORDINGS:
                ranked = [hit.external_id for hit in memory.recall(getattr(fact, wording), 5)]
                right = fact.versions[0 if wording == "first" else -1]
                group = f"{'typed' if fact.typed else 'text'} {wording}"
                found[group].append((float(ranked[:1] == [right]), float(right in ranked)))
    return {
        group: dict(zip(("hit@1", "hit@5"), np.mean(rows, axis=0).round(4).tolist(), strict=True))
        for group, rows in found.items()
    }


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="conversations whose turns are the haystack")
    parser.add_argument("--conversations", default="")
    parser.add_argument("--encoder", default="minilm", choices=("none", "hashing", "minilm"))
    parser.add_argument("--facts", type=int, default=60, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    facts, told = changing_facts(options.facts, seed=options.seed)
    haystack = small_talk(600, seed=options.seed + 1)
    if options.data:
        wanted = [each for each in options.conversations.split(",") if each]
        haystack = [turn.draft() for each in read_conversations(options.data, wanted) for turn in each.turns]
        haystack = [
            Draft(text=draft.text, speaker=draft.speaker, session=draft.session, time=draft.time) for draft in haystack
        ]
    encoder = encoder_named(options.encoder)
    report = {
        "encoder": options.encoder,
        "haystack": len(haystack),
        "with_rule": measure(facts, [*told, *haystack], encoder=encoder, rule=True, quiet=options.json),
        "without_rule": measure(facts, [*told, *haystack], encoder=encoder, rule=False, quiet=options.json),
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"encoder {report['encoder']}, {report['haystack']} turns of other talk; hit@1 / hit@5")
    for group, found in report["with_rule"].items():
        off = report["without_rule"][group]
        print(f"  {group:16}{found['hit@1']:.3f} / {found['hit@5']:.3f}   without the rule {off['hit@1']:.3f}")


if __name__ == "__main__":
    main()
