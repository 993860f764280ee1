"""Does the confidence of a recall tell questions that memory answers from those that it does not?

Four kinds of question beside the answerable ones: foreign (of another conversation of the file), adversarial (LoCoMo:
the wrong person), near misses (BEAM: a detail that the remembered event lacks), and, as a control, near misses told
by the wording of the question alone. Nothing is fitted here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from probes import Conversation, Probe

from mnemoloom import RecallResult
from mnemoloom.recall.confidence import THRESHOLD

FOREIGN = 100  # questions of others asked of each conversation
BROAD = ("summarization", "event_ordering")  # they ask for a course of events, not for a fact


class Confidences:
    """The confidences of all questions that were asked, by kind."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[float]] = defaultdict(list)
        self._of_facts: list[float] = []
        self._someone_else: dict[str, list[bool]] = defaultdict(list)
        self._questions: list[tuple[str, str, bool]] = []

    def add(self, result: RecallResult, probe: Probe, conversation: str) -> None:
        kind = "answerable" if probe.evidence else "near_miss"
        if probe.category == "adversarial":
            kind = "adversarial"
        self._by_kind[kind].append(result.confidence)
        self._someone_else[kind].append(result.about_someone_else)
        if kind == "answerable" and probe.category not in BROAD:
            self._of_facts.append(result.confidence)
        if kind != "adversarial":
            self._questions.append((conversation, probe.question, kind == "answerable"))

    def add_foreign(self, result: RecallResult) -> None:
        self._by_kind["foreign"].append(result.confidence)

    def report(self) -> dict[str, Any] | None:
        """Areas under the curve, the control, and the share of answerable questions above the library's threshold."""
        found = self._by_kind
        answerable = found["answerable"]
        if not answerable:
            return None
        near = found["near_miss"]
        kept = {kind: round(float(np.mean(np.array(each) >= THRESHOLD)), 4) for kind, each in found.items() if each}
        flagged = {kind: round(float(np.mean(each)), 4) for kind, each in self._someone_else.items() if each}
        return {
            "foreign_auroc": auroc(answerable, found["foreign"]),
            "adversarial_auroc": auroc(answerable, found["adversarial"]),
            "near_miss_auroc": auroc(answerable, near),
            "near_miss_auroc_of_facts": auroc(self._of_facts, near),
            "question_only_control": question_only(self._questions) if near else None,
            "kept_at_90": kept.pop("answerable"),
            "passed_at_90": kept,
            "about_someone_else": flagged,
            "asked": {kind: len(each) for kind, each in found.items() if each},
        }


def foreign_probes(conversation: Conversation, conversations: Sequence[Conversation]) -> list[Probe]:
    """Answerable questions of the other conversations, drawn by a fixed seed."""
    others = [
        probe
        for other in conversations
        if other.id != conversation.id
        for probe in other.probes
        if probe.evidence and probe.category != "adversarial"
    ]
    if not others:
        return []
    rng = np.random.default_rng([0, *conversation.id.encode()])
    return [others[i] for i in rng.choice(len(others), min(FOREIGN, len(others)), replace=False)]


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The chance that a positive stands above a negative, ties half; None without either."""
    if not positive or not negative:
        return None
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return round(float(below.mean()) / (2 * len(ordered)), 4)


def question_only(questions: Sequence[tuple[str, str, bool]]) -> float | None:
    """How well the words of the question alone tell near misses: naive Bayes, one conversation left out at a time."""
    scores: dict[bool, list[float]] = {True: [], False: []}
    for left_out in {conversation for conversation, _, _ in questions}:
        counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        for conversation, question, answerable in questions:
            if conversation != left_out:
                counts[answerable].update(_words(question))
        vocabulary = len(counts[True] | counts[False])
        totals = {kind: sum(counted.values()) + vocabulary for kind, counted in counts.items()}
        for conversation, question, answerable in questions:
            if conversation == left_out:
                ratio = [
                    np.log((counts[True][word] + 1) / totals[True]) - np.log((counts[False][word] + 1) / totals[False])
                    for word in _words(question)
                ]
                scores[answerable].append(float(np.mean(ratio)) if ratio else 0.0)
    return auroc(scores[True], scores[False])


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))
