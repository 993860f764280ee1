"""`demo`: remember a conversation, close the store, open it again, and ask questions with known answers.

It needs no network. When an Ollama server runs on this machine, one of its models phrases the answers.
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from mnemoloom.cli.chat_model import ChatModel, installed_models
from mnemoloom.cli.hits import describe_hit, hit_object
from mnemoloom.cli.keys import key_given
from mnemoloom.cli.opening import labels_of
from mnemoloom.cli.prompting import prompt
from mnemoloom.cli.screen import Screen, emit, visible
from mnemoloom.embedders import from_spec
from mnemoloom.embedders.endpoint import endpoint
from mnemoloom.errors import ChatModelError, MissingExtraError, ValidationError
from mnemoloom.memory import Memory
from mnemoloom.ports import Embedder
from mnemoloom.records import Hit, RecallResult

__all__ = ["run"]

_SHOWN, _COUNTED = 3, 5
_KNOCK_SECONDS = 0.5
_PATIENCE, _BUDGET = 20.0, 30.0  # seconds for one phrased answer, and after which no other is begun


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of the demo, what was recalled for it, and where its evidence came (ranks from 1)."""

    question: str
    answer: str
    evidence: int
    ranks: tuple[int, ...]
    result: RecallResult
    seconds: float

    @property
    def found(self) -> bool:
        """Whether every turn that holds a part of the answer is among the counted."""
        return 0 < self.evidence == len(self.ranks)


@dataclass(frozen=True, slots=True)
class _Ingest:
    turns: int
    sessions: int
    seconds: float
    reopened: float


class _Phrasing:
    """A model that puts hits into words, for as long as there is one and time allows. `note` says how it is."""

    def __init__(self, model: ChatModel | None, note: str) -> None:
        self.model, self.note = model, note
        self._begun = time.perf_counter()

    def answer(self, question: str, hits: Sequence[Hit]) -> str | None:
        if self.model is None:
            return None
        if time.perf_counter() - self._begun > _BUDGET:
            self.model, self.note = None, f"{self.note}; the later answers were left out, because they took too long"
            return None
        try:
            return "".join(self.model.answer(prompt(question, (hit.record for hit in hits))))
        except ChatModelError as error:
            self.model, self.note = None, str(error)
            return None


def run(arguments: argparse.Namespace) -> int:
    """Run the demo, and print what happened."""
    embedder = from_spec(arguments.embedder)
    labels = labels_of(arguments)
    phrasing = _Phrasing(*_reachable_model(arguments.host, arguments.model))
    with _folder(arguments.store) as folder:
        key = key_given(arguments)
        ids, ingest = _ingest(folder, labels, embedder, key)
        opening = time.perf_counter()
        with Memory.open(folder, namespace=labels, embedder=embedder, read_only=True, key=key) as memory:
            len(memory)
            ingest = _Ingest(ingest.turns, ingest.sessions, ingest.seconds, time.perf_counter() - opening)
            asked = (_ask(memory, question, ids) for question in _data("questions.jsonl"))
            show = _show_json if arguments.json else _show
            show(ingest, asked, phrasing, arguments.store)
    return 0


@contextmanager
def _folder(store: str | None) -> Iterator[str]:
    if store is not None:
        yield store
        return
    with TemporaryDirectory(prefix="mnemoloom-demo-") as folder:
        yield folder


def _data(name: str) -> list[dict[str, Any]]:
    text = (files("mnemoloom") / "cli" / "demo" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def _ingest(
    folder: str, labels: tuple[str, ...], embedder: Embedder | None, key: bytes | None
) -> tuple[list[int], _Ingest]:
    turns = _data("conversation.jsonl")
    drafts = [turn | {"external_id": f"demo:{number}"} for number, turn in enumerate(turns, 1)]
    with Memory.open(folder, namespace=labels, embedder=embedder, key=key) as memory:
        if len(memory) and "demo:1" not in memory:
            raise ValidationError(f"{folder} holds other memories in this namespace; the demo wants a store of its own")
        begun = time.perf_counter()
        ids = memory.remember_many(drafts, existing="skip")
        seconds = time.perf_counter() - begun
    return ids, _Ingest(len(turns), len({turn["session"] for turn in turns}), seconds, 0.0)


def _ask(memory: Memory, question: dict[str, Any], ids: Sequence[int]) -> _Asked:
    begun = time.perf_counter()
    result = memory.recall(question["question"], k=_COUNTED)
    seconds = time.perf_counter() - begun
    wanted = {ids[line - 1] for line in question["evidence"]}
    ranks = tuple(rank for rank, hit in enumerate(result, 1) if hit.id in wanted)
    return _Asked(question["question"], question["answer"], len(wanted), ranks, result, seconds)


# -- the model ----------------------------------------------------------------------------------------


def _reachable_model(host: str, name: str | None) -> tuple[ChatModel | None, str]:
    """A model to phrase answers with, and what to say about it."""
    server = urlsplit(endpoint(host, allow_remote=False).url)
    try:
        socket.create_connection((server.hostname or "", server.port or 80), timeout=_KNOCK_SECONDS).close()
    except OSError:
        return None, f"no Ollama server answers at {host}, so nobody phrases the answers; recall does not need one"
    try:
        chosen = name or next(iter(installed_models(host, timeout=_PATIENCE)), None)
        if chosen is None:
            return None, f"the Ollama server at {host} has no chat model; run: ollama pull llama3.2"
        return ChatModel(chosen, host=host, patience=_PATIENCE, timeout=_PATIENCE), f"phrased by {chosen}"
    except (ChatModelError, MissingExtraError) as error:
        return None, str(error)


# -- showing ------------------------------------------------------------------------------------------


def _show(ingest: _Ingest, asked: Iterator[_Asked], phrasing: _Phrasing, store: str | None) -> None:
    screen = Screen.of_stdout()
    print(screen.bold("Two friends write to each other for half a year. Their memory:"))
    rows = [
        ("remembered", f"{ingest.turns} turns of {ingest.sessions} sessions in {_milliseconds(ingest.seconds)}"),
        ("reopened", f"the store, closed in between, in {_milliseconds(ingest.reopened)}"),
        ("model", phrasing.note),
    ]
    print(screen.columns(rows))
    every: list[_Asked] = []
    for number, one in enumerate(asked, 1):
        every.append(one)
        print("\n" + screen.wrapped(one.question, indent=4, first=screen.bold(f"{number:>2}. ")))
        _show_hits(screen, one)
        print(screen.wrapped(_verdict(one), indent=5))
        if said := phrasing.answer(one.question, one.result[:_SHOWN]):
            print(screen.wrapped(f"{phrasing.note}: {visible(said)}", indent=5))
    print("\n" + screen.bold("Summary"))
    answerable = [one for one in every if one.evidence]
    found = sum(one.found for one in answerable)
    rows = [
        ("found", f"{found} of {len(answerable)} answerable questions have all their evidence in the top {_COUNTED}"),
        ("unanswerable", f"{len(every) - len(answerable)} questions that the conversation does not answer"),
        ("remembering", f"{_milliseconds(ingest.seconds)}, {_milliseconds(ingest.seconds / ingest.turns)} a turn"),
        ("asking", f"{_milliseconds(_median([one.seconds for one in every]))} a question (median)"),
        ("model", phrasing.note),
    ]
    if store is not None:
        rows.append(("store", store))
    print(screen.columns(rows))


def _show_hits(screen: Screen, one: _Asked) -> None:
    for rank, hit in enumerate(one.result[:_SHOWN], 1):
        mark = screen.bold("<- evidence") if rank in one.ranks else ""
        print(describe_hit(screen, hit, rank, among=one.result, mark=mark))


def _verdict(one: _Asked) -> str:
    if not one.evidence:
        return "= The conversation does not say; these are merely the closest turns."
    held = f"{len(one.ranks)} of {one.evidence} turns" if one.evidence > 1 else "the turn"
    where = ", ".join(map(str, one.ranks))
    if not one.ranks:
        return f"= Not found in the top {_COUNTED}. Expected: {one.answer}."
    return (
        f"= {'Found' if one.found else 'Partly found'}: {held} with the answer at rank {where}. Expected: {one.answer}."
    )


def _show_json(ingest: _Ingest, asked: Iterator[_Asked], phrasing: _Phrasing, store: str | None) -> None:
    every = [(one, phrasing.answer(one.question, one.result[:_SHOWN])) for one in asked]
    answerable = [one for one, _ in every if one.evidence]
    questions = [
        {
            "question": one.question,
            "expected": one.answer,
            "answerable": bool(one.evidence),
            "found": one.found,
            "evidence_ranks": list(one.ranks),
            "hits": [hit_object(hit, rank) for rank, hit in enumerate(one.result[:_SHOWN], 1)],
            "phrased": said,
            "seconds": one.seconds,
        }
        for one, said in every
    ]
    emit(
        {
            "turns": ingest.turns,
            "sessions": ingest.sessions,
            "questions": questions,
            "summary": {
                "answerable": len(answerable),
                "found": sum(one.found for one in answerable),
                "top": _COUNTED,
                "ingest_seconds": ingest.seconds,
                "reopen_seconds": ingest.reopened,
                "query_seconds": _median([one.seconds for one, _ in every]),
                "model": phrasing.model.model if phrasing.model else None,
                "note": phrasing.note,
                "store": store,
            },
        }
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms"


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
