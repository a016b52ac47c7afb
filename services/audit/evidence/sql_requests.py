"""SQL of the requests that entries of the last days were made in.

Owns how long they are kept. A row is a stretch of time and a tag (`search.tags`): it leads to no entry and to nobody.
Stretches are short, so that what is added goes to few pages, however much is kept.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.tables import REQUESTS
from services.kit.clock import Clock, milliseconds
from services.kit.db import Database

_PERIOD_MS = 600_000
_RECENT = 2
_KEPT = 288
"""Two days: a transfer may end half a day after its record, and the log be away from the gateway a day."""
_DELETED_AT_ONCE = 5000
_R = REQUESTS.c


class SqlRequests:
    """The requests of the last days."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the log's database."""
        self._database, self._clock = database, clock

    async def held(self, requests: Collection[int]) -> set[int]:
        """Return those of these tags that an entry has; most are recent, so that few are looked for further back."""
        now = _period(milliseconds(self._clock.now()))
        found = await self._within(range(now - _RECENT, now + 1), requests)
        return found | await self._within(range(now - _KEPT, now - _RECENT), set(requests) - found)

    async def _within(self, periods: Iterable[int], requests: Collection[int]) -> set[int]:
        if not requests:
            return set()
        query = select(_R.request).where(_R.period.in_(periods) & _R.request.in_(requests))
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())


async def add_requests(connection: AsyncConnection, now_ms: int, requests: Collection[int | None]) -> None:
    """Keep the tags of requests, in the transaction of their entries; None is of an entry that no request made."""
    named = sorted(request for request in requests if request is not None)
    if named:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        rows = [{"period": _period(now_ms), "request": request} for request in named]
        await connection.execute(dialect.insert(REQUESTS).on_conflict_do_nothing(), rows)


async def forget_requests(database: Database, now_ms: int) -> None:
    """Delete the tags that are asked for no more, some at a time."""
    old = select(_R.period, _R.request).where(_R.period < _period(now_ms) - _KEPT).order_by(_R.period, _R.request)
    some = tuple_(_R.period, _R.request).in_(old.limit(_DELETED_AT_ONCE))
    deleted = _DELETED_AT_ONCE
    while deleted == _DELETED_AT_ONCE:
        async with database.write() as connection:
            deleted = (await connection.execute(delete(REQUESTS).where(some))).rowcount


def _period(now_ms: int) -> int:
    return now_ms // _PERIOD_MS
