"""Files over every kind of store it can be configured with: the same behaviour on each."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import boto3
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from services.files import sql
from services.files.blobs_s3 import S3Blobs
from services.files.store import Quota, Store
from services.kit.db import Database, DatabaseConfig
from services.kit.keyring import keyring_tables
from services.kit.migrate import migrate
from tests.support.servers import S3Endpoint
from tests.unit.files.house import ANNA, BERTIL, House

FOLDER = Path(__file__).parents[2] / "services" / "files"


@pytest.fixture(params=["postgresql", "s3"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        made = House(tmp_path, url=url, keys_url=url)
    else:
        endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
        client = boto3.client(
            "s3",
            endpoint_url=endpoint.url,
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name=endpoint.region,
        )
        made = House(tmp_path, S3Blobs(client, endpoint.bucket, "blobs/"))
    yield await made.open()
    await made.close()


@pytest.mark.parametrize("length", [0, 16384, 3_000_000])
async def test_a_file_lives_and_goes(house: House, length: int) -> None:
    data = secrets.token_bytes(length)
    file = await house.put(ANNA, data, "å")
    assert await house.read(ANNA, file) == data
    assert await house.read(ANNA, file, length // 2) == data[length // 2 :]
    assert await house.usage(ANNA) == (length, 0, 1)
    assert await house.check.check() == 0
    assert await house.reconciler.scan() == (0, 0)
    await house.remove(ANNA, file)
    assert await house.usage(ANNA) == (0, 0, 0)
    assert await house.rows("blobs") == await house.rows("shreds") == await house.rows("file_keys") == []


async def test_the_quota_is_exact_when_a_hundred_race(house: House) -> None:
    house.store = Store(Quota(bytes=10_000, files=1000))
    house.assemble()
    outcomes = await asyncio.gather(*(house.put(ANNA, bytes(300)) for _ in range(100)), return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 33
    assert await house.usage(ANNA) == (9900, 0, 33)


async def test_pages_and_owners(house: House) -> None:
    files = []
    for _ in range(5):
        house.clock.advance(1)
        files.append(await house.put(ANNA, b"x"))
        await house.put(BERTIL, b"y")
    async with house.database.read() as connection:
        first = await house.library.page(connection, ANNA, "", 3)
        second = await house.library.page(connection, ANNA, first[-1].stored.ref.file, 3)
    assert [file.stored.ref.file for file in (*first, *second)] == files[::-1]


@pytest.mark.parametrize("folder, tables", [("migrations", sql.metadata), ("migrations_keys", sql.keys_metadata)])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_migrations_make_the_tables_that_the_code_uses(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, folder: str, tables: MetaData
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    await asyncio.to_thread(migrate, FOLDER / folder, DatabaseConfig(url))
    wanted = MetaData()
    for table in tables.tables.values():
        table.to_metadata(wanted)
    if folder == "migrations_keys":
        keyring_tables(wanted)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), wanted))

    database = Database(DatabaseConfig(url))
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await database.require_revision(sql.MAIN_REVISION if folder == "migrations" else sql.KEYS_REVISION)
    await database.close()
