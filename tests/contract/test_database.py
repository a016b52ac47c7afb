"""A database that hangs keeps its connections open, takes new ones, and says nothing: nobody waits for it for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest
from sqlalchemy import TextClause, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from services.kit import context
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.faults import AUDIT_UNAVAILABLE, Fault
from services.kit.ids import Ids
from services.kit.outbox import Outbox
from services.kit.postgres import AWAITED, CANCEL_SECONDS, Patience
from tests.support.cut import Cut
from valv.audit.v1 import event_pb2

CLOCK = SystemClock()
SHORT = Patience(connection=1.5, answer=1.5)
LONG = Patience(connection=600, answer=600)
AT_MOST = 15.0
"""Several times what is configured here; a wait that has no end of its own goes on for ever."""

pytestmark = pytest.mark.clause("P5", "ASVS 16.5.3")


@pytest.fixture
async def cut(postgres_url: str) -> AsyncIterator[Cut]:
    url = make_url(postgres_url)
    async with Cut(str(url.host), int(url.port or 5432)).opened() as opened:
        yield opened


@pytest.fixture
async def database(cut: Cut, postgres_url: str) -> AsyncIterator[Database]:
    url = make_url(postgres_url).set(host="127.0.0.1", port=cut.port)
    config = DatabaseConfig(url.render_as_string(hide_password=False))
    made = Database(config, patience=lambda: SHORT if context.awaited.get() else LONG)
    context.awaited.set(True)
    async with made.write() as connection:
        await connection.execute(text("CREATE TABLE things (id integer)"))
    yield made
    await made.close()


async def insert(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO things VALUES (1)"))


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM things"))).scalar_one())


async def in_ping(database: Database, hang: Callable[[], None]) -> None:
    hang()
    await insert(database)


async def in_connecting(database: Database, hang: Callable[[], None]) -> None:
    await database.close()
    hang()
    await insert(database)


async def in_a_statement(database: Database, hang: Callable[[], None]) -> None:
    async with database.write() as connection:
        hang()
        await connection.execute(text("INSERT INTO things VALUES (1)"))


async def in_commit(database: Database, hang: Callable[[], None]) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO things VALUES (1)"))
        hang()


async def in_rollback(database: Database, hang: Callable[[], None]) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO things VALUES (1)"))
        hang()
        raise RuntimeError("the handler refused")


async def in_waiting_for_the_pool(database: Database, hang: Callable[[], None]) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(8):
            _ = await stack.enter_async_context(database.read())
        hang()
        await insert(database)


@contextmanager
def soon() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < AT_MOST


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "step", [in_ping, in_connecting, in_a_statement, in_commit, in_rollback, in_waiting_for_the_pool]
)
async def test_whatever_step_hangs_it_is_given_up_soon_and_the_next_goes_on_when_the_server_answers(
    step: Callable[[Database, Callable[[], None]], Awaitable[None]], database: Database, cut: Cut
) -> None:
    before = await count(database)
    async with AsyncExitStack() as stack:
        with soon(), pytest.raises(SQLAlchemyError):
            await step(database, lambda: stack.enter_context(cut.silent()))
        with soon(), pytest.raises(SQLAlchemyError):
            await insert(database)
    await insert(database)
    unknown = step is in_commit  # a commit that was sent is done once the server goes on; only its answer was given up
    assert await count(database) == before + 1 + unknown


@pytest.mark.timeout(60)
async def test_a_cancelled_statement_does_not_wait_for_a_server_that_hangs(database: Database, cut: Cut) -> None:
    hanging = asyncio.Event()
    async with AsyncExitStack() as stack:

        def hang() -> None:
            stack.enter_context(cut.silent())
            hanging.set()

        async def work() -> None:
            context.awaited.set(False)  # it has ten minutes
            await in_a_statement(database, hang)

        task = asyncio.create_task(work())
        await hanging.wait()
        await asyncio.sleep(0.2)
        task.cancel()
        with soon(), pytest.raises(asyncio.CancelledError):
            await task
    await insert(database)


async def test_what_nobody_waits_for_may_take_longer(database: Database) -> None:
    slow = text(f"SELECT pg_sleep({SHORT.answer * 2})")
    with pytest.raises(SQLAlchemyError):
        async with database.read() as connection:
            await connection.execute(slow)
    context.awaited.set(False)
    async with database.read() as connection:
        await connection.execute(slow)


async def test_what_is_given_up_is_stopped_in_the_server_too(database: Database, postgres_url: str) -> None:
    with pytest.raises(SQLAlchemyError):
        async with database.read() as connection:
            await connection.execute(text("SELECT pg_sleep(600)"))
    running = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active'")
    other = Database(DatabaseConfig(postgres_url))
    async with asyncio.timeout(10):
        while await _one(other, running) > 1:  # noqa: ASYNC110 - another process; it counts itself
            await asyncio.sleep(0.05)
    await other.close()


async def _one(database: Database, query: TextClause) -> int:
    async with database.read() as connection:
        return int((await connection.execute(query)).scalar_one())


def started(outbox: Outbox) -> event_pb2.Event:
    event = outbox.event("audit.log.start")
    event.actor.kind, event.actor.id = event.actor.KIND_SERVICE, "audit"
    return event


@pytest.mark.timeout(60)
async def test_records_that_came_while_the_outbox_hung_are_refused_together(database: Database, cut: Cut) -> None:
    outbox = Outbox(database, CLOCK, Ids(CLOCK))
    async with database.write() as connection:
        await connection.run_sync(outbox.table.metadata.create_all)
    context.awaited.set(False)  # the first record may be one that nobody waits for
    with cut.silent(), soon():
        first = asyncio.create_task(outbox.record(started(outbox)))
        await asyncio.sleep(0.1)
        others = [asyncio.create_task(outbox.record(started(outbox))) for _ in range(20)]
        results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [result.reason for result in results if isinstance(result, Fault)] == [AUDIT_UNAVAILABLE] * 21
    await outbox.record(started(outbox))


def test_a_call_that_meets_a_hanging_database_twice_is_refused_within_what_is_promised() -> None:
    assert AWAITED.connection + AWAITED.answer + 2 * CANCEL_SECONDS <= 4.5
