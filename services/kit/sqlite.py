"""Owns how SQLite is reached from the event loop: an aiosqlite connection that crosses to its thread once a statement.

aiosqlite crosses for the cursor, the statement, its rows and the closing, and for the transaction's beginning and end;
each crossing wakes both threads. Here a transaction begins with its first statement, in the same crossing, the first
rows come with the statement, and nobody waits for the end of a transaction that only read. Must never change what a
statement or a transaction means.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiosqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
FIRST_ROWS = 512
"""Rows that come with their statement; a longer answer is fetched as it is asked for."""
_LOCKED_SECONDS = 0.01
_PRIMARY = 0xFF


class Connection(aiosqlite.Connection):
    """A connection with its thread, as SQLAlchemy's dialect for aiosqlite uses it."""

    def __init__(self, path: str, *, timeout: float, reads: bool, journal: str) -> None:
        """Take the file, the seconds to wait for a lock, whether transactions only read, and the journal mode."""

        def connect() -> sqlite3.Connection:
            made = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
            _keep_journal(made, journal, timeout)
            return made

        super().__init__(connect, iter_chunk_size=FIRST_ROWS)
        self._thread.daemon = True
        self._reads, self._begin, self._open = reads, "", False

    async def opened(self) -> Self:
        """Open the file."""
        self._thread.start()
        try:
            _ = await self._connect()  # itself, which can be awaited again
        except Exception:
            await asyncio.to_thread(self._thread.join)  # it ends, and still answers the loop
            raise
        return self

    def begins(self, statement: str) -> None:
        """Open a transaction with this statement when the next one comes."""
        self._begin = statement

    def cursor(self) -> Cursor:  # type: ignore[override]  # no crossing, so nothing to wait for
        """Return a cursor; nothing crosses yet."""
        return Cursor(self)

    async def crossing(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do a piece of work in the thread, in the transaction that is to begin, if any. Raises what SQLite raises."""
        begin, self._begin = self._begin, ""
        self._open = self._open or bool(begin)
        made: T = await self._execute(_begun, self._conn, begin, work)  # type: ignore[no-untyped-call]  # aiosqlite's
        return made

    def later(self, work: Callable[[], object]) -> None:
        """Do a piece of work in the thread after what it was given before; nobody learns how it went."""
        self._tx.put_nowait((None, work))

    async def commit(self) -> None:
        """End the transaction, if one has begun. One that cannot be kept is undone: SQLAlchemy would leave it open."""
        self._begin = ""
        if self._open and self._reads:
            self._end_unseen()
        elif self._open:
            self._open = False
            await self._execute(_committed, self._conn)  # type: ignore[no-untyped-call]  # aiosqlite's

    async def rollback(self) -> None:
        """Undo the transaction, if one has begun."""
        self._begin = ""
        if self._open and self._reads:
            self._end_unseen()
        elif self._open:
            self._open = False
            await super().rollback()

    def _end_unseen(self) -> None:
        self._open = False
        self.later(self._conn.rollback)


class Cursor:
    """One statement and its rows."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection."""
        self._connection = connection
        self._rest: sqlite3.Cursor | None = None
        self._rows: list[Any] = []
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        """Begin; the dialect asks for it."""
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run a statement and take its first rows."""
        await self._connection.crossing(partial(self._run, operation, parameters))
        return self

    async def executemany(self, operation: str, parameters: Iterable[Sequence[Any]]) -> Cursor:
        """Run a statement once for each set of parameters."""
        await self._connection.crossing(partial(self._run_many, operation, parameters))
        return self

    async def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return up to `size` rows, fewer only at the end."""
        wanted = self.arraysize if size is None else size
        if self._rest is not None and len(self._rows) < wanted:
            rest, missing = self._rest, wanted - len(self._rows)
            self._rows += await self._connection.crossing(lambda _: rest.fetchmany(missing))
        rows, self._rows = self._rows[:wanted], self._rows[wanted:]
        return rows

    async def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        rows, self._rows = self._rows, []
        if self._rest is not None:
            rest = self._rest
            rows += await self._connection.crossing(lambda _: rest.fetchall())
            await self.close()
        return rows

    async def close(self) -> None:
        """Give up what is left."""
        if self._rest is not None:
            self._connection.later(self._rest.close)
            self._rest = None

    def _run(self, operation: str, parameters: Sequence[Any], connection: sqlite3.Connection) -> None:
        cursor = connection.execute(operation, parameters)
        self._tell(cursor)
        self._rows = cursor.fetchmany(FIRST_ROWS) if cursor.description else []
        if len(self._rows) < FIRST_ROWS:
            cursor.close()
        else:
            self._rest = cursor

    def _run_many(self, operation: str, parameters: Iterable[Sequence[Any]], connection: sqlite3.Connection) -> None:
        cursor = connection.executemany(operation, parameters)
        self._tell(cursor)
        cursor.close()

    def _tell(self, cursor: sqlite3.Cursor) -> None:
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid


def _begun(connection: sqlite3.Connection, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
    if begin:
        connection.execute(begin).close()
    return work(connection)


def _keep_journal(connection: sqlite3.Connection, mode: str, timeout: float) -> None:
    """Set the journal mode. SQLite itself does not always wait for the lock that a change of it needs."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={mode}").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                connection.close()
                raise
            time.sleep(_LOCKED_SECONDS)
        else:
            return


def _committed(connection: sqlite3.Connection) -> None:
    try:
        connection.commit()
    except sqlite3.Error:
        connection.rollback()
        raise
