"""`verify`, `seal`, `prove` and `rekey`: that nothing was forged."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from mnemoloom.cli.keys import key_from_environment, key_from_file
from mnemoloom.cli.opening import open_memory, require_store
from mnemoloom.cli.screen import Screen, emit
from mnemoloom.cli.values import key_of
from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.storage.verify import VerifyReport

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Do what the command's name says; exit code 1 if `verify` finds damage."""
    require_store(arguments)
    work = {"verify": _verify, "seal": _seal, "prove": _prove, "rekey": _rekey}[arguments.command]
    return work(arguments)


def _verify(arguments: argparse.Namespace) -> int:
    past = [key_from_file(name) for name in arguments.past_key_file or ()]
    with open_memory(arguments, read_only=True) as memory:
        found = memory.verify(seal=arguments.seal, past_keys=past)
    if arguments.json:
        emit(asdict(found))
    else:
        print(_described(Screen.of_stdout(), found))
    return 0 if found.ok else 1


def _described(screen: Screen, found: VerifyReport) -> str:
    rows = [
        ("memories", f"{found.memories:,}"),
        ("log entries", f"{found.entries:,}"),
        ("anchor", found.anchor),
        ("evidence", _EVIDENCE[found.level]),
        *([("key", found.key_id)] if found.key_id else []),
        *([("broken at", f"log entry {found.broken_at}")] if found.broken_at is not None else []),
    ]
    verdict = "everything is as it was logged" if found.ok else f"damaged: {found.problem}"
    return f"{screen.columns(rows, indent=0)}\n{screen.bold(screen.wrapped(verdict, indent=0))}"


def _seal(arguments: argparse.Namespace) -> int:
    with open_memory(arguments, read_only=True) as memory:
        sealed = memory.seal(arguments.file)
    if arguments.json or arguments.file is None:
        emit(json.loads(sealed.to_json()))
    else:
        print(f"sealed {sealed.seq:,} log entries in {arguments.file}; keep it where this store's writers cannot write")
    return 0


def _prove(arguments: argparse.Namespace) -> int:
    with open_memory(arguments, read_only=True) as memory:
        proof = memory.prove(key_of(arguments.id, arguments), arguments.seal)
    emit(json.loads(proof.to_json()))
    return 0


def _rekey(arguments: argparse.Namespace) -> int:
    if (arguments.new_key_file is None) == (arguments.new_key_env is None):
        raise ConfigError("rekey needs the new key: --new-key-file FILE or --new-key-env NAME")
    key = (
        key_from_file(arguments.new_key_file)
        if arguments.new_key_file is not None
        else key_from_environment(arguments.new_key_env)
    )
    with open_memory(arguments) as memory:
        memory.rekey(key)
        found = memory.verify()
    if not found.ok:
        raise ValidationError(f"the log was damaged before: {found.problem}")
    if arguments.json:
        emit({"key_id": found.key_id, "entries": found.entries})
    else:
        print(f"the log is signed with key {found.key_id} from now on; keep the key, it is stored nowhere")
    return 0


_EVIDENCE = {
    "accident-only": "accidents would show, forgery by who can write the file would not: no key was given",
    "keyed": "only who has the key could have written this log",
    "accident-only+seal": "nothing before the seal was cut off or put back; no key was given",
    "keyed+seal": "only who has the key could have written this log; nothing before the seal was cut off or put back",
}
