"""A log over each database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from services.kit.db import DatabaseConfig
from tests.unit.audit.world import World, databases, make_world, migrate_all


@pytest.fixture
def postgres_stores(postgres_server: str) -> Iterator[dict[str, DatabaseConfig]]:
    """Three databases in one server, as production has them in three."""
    names = {folder: f"test_{secrets.token_hex(6)}" for folder in databases(Path())}
    with psycopg.connect(postgres_server.replace("+psycopg", ""), autocommit=True) as admin:
        for name in names.values():
            admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        base = postgres_server.rsplit("/", 1)[0]
        yield {folder: DatabaseConfig(f"{base}/{name}") for folder, name in names.items()}
        for name in names.values():
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    configs = databases(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_stores")
    await asyncio.to_thread(migrate_all, configs)
    async with make_world(tmp_path, configs) as made:
        yield made
