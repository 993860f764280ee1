"""The schema as numbered steps; `user_version` records how many a database has taken.

Each step and its record are committed together. A database with more steps than this library knows
was written by a newer release and is left untouched.
"""

from __future__ import annotations

import sqlite3

from mnemoloom.errors import FormatError, NotAStoreError

__all__ = ["APPLICATION_ID", "FORMAT", "migrate"]

APPLICATION_ID = 0x4D4E4C4D  # "MNLM"

# Payloads hold what equal texts of a namespace share. `variant` is empty, or the digest of a vector that
# the caller brought along: such a vector belongs to its event alone.
_M001_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE namespaces (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    pointer BLOB NOT NULL,
    variant BLOB NOT NULL,
    text TEXT NOT NULL,
    vector BLOB,
    tokens BLOB,
    encoder TEXT,
    UNIQUE (namespace, pointer, variant)
) STRICT;
CREATE TABLE memories (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    payload INTEGER NOT NULL REFERENCES payloads (id),
    external_id TEXT,
    speaker TEXT,
    session TEXT,
    time INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    tier TEXT NOT NULL,
    pinned INTEGER NOT NULL,
    created INTEGER NOT NULL,
    source TEXT,
    trust TEXT NOT NULL,
    surprise REAL NOT NULL,
    salt BLOB NOT NULL
) STRICT;
CREATE INDEX memories_of_namespace ON memories (namespace);
CREATE INDEX memories_of_payload ON memories (payload);
CREATE UNIQUE INDEX memories_by_external_id ON memories (namespace, external_id) WHERE external_id IS NOT NULL;
CREATE TABLE usage (memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE, accessed INTEGER NOT NULL)
    STRICT;
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    op TEXT NOT NULL,
    namespace INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    time INTEGER NOT NULL,
    item BLOB NOT NULL,
    entry BLOB NOT NULL
) STRICT;
"""

# Pairs of memories: what recall found out about them (evidence, not truth), and what was derived from what, which the
# log tells, too. Gone with either of them.
_M002_LINKS = """
CREATE TABLE links (
    source INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    target INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    PRIMARY KEY (source, kind, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_target ON links (target);
"""

# Signatures of log entries, while the log is kept under a key.
_M003_TAGS = """
CREATE TABLE tags (seq INTEGER PRIMARY KEY, tag BLOB NOT NULL) STRICT;
CREATE INDEX log_rekeys ON log (seq) WHERE op = 'rekey';
"""

# What a call with a key of its own has done, so that the same call made again does nothing.
_M004_CALLS = """
CREATE TABLE calls (
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    key TEXT NOT NULL,
    drafts INTEGER NOT NULL,
    ids TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
"""

# Memories that are kept, and shown to nobody until they are released.
_M005_QUARANTINE = """
CREATE TABLE quarantine (memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE, since INTEGER NOT NULL)
    STRICT;
"""

# Titans' memories: each speaker's write gate, what it decided about a memory, and which turns have been taken out of
# short-term memory.
_M006_TITANS = """
CREATE TABLE gates (
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    speaker TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (namespace, speaker)
) STRICT, WITHOUT ROWID;
CREATE TABLE gated (
    memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE,
    written INTEGER NOT NULL,
    z REAL NOT NULL,
    threshold REAL NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE taken (memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE) STRICT;
"""

# Which topics memories are in, how active they are from use, and what was said to be useful for which question.
_M007_FABRIC = """
CREATE TABLE topics (
    memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE,
    topic INTEGER NOT NULL,
    second INTEGER NOT NULL
) STRICT;
CREATE TABLE sortings (
    namespace INTEGER PRIMARY KEY REFERENCES namespaces (id),
    next INTEGER NOT NULL,
    version INTEGER NOT NULL,
    settled BLOB
) STRICT;
ALTER TABLE usage ADD COLUMN active REAL NOT NULL DEFAULT 1;
CREATE TABLE feedback (
    use INTEGER NOT NULL,
    memory INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    question BLOB NOT NULL,
    encoder TEXT NOT NULL,
    PRIMARY KEY (use, memory)
) STRICT;
CREATE INDEX feedback_by_memory ON feedback (memory);
"""

# What sleep did, in numbers alone, so that it can be undone. `sleep_topics`: where memories were before it sorted them
# anew, −1 for nowhere. `merged`: whose part another memory takes in a result, and the log
# entry that says so. `pruned`: surprises of what was
# forgotten, each beside a living memory of the same speaker, because ranks are taken among all that was ever written.
_M008_SLEEP = """
CREATE TABLE sleeps (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    time INTEGER NOT NULL,
    undone INTEGER,
    counts TEXT NOT NULL
) STRICT;
CREATE INDEX sleeps_of_namespace ON sleeps (namespace);
CREATE TABLE sleep_moves (
    sleep INTEGER NOT NULL REFERENCES sleeps (id) ON DELETE CASCADE,
    memory INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (sleep, memory)
) STRICT, WITHOUT ROWID;
CREATE INDEX sleep_moves_by_memory ON sleep_moves (memory);
CREATE TABLE sleep_topics (
    sleep INTEGER NOT NULL REFERENCES sleeps (id) ON DELETE CASCADE,
    memory INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    topic INTEGER NOT NULL,
    second INTEGER NOT NULL,
    PRIMARY KEY (sleep, memory)
) STRICT, WITHOUT ROWID;
CREATE INDEX sleep_topics_by_memory ON sleep_topics (memory);
CREATE TABLE merged (
    memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE,
    stand_in INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    sleep INTEGER NOT NULL REFERENCES sleeps (id) ON DELETE CASCADE,
    entry INTEGER NOT NULL
) STRICT;
CREATE INDEX merged_by_stand_in ON merged (stand_in);
CREATE INDEX merged_of_namespace ON merged (namespace);
CREATE INDEX merged_by_sleep ON merged (sleep);
CREATE TABLE pruned (
    id INTEGER PRIMARY KEY,
    memory INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    surprise REAL NOT NULL
) STRICT;
CREATE INDEX pruned_by_memory ON pruned (memory);
"""

# When memories end (ms), the wrapped keys of an encrypted store, by namespace (0 is the store's own), and the sources
# of what memories were derived from, as a list in JSON: links go with their origins, these do not.
_M009_PRIVACY = """
ALTER TABLE memories ADD COLUMN expires INTEGER;
CREATE INDEX memories_by_expiry ON memories (namespace, expires) WHERE expires IS NOT NULL;
CREATE TABLE vault (namespace INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE ancestry (
    memory INTEGER PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    sources TEXT NOT NULL
) STRICT;
INSERT INTO main.ancestry SELECT l.source, m.namespace, json_group_array(DISTINCT o.source)
FROM links l JOIN memories m ON m.id = l.source JOIN memories o ON o.id = l.target
WHERE l.kind = 'derived' AND o.source IS NOT NULL GROUP BY l.source;
"""

_STEPS = (
    _M001_TABLES,
    _M002_LINKS,
    _M003_TAGS,
    _M004_CALLS,
    _M005_QUARANTINE,
    _M006_TITANS,
    _M007_FABRIC,
    _M008_SLEEP,
    _M009_PRIVACY,
)
FORMAT = len(_STEPS)


def migrate(connection: sqlite3.Connection, *, where: str) -> None:
    """Bring the database to this release's format; a new, empty database gets all of it.

    Raises
    ------
    NotAStoreError: the file is an SQLite database of something else.
    FormatError: written by a newer release, or the SQLite library is older than 3.37.
    """
    taken = check_format(connection, where=where)
    for number, step in enumerate(_STEPS[taken:], start=taken + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in step.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        connection.execute("COMMIT")


def check_format(connection: sqlite3.Connection, *, where: str) -> int:
    """How many steps the database has taken; raises as `migrate` does, and changes nothing."""
    if sqlite3.sqlite_version_info < (3, 37):
        raise FormatError(f"mnemoloom needs SQLite 3.37 or newer; this Python has {sqlite3.sqlite_version}")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (taken,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and tables:
        raise NotAStoreError(f"{where} is an SQLite database, but not a mnemoloom store")
    if taken > FORMAT:
        raise FormatError(f"{where} has format {taken}; this release reads formats up to {FORMAT}")
    return int(taken)
