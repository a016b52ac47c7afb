"""Owns the SQL behind activity, counters and upkeep: what Redis may hold instead, and what is swept away in time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.auth import tables as t
from services.auth.sessions import ActivityLost
from services.auth.sql_times import from_microseconds, microseconds, upsert

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.clock import Clock
    from services.kit.db import Database

_ACTIVITY_KEPT = timedelta(hours=12)
_TOKENS_KEPT = timedelta(days=7)
_SIGN_UPS_KEPT = timedelta(days=3)
_REVOCATIONS_KEPT = timedelta(days=1)
_SESSIONS_KEPT = timedelta(days=30)
_UNCONFIRMED_KEPT = timedelta(days=7)
_DECOYS = 256
_DECOYS_KEPT = timedelta(hours=1)


class SqlActivity:
    """The last recorded activity of sessions, in SQL."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    async def touch(self, session_id: str, now: datetime) -> None:
        """Record activity; an older time than the one recorded changes nothing."""
        try:
            async with self._database.write() as connection:
                statement = upsert(connection, t.activity).values(session_id=session_id, active_us=microseconds(now))
                newer = t.activity.c.active_us < statement.excluded.active_us
                await connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[t.activity.c.session_id],
                        set_={"active_us": statement.excluded.active_us},
                        where=newer,
                    )
                )
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise ActivityLost from error

    async def last(self, session_id: str) -> datetime | None:
        """Return the last recorded activity."""
        try:
            async with self._database.read() as connection:
                query = select(t.activity.c.active_us).where(t.activity.c.session_id == session_id)
                found: int | None = (await connection.execute(query)).scalar_one_or_none()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise ActivityLost from error
        return None if found is None else from_microseconds(found)


class SqlCounters:
    """Counters, in SQL: shared by all replicas, kept over restarts. What is counted at one time shares one commit."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._waiting: list[_Change] = []
        self._writer: asyncio.Task[None] | None = None

    async def hit(self, buckets: Sequence[str], expires: Sequence[datetime]) -> Sequence[int]:
        """Count one in each bucket; returns the counts. Raises what the database raises."""
        return await self._change(buckets, [microseconds(end) for end in expires])

    async def forgive(self, buckets: Sequence[str]) -> None:
        """Take one back from each bucket; a count never goes below 0. Raises what the database raises."""
        await self._change(buckets, None)

    async def _change(self, buckets: Sequence[str], expires: Sequence[int] | None) -> Sequence[int]:
        change = _Change(buckets, expires, asyncio.get_running_loop().create_future())
        self._waiting.append(change)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await change.done

    async def _write_all(self) -> None:
        while self._waiting:
            changes, self._waiting = self._waiting, []
            try:
                async with self._database.write() as connection:
                    results = await _apply(connection, changes)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                for change in changes:
                    if not change.done.done():
                        change.done.set_exception(error)
                continue
            except BaseException:
                for change in changes:
                    change.done.cancel()
                raise
            for change, counts in zip(changes, results, strict=True):
                if not change.done.done():
                    change.done.set_result(counts)


@dataclass(frozen=True)
class _Change:
    """Hits, or what is forgiven when there is no time of expiry."""

    buckets: Sequence[str]
    expires: Sequence[int] | None
    done: asyncio.Future[Sequence[int]]


async def _apply(connection: AsyncConnection, changes: Sequence[_Change]) -> list[list[int]]:
    """Write changes in one order of locks for all replicas; return the count that each of their buckets reached."""
    results = [[0] * len(change.buckets) for change in changes]
    steps = [(bucket, row, column) for row, one in enumerate(changes) for column, bucket in enumerate(one.buckets)]
    for bucket, row, column in sorted(steps):
        expires = changes[row].expires
        if expires is None:
            counted = (t.counters.c.bucket == bucket) & (t.counters.c.hits > 0)
            await connection.execute(update(t.counters).where(counted).values(hits=t.counters.c.hits - 1))
            continue
        statement = upsert(connection, t.counters).values(bucket=bucket, hits=1, expires_us=expires[column])
        hit = statement.on_conflict_do_update(
            index_elements=[t.counters.c.bucket], set_={"hits": t.counters.c.hits + 1}
        )
        results[row][column] = (await connection.execute(hit.returning(t.counters.c.hits))).scalar_one()
    return results


class SqlDecoy:
    """A commit like any other, of a row that means nothing. Many rows, so that nobody waits for another's lock."""

    def __init__(self, counters: SqlCounters, clock: Clock, chance: Callable[[], float]) -> None:
        """Take the counters it hides among; ``chance`` returns numbers in [0, 1)."""
        self._counters, self._clock, self._chance = counters, clock, chance

    async def commit(self) -> None:
        """Commit it. Raises what the database raises."""
        bucket = f"decoy-{int(self._chance() * _DECOYS)}"
        await self._counters.hit([bucket], [self._clock.now() + _DECOYS_KEPT])


class SqlUpkeep:
    """Drops rows that nothing can use any more."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    async def sweep(self, now: datetime) -> None:
        """Drop what is too old. Raises what the database raises."""
        aged = (
            (t.activity, t.activity.c.active_us, _ACTIVITY_KEPT),
            (t.counters, t.counters.c.expires_us, timedelta()),
            (t.mail_tokens, t.mail_tokens.c.expires_us, _TOKENS_KEPT),
            (t.sign_ups, t.sign_ups.c.created_us, _SIGN_UPS_KEPT),
            (t.revocations, t.revocations.c.revoked_us, _REVOCATIONS_KEPT),
            (t.sessions, t.sessions.c.closes_us, _SESSIONS_KEPT),
        )
        for table, column, kept in aged:
            async with self._database.write() as connection:
                await connection.execute(delete(table).where(column < microseconds(now - kept)))
        await self._drop_unconfirmed(microseconds(now - _UNCONFIRMED_KEPT))

    async def _drop_unconfirmed(self, before: int) -> None:
        """Drop accounts whose address nobody ever confirmed: it may be somebody else's."""
        a = t.accounts.c
        waiting = exists().where(t.sign_ups.c.account_id == a.account_id)
        unconfirmed = a.confirmed_us.is_(None) & (a.created_us < before)
        async with self._database.write() as connection:
            await connection.execute(delete(t.accounts).where(unconfirmed & ~waiting))
