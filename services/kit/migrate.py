"""Owns how migrations run: Alembic, forward only, one folder per database. Services never run them; the CLI does.

A migration folder holds ``env.py`` (one line: ``run_env()``) and ``versions/``. The service checks at start that its
database is at the revision it was written for (``Database.require_revision``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import command, context
from alembic.config import Config
from sqlalchemy import MetaData, make_url, pool
from sqlalchemy.ext.asyncio import create_async_engine

from services.kit.outbox import outbox_tables

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.operations import Operations
    from sqlalchemy import Connection, Table
    from sqlalchemy.engine import URL

    from services.kit.db import DatabaseConfig


def migrate(folder: Path, database: DatabaseConfig) -> None:
    """Bring a database to the newest revision in the folder. Blocks; must not be called on an event loop."""
    url = make_url(database.url)
    if database.password_file is not None:
        url = url.set(password=database.password_file.read_text("utf-8").strip())
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    command.upgrade(config, "head")


def run_env() -> None:
    """Run the migrations: the whole of a folder's ``env.py``."""
    asyncio.run(_run(context.config.attributes["url"]))


def create_outbox(op: Operations) -> None:
    """Create the outbox's tables: called in a service's first migration."""
    create(op, *outbox_tables(MetaData()))


def create(op: Operations, *tables: Table) -> None:
    """Create these tables with their indexes."""
    for table in tables:
        table.create(op.get_bind())


async def _run(url: URL) -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
