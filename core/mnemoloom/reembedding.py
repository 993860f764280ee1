"""Encoding every memory again, after a change of encoder or with a projection learned from the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mnemoloom.errors import EmbedderError
from mnemoloom.ports import TokenEmbedder
from mnemoloom.recall.encoding import Encoding
from mnemoloom.recall.late import Projection, principal_projection
from mnemoloom.recall.speakers import REPLY_ROLES
from mnemoloom.storage import Store, memories
from mnemoloom.storage.facts import read_facts, write_fact
from mnemoloom.storage.memories import StoredPayload

__all__ = ["count_waiting", "learn_projection", "reembed"]

Progress = Callable[[int, int], None]

_WAITING = """
SELECT p.id, p.namespace, p.text FROM payloads p
WHERE p.id > ? AND (p.encoder IS NULL OR p.encoder <> ? OR ?) AND EXISTS (
    SELECT 1 FROM memories m WHERE m.payload = p.id
    AND (? OR m.speaker IS NULL OR lower(m.speaker) NOT IN (SELECT value FROM json_each(?))))
ORDER BY p.id LIMIT ?
"""
_SAMPLE = 400


def reembed(
    store: Store,
    encoding: Encoding,
    *,
    store_id: str,
    encode_replies: bool,
    everything: bool,
    batch_size: int,
    progress: Progress | None,
    now: int,
) -> int:
    """Encode what the encoder has not encoded yet, batch by batch; how many texts that were.

    Each batch is a transaction of its own, and a run that was broken off goes on where it stopped.
    `everything` encodes also what this encoder has encoded before.
    """
    total = count_waiting(store, encoding.identity, encode_replies=encode_replies, everything=everything)
    done = 0
    for batch in _batches(store, encoding.identity, encode_replies, everything, batch_size):
        encoded = encoding.texts([text for _, _, text in batch])
        payloads = [
            StoredPayload(row.astype("<f4").tobytes(), None if codes is None else codes.tobytes(), encoding.identity)
            for row, codes in encoded
        ]
        _store(store, encoding, batch, payloads, store_id=store_id, learned=everything, now=now)
        done += len(batch)
        if progress:
            progress(done, total)
    return done


def count_waiting(store: Store, identity: str, *, encode_replies: bool, everything: bool = False) -> int:
    """How many texts the encoder of that identity has not encoded."""
    with store.reading() as connection:
        return len(_waiting(connection, 0, identity, encode_replies, everything, -1))


def learn_projection(store: Store, encoding: Encoding, *, width: int, encode_replies: bool) -> None:
    """Fit the token projection (PCA) to the store's own tokens and keep it with the store.

    Raises EmbedderError if the encoder shows no tokens, or the store has too few to learn from.
    """
    embedder = encoding.embedder
    if not isinstance(embedder, TokenEmbedder):
        raise EmbedderError(f"{encoding.identity} shows no token vectors to learn a projection from")
    with store.reading() as connection:
        texts = [text for _, _, text in _waiting(connection, 0, encoding.identity, encode_replies, True, -1)]
    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    _, shown = embedder.embed_tokens(sample)
    tokens = np.concatenate([each.vectors for each in shown]) if shown else np.zeros((0, 1), np.float32)
    if len(tokens) < width:
        raise EmbedderError(f"a projection to {width} dimensions needs at least {width} tokens; got {len(tokens)}")
    projection = principal_projection(tokens, width)
    stacked = np.vstack((projection.mean, projection.basis.T)).astype("<f4")

    def work(connection: sqlite3.Connection) -> None:
        write_fact(connection, "token_width", str(projection.basis.shape[1]).encode())
        write_fact(connection, "projection", len(stacked).to_bytes(4, "little") + stacked.tobytes())

    store.transact(work, publish=lambda _: encoding.learn(projection), abandon=lambda: None)


def stored_projection(stacked: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None) -> Projection | None:
    """A projection as the store keeps it: mean and directions, stacked."""
    return None if stacked is None else Projection(stacked[0], np.ascontiguousarray(stacked[1:].T))


def _store(
    store: Store,
    encoding: Encoding,
    batch: Sequence[tuple[int, int, str]],
    payloads: Sequence[StoredPayload],
    *,
    store_id: str,
    learned: bool,
    now: int,
) -> None:
    def work(connection: sqlite3.Connection) -> None:
        facts = read_facts(connection)
        if (facts.encoder, facts.width) != (encoding.identity, encoding.width):
            write_fact(connection, "encoder", encoding.identity.encode())
            write_fact(connection, "width", str(encoding.width).encode())
            if not learned:
                write_fact(connection, "projection", None)  # it was learned from another encoder's tokens
        if any(payload.tokens for payload in payloads):
            write_fact(connection, "token_width", str(encoding.token_width).encode())
        for (number, namespace, _), payload in zip(batch, payloads, strict=True):
            memories.update_vectors(connection, namespace, [(number, payload)], now=now, store=store_id)

    store.transact(work, publish=lambda _: None, abandon=lambda: None)


def _batches(
    store: Store, identity: str, encode_replies: bool, everything: bool, size: int
) -> Iterator[list[tuple[int, int, str]]]:
    last = 0
    while True:
        with store.reading() as connection:
            batch = _waiting(connection, last, identity, encode_replies, everything, size)
        if not batch:
            return
        yield batch
        last = batch[-1][0]


def _waiting(
    connection: sqlite3.Connection, after: int, identity: str, encode_replies: bool, everything: bool, limit: int
) -> list[tuple[int, int, str]]:
    roles = "[" + ",".join(f'"{role}"' for role in sorted(REPLY_ROLES)) + "]"
    return connection.execute(_WAITING, (after, identity, everything, encode_replies, roles, limit)).fetchall()
