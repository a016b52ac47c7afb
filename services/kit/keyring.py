"""Owns a key per owner: made once, stored wrapped, destroyed for good. Lives in a keys database, never beside the data.

A destroyed key leaves a tombstone without a key, so that nobody makes the owner a new one by mistake.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, ColumnElement, LargeBinary, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from services.kit.clock import Clock, milliseconds
from services.kit.db import Database
from services.kit.envelope import KEY_BYTES, RootKey, context

if TYPE_CHECKING:
    from alembic.operations import Operations

CACHED = 1024
CACHED_SECONDS = 60.0
"""How long another replica may still use a key after it was destroyed."""


class KeyDestroyedError(Exception):
    """The owner's key was destroyed; there will be no other."""


def keyring_tables(metadata: MetaData) -> Table:
    """Add the keyring to the tables of a keys database."""
    return Table(
        "keyring",
        metadata,
        Column("purpose", String(32), primary_key=True),
        Column("owner", String(64), primary_key=True),
        Column("wrapped", LargeBinary, nullable=True),  # none: destroyed
        Column("changed_ms", BigInteger, nullable=False),
    )


def create_tables(op: Operations) -> None:
    """Create the keyring: called in the first migration of a keys database."""
    keyring_tables(MetaData()).create(op.get_bind())


class Keyring:
    """The keys of one purpose."""

    def __init__(self, database: Database, root: RootKey, purpose: str, clock: Clock) -> None:
        """Take the keys database, the root that wraps, and what the keys are for (part of what they are bound to)."""
        self._database, self._root, self._purpose, self._clock = database, root, purpose, clock
        self._table = keyring_tables(MetaData())
        self._cache: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._burials = 0

    async def get(self, owner: str) -> bytes | None:
        """Return the owner's key; None when it was never made or was destroyed.

        Raises:
            SealError: What is stored was changed.
            RootKeyError: The root is away.
        """
        return (await self._find(owner))[1]

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, made at first use.

        Raises:
            KeyDestroyedError: It was destroyed.
            SealError: What is stored was changed.
            RootKeyError: The root is away.
        """
        known, key = await self._find(owner)
        if not known:
            await self._create(owner)
            known, key = await self._find(owner)
        if key is None:
            raise KeyDestroyedError
        return key

    async def get_standing(self, owner: str) -> bytes | None:
        """Return the owner's key; None when none was ever made.

        Raises:
            KeyDestroyedError: It was destroyed.
            SealError: What is stored was changed.
            RootKeyError: The root is away.
        """
        known, key = await self._find(owner)
        if known and key is None:
            raise KeyDestroyedError
        return key

    async def living(self) -> list[str]:
        """Return the owners that have a key, in order."""
        table = self._table
        alive = (table.c.purpose == self._purpose) & table.c.wrapped.is_not(None)
        async with self._database.read() as connection:
            return list(
                (await connection.execute(select(table.c.owner).where(alive).order_by(table.c.owner))).scalars()
            )

    async def destroy(self, owner: str) -> bool:
        """Destroy the owner's key, durably on return, whether or not there was one; tells whether there was."""
        table, own = self._table, self._own(owner)
        try:
            async with self._database.write() as connection:
                found = await connection.execute(delete(table).where(*own, table.c.wrapped.is_not(None)))
                buried = await connection.execute(select(table.c.owner).where(*own))
                if buried.first() is None:
                    await connection.execute(insert(table).values(self._row(owner, None)))
        finally:
            self._burials += 1
            self._cache.pop(owner, None)
        return found.rowcount > 0

    async def _find(self, owner: str) -> tuple[bool, bytes | None]:
        """Return whether the owner is known, and the key unless it was destroyed."""
        cached = self._cache.get(owner)
        if cached is not None and self._clock.monotonic() - cached[1] < CACHED_SECONDS:
            return True, cached[0]
        burials = self._burials
        async with self._database.read() as connection:
            row = (await connection.execute(select(self._table.c.wrapped).where(*self._own(owner)))).first()
        if row is None or row.wrapped is None:
            return row is not None, None
        key = await self._root.unwrap(row.wrapped, self._bound(owner))
        if burials == self._burials:  # else it may have been destroyed while we read
            self._cache[owner] = (key, self._clock.monotonic())
            self._cache.move_to_end(owner)
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return True, key

    async def _create(self, owner: str) -> None:
        wrapped = await self._root.wrap(secrets.token_bytes(KEY_BYTES), self._bound(owner))
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(self._table).values(self._row(owner, wrapped)))
        except IntegrityError:
            return  # another replica made or destroyed it at the same moment: what is stored holds

    def _own(self, owner: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return self._table.c.purpose == self._purpose, self._table.c.owner == owner

    def _row(self, owner: str, wrapped: bytes | None) -> dict[str, object]:
        changed = milliseconds(self._clock.now())
        return {"purpose": self._purpose, "owner": owner, "wrapped": wrapped, "changed_ms": changed}

    def _bound(self, owner: str) -> bytes:
        return context("valv/keyring/v1", self._purpose, owner)
