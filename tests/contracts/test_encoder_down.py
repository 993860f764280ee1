"""When the encoder is down, questions are answered by words and say so, texts are refused or kept, nobody hangs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import OpenMemory, Refused
from mnemoloom import Config, Guard, ManualClock, Memory
from mnemoloom.embedders import HashingEmbedder, OllamaEmbedder, guarded
from mnemoloom.errors import (
    CircuitOpenError,
    ConfigError,
    EmbedderAnswerError,
    EmbedderError,
    EmbedderTimeoutError,
    EmbedderUnavailableError,
    LoomError,
    TextError,
)
from mnemoloom.testing import OllamaServer, faults

TEXTS = ["The violin is in the attic.", "The boat is blue.", "Ann has a violin lesson on Monday."]
QUESTION = "Where is the violin?"
DOWN = [
    EmbedderUnavailableError("no server"),
    EmbedderTimeoutError("no answer in 5 s"),
    EmbedderError("answered 500"),
    ConnectionRefusedError("refused"),
    TimeoutError("late"),
    httpx.ConnectError("nobody there"),
    httpx.ReadTimeout("late"),
    RuntimeError("out of memory"),
    OSError("gone"),
    ValueError("bad shape"),
    KeyError("layer"),
]


class Failing(HashingEmbedder):
    """Encodes until `error` is set, or waits for `gate` if there is one; `asked` counts the calls."""

    error: BaseException | None = None
    gate: threading.Event | None = None
    asked = 0

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
        self.asked += 1
        if self.gate is not None:
            self.gate.wait(30)
        if self.error is not None:
            raise self.error
        return super().embed(texts, query=query)


@pytest.fixture
def embedder() -> Failing:
    return Failing(64)


def started(open_memory: OpenMemory, embedder: Any, path: str | Path = ":memory:", **settings: Any) -> Memory:
    memory = open_memory(path, embedder=embedder, config=Config(**settings))
    memory.remember_many(TEXTS)
    return memory


@pytest.mark.parametrize("error", DOWN, ids=lambda error: type(error).__name__)
def test_recall_goes_on_by_words_as_without_an_encoder_and_says_so(
    open_memory: OpenMemory, embedder: Failing, error: BaseException
) -> None:
    memory = started(open_memory, embedder)
    assert memory.recall(QUESTION).degraded is None
    embedder.error = error
    found = memory.recall("Where is the violin now?")
    plain = open_memory(":memory:")
    plain.remember_many(TEXTS)
    wanted = plain.recall("Where is the violin now?")
    assert found.degraded is not None
    told = str(error) if isinstance(error, LoomError) else type(error).__name__
    assert told in found.degraded
    assert isinstance(error, LoomError) or str(error) not in found.degraded
    assert not found.encoded
    assert [(hit.id, hit.score) for hit in found] == [(hit.id, hit.score) for hit in wanted]
    assert memory.why("Where is the violin now?", 1).recalled


@pytest.mark.parametrize("guard", [Guard(), None], ids=["guarded", "bare"])
@pytest.mark.parametrize("error", DOWN[5:], ids=lambda error: type(error).__name__)
def test_whatever_an_encoder_raises_remember_raises_as_ours_or_keeps_the_text(
    open_memory: OpenMemory, embedder: Failing, refused: Refused, folder: Path, error: Exception, guard: Guard | None
) -> None:
    strict = started(open_memory, embedder, guard=guard, recall_unencoded=False)
    embedder.error = error
    for act in (lambda: strict.remember("The map is old."), lambda: strict.recall(QUESTION)):
        with refused(strict, EmbedderError, rf"hashing/64 failed with {type(error).__name__}$") as _:
            act()
    embedder.error = None
    lenient = started(open_memory, embedder, folder, guard=guard, remember_unencoded=True)
    embedder.error = error
    assert lenient.recall("old map").degraded
    assert lenient.get(lenient.remember("The map is old.")).text == "The map is old."


def test_the_error_of_an_encoder_is_the_cause_of_ours(open_memory: OpenMemory, embedder: Failing) -> None:
    memory = started(open_memory, embedder)
    embedder.error = RuntimeError("out of memory")
    with pytest.raises(EmbedderError) as told:
        memory.remember("The map is old.")
    assert told.value.__cause__ is embedder.error


def test_recall_in_coroutines_goes_on_too(open_memory: OpenMemory, embedder: Failing) -> None:
    memory = started(open_memory, embedder)
    embedder.error = EmbedderUnavailableError("no server")
    assert asyncio.run(memory.arecall(QUESTION)).degraded


def test_who_wants_the_error_of_recall_gets_it(open_memory: OpenMemory, embedder: Failing, refused: Refused) -> None:
    memory = started(open_memory, embedder, recall_unencoded=False)
    embedder.error = EmbedderUnavailableError("no server")
    with refused(memory, EmbedderUnavailableError, "no server"):
        memory.recall(QUESTION)


def test_an_encoder_that_talks_nonsense_is_not_down(open_memory: OpenMemory, embedder: Failing) -> None:
    memory = started(open_memory, embedder, remember_unencoded=True)
    embedder.error = EmbedderAnswerError("rows of NaN")
    for act in (lambda: memory.recall(QUESTION), lambda: memory.remember("The map is old.")):
        with pytest.raises(EmbedderAnswerError):
            act()


def test_nearest_has_nothing_to_fall_back_on(open_memory: OpenMemory, embedder: Failing) -> None:
    memory = started(open_memory, embedder)
    embedder.error = EmbedderUnavailableError("no server")
    with pytest.raises(EmbedderUnavailableError):
        memory.nearest(QUESTION)


def test_confidence_is_not_calibrated_without_its_encoder(
    open_memory: OpenMemory, embedder: Failing, refused: Refused
) -> None:
    memory = started(open_memory, embedder)
    embedder.error = EmbedderUnavailableError("no server")
    with refused(memory, EmbedderUnavailableError, "calibrated with the encoder"):
        memory.calibrate([QUESTION] * 9)


def test_remember_stores_nothing_unless_told_to_keep_texts_without_vectors(
    open_memory: OpenMemory, embedder: Failing, refused: Refused, folder: Path
) -> None:
    strict = started(open_memory, embedder)
    embedder.error = EmbedderUnavailableError("no server")
    with refused(strict, EmbedderUnavailableError):
        strict.remember("The map is old.")
    embedder.error = None
    lenient = started(open_memory, embedder, folder, remember_unencoded=True)
    embedder.error = EmbedderUnavailableError("no server")
    kept = lenient.remember("The map is old.")
    assert lenient.stats().waiting == 1
    assert lenient.recall("old map")[0].id == kept
    embedder.error = None
    assert lenient.reembed() == 1
    assert lenient.stats().waiting == 0
    assert lenient.recall("map").encoded


# -- deadline and breaker -----------------------------------------------------------------------------


def test_an_encoder_that_hangs_holds_nobody_up_for_longer_than_the_deadline(
    open_memory: OpenMemory, embedder: Failing
) -> None:
    memory = started(open_memory, embedder, guard=Guard(deadline=0.3, cool_down=60.0))
    embedder.gate = threading.Event()
    try:
        begun = time.monotonic()
        assert "gave no answer within 0.3 s" in str(memory.recall(QUESTION).degraded)
        assert "is not asked for" in str(memory.recall("violin lesson").degraded)  # at once
        with pytest.raises(CircuitOpenError):
            memory.remember("The map is old.")
        assert time.monotonic() - begun < 5.0  # the deadline, and a machine that is busy
    finally:
        embedder.gate.set()


def test_many_failures_open_the_breaker_and_a_probe_closes_it(embedder: Failing) -> None:
    clock = ManualClock()
    careful = guarded(embedder, failures=3, cool_down=10.0, clock=clock)
    embedder.error = EmbedderUnavailableError("no server")
    for _ in range(3):
        with pytest.raises(EmbedderUnavailableError, match="no server"):
            careful.embed(["a"])
    with pytest.raises(CircuitOpenError, match=r"not asked for 10\.0 s more, because it failed with Emb") as got:
        careful.embed(["a"])
    assert (embedder.asked, got.value.seconds) == (3, 10.0)
    clock.advance(10.0)
    with pytest.raises(EmbedderUnavailableError, match="no server"):  # the probe
        careful.embed(["a"])
    with pytest.raises(CircuitOpenError):
        careful.embed(["a"])
    assert embedder.asked == 4
    embedder.error = None
    clock.advance(10.0)
    assert careful.embed(["a"]).shape == careful.embed(["b"]).shape == (1, 64)


def test_only_one_of_many_probes(embedder: Failing) -> None:
    clock = ManualClock()
    careful = guarded(embedder, failures=1, cool_down=10.0, clock=clock)
    embedder.error = EmbedderUnavailableError("no server")
    with pytest.raises(EmbedderUnavailableError):
        careful.embed(["a"])
    clock.advance(10.0)
    embedder.error, embedder.gate = None, threading.Event()
    probe = threading.Thread(target=careful.embed, args=(["a"],))
    probe.start()
    while embedder.asked < 2:
        time.sleep(0.001)
    with pytest.raises(CircuitOpenError):
        careful.embed(["b"])
    embedder.gate.set()
    probe.join()
    assert careful.embed(["b"]).shape == (1, 64)


def test_successes_between_failures_and_bad_texts_leave_the_breaker_closed(embedder: Failing) -> None:
    careful = guarded(embedder, failures=2, clock=ManualClock())
    for error in [EmbedderUnavailableError("no server"), None, EmbedderUnavailableError("no server")]:
        embedder.error = error
        if error is None:
            careful.embed(["a"])
            continue
        with pytest.raises(EmbedderUnavailableError, match="no server"):
            careful.embed(["a"])
    embedder.error = None
    careful.embed(["a"])
    for _ in range(4):
        with pytest.raises(TextError):
            careful.embed("a bare string")
    assert careful.embed(["a"]).shape == (1, 64)


def test_calls_that_hang_are_bounded_in_number(embedder: Failing) -> None:
    embedder.gate = threading.Event()
    clock = ManualClock()
    careful = guarded(embedder, deadline=0.002, cool_down=1.0, clock=clock)
    try:
        for _ in range(64):
            with pytest.raises(EmbedderTimeoutError):
                careful.embed(["a"])
            clock.advance(1.0)
        with pytest.raises(CircuitOpenError, match="64 calls have not ended"):
            careful.embed(["a"])
        assert embedder.asked == 64
    finally:
        embedder.gate.set()


def test_the_deadline_grows_with_the_texts(embedder: Failing) -> None:
    class Slow(HashingEmbedder):
        def embed(self, texts: Sequence[str], *, query: bool = False) -> Any:
            time.sleep(0.2)
            return super().embed(texts, query=query)

    careful = guarded(Slow(64), deadline=0.1, clock=ManualClock())
    assert careful.embed([str(i) for i in range(50)]).shape == (50, 64)
    with pytest.raises(EmbedderTimeoutError, match=r"within 0\.1 s"):
        careful.embed(["a"])


def test_a_guarded_encoder_answers_as_the_encoder_itself(embedder: Failing) -> None:
    careful = guarded(embedder)
    assert careful.identity == embedder.identity
    assert (careful.embed(TEXTS) == embedder.embed(TEXTS)).all()
    assert not hasattr(careful, "embed_tokens")


@pytest.mark.parametrize("settings", [{"deadline": 0}, {"failures": 0}, {"cool_down": -1.0}, {"deadline": True}])
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any], embedder: Failing) -> None:
    with pytest.raises(ConfigError, match=rf"Guard\.{next(iter(settings))}"):
        guarded(embedder, **settings)


FAULTS = {
    "refuses": faults.status(500, "no such luck"),
    "busy": faults.status(503, "queue full"),
    "slow": faults.delay(3.0),
    "drops": faults.drop(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_whatever_befalls_an_ollama_server_recall_answers_in_time_and_says_so(
    open_memory: OpenMemory, fault: Any
) -> None:
    with OllamaServer() as server:
        encoder = OllamaEmbedder("tinyemb", host=server.url, timeout=0.5)
        memory = started(open_memory, encoder)
        server.fail(fault, times=50)
        begun = time.monotonic()
        found = memory.recall(QUESTION)
        assert time.monotonic() - begun < 2.5
        assert found.degraded
        assert found[0].id == 1


if hasattr(os, "fork"):

    def test_a_child_after_fork_has_threads_of_its_own(embedder: Failing) -> None:
        careful = guarded(embedder)
        careful.embed(["a"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process that has threads
            child = os.fork()
        if child == 0:
            os._exit(0 if careful.embed(["b"]).shape == (1, 64) else 1)
        assert os.waitpid(child, 0)[1] == 0
