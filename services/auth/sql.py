"""Owns auth's transactions, on SQLite and PostgreSQL. Must never decide anything: rules are the domain's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from services.auth.dossier.sql import SqlDossiers
from services.auth.erasures.sql import SqlErasures
from services.auth.factors.sql import SqlFactors
from services.auth.ledger import OutboxLedger
from services.auth.links.sql_links import SqlLinks, SqlRevocationQueue
from services.auth.operators.sql import SqlStandings
from services.auth.sql_accounts import SqlAccounts
from services.auth.sql_devices import SqlDevices
from services.auth.sql_email_changes import SqlEmailChanges
from services.auth.sql_mail import SqlMail, SqlMailTokens
from services.auth.sql_sessions import SqlRevocations, SqlSessions
from services.auth.store import StoreAway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.call import Call
    from services.kit.db import Database
    from services.kit.outbox import Outbox


class SqlLifecycle:
    """What concerns an account as a whole."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self.standings = SqlStandings(connection)
        self.dossiers = SqlDossiers(connection)
        self.erasures = SqlErasures(connection)


class SqlStore:
    """All stores over one transaction."""

    def __init__(self, connection: AsyncConnection, outbox: Outbox) -> None:
        """Take the transaction and the outbox that shares it."""
        self.accounts = SqlAccounts(connection)
        self.lifecycle = SqlLifecycle(connection)
        self.sessions = SqlSessions(connection)
        self.devices = SqlDevices(connection)
        self.revocations = SqlRevocations(connection)
        self.mail = SqlMail(connection)
        self.mail_tokens = SqlMailTokens(connection)
        self.factors = SqlFactors(connection)
        self.links = SqlLinks(connection)
        self.unlinked = SqlRevocationQueue(connection)
        self.email_changes = SqlEmailChanges(connection)
        self.ledger = OutboxLedger(connection, outbox)


class SqlWork:
    """The unit of work of one call: its audit scope's transaction."""

    def __init__(self, call: Call, outbox: Outbox) -> None:
        """Take the call."""
        self._call, self._outbox = call, outbox

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlStore]:
        """Open a read-only transaction."""
        async with self._call.read() as connection:
            yield SqlStore(connection, self._outbox)

    async def write(self) -> SqlStore:
        """Return the call's write transaction."""
        return SqlStore(await self._call.tx(), self._outbox)

    async def phase(self, action: str | None = None) -> None:
        """Commit what was written so far, without the call's record; with ``action`` there is a record of that."""
        await self._call.phase(action)

    async def commit(self) -> None:
        """Commit what was written, with the call's record."""
        await self._call.recorded()


class SqlUnits:
    """Transactions of auth's own."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        """Take the database."""
        self._database, self._outbox = database, outbox

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlStore]:
        """Open a read-only transaction. Raises StoreAway."""
        try:
            async with self._database.read() as connection:
                yield SqlStore(connection, self._outbox)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreAway from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlStore]:
        """Open a write transaction. Raises StoreAway."""
        try:
            async with self._database.write() as connection:
                yield SqlStore(connection, self._outbox)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreAway from error
