"""Owns the SQL of an export, on SQLite and PostgreSQL. Must never select a secret, nor the hash of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from services.auth import tables as t
from services.auth.dossier.dossier import KnownDevice
from services.auth.sql_sessions import SESSIONS, session_of
from services.auth.sql_times import from_microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.auth.sessions import Session


class SqlDossiers:
    """What is held about people."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def has_password(self, account_id: str) -> bool:
        """Tell whether an account has a password."""
        return bool(
            (
                await self._connection.execute(select(exists().where(t.passwords.c.account_id == account_id)))
            ).scalar_one()
        )

    async def sessions(self, account_id: str, before: str, limit: int) -> Sequence[Session]:
        """Return an account's sessions, newest first, those opened before a session if given."""
        s = t.sessions.c
        wanted = s.account_id == account_id
        if before:
            wanted &= s.session_id < before
        query = SESSIONS.where(wanted).order_by(s.session_id.desc()).limit(limit)
        return [session_of(row) for row in await self._connection.execute(query)]

    async def devices(self, account_id: str) -> Sequence[KnownDevice]:
        """Return the devices that an account knows, the one seen last first."""
        d = t.devices.c
        query = select(d.device, d.first_seen_us, d.last_seen_us).where(d.account_id == account_id)
        rows = await self._connection.execute(query.order_by(d.last_seen_us.desc()))
        return [KnownDevice(name, from_microseconds(first), from_microseconds(last)) for name, first, last in rows]
