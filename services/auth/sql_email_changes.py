"""Owns the SQL of changes of address, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, insert, select, update

from services.auth import tables as t
from services.auth.email_changes import EmailChange
from services.auth.sql_times import from_microseconds, microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class SqlEmailChanges:
    """Changes of address."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def begin(self, change: EmailChange) -> None:
        """Keep a change; those of the account that are still open give way to it."""
        await self.drop(change.account_id, change.begun)
        await self._connection.execute(
            insert(t.email_changes).values(
                change_id=change.change_id,
                account_id=change.account_id,
                email=change.email,
                lookup=change.lookup,
                old_email=change.old_email,
                begun_us=microseconds(change.begun),
                closed_us=None,
            )
        )

    async def get(self, change_id: str) -> EmailChange | None:
        """Return a change."""
        rows = await self._connection.execute(select(t.email_changes).where(t.email_changes.c.change_id == change_id))
        row = rows.one_or_none()
        return None if row is None else _change(row)

    async def take(self, change_id: str, account_id: str, now: datetime) -> EmailChange | None:
        """Close an open change of an account; exactly one of several racing calls gets it."""
        c = t.email_changes.c
        still_open = (c.change_id == change_id) & (c.account_id == account_id) & c.closed_us.is_(None)
        take = update(t.email_changes).where(still_open).values(closed_us=microseconds(now)).returning(t.email_changes)
        row = (await self._connection.execute(take)).one_or_none()
        return None if row is None else _change(row)

    async def drop(self, account_id: str, now: datetime) -> None:
        """Close what an account has open."""
        c = t.email_changes.c
        still_open = (c.account_id == account_id) & c.closed_us.is_(None)
        await self._connection.execute(update(t.email_changes).where(still_open).values(closed_us=microseconds(now)))


def _change(row: Row[Any]) -> EmailChange:
    return EmailChange(
        change_id=row.change_id,
        account_id=row.account_id,
        email=row.email,
        lookup=row.lookup,
        old_email=row.old_email,
        begun=from_microseconds(row.begun_us),
        closed=None if row.closed_us is None else from_microseconds(row.closed_us),
    )
