"""Owns the SQL of the devices that accounts know, on SQLite and PostgreSQL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, select

from services.auth import tables as t
from services.auth.sql_times import from_microseconds, microseconds, upsert_in

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Insert
    from sqlalchemy.ext.asyncio import AsyncConnection


_MINE = t.devices.c.account_id == bindparam("account")
_LAST_SEEN = select(t.devices.c.last_seen_us).where(_MINE & (t.devices.c.token_hash == bindparam("token")))
_COUNT = select(func.count()).where(_MINE & (t.devices.c.first_seen_us >= bindparam("since")))
_SEEN_LAST = select(t.devices.c.token_hash).where(_MINE).limit(bindparam("kept"))
_SEEN_LAST = _SEEN_LAST.order_by(t.devices.c.last_seen_us.desc(), t.devices.c.token_hash)
_PRUNE = delete(t.devices).where(_MINE & t.devices.c.token_hash.not_in(_SEEN_LAST))


class SqlDevices:
    """Devices."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def last_seen(self, account_id: str, token_hash: bytes) -> datetime | None:
        """Return when an account last signed in from a device; None when it never did."""
        asked = await self._connection.execute(_LAST_SEEN, {"account": account_id, "token": token_hash})
        found: int | None = asked.scalar_one_or_none()
        return None if found is None else from_microseconds(found)

    async def count(self, account_id: str, since: datetime) -> int:
        """Count an account's devices first seen at or after a time."""
        asked = await self._connection.execute(_COUNT, {"account": account_id, "since": microseconds(since)})
        count: int = asked.scalar_one()
        return count

    async def see(self, account_id: str, token_hash: bytes, device: str, now: datetime) -> None:
        """Note a sign-in from a device, new or known."""
        values = {"account_id": account_id, "token_hash": token_hash, "device": device}
        times = dict.fromkeys(("first_seen_us", "last_seen_us"), microseconds(now))
        await self._connection.execute(_seeing(self._connection.dialect.name), {**values, **times})

    async def prune(self, account_id: str, kept: int) -> None:
        """Drop an account's devices but the ones seen last."""
        await self._connection.execute(_PRUNE, {"account": account_id, "kept": kept})


@cache
def _seeing(dialect: str) -> Insert:
    statement = upsert_in(dialect, t.devices)
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[t.devices.c.account_id, t.devices.c.token_hash],
        set_={"device": given.device, "last_seen_us": given.last_seen_us},
    )
