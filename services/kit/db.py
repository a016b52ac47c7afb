"""Owns engines and transactions over a service's own database. Must never hold SQL of a service's domain.

SQLite: write-ahead log, ``synchronous=FULL``, one writer, several readers. PostgreSQL: one pool, and no waiting without
end (``postgres.py``). A keys database is opened with ``secure_delete``: deleted rows are overwritten and no write-ahead
file outlives them.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine

from services.kit import postgres, sqlite
from services.kit.postgres import patience
from services.kit.telemetry import store_span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from services.kit.postgres import Patience

T = TypeVar("T")

_WAIT_SECONDS = 5
_ON_COMMIT = "valv.on_commit"
_READ, _WRITE = "BEGIN", "BEGIN IMMEDIATE"


@dataclass(frozen=True)
class DatabaseConfig:
    """Where a database is. ``secure_delete`` is for keys databases."""

    url: str
    password_file: Path | None = None
    secure_delete: bool = False


class SchemaError(Exception):
    """The database's schema is not the one this code was written for."""


class Database:
    """One database: short write transactions, and reads that do not wait for them."""

    def __init__(self, config: DatabaseConfig, patience: Callable[[], Patience] = patience) -> None:
        """Make the engines; nothing connects yet. ``patience``: for how long PostgreSQL may say nothing."""
        url = make_url(config.url)
        if config.password_file is not None:
            url = url.set(password=config.password_file.read_text("utf-8").strip())
        self.dialect = url.get_backend_name()
        self.folder = Path(url.database or "").parent if self.dialect == "sqlite" else None
        if self.dialect == "sqlite":
            self._writer = _sqlite(url, _WRITE, 1, secure_delete=config.secure_delete)
            self._reader = _sqlite(url, _READ, 4, secure_delete=config.secure_delete)
        else:
            self._writer = self._reader = _postgres(url, patience)
        self._patience = None if self.dialect == "sqlite" else patience

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction: committed at the end of the block, rolled back when it raises."""
        with store_span(self.dialect, "write"):
            async with self._transaction(self._writer) as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a read transaction: one consistent view."""
        with store_span(self.dialect, "read"):
            async with self._transaction(self._reader) as connection:
                yield connection

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        connection = await self._connection(engine)
        try:
            transaction = await connection.begin()
            try:
                yield connection
            except BaseException:
                if not connection.invalidated:  # it would ask for a rollback first, in place of what was raised
                    connection.info.pop(_ON_COMMIT, None)
                await finish(transaction.rollback())
                raise
            await finish(_commit(connection, transaction))
        finally:
            await finish(connection.close())

    async def _connection(self, engine: AsyncEngine) -> AsyncConnection:
        """Return a connection that has answered; waiting for one, asking it and making another share one time."""
        try:
            async with asyncio.timeout(None if self._patience is None else self._patience().connection):
                return await engine.connect()
        except TimeoutError:
            message = "the server does not answer"
            raise exc.TimeoutError(message) from None

    async def require_revision(self, revision: str) -> None:
        """Check that the migrations are at this revision.

        Raises:
            SchemaError: They are not.
        """
        async with self.read() as connection:
            rows = await connection.execute(text("SELECT version_num FROM alembic_version"))
            found = rows.scalars().all()
        if found != [revision]:
            message = f"the schema is at {found}, this code needs {revision}: run the migrations"
            raise SchemaError(message)

    async def ping(self) -> None:
        """Ask the database something trivial; raises what it raises."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        await self._reader.dispose()


def on_commit(connection: AsyncConnection, call: Callable[[], None]) -> None:
    """Have ``call`` called once the connection's transaction has been committed; never when it is rolled back."""
    connection.info.setdefault(_ON_COMMIT, []).append(call)


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end whatever happens to the caller; a cancellation is delivered after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise


async def _commit(connection: AsyncConnection, transaction: AsyncTransaction) -> None:
    calls: list[Callable[[], None]] = connection.info.pop(_ON_COMMIT, [])
    await transaction.commit()
    for call in calls:
        call()


def _postgres(url: URL, patience: Callable[[], Patience]) -> AsyncEngine:
    async def create(*args: Any, **kwargs: Any) -> postgres.Connection:
        connection = await postgres.Connection.connect(*args, **kwargs)
        connection.patience = patience
        return connection

    return create_async_engine(
        url,
        connect_args={"async_creator_fn": create},
        pool_size=8,
        max_overflow=0,
        pool_timeout=_WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _sqlite(url: URL, begin: str, size: int, *, secure_delete: bool) -> AsyncEngine:
    path, reads = url.database or ":memory:", begin == _READ
    journal = "DELETE" if secure_delete else "WAL"

    async def create() -> sqlite.Connection:
        return await sqlite.Connection(path, timeout=_WAIT_SECONDS, reads=reads, journal=journal).opened()

    engine = create_async_engine(
        url,
        async_creator=create,
        pool_size=size,
        max_overflow=0,
        pool_timeout=_WAIT_SECONDS,
        hide_parameters=True,
    )

    def connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        if secure_delete:
            cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    def start(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.begins(begin)

    event.listen(engine.sync_engine, "connect", connect)
    event.listen(engine.sync_engine, "begin", start)
    return engine
