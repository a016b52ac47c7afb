"""A key per owner, on SQLite and on PostgreSQL: made once, and gone when destroyed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select, update

from services.kit.db import Database, DatabaseConfig
from services.kit.envelope import FileRootKey, RootKeyError, SealError, create_root_key
from services.kit.keyring import CACHED_SECONDS, KeyDestroyedError, Keyring, keyring_tables
from tests.support.clock import FakeClock

ANNA, BO = "usr_01k00000000000000000000001", "usr_01k00000000000000000000002"
TABLE = keyring_tables(MetaData())


class Counted:
    """A root key that counts, waits and fails on demand."""

    def __init__(self, inner: FileRootKey) -> None:
        self._inner = inner
        self.unwrapped = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        return await self._inner.wrap(key, context)

    async def unwrap(self, blob: bytes, context: bytes) -> bytes:
        self.unwrapped += 1
        self.asked.set()
        await self.gate.wait()
        if self.away:
            raise RootKeyError("away")
        return await self._inner.unwrap(blob, context)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/keys.db"
    else:
        url = request.getfixturevalue("postgres_url")
    made = Database(DatabaseConfig(url, secure_delete=request.param == "sqlite"))
    async with made.write() as connection:
        await connection.run_sync(TABLE.metadata.create_all)
    yield made
    async with made.write() as connection:
        await connection.run_sync(TABLE.metadata.drop_all)
    await made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def root(tmp_path: Path) -> Counted:
    create_root_key(tmp_path / "root")
    return Counted(FileRootKey(tmp_path / "root"))


@pytest.fixture
def ring(database: Database, root: Counted, clock: FakeClock) -> Keyring:
    return Keyring(database, root, "audit", clock)


async def test_an_owner_has_one_key_for_good(
    ring: Keyring, database: Database, root: Counted, clock: FakeClock
) -> None:
    assert await ring.get(ANNA) is None
    key = await ring.get_or_create(ANNA)
    assert len(key) == 32
    assert await ring.get(ANNA) == await ring.get_or_create(ANNA) == key
    assert await Keyring(database, root, "audit", clock).get(ANNA) == key
    assert await ring.get_or_create(BO) != key


async def test_two_that_make_a_key_at_once_get_the_same(database: Database, root: Counted, clock: FakeClock) -> None:
    rings = [Keyring(database, root, "audit", clock) for _ in range(8)]
    assert len(set(await asyncio.gather(*(ring.get_or_create(ANNA) for ring in rings)))) == 1


async def test_purposes_do_not_mix(ring: Keyring, database: Database, root: Counted, clock: FakeClock) -> None:
    files = Keyring(database, root, "files", clock)
    assert await files.get_or_create(ANNA) != await ring.get_or_create(ANNA)
    assert await files.destroy(ANNA)
    assert await ring.get(ANNA) is not None


@pytest.mark.clause("P14")
async def test_a_destroyed_key_is_gone_and_no_other_is_made(
    ring: Keyring, database: Database, root: Counted, clock: FakeClock
) -> None:
    await ring.get_or_create(ANNA)
    assert await ring.destroy(ANNA)
    for one in (ring, Keyring(database, root, "audit", clock)):
        assert await one.get(ANNA) is None
        with pytest.raises(KeyDestroyedError):
            await one.get_or_create(ANNA)
    assert not await ring.destroy(ANNA)
    async with database.read() as connection:
        rows = (await connection.execute(select(TABLE.c.wrapped))).all()
    assert [row.wrapped for row in rows] == [None]


@pytest.mark.clause("P14")
async def test_an_owner_destroyed_before_having_a_key_never_gets_one(ring: Keyring) -> None:
    assert not await ring.destroy(ANNA)
    with pytest.raises(KeyDestroyedError):
        await ring.get_or_create(ANNA)


@pytest.mark.clause("P14")
async def test_a_destroyed_wrapped_key_leaves_no_trace_in_the_files(
    tmp_path: Path, root: Counted, clock: FakeClock
) -> None:
    database = Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/own.db", secure_delete=True))
    async with database.write() as connection:
        await connection.run_sync(TABLE.metadata.create_all)
    ring = Keyring(database, root, "audit", clock)
    for number in range(50):
        await ring.get_or_create(f"usr_{number}")
    async with database.read() as connection:
        wrapped = (await connection.execute(select(TABLE.c.wrapped).where(TABLE.c.owner == "usr_25"))).scalar_one()

    def found() -> bool:
        return any(wrapped[3:] in path.read_bytes() for path in tmp_path.glob("own.db*"))

    assert found()
    await ring.destroy("usr_25")
    assert not found()
    await database.close()
    with sqlite3.connect(tmp_path / "own.db") as raw:
        assert raw.execute("SELECT count(*) FROM keyring WHERE wrapped IS NOT NULL").fetchone() == (49,)
    raw.close()


@pytest.mark.clause("P13")
async def test_a_key_moved_to_another_owner_does_not_open(
    ring: Keyring, database: Database, root: Counted, clock: FakeClock
) -> None:
    await ring.get_or_create(ANNA)
    await ring.get_or_create(BO)
    async with database.write() as connection:
        rows = (await connection.execute(select(TABLE.c.wrapped).where(TABLE.c.owner == ANNA))).scalar_one()
        await connection.execute(update(TABLE).where(TABLE.c.owner == BO).values(wrapped=rows))
    with pytest.raises(SealError):
        await Keyring(database, root, "audit", clock).get(BO)


async def test_a_key_is_unwrapped_once_a_minute_at_most(ring: Keyring, root: Counted, clock: FakeClock) -> None:
    key = await ring.get_or_create(ANNA)
    assert root.unwrapped == 1
    clock.advance(CACHED_SECONDS - 0.1)
    assert await ring.get(ANNA) == key
    assert root.unwrapped == 1
    clock.advance(0.1)
    assert await ring.get(ANNA) == key
    assert root.unwrapped == 2
    root.away = True
    clock.advance(CACHED_SECONDS)
    with pytest.raises(RootKeyError):
        await ring.get(ANNA)


@pytest.mark.clause("P14")
async def test_a_key_destroyed_while_it_is_read_is_not_remembered(
    ring: Keyring, root: Counted, database: Database, clock: FakeClock
) -> None:
    await Keyring(database, root, "audit", clock).get_or_create(ANNA)
    root.gate.clear()
    root.asked.clear()
    reading = asyncio.create_task(ring.get(ANNA))
    await root.asked.wait()
    await ring.destroy(ANNA)
    root.gate.set()
    await reading
    assert await ring.get(ANNA) is None
