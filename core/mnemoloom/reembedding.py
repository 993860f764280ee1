"""Encoding every memory again, after a change of encoder or with a projection learned from the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mnemoloom.chain import Signer
from mnemoloom.embedders.checking import checked_tokens
from mnemoloom.errors import EmbedderError
from mnemoloom.ports import TokenEmbedder
from mnemoloom.recall.encoding import Encoding
from mnemoloom.recall.late import principal_projection
from mnemoloom.recall.speakers import REPLY_ROLES
from mnemoloom.storage import Store, memories
from mnemoloom.storage.facts import read_facts, write_fact
from mnemoloom.storage.memories import StoredPayload

__all__ = ["Progress", "count_waiting", "learn_projection", "reembed"]

Progress = Callable[[int, int], None]

_FROM = """
FROM payloads p
WHERE p.id > ? AND (p.encoder IS NULL OR p.encoder <> ? OR ?)
AND (p.encoder IS NOT 'caller' OR length(p.vector) <> 4 * ?) AND EXISTS (
    SELECT 1 FROM memories m WHERE m.payload = p.id AND (m.expires IS NULL OR m.expires > now_ms())
    AND (? OR m.speaker IS NULL OR lower(m.speaker) NOT IN (SELECT value FROM json_each(?))))
"""
_WAITING = "".join(("SELECT p.id, p.namespace, p.pointer, p.variant, p.text ", _FROM, " ORDER BY p.id LIMIT ?"))
_COUNT = "".join(("SELECT count(*) ", _FROM))
_ONE_OF_CALLERS = """
SELECT p.text FROM payloads p JOIN memories m ON m.payload = p.id WHERE p.encoder = 'caller'
AND (m.expires IS NULL OR m.expires > now_ms()) LIMIT 1
"""
_SAMPLE = 400


class _Text(NamedTuple):
    payload: int
    namespace: int
    pointer: bytes
    variant: bytes
    text: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which payloads to encode: those after a number that the encoder has not encoded, or `everything`.

    Vectors that callers brought along stay, as long as they have the encoder's width.
    """

    identity: str
    encode_replies: bool
    width: int
    everything: bool = False
    after: int = 0

    def texts(self, connection: sqlite3.Connection, limit: int = -1) -> list[_Text]:
        return [_Text(*row) for row in connection.execute(_WAITING, (*self._values(), limit))]

    def count(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute(_COUNT, self._values()).fetchone()[0])

    def _values(self) -> tuple[object, ...]:
        roles = json.dumps(sorted(REPLY_ROLES))
        return (self.after, self.identity, self.everything, self.width, self.encode_replies, roles)


def reembed(
    store: Store,
    encoding: Encoding,
    *,
    signer: Signer,
    encode_replies: bool,
    batch_size: int,
    progress: Progress | None,
    now: int,
) -> int:
    """Encode what the encoder has not encoded yet, batch by batch; how many texts that were.

    Each batch is a transaction of its own. A run that was broken off goes on where it stopped, also one that
    brings a newly learned projection to all memories.
    """
    with store.reading() as connection:
        facts = read_facts(connection)
    reached = facts.unfinished if facts.encoder == encoding.identity else None
    width = encoding.width or _find_width(store, encoding)
    wanted = _Wanted(encoding.identity, encode_replies, width, everything=reached is not None, after=reached or 0)
    with store.reading() as connection:
        total = wanted.count(connection)
    done = 0
    for batch in _batches(store, wanted, batch_size):
        _store(store, encoding, batch, signer=signer, now=now)
        done += len(batch)
        if progress:
            progress(done, total)
    _transact(store, lambda connection: _adopt(connection, encoding))
    _transact(store, lambda connection: write_fact(connection, "unfinished", None))
    return done


def count_waiting(store: Store, identity: str, *, encode_replies: bool) -> int:
    """How many texts the encoder of that identity has not encoded."""
    with store.reading() as connection:
        width = read_facts(connection).width or 0
        return _Wanted(identity, encode_replies, width).count(connection)


def _find_width(store: Store, encoding: Encoding) -> int:
    """How wide the encoder's vectors are; asked for only if there are callers' vectors to compare them with."""
    with store.reading() as connection:
        row = connection.execute(_ONE_OF_CALLERS).fetchone()
    return len(encoding.texts([row[0]])[0].row) if row else 0


def learn_projection(store: Store, encoding: Encoding, *, width: int, encode_replies: bool) -> None:
    """Fit the token projection (PCA) to the store's own tokens and keep it; the memories' codes are to follow.

    Raises EmbedderError if the encoder shows no tokens, or the store has too few to learn from.
    """
    embedder = encoding.asked
    if not isinstance(embedder, TokenEmbedder):
        raise EmbedderError(f"{encoding.identity} shows no token vectors to learn a projection from")
    with store.reading() as connection:
        everything = _Wanted(encoding.identity, encode_replies, encoding.width or 0, everything=True)
        texts = [each.text for each in everything.texts(connection)]
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    _, shown = embedder.embed_tokens(sample) if sample else (None, [])
    vectors = [each.vectors for each in checked_tokens(shown, count=len(sample), identity=encoding.identity)]
    if sum(map(len, vectors)) < width:
        raise EmbedderError(f"a projection to {width} dimensions needs at least {width} tokens to learn from")
    projection = principal_projection(np.concatenate(vectors), width)
    stacked = projection.stacked()

    def work(connection: sqlite3.Connection) -> None:
        _adopt(connection, encoding)
        write_fact(connection, "unfinished", b"0")
        write_fact(connection, "token_width", str(projection.basis.shape[1]).encode())
        write_fact(connection, "projection", len(stacked).to_bytes(4, "little") + stacked.tobytes())

    store.transact(work, publish=lambda _: encoding.adopt(len(stacked) - 1, stacked), abandon=lambda: None)


def _adopt(connection: sqlite3.Connection, encoding: Encoding) -> None:
    """Make this the store's encoder; what belongs to the one before it goes."""
    if read_facts(connection).encoder != encoding.identity:
        write_fact(connection, "encoder", encoding.identity.encode())
        for fact in ("width", "token_width", "projection", "unfinished"):
            write_fact(connection, fact, None)


def _store(store: Store, encoding: Encoding, batch: list[_Text], *, signer: Signer, now: int) -> None:
    encoded = encoding.texts([each.text for each in batch])

    def work(connection: sqlite3.Connection) -> None:
        _adopt(connection, encoding)
        write_fact(connection, "width", str(len(encoded[0].row)).encode())
        if any(codes is not None for _, codes in encoded):
            write_fact(connection, "token_width", str(encoding.token_width).encode())
        if read_facts(connection).unfinished is not None:
            write_fact(connection, "unfinished", str(batch[-1].payload).encode())
        for each, (row, codes) in zip(batch, encoded, strict=True):
            tokens = None if codes is None else codes.tobytes()
            payload = StoredPayload(row.astype("<f4").tobytes(), tokens, encoding.identity)
            # While the batch was encoded, the text may have gone, and its number may name another one.
            if memories.holds(connection, each.payload, each.pointer, each.variant):
                memories.update_vectors(connection, each.namespace, [(each.payload, payload)], now=now, signer=signer)

    _transact(store, work)


def _transact(store: Store, work: Callable[[sqlite3.Connection], None]) -> None:
    store.transact(work, publish=lambda _: None, abandon=lambda: None)


def _batches(store: Store, wanted: _Wanted, size: int) -> Iterator[list[_Text]]:
    while True:
        with store.reading() as connection:
            batch = wanted.texts(connection, size)
        if not batch:
            return
        yield batch
        wanted = replace(wanted, after=batch[-1].payload)
