"""Reading a query: whom it names, which date it states, whether it asks for the newest or the first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mnemoloom.lexical import Analyzer
from mnemoloom.recall.cues import Cues
from mnemoloom.recall.dates import DateCue, read_date
from mnemoloom.recall.speakers import Names, is_reply, is_user

__all__ = ["Query", "read_query"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query as recall understands it.

    text: what the caller asked. topic: the same without the names of speakers (a name inside a
    memory is said *to* its bearer: matching it finds the other speaker's turns).
    speaker: the one known speaker that it names or means by a pronoun.
    recency: +1 asks for the newest, −1 for the first, 0 for neither.
    asks_reply: asks what the assistant said.
    """

    text: str
    topic: str
    terms: tuple[str, ...]
    topic_terms: tuple[str, ...]
    speaker: str | None
    date: DateCue | None
    recency: int
    asks_reply: bool


def read_query(
    text: str, *, labels: Iterable[str], names: Names, analyzer: Analyzer, cues: Cues, asker: str | None = None
) -> Query:
    """Read `text` against the speaker `labels` of a namespace.

    `asker` is the label that "I" and "my" stand for; without it, the label that is the user's role.
    """
    topic, named = names.split(text)
    lower, terms = text.lower(), tuple(dict.fromkeys(analyzer.terms(text)))
    first, newest = cues.first.search(lower), cues.newest.search(lower)
    return Query(
        text=text,
        topic=topic or text,
        terms=terms,
        topic_terms=terms if topic == text else tuple(dict.fromkeys(analyzer.terms(topic))),
        speaker=next(iter(named)) if len(named) == 1 else _meant(text, list(labels), analyzer, cues, asker, named),
        date=read_date(text, cues.months),
        recency=0 if bool(first) == bool(newest) else 1 if newest else -1,
        asks_reply=bool(cues.asks_reply.search(lower)),
    )


def _meant(
    text: str, labels: list[str], analyzer: Analyzer, cues: Cues, asker: str | None, named: frozenset[str]
) -> str | None:
    """The speaker meant by a pronoun, when no name says otherwise."""
    if named:
        return None
    words = set(analyzer.words(text))
    if words & cues.me:
        return asker if asker in labels else next(filter(is_user, labels), None)
    if words & cues.you:
        return next(filter(is_reply, labels), None)
    return None
