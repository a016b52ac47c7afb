"""Databases of a test's own: the kit's outbox in SQLite, without migrations."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import MetaData

from services.kit.clock import Clock
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.outbox import Outbox, outbox_tables


async def outbox_database(url: str) -> Database:
    """Return a database that holds the outbox's tables and nothing else."""
    database = Database(DatabaseConfig(url))
    metadata = MetaData()
    outbox_tables(metadata)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    return database


async def make_outbox(folder: Path, clock: Clock) -> Outbox:
    """Return an outbox over a new SQLite database in the folder."""
    return Outbox(await outbox_database(f"sqlite+aiosqlite:///{folder}/outbox.db"), clock, Ids(clock))
