"""An encrypted store: what is personal stands encrypted in the tables, and in the clear only in memory.

`SECRETS` says which columns those are. Every connection gets temporary views that bear the names of the tables and
decrypt what is read, so that a statement that only reads needs to know nothing. One that writes names the table itself
(`main.memories`), and encrypts what it writes with `locks_of(connection).row`; one that looks something up by a secret
column asks `main` for what `.fixed` gives. Where nothing is encrypted
there are no views, and both give back what they got.

The data keys stand in the table `vault`, wrapped by the master key; 0 is the store's own, SALT that of a passphrase.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mnemoloom.errors import CorruptionError, EncryptionKeyError, StorageFailure
from mnemoloom.storage.ciphers import KEY_BYTES, MOST_ENTRIES, DataKey, MasterKey, Undecipherable
from mnemoloom.storage.failures import note_damage

__all__ = ["SECRETS", "Clear", "Locked", "Secret", "StoreConnection", "Vault", "is_encrypted", "locks_of"]

OWN = 0  # the key of what belongs to no namespace
SALT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """The secret columns of a table.

    namespace: the column that says whose key it is, None for the store's own. row: columns that tell rows apart, never
        change, and are bound to the values. fixed: columns that are looked up by equality. cells: the other ones.
    clear: values of the first of `row` whose rows are not encrypted.
    """

    namespace: str | None = "namespace"
    row: tuple[str, ...] = ("id",)
    fixed: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()


SECRETS: dict[str, Secret] = {
    "namespaces": Secret(namespace=None, fixed=("labels",)),
    "payloads": Secret(fixed=("pointer", "variant"), cells=("text", "vector", "tokens")),
    "memories": Secret(
        row=("id", "payload"),
        fixed=("external_id",),
        cells=("speaker", "session", "metadata", "source", "trust", "salt"),
    ),
    "ancestry": Secret(row=("memory",), cells=("sources",)),
    "calls": Secret(row=(), fixed=("key",)),
    "gates": Secret(row=(), fixed=("speaker",), cells=("state",)),
    "feedback": Secret(namespace=None, row=("use", "memory"), cells=("question",)),
    "meta": Secret(namespace=None, row=("key",), cells=("value",), clear=("store_id",)),
}


# Whoever writes without the locks is refused: metadata in the clear begins with a brace, a digest has 32 bytes.
_GUARDS = (
    "CREATE TRIGGER main.memories_in_the_clear BEFORE INSERT ON memories WHEN substr(NEW.metadata, 1, 1) = '{' "
    "BEGIN SELECT RAISE(ABORT, 'this store is encrypted'); END",
    "CREATE TRIGGER main.payloads_in_the_clear BEFORE INSERT ON payloads WHEN length(NEW.pointer) = 32 "
    "BEGIN SELECT RAISE(ABORT, 'this store is encrypted'); END",
)


class StoreConnection(sqlite3.Connection):
    """A connection that knows the locks of its store."""

    locks: Locked | None = None


def locks_of(connection: sqlite3.Connection) -> Locked | Clear:
    """What encrypts the values that a connection writes."""
    found: Locked | None = getattr(connection, "locks", None)
    return found or _CLEAR


def is_encrypted(connection: sqlite3.Connection) -> bool:
    """Whether the tables hold encrypted values."""
    return connection.execute("SELECT 1 FROM main.vault WHERE namespace = ?", (OWN,)).fetchone() is not None


class Clear:
    """Where nothing is encrypted."""

    def row(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> Sequence[Any]:  # noqa: ARG002
        return values

    def fixed(self, table: str, column: str, namespace: int, value: Any) -> Any:  # noqa: ANN401, ARG002
        return value

    def next_payload(self) -> int | None:
        return None  # SQLite numbers it

    def check_room(self, entries: int) -> None:
        """There is always room."""

    def admit(self, namespace: int) -> None:
        """No namespace needs a key."""


_CLEAR = Clear()


class Vault:
    """The keys of an open encrypted store; may be used by any thread."""

    def __init__(self, master: MasterKey, store: str) -> None:
        self._master, self._store = master, store
        self._before: MasterKey | None = None  # while a transaction takes another one, the keys stand under either
        self._keys: dict[int, DataKey] = {}
        self._lock = threading.Lock()

    @classmethod
    def create(cls, connection: sqlite3.Connection, key: bytes | str, *, store: str) -> Vault:
        """A vault for a store that has none; inside a transaction."""
        vault = cls(MasterKey(key, store=store), store)
        connection.execute("INSERT INTO main.vault VALUES (?, ?)", (SALT, vault._master.salt))
        vault.admit(connection, OWN)
        for guard in _GUARDS:
            connection.execute(guard)
        return vault

    @classmethod
    def open(cls, connection: sqlite3.Connection, key: bytes | str, *, store: str, where: str) -> Vault:
        """The vault of an encrypted store. Raises EncryptionKeyError for another key than the store's."""
        row = connection.execute("SELECT wrapped FROM main.vault WHERE namespace = ?", (SALT,)).fetchone()
        if row is None:
            raise CorruptionError(f"{where}: table vault lacks its salt")
        vault = cls(MasterKey(key, store=store, salt=row[0]), store)
        try:
            vault.key(connection, OWN)
        except Undecipherable:
            raise EncryptionKeyError(f"{where} is encrypted under another key than the one given") from None
        return vault

    def bind(self, connection: sqlite3.Connection) -> None:
        """Make a connection read and write through this vault."""
        if not isinstance(connection, StoreConnection):
            raise TypeError("only a connection of a store can be bound to its vault")
        locks = connection.locks = Locked(self, connection)
        connection.create_function("opened_cell", -1, locks.open_cell)
        connection.create_function("opened_fixed", -1, locks.open_fixed)
        for table, secret in SECRETS.items():
            connection.execute(_view(connection, table, secret))

    def admit(self, connection: sqlite3.Connection, namespace: int) -> None:
        """Give a namespace a key, unless it has one; inside a transaction."""
        wrapped = self._master.wrap(namespace, secrets.token_bytes(KEY_BYTES))
        done = connection.execute("INSERT OR IGNORE INTO main.vault VALUES (?, ?)", (namespace, wrapped))
        if done.rowcount:
            with self._lock:
                self._keys.pop(namespace, None)  # of a transaction that was undone

    def key(self, connection: sqlite3.Connection, namespace: int) -> DataKey:
        """The key of a namespace. Raises Undecipherable if there is none, or another master key wrapped it."""
        with self._lock:
            found = self._keys.get(namespace)
        if found is None:
            found = DataKey(self._unwrapped(connection, namespace), store=self._store)
            with self._lock:
                self._keys[namespace] = found
        return found

    def _unwrapped(self, connection: sqlite3.Connection, namespace: int) -> bytes:
        for _ in range(2):  # another thread may commit another master key meanwhile
            with self._lock:
                masters = (self._master, self._before)
            row = connection.execute("SELECT wrapped FROM main.vault WHERE namespace = ?", (namespace,)).fetchone()
            for master in masters if row else ():
                with suppress(Undecipherable):
                    if master is not None:
                        return master.unwrap(namespace, row[0])
        raise Undecipherable

    def destroy(self, connection: sqlite3.Connection, namespace: int) -> None:
        """Remove the key of a namespace for good; inside a transaction."""
        connection.execute("DELETE FROM main.vault WHERE namespace = ?", (namespace,))
        with self._lock:
            self._keys.pop(namespace, None)

    def rewrap(self, connection: sqlite3.Connection, key: bytes | str) -> MasterKey:
        """Wrap every data key with another master key; inside a transaction. `take` it to go on with it."""
        fresh = MasterKey(key, store=self._store)
        rows = connection.execute("SELECT namespace, wrapped FROM main.vault WHERE namespace >= 0").fetchall()
        try:
            wrapped = [(fresh.wrap(number, self._master.unwrap(number, data)), number) for number, data in rows]
        except Undecipherable:
            raise CorruptionError("a key in table vault cannot be read; nothing was rewrapped") from None
        connection.executemany("UPDATE main.vault SET wrapped = ? WHERE namespace = ?", [*wrapped, (fresh.salt, SALT)])
        return fresh

    def take(self, master: MasterKey) -> MasterKey:
        """Wrap with another master key from now on; the one before, which opens what it has wrapped until `settle`."""
        with self._lock:
            self._before, self._master = self._master, master
            return self._before

    def settle(self) -> None:
        """Let go of the master key from before: what the one in use has wrapped is committed."""
        with self._lock:
            self._before = None


class Locked:
    """What one connection of an encrypted store writes and reads with."""

    def __init__(self, vault: Vault, connection: sqlite3.Connection) -> None:
        self.vault, self._connection = vault, connection

    def row(self, table: str, columns: Sequence[str], values: Sequence[Any]) -> Sequence[Any]:
        """Values of a row, the secret ones encrypted; the columns must tell namespace and place of the row."""
        secret, named = SECRETS[table], dict(zip(columns, values, strict=True))
        if secret.clear and named[secret.row[0]] in secret.clear:
            return values
        namespace = OWN if secret.namespace is None else named[secret.namespace]
        key = self.vault.key(self._connection, namespace)
        place = tuple(named[column] for column in secret.row) if secret.cells else ()
        for column, value in named.items():
            if value is not None and column in secret.cells:
                named[column] = key.lock(value, table, column, namespace, *place)
            elif value is not None and column in secret.fixed:
                named[column] = key.fix(value, table, column, namespace)
        return tuple(named.values())

    def fixed(self, table: str, column: str, namespace: int, value: Any) -> Any:  # noqa: ANN401 - text or bytes
        """What a secret column holds for a value that is looked up."""
        owner = OWN if SECRETS[table].namespace is None else namespace
        return self.vault.key(self._connection, owner).fix(value, table, column, owner)

    def next_payload(self) -> int | None:
        """The number of the payload that is written next: its values are bound to it."""
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM main.payloads").fetchone()
        return int(last) + 1

    def check_room(self, entries: int) -> None:
        """Raise StorageFailure when a log grows beyond what random nonces are good for."""
        if entries > MOST_ENTRIES:
            raise StorageFailure(f"an encrypted store takes {MOST_ENTRIES:,} changes; export it to a new one")

    def admit(self, namespace: int) -> None:
        """Give a namespace a key, unless it has one."""
        self.vault.admit(self._connection, namespace)

    def open_cell(self, table: str, column: str, namespace: int, value: Any, *place: Any) -> Any:  # noqa: ANN401
        """A value of `cells` in the clear: for the views."""
        if value is None:
            return None
        try:
            return self.vault.key(self._connection, namespace).unlock(value, table, column, namespace, *place)
        except (Undecipherable, TypeError):
            note_damage(_undecipherable(table, column, place))
            raise

    def open_fixed(self, table: str, column: str, namespace: int, value: Any, *place: Any) -> Any:  # noqa: ANN401
        """A value of `fixed` in the clear: for the views."""
        if value is None:
            return None
        try:
            return self.vault.key(self._connection, namespace).unfix(value, table, column, namespace)
        except (Undecipherable, TypeError):
            note_damage(_undecipherable(table, column, place))
            raise


def _undecipherable(table: str, column: str, place: Sequence[Any]) -> str:
    row = f" {place[0]}" if place else ""
    return f"{table}{row}: {column} does not open; it was changed, put elsewhere, or belongs to another key"


def _view(connection: sqlite3.Connection, table: str, secret: Secret) -> str:
    """The statement that makes the view of a table; all names in it are ours."""
    owner = str(OWN) if secret.namespace is None else secret.namespace
    columns = []
    for _, name, *_ in connection.execute("SELECT * FROM pragma_table_info(?, 'main')", (table,)):
        if name not in secret.cells and name not in secret.fixed:
            columns.append(name)
            continue
        function = "opened_cell" if name in secret.cells else "opened_fixed"
        arguments = ", ".join((f"'{table}'", f"'{name}'", owner, name, *secret.row))
        opened = f"{function}({arguments})"
        for value in secret.clear:
            opened = f"CASE {secret.row[0]} WHEN '{value}' THEN {name} ELSE {opened} END"
        columns.append(f"{opened} AS {name}")
    return "".join(("CREATE TEMP VIEW IF NOT EXISTS ", table, " AS SELECT ", ", ".join(columns), " FROM main.", table))
