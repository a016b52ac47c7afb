"""Owns the SQL of the devices that accounts know, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from services.auth import tables as t
from services.auth.sql_times import from_microseconds, microseconds, upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class SqlDevices:
    """Devices."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def last_seen(self, account_id: str, token_hash: bytes) -> datetime | None:
        """Return when an account last signed in from a device; None when it never did."""
        d = t.devices.c
        query = select(d.last_seen_us).where((d.account_id == account_id) & (d.token_hash == token_hash))
        found: int | None = (await self._connection.execute(query)).scalar_one_or_none()
        return None if found is None else from_microseconds(found)

    async def count(self, account_id: str, since: datetime) -> int:
        """Count an account's devices first seen at or after a time."""
        d = t.devices.c
        query = select(func.count()).where((d.account_id == account_id) & (d.first_seen_us >= microseconds(since)))
        count: int = (await self._connection.execute(query)).scalar_one()
        return count

    async def see(self, account_id: str, token_hash: bytes, device: str, now: datetime) -> None:
        """Note a sign-in from a device, new or known."""
        times = {"device": device, "last_seen_us": microseconds(now)}
        statement = upsert(self._connection, t.devices).values(
            account_id=account_id, token_hash=token_hash, first_seen_us=microseconds(now), **times
        )
        keys = [t.devices.c.account_id, t.devices.c.token_hash]
        await self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=times))

    async def prune(self, account_id: str, kept: int) -> None:
        """Drop an account's devices but the ones seen last."""
        d = t.devices.c
        latest = select(d.token_hash).where(d.account_id == account_id)
        latest = latest.order_by(d.last_seen_us.desc(), d.token_hash).limit(kept)
        mine = d.account_id == account_id
        await self._connection.execute(delete(t.devices).where(mine & d.token_hash.not_in(latest)))
