"""SQL of legal holds and of the bodies they keep.

Owns the lock that lets a hold begin or end between two steps of an erasure or a sweep, never within one. Never opens a
body.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.journal import Journal
from services.audit.retention.held import Held
from services.audit.retention.holds import Cause, Hold, Span
from services.audit.retention.release import HeldRow, Moved
from services.audit.store import HoldsChangedError
from services.audit.tables import ENTRIES, HELD, HOLDS, RETENTION
from services.audit.tiles import WIDTH
from services.kit.clock import from_milliseconds, milliseconds
from services.kit.db import Database

_H = HOLDS.c
_COLUMNS = (
    _H.id,
    _H.subject,
    _H.since_ms,
    _H.until_ms,
    _H.cause,
    _H.secret,
    _H.placed_ms,
    _H.placed_by,
    _H.released_ms,
    _H.released_by,
)


class HoldsIn:
    """The holds, in an open write transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, hold: Hold) -> None:
        """Keep a new hold."""
        await lock(self._connection)
        span = hold.span
        values = {
            "id": hold.hold_id,
            "subject": hold.subject,
            "since_ms": milliseconds(span.since) if span else None,
            "until_ms": milliseconds(span.until) if span and span.until else None,
            "cause": hold.cause.value,
            "secret": hold.secret,
            "placed_ms": milliseconds(hold.placed),
            "placed_by": hold.placed_by,
            "released_by": "",
            "dropped": 0,
            "cleared": False,
        }
        await self._connection.execute(insert(HOLDS).values(values))

    async def find(self, hold_id: str) -> Hold | None:
        """Return a hold."""
        return next(iter(await _holds(self._connection, _H.id == hold_id)), None)

    async def release(self, hold_id: str, by: str, now: datetime) -> bool:
        """Release a hold; tells whether it was in force."""
        await lock(self._connection)
        mine = (_H.id == hold_id) & _H.released_ms.is_(None)
        values = {"released_ms": milliseconds(now), "released_by": by}
        released = await self._connection.execute(update(HOLDS).where(mine).values(values))
        kept = RETENTION.c.kept_from  # the next sweep begins again where the first hold stopped one
        again = {"expired_below": kept - kept % WIDTH, "kept_from": None}
        await self._connection.execute(update(RETENTION).where(kept.is_not(None)).values(again))
        return released.rowcount > 0


class SqlHolds:
    """The holds and what they keep, a transaction at a time."""

    def __init__(self, database: Database, journal: Journal) -> None:
        """Take the log's database, and the journal in which a hold's end is recorded."""
        self._database, self._journal = database, journal

    async def active(self) -> list[Hold]:
        """Return the holds that are in force."""
        async with self._database.read() as connection:
            return await _holds(connection, _H.released_ms.is_(None))

    async def uncleared(self) -> list[Hold]:
        """Return the holds that were released and still keep bodies or a key."""
        async with self._database.read() as connection:
            return await _holds(connection, _H.released_ms.is_not(None) & ~_H.cleared)

    async def page(self, after: str, limit: int, *, released: bool) -> list[Hold]:
        """Return at most `limit` holds with ids above `after`, oldest first; those that were released only if asked."""
        wanted = _H.id > after
        if not released:
            wanted &= _H.released_ms.is_(None)
        async with self._database.read() as connection:
            return await _holds(connection, wanted, limit)

    async def held(self, hold_id: str, limit: int) -> list[HeldRow]:
        """Return at most `limit` bodies that the hold keeps."""
        query = (
            select(HELD.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.arrived_ms, HELD.c.sealed)
            .join(ENTRIES, ENTRIES.c.idx == HELD.c.idx)
            .where(HELD.c.hold == hold_id)
            .order_by(HELD.c.idx)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            HeldRow(index, event_id, subject, from_milliseconds(ms), Held(hold_id, sealed))
            for index, event_id, subject, ms, sealed in rows
        ]

    async def move(self, hold_id: str, moved: Sequence[Moved], active: Collection[str]) -> None:
        """Move bodies or let them go; raise HoldsChangedError when other holds than `active` are in force."""
        gone = [each.index for each in moved if each.held is None]
        async with self._database.write() as connection:
            await require_active(connection, active)
            mine = HELD.c.hold == hold_id
            dropped = await connection.execute(delete(HELD).where(mine & HELD.c.idx.in_(gone)))
            counted = {"dropped": _H.dropped + dropped.rowcount}
            await connection.execute(update(HOLDS).where(_H.id == hold_id).values(counted))
            for each in moved:
                if each.held is not None:
                    values = {"hold": each.held.hold_id, "sealed": each.held.sealed}
                    await connection.execute(update(HELD).where(mine & (HELD.c.idx == each.index)).values(values))

    async def cleared(self, hold: Hold) -> None:
        """Keep that nothing is left of the hold, and record it with the number of bodies that were let go."""
        mine = (_H.id == hold.hold_id) & ~_H.cleared
        async with self._database.write() as connection:
            done = update(HOLDS).where(mine).values(cleared=True).returning(_H.dropped)
            dropped = (await connection.execute(done)).scalar_one_or_none()
            if dropped is not None:
                await self._journal.hold_cleared(connection, hold.hold_id, dropped)


async def lock(connection: AsyncConnection) -> None:
    """Wait until no other transaction that holds matter to is under way."""
    await connection.execute(select(RETENTION.c.id).with_for_update())


async def require_active(connection: AsyncConnection, expected: Collection[str]) -> None:
    """Raise HoldsChangedError when other holds than these are in force; none begins or ends before the commit."""
    await lock(connection)
    found = (await connection.execute(select(_H.id).where(_H.released_ms.is_(None)))).scalars()
    if set(found) != set(expected):
        raise HoldsChangedError


async def _holds(connection: AsyncConnection, wanted: ColumnElement[bool], limit: int | None = None) -> list[Hold]:
    query = select(*_COLUMNS).where(wanted).order_by(_H.id).limit(limit)
    return [_hold(row) for row in await connection.execute(query)]


def _hold(row: Any) -> Hold:
    span = None
    if row.since_ms is not None:
        until = from_milliseconds(row.until_ms) if row.until_ms is not None else None
        span = Span(from_milliseconds(row.since_ms), until)
    released = from_milliseconds(row.released_ms) if row.released_ms is not None else None
    placed = from_milliseconds(row.placed_ms)
    return Hold(
        row.id, row.subject, span, Cause(row.cause), row.secret, placed, row.placed_by, released, row.released_by
    )
