"""Owns the SQL of counters: shared by all replicas, kept over restarts. What is asked at one time shares one commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.auth import tables as t
from services.auth.sql_times import microseconds, upsert_in
from services.auth.throttle import Bucket, Taken
from services.kit import context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.dml import ReturningInsert

    from services.kit.clock import Clock
    from services.kit.db import Database

_NO_LIMIT = (1 << 31) - 1
_AT_ONCE = 256
_DECOYS = 256
_DECOYS_KEPT = timedelta(hours=1)
_HITS = select(t.counters.c.hits).where(t.counters.c.bucket == bindparam("name"))
_SET = update(t.counters).where(t.counters.c.bucket == bindparam("name")).values(hits=bindparam("count"))


@dataclass(eq=False)
class _Change:
    """One change of some counts."""

    take: Sequence[Bucket] = ()
    forgive: Sequence[str] = ()
    clear: str = ""
    full: frozenset[str] = frozenset()
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def names(self) -> dict[str, int]:
        """Return the names it concerns, and until when they must be kept."""
        kept = {bucket.name: microseconds(bucket.expires) for bucket in self.take}
        return kept | dict.fromkeys(self.forgive, 0) | ({self.clear: 0} if self.clear else {})

    def apply(self, counts: dict[str, int]) -> None:
        """Change the counts."""
        self.full = frozenset(bucket.name for bucket in self.take if counts[bucket.name] >= bucket.limit)
        if not self.full:
            for bucket in self.take:
                counts[bucket.name] += 1
        for name in self.forgive:
            counts[name] = max(0, counts[name] - 1)
        if self.clear:
            counts[self.clear] = 0


class SqlCounters:
    """Counters in SQL."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._waiting: list[_Change] = []
        self._writer: asyncio.Task[None] | None = None

    async def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Count one in each bucket if none of them is full. Raises what the database raises."""
        change = _Change(take=buckets)
        if buckets:
            await self._do(change)
        return Taken(change.full, self)

    async def forgive(self, names: Sequence[str]) -> None:
        """Take one back from each bucket; a count never goes below 0. Raises what the database raises."""
        if names:
            await self._do(_Change(forgive=names))

    async def count(self, name: str) -> int:
        """Return a count. Raises what the database raises."""
        async with self._database.read() as connection:
            found = await connection.execute(_HITS, {"name": name})
            return found.scalar_one_or_none() or 0

    async def add(self, name: str, expires: datetime) -> None:
        """Count one more, without a limit. Raises what the database raises."""
        await self._do(_Change(take=[Bucket(name, _NO_LIMIT, expires)]))

    async def clear(self, name: str) -> None:
        """Begin again from 0. Raises what the database raises."""
        await self._do(_Change(clear=name))

    async def _do(self, change: _Change) -> None:
        self._waiting.append(change)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await change.done

    async def _write_all(self) -> None:
        context.awaited.set(True)
        while self._waiting:
            changes, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            try:
                async with self._database.write() as connection:
                    await _apply(connection, changes)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                refused, self._waiting = [*changes, *self._waiting], []  # who came meanwhile has waited long enough
                for change in refused:
                    if not change.done.done():
                        change.done.set_exception(error)
                continue
            except BaseException:
                for change in changes:
                    change.done.cancel()
                raise
            for change in changes:
                if not change.done.done():
                    change.done.set_result(None)


async def _apply(connection: AsyncConnection, changes: Sequence[_Change]) -> None:
    """Make changes one after the other. Rows are locked in one order by all replicas, before any is changed."""
    kept: dict[str, int] = {}
    for change in changes:
        for name, expires in change.names().items():
            kept[name] = max(expires, kept.get(name, 0))
    before = await _lock(connection, kept)
    counts = dict(before)
    for change in changes:
        change.apply(counts)
    changed = [{"name": name, "count": count} for name, count in counts.items() if count and count != before[name]]
    if changed:
        await connection.execute(_SET, changed)
    if any(not counts[name] for name in counts):
        idle = t.counters.c.bucket.in_(sorted(name for name in counts if not counts[name]))
        await connection.execute(delete(t.counters).where(idle))


async def _lock(connection: AsyncConnection, kept: dict[str, int]) -> dict[str, int]:
    """Lock a row for each name, making those that are missing; returns their counts."""
    rows = [{"bucket": name, "hits": 0, "expires_us": expires} for name, expires in sorted(kept.items())]
    # The rows are given apart from the statement: with them in it, it would be compiled anew each time.
    found = await connection.execute(_locking(connection.dialect.name), rows)
    return {row.bucket: row.hits for row in found}


@cache
def _locking(dialect: str) -> ReturningInsert[tuple[str, int]]:
    statement = upsert_in(dialect, t.counters)
    asked, stored = statement.excluded.expires_us, t.counters.c.expires_us
    locked = statement.on_conflict_do_update(
        index_elements=[t.counters.c.bucket], set_={"expires_us": case((asked > stored, asked), else_=stored)}
    )
    return locked.returning(t.counters.c.bucket, t.counters.c.hits)


class SqlDecoy:
    """A commit like any other, of a row that means nothing. Many rows, so that nobody waits for another's lock."""

    def __init__(self, counters: SqlCounters, clock: Clock, chance: Callable[[], float]) -> None:
        """Take the counters it hides among; ``chance`` returns numbers in [0, 1)."""
        self._counters, self._clock, self._chance = counters, clock, chance

    async def commit(self) -> None:
        """Commit it. Raises what the database raises."""
        name = f"decoy-{int(self._chance() * _DECOYS)}"
        await self._counters.add(name, self._clock.now() + _DECOYS_KEPT)
