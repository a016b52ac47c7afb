"""SQLite behind SQLAlchemy: fewer crossings between threads, and the same transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from services.kit.db import Database, DatabaseConfig
from services.kit.sqlite import FIRST_ROWS, Connection

ROUNDS = 100
THINGS = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("name", String, nullable=False, unique=True)
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/one.db"))
    async with made.write() as connection:
        await connection.run_sync(THINGS.metadata.create_all)
    yield made
    await made.close()


async def _names(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(THINGS.c.name).order_by(THINGS.c.id))).scalars())


async def test_what_was_written_is_kept_and_what_raised_is_undone(database: Database) -> None:
    async with database.write() as connection:
        made = await connection.execute(insert(THINGS).values(name="one"))
        assert made.rowcount == 1
        assert made.inserted_primary_key == (1,)
        await connection.execute(insert(THINGS), [{"name": "two"}, {"name": "three"}])
    with pytest.raises(IntegrityError):
        await _write(database, "four", "one")
    with pytest.raises(RuntimeError):
        await _write(database, "five", error=RuntimeError)
    assert await _names(database) == ["one", "two", "three"]


async def _write(database: Database, *names: str, error: type[Exception] | None = None) -> None:
    async with database.write() as connection:
        for name in names:
            await connection.execute(insert(THINGS).values(name=name))
        if error is not None:
            raise error


async def test_a_reader_keeps_its_view_and_the_next_sees_what_came(database: Database) -> None:
    count = select(func.count()).select_from(THINGS)
    async with database.read() as reader:
        assert (await reader.execute(count)).scalar_one() == 0
        async with database.write() as writer:
            await writer.execute(insert(THINGS).values(name="one"))
        assert (await reader.execute(count)).scalar_one() == 0
    for _ in range(8):  # each of the pool's connections
        assert await _names(database) == ["one"]


async def test_a_long_answer_comes_whole_and_in_pieces(database: Database) -> None:
    wanted = [f"{number:05}" for number in range(3 * FIRST_ROWS + 7)]
    async with database.write() as connection:
        await connection.execute(insert(THINGS), [{"name": name} for name in wanted])
    assert await _names(database) == wanted
    ordered = select(THINGS.c.name).order_by(THINGS.c.id).execution_options(yield_per=100)
    async with database.read() as connection:
        assert [name async for (name,) in await connection.stream(ordered)] == wanted
    async with database.read() as connection:  # a stream that nobody reads to its end
        assert (await anext(aiter(await connection.stream(ordered))))[0] == wanted[0]
    assert await _names(database) == wanted


async def test_who_waits_too_long_for_the_lock_is_told(database: Database, tmp_path: Path) -> None:
    other = await Connection(str(tmp_path / "one.db"), timeout=0.01, reads=False, journal="WAL").opened()
    try:
        async with database.write() as connection:
            await connection.execute(insert(THINGS).values(name="one"))
            other.begins("BEGIN IMMEDIATE")
            with pytest.raises(Exception, match="locked"):
                await other.cursor().execute("SELECT 1")
            await other.rollback()
        other.begins("BEGIN IMMEDIATE")
        await other.cursor().execute("DELETE FROM things")
        await other.commit()
    finally:
        await other.close()
    assert await _names(database) == []


async def test_a_transaction_that_does_nothing_never_begins(database: Database, tmp_path: Path) -> None:
    async with database.write():
        other = await Connection(str(tmp_path / "one.db"), timeout=0.01, reads=False, journal="WAL").opened()
        try:
            other.begins("BEGIN IMMEDIATE")
            await other.cursor().execute("SELECT 1")
            await other.commit()
        finally:
            await other.close()


async def test_a_commit_that_fails_is_told_and_leaves_the_connection_fit_for_use(database: Database) -> None:
    async with database.write() as connection:
        await connection.exec_driver_sql(
            "CREATE TABLE parts (id INTEGER PRIMARY KEY, thing INTEGER NOT NULL REFERENCES things(id) "
            "DEFERRABLE INITIALLY DEFERRED)"
        )
    with pytest.raises((IntegrityError, OperationalError)):
        async with database.write() as connection:
            await connection.exec_driver_sql("INSERT INTO parts (thing) VALUES (77)")
    async with database.write() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM parts")).scalar_one() == 0
        await connection.execute(insert(THINGS).values(name="one"))
    assert await _names(database) == ["one"]


async def test_a_cancelled_write_is_undone(database: Database) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(insert(THINGS).values(name="one"))
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _names(database) == []
    async with database.write() as connection:
        await connection.execute(insert(THINGS).values(name="two"))
    assert await _names(database) == ["two"]


async def test_who_opens_a_new_database_waits_for_whoever_has_it(tmp_path: Path) -> None:
    """Two that open a new file at once both turn it to a write-ahead log; SQLite refuses one of them at once."""
    made = [Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/{number}.db")) for number in range(ROUNDS)]
    for database in made:
        await asyncio.gather(_write_nothing(database), *(database.ping() for _ in range(4)))
        await database.close()


async def _write_nothing(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(select(1))
