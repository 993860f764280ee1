"""The parser, and the outermost edge: every error ends here as one line and an exit code.

0 done · 1 the doctor found something wrong · 2 an error · 130 interrupted · 141 nobody reads the output any more.
The body of a command is imported when the command runs.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from mnemoloom.__about__ import __version__
from mnemoloom.cli.encryption_keys import add_key_options
from mnemoloom.cli.screen import emit, visible
from mnemoloom.errors import LoomError
from mnemoloom.records import Tier
from mnemoloom.trust import TRUST

__all__ = ["build_parser", "main"]

_LOCAL_OLLAMA = "http://127.0.0.1:11434"
_TIERS = [tier.value for tier in Tier]
_TIER_NAMES = " or ".join((", ".join(_TIERS[:-1]), _TIERS[-1]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = build_parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter gets its code
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int = import_module(f"mnemoloom.cli.{arguments.module}").run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_stdout()
        return 141
    except KeyboardInterrupt:
        return 130
    except (LoomError, OSError) as error:
        return _report(error, as_json=arguments.json)
    return code


def _report(error: LoomError | OSError, *, as_json: bool) -> int:
    print(f"mnemoloom: {visible(' '.join(str(error).split()))}", file=sys.stderr)
    if as_json:
        emit({"error": {"type": type(error).__name__, "message": str(error)}})
    return 2


def _let_go_of_stdout() -> None:
    # else the interpreter flushes at exit, and complains
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options; `module` names the module that has its `run`."""
    parser = argparse.ArgumentParser(
        prog="mnemoloom", description="Long-term memory for LLM agents, in one folder on your disk."
    )
    parser.add_argument("--version", action="version", version=f"mnemoloom {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, summary, configure in _COMMANDS:
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        command.set_defaults(module=module, command=name)
        _add_common(command, store=None if name == "demo" else "./memory")
        configure(command)
    return parser


def _add_common(command: argparse.ArgumentParser, *, store: str | None) -> None:
    common = command.add_argument_group("store")
    common.add_argument(
        "--store", metavar="DIR", default=store, help=f"the folder of the store (default: {store or 'a temporary one'})"
    )
    names = common.add_mutually_exclusive_group()
    names.add_argument("--namespace", metavar="A/B", help="whose memories, labels separated by / (default: default)")
    names.add_argument(
        "--label", metavar="LABEL", action="append", help="one label; repeat it for labels that hold a /"
    )
    common.add_argument(
        "--embedder",
        metavar="SPEC",
        default="none",
        help="none, hashing, hashing:WIDTH, ollama:MODEL or sentence-transformers:NAME_OR_FOLDER (default: none)",
    )
    keys = common.add_mutually_exclusive_group()
    keys.add_argument("--key-file", metavar="FILE", help="the file that holds the key of a signed log")
    keys.add_argument("--key-env", metavar="NAME", help="the environment variable that holds the key of a signed log")
    add_key_options(common)
    common.add_argument("--json", action="store_true", help="answer in JSON on standard output")


def _add_demo(command: argparse.ArgumentParser) -> None:
    _add_model(command, required=False)


def _add_remember(command: argparse.ArgumentParser) -> None:
    command.add_argument("text", metavar="TEXT", nargs="?", help="what to remember")
    command.add_argument(
        "--file", metavar="FILE", help='JSON Lines with {"text": …} to remember; - reads standard input'
    )
    command.add_argument("--speaker", help="who said it")
    command.add_argument("--session", help="the conversation it belongs to")
    command.add_argument("--time", help="when it was said, in ISO 8601 (default: now)")
    command.add_argument("--metadata", metavar="JSON", help="a JSON object")
    command.add_argument("--id", metavar="ID", help="your own id; the same one again replaces the memory")
    command.add_argument("--ttl", metavar="SECONDS", type=float, help="how long it lasts (default: for ever)")
    command.add_argument(
        "--gate",
        metavar="BUDGET",
        type=float,
        help="keep what named speakers say without telling much cold; the share to write, such as .825 (default: all)",
    )
    command.add_argument("--source", help="where it came from, for all texts that do not say so themselves")
    command.add_argument("--trust", choices=TRUST, help="how far it is trusted (default: user)")


def _add_recall(command: argparse.ArgumentParser) -> None:
    command.add_argument("query", metavar="QUERY", help="what to ask")
    _add_question(command)
    command.add_argument("--expand", metavar="N", type=int, default=0, help="show up to N neighbours of each hit")


def _add_why(command: argparse.ArgumentParser) -> None:
    command.add_argument("query", metavar="QUERY", help="what was asked")
    _add_id(command)
    _add_question(command)


def _add_id(command: argparse.ArgumentParser) -> None:
    command.add_argument("id", metavar="ID", help="the memory: its number, or your own id")
    _add_own(command)


def _add_own(command: argparse.ArgumentParser) -> None:
    command.add_argument("--own", action="store_true", help="an ID of digits is your own id, too, not a number")


def _add_history(command: argparse.ArgumentParser) -> None:
    _add_id(command)
    command.add_argument(
        "--ask", metavar="QUERY", help="ask this first, and note which memories take the place of which"
    )


def _add_topics(command: argparse.ArgumentParser) -> None:
    command.add_argument("-k", metavar="N", type=int, help="only the N largest")


def _add_related(command: argparse.ArgumentParser) -> None:
    _add_id(command)
    command.add_argument("-k", metavar="N", type=int, default=5, help="how many, at most (default: 5)")


def _add_forget(command: argparse.ArgumentParser) -> None:
    command.add_argument("ids", metavar="ID", nargs="+", help="a memory: its number, or your own id")
    _add_own(command)


def _add_pin(command: argparse.ArgumentParser) -> None:
    _add_id(command)
    command.set_defaults(tier="persistent")


def _add_move(command: argparse.ArgumentParser) -> None:
    _add_id(command)
    command.add_argument("tier", metavar="TIER", choices=_TIERS, help="long_term, persistent (which pins it) or cold")


def _add_list(command: argparse.ArgumentParser) -> None:
    _add_where(command)
    command.add_argument("--limit", metavar="N", type=int, default=100, help="how many, at most (default: 100)")
    command.add_argument("--after-id", metavar="N", type=int, default=0, help="go on after the memory of this number")


def _add_calibrate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--file", metavar="FILE", required=True, help="a question on each line; - reads standard input"
    )
    command.add_argument(
        "--keep", metavar="SHARE", type=float, default=0.9, help="how many of such are to pass (default: 0.9)"
    )


def _add_where(command: argparse.ArgumentParser) -> None:
    command.add_argument("--where", metavar="JSON", help='a filter, such as \'{"metadata.city": "Oslo"}\'')


def _add_question(command: argparse.ArgumentParser) -> None:
    command.add_argument("-k", type=int, default=5, help="how many memories, at most (default: 5)")
    command.add_argument("--profile", help="auto, dialogue, assistant, document, dense, lexical or concert")
    _add_where(command)
    command.add_argument("--speaker", action="append", help="only what this speaker said; may be repeated")
    command.add_argument("--session", action="append", help="only this session; may be repeated")
    command.add_argument("--topic", metavar="N", type=int, action="append", help="only this topic; may be repeated")
    command.add_argument("--after", metavar="TIME", help="only from this time on")
    command.add_argument("--before", metavar="TIME", help="only before this time")
    command.add_argument("--as-of", metavar="TIME", help="only what had been said by then; 2026-05 is the end of May")
    command.add_argument(
        "--tier", metavar="TIER", choices=_TIERS, action="append", help=f"only this tier: {_TIER_NAMES}"
    )
    command.add_argument(
        "--min-confidence",
        metavar="C",
        help="no answer below this confidence, from 0 to 1, or calibrated: what `calibrate` found, else .32",
    )
    command.add_argument("--min-trust", choices=TRUST, help="only what is trusted this far or further")
    command.add_argument(
        "--per-source", metavar="SHARE", type=float, help="the share of the hits that may come of one source, 0 to 1"
    )
    command.add_argument("--asker", metavar="SPEAKER", help='the speaker whom "I" stands for')


def _add_chat(command: argparse.ArgumentParser) -> None:
    _add_model(command, required=True)
    command.add_argument(
        "--user-name", metavar="NAME", default="user", help="the speaker of your lines (default: user)"
    )
    command.add_argument("--session", help="the name of this conversation (default: the time when it starts)")


def _add_model(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument("--model", metavar="NAME", required=required, help="a model of the Ollama server")
    command.add_argument("--host", metavar="URL", default=_LOCAL_OLLAMA, help=f"its address (default: {_LOCAL_OLLAMA})")


def _add_nothing(_: argparse.ArgumentParser) -> None:
    """For commands without options of their own."""


def _add_export(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="DIR", help="a new or empty folder for the bundle")


def _add_backup(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="DIR", help="a new or empty folder for the copy")


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="DIR", help="the folder of the bundle")
    command.add_argument(
        "--existing",
        choices=("refuse", "skip", "replace"),
        default="refuse",
        help="what to do with an id of yours that is known already (default: refuse the import); skip and replace "
        "also know memories without an id again, by text, speaker, session and time",
    )


def _add_doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument("--repair", action="store_true", help="mend what is derived: caches, indexes, leftovers")
    command.set_defaults(salvage=None)


def _add_repair(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--salvage", metavar="DIR", help="export every memory that is whole to a new folder, by namespace"
    )
    command.set_defaults(repair=True)


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seal", metavar="FILE", help="an earlier seal, kept elsewhere")
    command.add_argument("--past-key-file", metavar="FILE", action="append", help="a key from before a rekey")


def _add_seal(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", nargs="?", help="where to write it (default: standard output)")


def _add_prove(command: argparse.ArgumentParser) -> None:
    _add_id(command)
    command.add_argument("--seal", metavar="FILE", required=True, help="the seal to prove against")


def _add_rekey(command: argparse.ArgumentParser) -> None:
    command.add_argument("--new-key-file", metavar="FILE", help="the file that holds the new key")
    command.add_argument("--new-key-env", metavar="NAME", help="the environment variable that holds the new key")


def _add_quarantine(command: argparse.ArgumentParser) -> None:
    command.add_argument("--source", metavar="SOURCE", action="append", help="all of this source; may be repeated")
    _add_where(command)
    _add_keep_derived(command)


def _add_remove_source(command: argparse.ArgumentParser) -> None:
    command.add_argument("sources", metavar="SOURCE", nargs="+", help="a source, whose memories are erased")
    _add_keep_derived(command)


def _add_keep_derived(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keep-derived", action="store_true", help="leave alone what was derived from these memories")


def _add_erase(command: argparse.ArgumentParser) -> None:
    _add_where(command)
    command.set_defaults(verb="erase")


def _add_purge(command: argparse.ArgumentParser) -> None:
    command.set_defaults(verb="purge")


def _add_destroy(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="it is meant")
    command.set_defaults(verb="destroy")


def _add_encrypt(command: argparse.ArgumentParser) -> None:
    command.set_defaults(rewrap=False)


def _add_rewrap(command: argparse.ArgumentParser) -> None:
    add_key_options(command, prefix="new-", what="from now on")
    command.set_defaults(rewrap=True)


def _add_reembed(command: argparse.ArgumentParser) -> None:
    command.add_argument("--learn", action="store_true", help="first fit the token projection to this store's tokens")


def _add_sleep(command: argparse.ArgumentParser) -> None:
    either = command.add_mutually_exclusive_group()
    either.add_argument("--plan", action="store_true", help="change nothing, and tell what would be changed")
    either.add_argument(
        "--undo", metavar="ID", type=int, help="take back what the sleep of this number moved and merged"
    )
    command.add_argument(
        "--cold-share",
        metavar="SHARE",
        type=float,
        default=0.0,
        help="of each named speaker's memories, how many of the dullest go to the cold tier (default: 0)",
    )
    command.add_argument(
        "--duplicates",
        metavar="COSINE",
        type=float,
        default=0.92,
        help="from which what one speaker said twice is one thing; above 1, never (default: 0.92)",
    )


_COMMANDS = (
    ("demo", "demonstration", "remember a short conversation and ask about it", _add_demo),
    ("remember", "remember", "remember one text, or a file of them", _add_remember),
    ("recall", "recall", "find the memories that answer a question; asks without leaving a trace", _add_recall),
    ("why", "why", "say why a memory answers a question, or which stage lets it go", _add_why),
    (
        "history",
        "history",
        "show the versions of what a memory states, as far as questions brought them up",
        _add_history,
    ),
    ("topics", "topics", "show what the memories are about, and sort what has come since into it", _add_topics),
    ("related", "related", "show what belongs together with a memory", _add_related),
    ("list", "listing", "list memories in the order in which they were remembered", _add_list),
    ("forget", "forget", "remove memories, all that are named or none", _add_forget),
    ("pin", "placing", "keep a memory for good", _add_pin),
    ("move", "placing", "put a memory into a tier; a cold one is kept out of ordinary recall", _add_move),
    ("calibrate", "calibrate", "fit --min-confidence to questions that memory holds an answer to", _add_calibrate),
    ("chat", "chat", "talk with a model of a local Ollama server that remembers", _add_chat),
    ("stats", "stats", "count what a namespace and its store hold", _add_nothing),
    ("export", "exporting", "write a namespace to a bundle of plain files", _add_export),
    ("import", "importing", "add the memories of a bundle to a namespace", _add_import),
    ("sleep", "sleep", "put a namespace in order: repetitions, tiers, room; --undo takes it back", _add_sleep),
    ("backup", "backing_up", "copy the whole store to a new folder, while it is in use", _add_backup),
    ("doctor", "diagnosis", "look at a store and say whether it is well", _add_doctor),
    ("repair", "diagnosis", "mend what is derived, and name the memories that are damaged", _add_repair),
    ("verify", "evidence", "check every memory and every log entry against the chain", _add_verify),
    ("seal", "evidence", "write down what the log is now, to be kept elsewhere", _add_seal),
    ("prove", "evidence", "prove that a memory stood in the log when it was sealed", _add_prove),
    ("rekey", "evidence", "sign the log with another key from now on", _add_rekey),
    ("quarantine", "screening", "hide memories of a source, and what was derived from them", _add_quarantine),
    ("release", "screening", "bring back what is in quarantine", _add_quarantine),
    ("quarantined", "screening", "list what is in quarantine", _add_nothing),
    (
        "remove-source",
        "screening",
        "erase all memories of a source, and what was derived from them",
        _add_remove_source,
    ),
    ("reembed", "reembed", "encode what the embedder has not encoded yet", _add_reembed),
    ("erase", "erasing", "remove the memories that fit --where, so that no file keeps a trace", _add_erase),
    ("purge", "erasing", "erase the memories whose time is over", _add_purge),
    ("encrypt", "encrypting", "encrypt a store that was begun without a key", _add_encrypt),
    ("rewrap", "encrypting", "open an encrypted store with another key from now on", _add_rewrap),
    ("destroy-key", "erasing", "destroy the key of a namespace with everything in it", _add_destroy),
)
