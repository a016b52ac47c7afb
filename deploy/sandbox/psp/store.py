"""Owns the gateway's own database: objects as documents, and the answers given per idempotency key.

SQLite, one connection, used from the event loop: every operation is one short transaction, which is what makes the
gateway deterministic. Must never hold a card number or a security code.
"""

import json
import secrets
import sqlite3
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    body TEXT NOT NULL,
    behaviour TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (kind, parent, seq);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    time INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""

Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a request with an idempotency key was told."""

    fingerprint: str
    status: int
    body: str


def new_id(prefix: str) -> str:
    """Make an id of 24 letters: without digits it can never look like a card number."""
    return prefix + "_" + "".join(secrets.choice(string.ascii_letters) for _ in range(24))


class Store:
    """Documents by id, kind and parent."""

    def __init__(self, path: Path) -> None:
        """Open or create the database, readable by its owner only."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block writes, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def add(self, kind: str, body: Object, *, parent: str = "", behaviour: str = "") -> None:
        """Add an object. `behaviour` is private: the code the object will be declined with."""
        self._connection.execute(
            "INSERT INTO objects (id, kind, parent, body, behaviour) VALUES (?, ?, ?, ?, ?)",
            (body["id"], kind, parent, json.dumps(body), behaviour),
        )

    def put(self, body: Object, *, parent: str | None = None) -> None:
        """Replace an object."""
        self._connection.execute(
            "UPDATE objects SET body = ?, parent = coalesce(?, parent) WHERE id = ?",
            (json.dumps(body), parent, body["id"]),
        )

    def get(self, kind: str, object_id: str) -> Object | None:
        """Read an object."""
        row = self._connection.execute("SELECT body FROM objects WHERE kind = ? AND id = ?", (kind, object_id))
        found = row.fetchone()
        return None if found is None else dict(json.loads(found[0]))

    def behaviour(self, object_id: str) -> str:
        """Read the private code of an object."""
        found = self._connection.execute("SELECT behaviour FROM objects WHERE id = ?", (object_id,)).fetchone()
        return "" if found is None else str(found[0])

    def newest(self, kind: str, *, parent: str | None = None, before: str | None = None) -> Iterator[Object]:
        """Iterate objects, newest first, of one parent if given, older than one object if given."""
        rows = self._connection.execute(
            "SELECT body FROM objects WHERE kind = :kind AND (:parent IS NULL OR parent = :parent)"
            " AND (:before IS NULL OR seq < (SELECT seq FROM objects WHERE id = :before)) ORDER BY seq DESC",
            {"kind": kind, "parent": parent, "before": before},
        )
        for (body,) in rows:
            yield dict(json.loads(body))

    def answer(self, key: str) -> Answer | None:
        """Read the answer given to an idempotency key."""
        row = self._connection.execute("SELECT fingerprint, status, body FROM answers WHERE key = ?", (key,))
        found = row.fetchone()
        return None if found is None else Answer(*found)

    def keep_answer(self, key: str, fingerprint: str, status: int, body: Mapping[str, Any], time: int) -> None:
        """Keep the answer to an idempotency key, in the transaction of its effects."""
        self._connection.execute(
            "INSERT INTO answers (key, fingerprint, status, body, time) VALUES (?, ?, ?, ?, ?)",
            (key, fingerprint, status, json.dumps(body), time),
        )

    def forget_answers(self, before: int) -> None:
        """Forget answers older than a time: the end of the keys' window."""
        self._connection.execute("DELETE FROM answers WHERE time < ?", (before,))

    def setting(self, name: str, initial: bytes) -> bytes:
        """Read a setting, storing the initial value the first time."""
        self._connection.execute("INSERT OR IGNORE INTO settings (name, value) VALUES (?, ?)", (name, initial))
        found = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return bytes(found[0])
