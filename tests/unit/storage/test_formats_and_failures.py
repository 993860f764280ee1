"""Migrations take the steps that are missing; SQLite's errors become ours, by what they say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from mnemoloom.errors import (
    CorruptionError,
    FormatError,
    NotAStoreError,
    StorageFailure,
    StoreLockedError,
)
from mnemoloom.storage.facts import read_facts, write_fact
from mnemoloom.storage.failures import translated
from mnemoloom.storage.migrations import APPLICATION_ID, FORMAT, check_format, migrate


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def test_a_new_database_takes_every_step(connection: sqlite3.Connection) -> None:
    migrate(connection, where="here")
    assert (pragma(connection, "user_version"), pragma(connection, "application_id")) == (FORMAT, APPLICATION_ID)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {"meta", "namespaces", "payloads", "memories", "usage", "log"} <= tables


def test_migrating_twice_is_migrating_once(connection: sqlite3.Connection) -> None:
    migrate(connection, where="here")
    before = list(connection.iterdump())
    migrate(connection, where="here")
    assert list(connection.iterdump()) == before


def test_every_table_checks_the_types_of_its_values(connection: sqlite3.Connection) -> None:
    # without STRICT, a flipped type byte would turn a text into bytes unnoticed
    migrate(connection, where="here")
    strict = dict(connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'"))
    assert all(flag for name, flag in strict.items() if not name.startswith("sqlite_"))


def test_a_newer_format_is_refused(connection: sqlite3.Connection) -> None:
    migrate(connection, where="here")
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(FormatError, match=f"here has format {FORMAT + 1}"):
        check_format(connection, where="here")


def test_the_database_of_another_program_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(NotAStoreError, match="here"):
        check_format(connection, where="here")
    connection.execute("PRAGMA application_id = 7")
    with pytest.raises(NotAStoreError, match="here"):
        migrate(connection, where="here")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), CorruptionError),
        (sqlite3.DatabaseError("file is not a database"), CorruptionError),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'text'"), CorruptionError),
        (sqlite3.OperationalError("malformed JSON"), CorruptionError),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), CorruptionError),
        (sqlite3.OperationalError("database is locked"), StoreLockedError),
        (sqlite3.OperationalError("database or disk is full"), StorageFailure),
        (sqlite3.OperationalError("disk I/O error"), StorageFailure),
        (sqlite3.OperationalError("attempt to write a readonly database"), StorageFailure),
        (sqlite3.OperationalError("unable to open database file"), StorageFailure),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_foreign_error_becomes_ours_and_stays_its_cause(error: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours, match=r"store\.db") as caught, translated("store.db"):
        raise error
    assert caught.value.__cause__ is error


def test_an_error_that_is_not_of_the_storage_passes() -> None:
    with pytest.raises(ZeroDivisionError), translated("store.db"):
        raise ZeroDivisionError


def test_facts_are_read_as_they_were_written(connection: sqlite3.Connection) -> None:
    migrate(connection, where="here")
    for key, value in (("store_id", b"ab" * 16), ("encoder", "hashing/64 é".encode()), ("width", b"64")):
        write_fact(connection, key, value)
    write_fact(connection, "width", b"32")
    facts = read_facts(connection)
    assert (facts.store_id, facts.encoder, facts.width) == ("ab" * 16, "hashing/64 é", 32)
    write_fact(connection, "encoder", None)
    assert read_facts(connection).encoder is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("store_id", None),
        ("store_id", b"\xff"),
        ("encoder", b"\xff"),
        ("width", b"wide"),
        ("projection", b"\x01\0\0\0abc"),
    ],
)
def test_damaged_facts_are_corruption(connection: sqlite3.Connection, key: str, value: bytes | None) -> None:
    migrate(connection, where="here")
    write_fact(connection, "store_id", b"ab" * 16)
    write_fact(connection, key, value)
    with pytest.raises(CorruptionError, match="meta"):
        read_facts(connection)
