"""`chat`: a conversation in the terminal with a model that remembers.

A turn is: recall, ask, show the answer as it comes, remember question and answer together. A turn that fails
leaves nothing in the memory.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator

from mnemoloom.cli.chat_model import ChatModel, Message
from mnemoloom.cli.hits import describe_hit, hit_object
from mnemoloom.cli.opening import open_memory
from mnemoloom.cli.prompting import prompt
from mnemoloom.cli.questions import tell_of_unused_vectors
from mnemoloom.cli.screen import Screen, emit, visible
from mnemoloom.clock import SystemClock, from_millis
from mnemoloom.errors import ChatModelError, ValidationError
from mnemoloom.memory import Memory
from mnemoloom.records import Draft, RecallResult

__all__ = ["Conversation", "run"]

_RECALLED = 6
_HISTORY = 8  # messages
_HELP = "commands: /memories shows what was recalled for your last line, /quit ends the chat"


class Conversation:
    """A chat with a memory: `recalled` is what was found for the last turn."""

    def __init__(self, memory: Memory, model: ChatModel, *, user: str, session: str) -> None:
        self._memory, self._model, self._user, self.session = memory, model, user, session
        self._history: deque[Message] = deque(maxlen=_HISTORY)
        self.recalled: RecallResult | None = None

    def say(self, line: str) -> Iterator[str]:
        """The pieces of the answer; both sides are remembered when the iterator has ended, and not before.

        Raises
        ------
        TextError, EmbedderError, ChatModelError, StoreError: nothing was remembered.
        """
        found = self.recalled = self._memory.recall(line, k=_RECALLED, asker=self._user)
        pieces: list[str] = []
        for piece in self._model.answer(prompt(line, (hit.record for hit in found), self._history)):
            pieces.append(piece)
            yield piece
        answer = "".join(pieces)
        if not answer.strip():
            raise ChatModelError(f"{self._model.model} answered with nothing; ask again")
        source = f"ollama/{self._model.model}"
        question = Draft(text=line, speaker=self._user, session=self.session)
        reply = Draft(
            text=answer.replace("\0", ""), speaker="assistant", session=self.session, source=source, trust="model"
        )
        self._memory.remember_many([question, reply])
        self._history += [Message(role="user", content=line), Message(role="assistant", content=answer)]


def run(arguments: argparse.Namespace) -> int:
    """Chat until /quit or the end of the input; 2 if a turn failed and there was nobody to see it."""
    session = arguments.session or from_millis(round(SystemClock().now() * 1000)).isoformat(timespec="seconds")
    model = ChatModel(arguments.model, host=arguments.host)
    with open_memory(arguments) as memory:
        tell_of_unused_vectors(memory)
        conversation = Conversation(memory, model, user=arguments.user_name, session=session)
        return _json_turns(conversation) if arguments.json else _terminal_turns(conversation, len(memory))


def _terminal_turns(conversation: Conversation, known: int) -> int:
    screen, failed = Screen.of_stdout(), False
    attended = sys.stdin.isatty()
    if attended:
        print(screen.dim(f"{known:,} memories; {_HELP}"))
    for line in _typed(screen.bold("you > ") if attended else ""):
        if line == "/memories":
            _show(screen, conversation.recalled)
        elif line.startswith("/"):
            print(_HELP)
        else:
            try:
                _print_pieces(conversation.say(line))
            except (ChatModelError, ValidationError) as error:  # the next line may fare better
                print(f"\nmnemoloom: {visible(str(error))}", file=sys.stderr)
                failed = True
    return 2 if failed and not attended else 0


def _json_turns(conversation: Conversation) -> int:
    failed = False
    for line in _typed(""):
        try:
            answer = "".join(conversation.say(line))
        except (ChatModelError, ValidationError) as error:
            print(f"mnemoloom: {visible(str(error))}", file=sys.stderr)
            emit({"user": line, "error": {"type": type(error).__name__, "message": str(error)}})
            failed = True
            continue
        hits = [hit_object(hit, rank) for rank, hit in enumerate(conversation.recalled or (), 1)]
        emit({"user": line, "assistant": answer, "session": conversation.session, "memories": hits})
    return 2 if failed else 0


def _typed(ask: str) -> Iterator[str]:
    """The lines of standard input up to /quit, blank ones left out."""
    while True:
        try:
            line = input(ask).strip()
        except EOFError:
            return
        if line == "/quit":
            return
        if line:
            yield line


def _print_pieces(pieces: Iterable[str]) -> None:
    for piece in pieces:
        print(visible(piece, keep="\n\t"), end="", flush=True)
    print()


def _show(screen: Screen, found: RecallResult | None) -> None:
    if not found:
        print("nothing was recalled")
        return
    for rank, hit in enumerate(found, 1):
        print(describe_hit(screen, hit, rank, among=found))
    print(f"confidence {found.confidence:.2f}")
