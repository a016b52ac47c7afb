"""Owns the wrapped keys of files in the keys database. Must never see one unwrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from services.files.sql import file_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from services.kit.db import Database


class KeyStore:
    """Rows of wrapped keys; each method is its own transaction, since this database shares none with the main one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: str, wrapped: bytes) -> None:
        """Keep a file's wrapped key."""
        async with self._database.write() as connection:
            await connection.execute(insert(file_keys).values(file_id=file, wrapped=wrapped))

    async def get(self, files: Collection[str]) -> Mapping[str, bytes]:
        """Return the wrapped keys of those of the files that have one."""
        query = select(file_keys.c.file_id, file_keys.c.wrapped).where(file_keys.c.file_id.in_(files))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {file: bytes(wrapped) for file, wrapped in rows}

    async def files(self, after: str, limit: int) -> list[str]:
        """Return the files that have a key, in the order of their ids, from the first that follows ``after``."""
        query = select(file_keys.c.file_id).where(file_keys.c.file_id > after).order_by(file_keys.c.file_id)
        async with self._database.read() as connection:
            return list((await connection.execute(query.limit(limit))).scalars())

    async def destroy(self, file: str) -> None:
        """Destroy a file's wrapped key; the database overwrites the deleted row."""
        async with self._database.write() as connection:
            await connection.execute(delete(file_keys).where(file_keys.c.file_id == file))
