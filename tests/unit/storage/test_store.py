"""The store's transactions: one commit for all who wait, publishing in order, taking back only what failed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnemoloom.errors import ReadOnlyError, StorageFailure, StoreClosedError, ValidationError
from mnemoloom.storage import Store


@pytest.fixture(params=["a folder", "memory"])
def store(request: pytest.FixtureRequest, folder: Path) -> Iterator[Store]:
    where = folder if request.param == "a folder" else ":memory:"
    opened = Store.open(where, read_only=False, durability="full", lock_timeout=0.5)
    yield opened
    opened.close()


def put(key: str) -> Callable[[sqlite3.Connection], str]:
    def work(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO meta VALUES (?, x'00')", (key,))
        return key

    return work


def keys(store: Store) -> list[str]:
    with store.reading() as connection:
        return [row[0] for row in connection.execute("SELECT key FROM meta ORDER BY key")]


def ignore(*_: object) -> None:
    pass


def test_a_transaction_gives_the_value_of_its_work_after_publishing_it(store: Store) -> None:
    published: list[str] = []
    assert store.transact(put("a"), publish=published.append, abandon=ignore) == "a"
    assert (published, keys(store)) == (["a"], ["a"])


def test_what_is_published_can_be_read_by_then(folder: Path) -> None:
    store = Store.open(folder, read_only=False, durability="full", lock_timeout=0.5)
    seen: list[list[str]] = []
    store.transact(put("a"), publish=lambda _: seen.append(keys(store)), abandon=ignore)
    store.close()
    assert seen == [["a"]]


def test_a_failing_work_is_abandoned_once_and_leaves_nothing(store: Store) -> None:
    calls: list[str] = []

    def work(connection: sqlite3.Connection) -> None:
        put("half")(connection)
        raise ValidationError("the other half")

    with pytest.raises(ValidationError, match="the other half"):
        store.transact(work, publish=lambda _: calls.append("published"), abandon=lambda: calls.append("abandoned"))
    assert (calls, keys(store)) == (["abandoned"], [])
    store.transact(put("next"), publish=ignore, abandon=ignore)
    assert keys(store) == ["next"]


def test_an_sqlite_error_of_the_work_is_translated(store: Store) -> None:
    with pytest.raises(StorageFailure, match="no such table"):
        store.transact(lambda connection: connection.execute("DELETE FROM missing"), publish=ignore, abandon=ignore)
    assert keys(store) == []


def test_transactions_that_wait_together_share_a_commit_and_publish_in_order(store: Store) -> None:
    commits: list[str] = []
    published: list[int] = []
    works: list[int] = []
    store._connection.set_trace_callback(lambda sql: commits.append(sql) if sql.upper().startswith("COMMIT") else None)
    gate = threading.Barrier(12)

    def write(number: int) -> None:
        def work(connection: sqlite3.Connection) -> int:
            works.append(number)
            put(f"{number:02d}")(connection)
            return number

        gate.wait(30)
        store.transact(work, publish=published.append, abandon=ignore)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert published == works
    assert len(keys(store)) == 12
    assert 1 <= len(commits) < 12


def test_one_failing_work_among_many_takes_back_only_itself(store: Store) -> None:
    outcomes: dict[int, str] = {}
    gate = threading.Barrier(12)

    def write(number: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            put(f"{number:02d}")(connection)
            if number % 3 == 0:
                raise ValidationError("not this one")

        gate.wait(30)
        try:
            store.transact(work, publish=ignore, abandon=ignore)
            outcomes[number] = "stored"
        except ValidationError:
            outcomes[number] = "refused"

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes == {number: "stored" if number % 3 else "refused" for number in range(12)}
    assert keys(store) == [f"{number:02d}" for number in range(12) if number % 3]


def test_a_commit_that_fails_abandons_and_tells_everybody(folder: Path) -> None:
    store = Store.open(folder, read_only=False, durability="full", lock_timeout=0.5)
    store.transact(put("before"), publish=ignore, abandon=ignore)
    calls: list[str] = []

    def break_a_promise(connection: sqlite3.Connection) -> None:
        # a deferred constraint fails at the commit, as a failing disk does
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO payloads VALUES (1, 99, x'00', x'', 'text', NULL, NULL, NULL)")

    with pytest.raises(StorageFailure, match="nothing of this call was stored"):
        store.transact(
            break_a_promise, publish=lambda _: calls.append("published"), abandon=lambda: calls.append("abandoned")
        )
    assert (calls, keys(store)) == (["abandoned"], ["before"])
    store.transact(put("after"), publish=ignore, abandon=ignore)
    store.close()
    again = Store.open(folder, read_only=True, durability="full", lock_timeout=0.5)
    assert keys(again) == ["after", "before"]
    again.close()


def test_a_reader_does_not_see_a_transaction_before_its_commit(folder: Path) -> None:
    store = Store.open(folder, read_only=False, durability="full", lock_timeout=0.5)
    seen: list[list[str]] = []

    def work(connection: sqlite3.Connection) -> None:
        put("a")(connection)
        reader = threading.Thread(target=lambda: seen.append(keys(store)))
        reader.start()
        reader.join(30)

    store.transact(work, publish=ignore, abandon=ignore)
    assert (seen, keys(store)) == ([[]], ["a"])
    store.close()


def test_a_checkpoint_empties_the_write_ahead_log(folder: Path) -> None:
    store = Store.open(folder, read_only=False, durability="full", lock_timeout=0.5)
    store.transact(put("a"), publish=ignore, abandon=ignore)
    assert (folder / "store.db-wal").stat().st_size > 0
    assert store.checkpoint()
    assert (folder / "store.db-wal").stat().st_size == 0
    store.close()


def test_a_checkpoint_that_a_reader_holds_back_says_so(folder: Path) -> None:
    store = Store.open(folder, read_only=False, durability="full", lock_timeout=0.5)
    store._connection.execute("PRAGMA busy_timeout = 50")
    store.transact(put("a"), publish=ignore, abandon=ignore)
    with store.reading() as connection:
        listing = connection.execute("SELECT key FROM meta UNION ALL SELECT key FROM meta")
        next(listing)
        store.transact(put("b"), publish=ignore, abandon=ignore)
        assert not store.checkpoint()
        listing.close()
    assert store.checkpoint()
    store.close()


def test_a_closed_store_and_a_reading_one_refuse_transactions(folder: Path) -> None:
    store = Store.open(folder, read_only=False, durability="full", lock_timeout=0.5)
    reader = Store.open(folder, read_only=True, durability="full", lock_timeout=0.5)
    for act in (lambda: reader.transact(put("a"), publish=ignore, abandon=ignore), reader.checkpoint):
        with pytest.raises(ReadOnlyError):
            act()
    reader.close()
    store.close()
    for act in (
        lambda: store.transact(put("a"), publish=ignore, abandon=ignore),
        store.checkpoint,
        lambda: keys(store),
    ):
        with pytest.raises(StoreClosedError):
            act()


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_durability_decides_whether_each_commit_is_synced(folder: Path, durability: str, level: int) -> None:
    store = Store.open(folder, read_only=False, durability=durability, lock_timeout=0.5)  # type: ignore[arg-type]
    settings = {
        name: store._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "journal_mode", "wal_autocheckpoint", "secure_delete", "trusted_schema")
    }
    store.close()
    assert settings == {
        "synchronous": level,
        "journal_mode": "wal",
        "wal_autocheckpoint": 0,
        "secure_delete": 1,
        "trusted_schema": 0,
    }
