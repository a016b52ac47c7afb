"""Owns hints between replicas without Redis: none for a single replica, NOTIFY over PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
from psycopg.sql import SQL, Identifier

from services.auth.revocations import FanoutLost
from services.kit.postgres import Connection, patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CHANNEL = Identifier("valv_auth_revocations")


class NoFanout:
    """Of a single replica, which has nobody to tell and nobody to hear."""

    async def publish(self) -> None:
        """Tell nobody."""

    async def hints(self) -> AsyncIterator[None]:
        """Wait for ever."""
        await asyncio.Event().wait()
        yield


class PostgresFanout:
    """Hints over LISTEN and NOTIFY, on connections of their own."""

    def __init__(self, conninfo: str) -> None:
        """Take where the database is (libpq connection string)."""
        self._conninfo = conninfo
        self._speaker: Connection | None = None
        self._speaking = asyncio.Lock()

    async def publish(self) -> None:
        """Give a hint; when it cannot be given the others find out by reading."""
        async with self._speaking:
            try:
                if self._speaker is None or self._speaker.closed:
                    self._speaker = await self._connect()
                await self._speaker.execute(SQL("NOTIFY {}").format(_CHANNEL))
            except (psycopg.Error, OSError):
                await self._hang_up()

    async def hints(self) -> AsyncIterator[None]:
        """Yield at each hint. Raises FanoutLost."""
        try:
            async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                await connection.execute(SQL("LISTEN {}").format(_CHANNEL))
                async for _ in connection.notifies():
                    yield
        except (psycopg.Error, OSError) as error:
            raise FanoutLost from error

    async def close(self) -> None:
        """Close the connection that gives hints."""
        async with self._speaking:
            await self._hang_up()

    async def _connect(self) -> Connection:
        async with asyncio.timeout(patience().connection):
            return await Connection.connect(self._conninfo, autocommit=True)

    async def _hang_up(self) -> None:
        if self._speaker is not None:
            await self._speaker.close()
            self._speaker = None
