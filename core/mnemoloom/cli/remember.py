"""`remember`: one text, or a file of JSON Lines in batches; a run that was broken off goes on where it stopped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

from mnemoloom.cli.json_lines import Line, read_line, read_lines
from mnemoloom.cli.opening import open_file, open_memory
from mnemoloom.cli.progress import progress_bar
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.cli.values import check_time
from mnemoloom.clock import to_millis
from mnemoloom.config import Config, Gate
from mnemoloom.errors import MetadataError, ValidationError
from mnemoloom.memory import Memory
from mnemoloom.records import Record

__all__ = ["run"]

_BATCH = 256
_OWN = ("speaker", "session", "time", "metadata", "id", "ttl")
_PROVENANCE = ("source", "trust")


def run(arguments: argparse.Namespace) -> int:
    """Remember what the options say."""
    if (arguments.text is None) == (arguments.file is None):
        raise ValidationError("remember takes either a TEXT or --file FILE")
    return _remember_text(arguments) if arguments.file is None else _remember_file(arguments)


def _remember_text(arguments: argparse.Namespace) -> int:
    check_time(arguments.time, "--time")
    values = {name: getattr(arguments, name) for name in ("text", *_OWN, *_PROVENANCE)}
    line = read_line(values | {"metadata": _metadata(arguments.metadata)}, external_id=arguments.id)
    with open_memory(arguments, config=_settings(arguments)) as memory:
        if line.named:
            added = _store(memory, [line])
            number = memory.get(arguments.id).id
        else:
            added, (number,) = 1, memory.remember_many([line.draft])
    return _answer(arguments, {"id": number, "added": added, "skipped": 1 - added})


def _remember_file(arguments: argparse.Namespace) -> int:
    for name in _OWN:
        if getattr(arguments, name) is not None:
            raise ValidationError(f"--{name} belongs to a TEXT; in a file, each line has its own {name}")
    added = skipped = 0
    with ExitStack() as stack:
        file = open_file(arguments.file, stack)
        memory = stack.enter_context(open_memory(arguments, config=_settings(arguments)))
        move = stack.enter_context(progress_bar(arguments, "remembering"))
        usual = {name: value for name in _PROVENANCE if (value := getattr(arguments, name)) is not None}
        lines = read_lines(file, name="standard input" if arguments.file == "-" else arguments.file, usual=usual)
        for batch in _batches(lines):
            new = _store(memory, batch)
            added, skipped = added + new, skipped + len(batch) - new
            if move:
                move(added + skipped, 0)
    return _answer(arguments, {"added": added, "skipped": skipped})


def _settings(arguments: argparse.Namespace) -> Config:
    return Config(gate=None if arguments.gate is None else Gate(budget=arguments.gate))


def _answer(arguments: argparse.Namespace, done: dict[str, int]) -> int:
    if arguments.json:
        emit(done)
    elif "id" in done:
        print(f"remembered as #{done['id']}" if done["added"] else f"known already, as #{done['id']}")
    else:
        rows = [("added", f"{done['added']:,}"), ("known already", f"{done['skipped']:,}")]
        print(Screen.of_stdout().columns(rows))
    return 0


def _metadata(given: str | None) -> Any:  # noqa: ANN401 - read_line judges it
    try:
        return None if given is None else json.loads(given)
    except (ValueError, RecursionError) as error:
        raise MetadataError(f"--metadata must be a JSON object; got {given!r}") from error


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(islice(lines, _BATCH)):
        yield batch


def _store(memory: Memory, batch: list[Line]) -> int:
    """Remember what is not known as it is; how many memories that made."""
    known = {line.draft.external_id for line in batch if line.named and line.draft.external_id in memory}
    same = {key for line in batch if (key := line.draft.external_id) in known and _says_the_same(memory, line)}
    wanted = [line for line in batch if line.draft.external_id not in same]
    if known == same:
        before = len(memory)
        memory.remember_many([line.draft for line in wanted], existing="skip")
        return len(memory) - before
    # some replace what is there, so what is to be skipped is left out here
    wanted = [line for line in wanted if line.named or line.draft.external_id not in memory]
    memory.remember_many([line.draft for line in wanted], existing="replace")
    return len(wanted)


def _says_the_same(memory: Memory, line: Line) -> bool:
    held: Record = memory.get(str(line.draft.external_id))
    said = line.checked
    return (
        (held.text, held.speaker, held.session, held.source, held.trust)
        == (said.text, said.speaker, said.session, said.source, said.trust)
        and dict(held.metadata) == json.loads(said.metadata)
        and (not line.timed or to_millis(held.time) == said.time)
    )
