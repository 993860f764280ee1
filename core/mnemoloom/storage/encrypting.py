"""Opening the vault of a store: making one, finding it, and encrypting a store in place that was begun without.

A store is encrypted in one transaction, so that it is so wholly or not at all. What stood there in the clear is
overwritten (`secure_delete`) once SQLite's log is in the database: at once, or when the last reader has gone.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3

from mnemoloom.errors import EncryptionKeyError
from mnemoloom.storage.cache import drop_cache
from mnemoloom.storage.store import Store
from mnemoloom.storage.vault import SECRETS, StoreConnection, Vault, is_encrypted, locks_of

__all__ = ["destroy_namespace", "unlock"]

_LOG = logging.getLogger(__name__)
_KEPT = ("log", "vault", "namespaces")  # the log holds no content, and must verify


def unlock(store: Store, key: bytes | str | None, *, store_id: str, encrypt: bool) -> None:
    """Let an encrypted store be read and written with its key; make a new one encrypted.

    Raises
    ------
    EncryptionKeyError: the key is missing or wrong, or the store has begun without one and `encrypt` is not set.
    """
    with store.reading() as connection:
        encrypted = is_encrypted(connection)
        begun = connection.execute("SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM namespaces)").fetchone()
        if encrypted and key is None:
            raise EncryptionKeyError(f"{store.where} is encrypted; open it with encryption_key=…")
        vault = (
            Vault.open(connection, key, store=store_id, where=store.where) if encrypted and key is not None else None
        )
    if key is None:
        return
    if vault is None:
        if store.read_only or (begun[0] and not encrypt):
            raise EncryptionKeyError(
                f"{store.where} has begun without encryption; encrypt=True, when it is opened for writing, encrypts it"
            )
        vault = _begin(store, key, store_id)
    store.unlock(vault)
    if not store.read_only:
        _clear_away(store)


def _begin(store: Store, key: bytes | str, store_id: str) -> Vault:
    def work(connection: sqlite3.Connection) -> Vault:
        vault = Vault.create(connection, key, store=store_id)
        vault.bind(connection)
        _encrypt(connection)
        return vault

    def abandon() -> None:
        with store.settled() as connection:
            if isinstance(connection, StoreConnection):
                connection.locks = None  # the views went with the transaction

    return store.transact(work, publish=lambda _: None, abandon=abandon)


def _encrypt(connection: sqlite3.Connection) -> None:
    """Replace what stands in the tables in the clear."""
    locks = locks_of(connection)
    for (number,) in connection.execute("SELECT id FROM main.namespaces").fetchall():
        locks.admit(number)
    for table, secret in SECRETS.items():
        identity = secret.row or ("namespace", *secret.fixed)
        owner = () if secret.namespace is None else (secret.namespace,)
        columns = tuple(dict.fromkeys((*identity, *owner, *secret.row, *secret.fixed, *secret.cells)))
        hidden = (*secret.fixed, *secret.cells)
        named = " AND ".join(f"{column} = ?" for column in identity)
        select = "".join(("SELECT ", ", ".join(columns), " FROM main.", table, " WHERE ", named))
        update = "".join(
            ("UPDATE main.", table, " SET ", ", ".join(f"{name} = ?" for name in hidden), " WHERE ", named)
        )
        rows = connection.execute("".join(("SELECT ", ", ".join(identity), " FROM main.", table))).fetchall()
        for row in rows:
            values = connection.execute(select, row).fetchone()
            locked = dict(zip(columns, locks.row(table, columns, values), strict=True))
            connection.execute(update, (*(locked[name] for name in hidden), *row))


def _clear_away(store: Store) -> None:
    """Remove what may be left of the time before: caches, and pages in SQLite's log."""
    if store.folder is not None:
        drop_cache(store.folder / "cache", "*")
    if not store.checkpoint(patient=False):
        _LOG.warning("%s: a reader holds SQLite's log, which may have pages from before the encryption", store.where)


def destroy_namespace(connection: sqlite3.Connection, vault: Vault, namespace: int) -> None:
    """Remove the key of a namespace, its name, and every row that belongs to it but for the log; in a transaction."""
    tables = connection.execute(
        "SELECT s.name FROM main.sqlite_schema AS s WHERE s.type = 'table' AND EXISTS "
        "(SELECT 1 FROM pragma_table_info(s.name, 'main') AS c WHERE c.name = 'namespace')"
    ).fetchall()
    # memories before payloads, which they name
    for table in sorted((name for (name,) in tables if name not in _KEPT), key=lambda name: (name == "payloads", name)):
        connection.execute("".join(("DELETE FROM main.", table, " WHERE namespace = ?")), (namespace,))
    vault.destroy(connection, namespace)
    # the number stays taken: another process may still know it as this namespace's
    name = json.dumps(["destroyed", secrets.token_hex(8)], separators=(",", ":"))
    connection.execute(
        "UPDATE main.namespaces SET labels = ? WHERE id = ?",
        (locks_of(connection).fixed("namespaces", "labels", 0, name), namespace),
    )
