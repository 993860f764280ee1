"""No text, question, metadata, operand, vector or key reaches a log or a traceback: every verb and error at DEBUG."""

from __future__ import annotations

import asyncio
import io
import logging
import sqlite3
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mnemoloom import Config, Guard, Memory, Tier, where
from mnemoloom.cli import main
from mnemoloom.embedders import HashingEmbedder, OllamaEmbedder
from mnemoloom.errors import EmbedderError, EmbedderUnavailableError
from mnemoloom.pmll import MemoryLines
from mnemoloom.testing import OllamaServer, Reply, ServedModel, faults

CANARY = "zzcanary"
TEXT = f"My secret is {CANARY}-text in Oslo."
QUESTION = f"Where is the {CANARY}-question in Oslo?"
METADATA = {"note": f"{CANARY}-metadata", f"{CANARY}-name": [f"{CANARY}-item"]}
OPERAND = f"{CANARY}-operand"
KEY, OTHER = f"{CANARY}-key-of-the-log".encode(), f"{CANARY}-another-key-of-it".encode()
VECTOR = [0.1234567] * 64  # as text it would be told by these digits
TELLTALES = (CANARY, CANARY.encode().hex(), "zzcanar", "0.1234567", "0.12345")


class Ears:
    """Hears everything that is logged, raised, warned of or printed while it listens."""

    def __init__(self) -> None:
        self.heard = io.StringIO()
        self.errors = 0
        self._handler = logging.StreamHandler(self.heard)
        self._handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s %(pathname)s"))

    def __enter__(self) -> Ears:
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._level)

    def let(self, act: Callable[[], Any]) -> Any:
        """Do something; an error is heard as a whole traceback with its causes."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                done = act()
                return list(done) if isinstance(done, Iterator) else done
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
                self.errors += 1
                self.heard.write("".join(traceback.format_exception(error)))
                return None
            finally:
                self.heard.write("\n".join(str(warning.message) for warning in told))

    def check(self) -> None:
        heard = self.heard.getvalue()
        for telltale in TELLTALES:
            place = heard.find(telltale)
            assert place < 0, heard[max(0, place - 600) : place + 100]


@pytest.fixture
def ears() -> Iterator[Ears]:
    with Ears() as ears:
        yield ears


def test_the_ears_hear_what_is_logged_and_raised(ears: Ears) -> None:
    logging.getLogger("mnemoloom").debug("a text: %s", TEXT)
    with pytest.raises(AssertionError):
        ears.check()


class Echoing(HashingEmbedder):
    """Fails, when told to, with an error of ours."""

    error: Exception | None = None

    def embed(self, texts: Any, *, query: bool = False) -> Any:
        if self.error is not None:
            raise self.error
        return super().embed(texts, query=query)


def everything(memory: Memory, folder: Path) -> list[Callable[[], Any]]:
    """Calls of every verb, well and badly."""
    long, deep = f"{CANARY} " * 200_000, {"a": f"{CANARY}"}
    for _ in range(20):
        deep = {"a": deep}  # type: ignore[dict-item]
    bad_texts = [long, f"{CANARY}\0", f"{CANARY}\ud800", CANARY.encode(), [CANARY], {"text": CANARY}]
    bad_metadata = [deep, {"a": object()}, {"a": f"{CANARY}\ud800"}, {1: CANARY}, {"a": 10**5000}, [CANARY], CANARY]
    bad_metadata += [
        {"a": f"{CANARY} " * 20_000},
        {"a": float("nan"), "b": CANARY},
        {f"{CANARY}\0": 1},
        {"a": {CANARY}},
    ]
    bad_filters: list[Any] = [
        {"metadata.note": {"$eq": {CANARY: 1}}},
        {"metadata.note": {"$in": CANARY}},
        {"metadata.note": {"$gt": [CANARY]}},
        {"metadata.note": f"{CANARY}\0"},
        {"metadata.note": f"{CANARY}\ud800"},
        {"metadata.note": {"$exists": CANARY}},
        {"metadata.note": CANARY.encode()},
        {"id": CANARY},
        {"pinned": CANARY},
        {"tier": CANARY},
        {"$and": CANARY},
        {"$and": [CANARY]},
        {"$not": CANARY},
        CANARY,
        [CANARY],
        {"metadata.note": {"$eq": "x" + CANARY * 20_000}},
    ]
    bad_vectors = [VECTOR[:3], [*VECTOR, float("nan")], [0.1234567j] * 64, [[*VECTOR]], ["0.1234567"] * 64, CANARY]
    calls: list[Callable[[], Any]] = [
        lambda: memory.remember(TEXT, metadata=METADATA, external_id="own", speaker="Ann", session="s"),
        lambda: memory.remember(TEXT, vector=VECTOR),
        lambda: memory.remember_many([TEXT, {"text": TEXT, "metadata": METADATA}], idem_key="call"),
        lambda: memory.remember_many([TEXT], idem_key="call"),
        lambda: memory.remember_many(TEXT),
        lambda: memory.remember_many([TEXT], existing=TEXT[:0] + "no"),  # type: ignore[arg-type]
        lambda: memory.remember_many([{"txt": TEXT}]),
        lambda: memory.remember_many([{"speaker": "Ann"}]),
        lambda: memory.remember(TEXT, derived_from=[1]),
        lambda: memory.remember(TEXT, derived_from=[999]),
        lambda: memory.recall(QUESTION, expand=2),
        lambda: memory.recall(QUESTION, k=0),
        lambda: memory.recall(QUESTION, where={"metadata.note": OPERAND}),
        lambda: memory.recall(QUESTION, vector=VECTOR),
        lambda: memory.recall(QUESTION, vector=VECTOR[:7]),
        lambda: memory.recall(QUESTION, profile="no such"),
        lambda: memory.recall(QUESTION, as_of="no time"),
        lambda: memory.recall(QUESTION, min_confidence=7),
        lambda: memory.recall(QUESTION, min_trust="nobody"),
        lambda: memory.why(QUESTION, 1),
        lambda: memory.why(QUESTION, 999),
        lambda: memory.nearest(QUESTION),
        lambda: memory.nearest(QUESTION, vector=VECTOR),
        lambda: memory.nearest(vector=VECTOR),
        lambda: memory.calibrate([QUESTION]),
        lambda: memory.calibrate(QUESTION),
        lambda: memory.history(1),
        lambda: memory.get(999),
        lambda: memory.records({"metadata.note": OPERAND}),
        lambda: memory.vectors([1]),
        lambda: memory.reembed(),
        lambda: memory.stats(),
        lambda: memory.verify(),
        lambda: memory.seal(folder / "seal.json"),
        lambda: memory.prove(1, folder / "seal.json"),
        lambda: memory.rekey(OTHER),
        lambda: memory.rekey(CANARY[:5].encode()),
        lambda: memory.rekey(f"{CANARY} no bytes at all"),  # type: ignore[arg-type]
        lambda: memory.verify(past_keys=[KEY]),
        lambda: memory.export(folder / "bundle"),
        lambda: memory.export(folder / "bundle"),
        lambda: memory.at("other").import_bundle(folder / "bundle"),
        lambda: memory.import_bundle(folder / "bundle"),
        lambda: memory.pin(1),
        lambda: memory.move(1, Tier.COLD),
        lambda: memory.quarantine(where("metadata.note").eq(OPERAND)),
        lambda: memory.quarantine({"metadata.note": METADATA["note"]}),
        lambda: memory.quarantined(),
        lambda: memory.release({"metadata.note": METADATA["note"]}),
        lambda: memory.remove_source(OPERAND),
        lambda: memory.forget(1),
        lambda: memory.forget(999),
        lambda: memory.erase({"metadata.note": {"$contains": CANARY}}),
        lambda: asyncio.run(memory.arecall(QUESTION)),
        lambda: asyncio.run(memory.aremember(f"{CANARY}\0")),
        lambda: MemoryLines(memory).put("key", TEXT, context=TEXT),
        lambda: MemoryLines(memory).query(QUESTION),
    ]
    calls += [lambda text=text: memory.remember(text) for text in bad_texts]
    calls += [lambda text=text: memory.recall(text) for text in bad_texts]
    calls += [lambda value=value: memory.remember("tea", metadata=value) for value in bad_metadata]
    calls += [lambda value=value: memory.recall("tea", where=value) for value in bad_filters]
    calls += [lambda value=value: memory.erase(value) for value in bad_filters]
    calls += [lambda value=value: memory.remember("tea", vector=value) for value in bad_vectors]
    calls += [lambda value=value: memory.nearest(vector=value) for value in bad_vectors]
    return calls


def test_no_verb_tells_what_it_was_told(ears: Ears, tmp_path: Path) -> None:
    embedder = Echoing(64)
    with Memory.open(
        tmp_path / "store", embedder=embedder, key=KEY, config=Config(guard=Guard(cool_down=0.01))
    ) as memory:
        for call in everything(memory, tmp_path):
            ears.let(call)
        for error in (EmbedderUnavailableError("down"), EmbedderError("500"), RuntimeError("boom")):
            embedder.error = error
            for call in everything(memory, tmp_path / "again"):
                ears.let(call)
        ears.heard.write(repr(memory) + repr(memory.stats()) + repr(memory.limits))
    for call in everything(memory, tmp_path):  # it is closed
        ears.let(call)
    ears.let(lambda: Memory.open(tmp_path / "store", key=KEY))
    ears.let(lambda: Memory.open(tmp_path / "store"))
    ears.let(lambda: Memory.open(tmp_path / "store", key=OTHER, embedder=HashingEmbedder(32)))
    assert ears.errors > 150
    ears.check()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE payloads SET text = text || 'x'",
        "UPDATE memories SET metadata = substr(metadata, 1, length(metadata) - 3)",
        "UPDATE memories SET tier = tier || '!'",
        "UPDATE payloads SET vector = x'00'",
        "DELETE FROM log WHERE seq = 2",
        "UPDATE memories SET time = 1 << 62",
    ],
)
def test_damage_is_told_without_what_was_damaged(ears: Ears, tmp_path: Path, damage: str) -> None:
    with Memory.open(tmp_path / "store", key=KEY, embedder=HashingEmbedder(64)) as memory:
        memory.remember_many([{"text": TEXT, "metadata": METADATA}, {"text": TEXT, "vector": VECTOR}])
    with sqlite3.connect(tmp_path / "store" / "store.db") as connection:
        connection.execute(damage)
    connection.close()
    for path in (tmp_path / "store" / "cache").rglob("*"):
        path.unlink()
    memory = ears.let(lambda: Memory.open(tmp_path / "store", key=KEY, embedder=HashingEmbedder(64)))
    if memory is not None:
        for number, call in enumerate(everything(memory, tmp_path / "out")):
            if number > 8:
                ears.let(call)
        ears.let(memory.close)
    ears.check()


def test_a_hostile_or_failing_server_makes_nobody_tell(ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", f"{CANARY}-api-key")
    echoes = [
        faults.status(400, f"cannot encode: {TEXT}"),
        faults.status(500, f"{TEXT} {METADATA}"),
        faults.bad_json(f'{{"model": "{TEXT}'),
        faults.redirect("http://127.0.0.1:1/"),
        faults.drop(),
        faults.delay(2.0),
        faults.wrong_width(3),
        faults.not_a_number(),
    ]
    with OllamaServer() as server:
        encoder = OllamaEmbedder("tinyemb", host=server.url, timeout=0.5)
        with Memory.open(":memory:", embedder=encoder, config=Config(guard=Guard(cool_down=0.001))) as memory:
            memory.remember(TEXT)
            for number, fault in enumerate(echoes):
                for act in (memory.remember, memory.recall):
                    server.fail(fault)
                    ears.let(lambda act=act, number=number: act(f"{TEXT} {number} {act.__name__}"))
                    server.heal()
    for host in (f"http://me:{CANARY}@127.0.0.1:1", f"ftp://{CANARY}", f"http://127.0.0.1:99999/{CANARY}"):
        ears.let(lambda host=host: OllamaEmbedder("tinyemb", host=host))
    assert ears.errors >= 8
    ears.check()


def test_the_command_line_logs_nothing_and_tells_no_key(
    ears: Ears, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THE_KEY", KEY.decode())
    (tmp_path / "key").write_bytes(OTHER)
    (tmp_path / "chat.jsonl").write_text(f'{{"text": "{TEXT}"}}\n{{"txt": "{TEXT}"}}\n')
    lines = [
        ["remember", TEXT, "--key-env", "THE_KEY"],
        ["remember", TEXT, "--metadata", f"{CANARY}{{", "--key-env", "THE_KEY"],
        ["remember", "--file", str(tmp_path / "chat.jsonl"), "--key-env", "THE_KEY"],
        ["list", "--where", f'{{"metadata.a": {{"$in": "{CANARY}"}}}}'],
        ["list", "--where", f"{CANARY}"],
        ["doctor", "--key-env", "THE_KEY"],
        ["verify", "--key-env", "THE_KEY"],
        ["verify", "--key-file", str(tmp_path / "key")],
        ["rekey", "--key-env", "THE_KEY", "--new-key-file", str(tmp_path / "key")],
        ["stats", "--key-env", "THE_KEY"],
    ]
    for command, *rest in lines:
        ears.let(lambda command=command, rest=rest: main([command, "--store", str(tmp_path / "store"), *rest]))
    with OllamaServer(otherwise=lambda _: Reply(pieces=(f"{CANARY}",)), models=[ServedModel(name="tiny")]) as server:
        chat = ["chat", "--store", str(tmp_path / "store"), "--key-file", str(tmp_path / "key"), "--model", "tiny"]
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTION}\n"))
        ears.let(lambda: main([*chat, "--host", server.url]))
        capsys.readouterr()
        server.fail(faults.status(500, TEXT), times=None)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTION}\n"))
        ears.let(lambda: main([*chat, "--host", server.url]))
    ears.check()
    captured = capsys.readouterr()
    assert captured.err
    assert "-key-" not in captured.out + captured.err
