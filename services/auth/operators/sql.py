"""Owns the SQL of an account's standing, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from services.auth import tables as t
from services.auth.sql_accounts import account_of
from services.auth.sql_times import microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.auth.accounts import Account


class SqlStandings:
    """Whether accounts are disabled."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def find(self, lookup: str) -> Account | None:
        """Return the account with this address."""
        row = (await self._connection.execute(select(t.accounts).where(t.accounts.c.lookup == lookup))).one_or_none()
        return None if row is None else account_of(row)

    async def disable(self, account_id: str, because: str, now: datetime) -> bool:
        """Disable an account; one that is disabled keeps its time. False when there is none."""
        since = func.coalesce(t.accounts.c.disabled_us, microseconds(now))
        return await self._set(account_id, disabled_us=since, disabled_because=because)

    async def enable(self, account_id: str) -> bool:
        """Enable an account; False when there is none."""
        return await self._set(account_id, disabled_us=None, disabled_because=None)

    async def _set(self, account_id: str, **values: object) -> bool:
        change = update(t.accounts).where(t.accounts.c.account_id == account_id).values(values)
        return (await self._connection.execute(change)).rowcount == 1
