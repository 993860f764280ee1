"""What a user would have without this library: dense search, BM25, and both fused by reciprocal rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from probes import Conversation
from rank_bm25 import BM25Okapi

from mnemoloom import Embedder
from mnemoloom.lexical import Analyzer

Ranker = Callable[[str], list[str]]


def rankers(conversation: Conversation, encoder: Embedder | None) -> dict[str, Ranker]:
    """Rankings of turn ids for a question, over texts of the form "speaker: text"."""
    texts = [f"{turn.speaker}: {turn.text}" for turn in conversation.turns]
    ids = np.array([turn.id for turn in conversation.turns])
    analyzer = Analyzer()
    okapi = BM25Okapi([analyzer.terms(text) or ["–"] for text in texts])

    def bm25(question: str) -> list[str]:
        return ids[np.argsort(-okapi.get_scores(analyzer.terms(question)), kind="stable")].tolist()

    found: dict[str, Ranker] = {"bm25": bm25}
    if encoder is not None:
        rows = encoder.embed(texts)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)

        def dense(question: str) -> list[str]:
            return ids[np.argsort(-(rows @ encoder.embed([question], query=True)[0]), kind="stable")].tolist()

        found["dense"] = dense
        found["rrf"] = lambda question: fused([dense(question), bm25(question)])
    return found


def fused(rankings: Sequence[Sequence[str]], *, k: int = 60) -> list[str]:
    """Reciprocal rank fusion (Cormack et al. 2009)."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, turn in enumerate(ranking, 1):
            scores[turn] = scores.get(turn, 0.0) + 1.0 / (k + place)
    return sorted(scores, key=lambda turn: -scores[turn])
