"""What does each part of recall buy? One part is removed at a time; everything else stays.

    python tests/benchmarks/ablate.py --data FILE [--conversations 47,48] [--encoder minilm] [--json]

Figures are differences to the whole pipeline, in points; negative means that the part helps. The interval resamples
conversations.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from probes import Conversation, encoder_named, fill, interval, read_conversations
from recall import ask
from tqdm import tqdm

from mnemoloom import Embedder, Memory
from mnemoloom.config import PROFILES, AssistantProfile, Profile, WeightedProfile

WHOLE = "whole"


def variants(profile: str) -> dict[str, Profile]:
    """The whole formula of a profile, and the formula without each of its parts (or with an option added)."""
    whole = PROFILES[profile]
    if isinstance(whole, AssistantProfile):
        return {
            WHOLE: whole,
            "− dense": replace(whole, dense=0.0),
            "− lexical": replace(whole, lexical=0.0),
            "− replies by what they answer": replace(whole, answered=0.0, answered_asked=0.0),
            "− best chunk of replies": replace(whole, chunk=0.0),
            "− role flip": replace(whole, answered_asked=whole.answered),
            "− roles (document profile)": PROFILES["document"],
            "− roles (dialogue profile)": PROFILES["dialogue"],
        }
    assert isinstance(whole, WeightedProfile)
    return {
        WHOLE: whole,
        "− dense": replace(whole, dense=0.0),
        "− lexical": replace(whole, lexical=0.0),
        "− window": replace(whole, window=()),
        "− speaker": replace(whole, speaker=0.0),
        "− names out of the query": replace(whole, strip_names=False),
        "− date": replace(whole, date=0.0),
        "− surprise": replace(whole, surprise=0.0),
        "− maxsim": replace(whole, maxsim=0.0),
        "− recency on request": replace(whole, recency=0.0),
        "+ dense context keys": replace(whole, context=0.5),
        "concert (PMLL)": PROFILES["concert"],
    }


def run(conversations: Iterable[Conversation], encoder: Embedder | None, *, quiet: bool) -> dict[str, Any]:
    """Every variant on every conversation; a conversation is remembered once."""
    scores: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(dict)
    for conversation in tqdm(list(conversations), disable=True if quiet else None):
        probes = [each for each in conversation.probes if each.kind == "recall" and each.category != "adversarial"]
        probes = [each for each in probes if each.evidence]
        with Memory.open(":memory:", embedder=encoder) as memory:
            fill(memory, conversation)
            for name, profile in variants(memory.stats().profile).items():
                scores[name][conversation.id] = [ask(memory, probe, profile)[0]["measures"] for probe in probes]
            if encoder is not None and hasattr(encoder, "embed_tokens"):
                memory.reembed(learn=True)
                scores["maxsim projection learned from the store"][conversation.id] = [
                    ask(memory, probe, "auto")[0]["measures"] for probe in probes
                ]
    return {name: _difference(found, scores[WHOLE]) for name, found in scores.items()}


def _difference(found: dict[str, list[dict[str, float]]], whole: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for measure in ("recall@10", "ndcg@10"):
        values = [[row[measure] for row in rows] for rows in found.values()]
        paired = [
            [row[measure] - base[measure] for row, base in zip(rows, whole[name], strict=True)]
            for name, rows in found.items()
        ]
        result[measure] = round(100 * float(np.mean(np.concatenate(values))), 1)
        result[f"Δ {measure}"] = round(100 * float(np.mean(np.concatenate(paired))), 1)
        result[f"Δ {measure} interval"] = [round(100 * bound, 1) for bound in interval(paired)]
    return result


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--conversations", default="")
    parser.add_argument("--encoder", choices=("none", "minilm", "hashing"), default="none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = [each for each in options.conversations.split(",") if each]
    found = run(read_conversations(options.data, wanted), encoder_named(options.encoder), quiet=options.json)
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for name, figures in found.items():
        print(f"{name:44}" + "  ".join(f"{key} {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
